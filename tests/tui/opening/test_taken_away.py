"""The model's file goes away, or becomes something else, while it is open: every action says so or does its work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput


def wide(folder: Path, beside: bool) -> Path:
    """A Conv whose weights are not read as the file is opened, in the file or beside it, before a Softmax."""
    weights = np.random.default_rng(1).integers(-127, 128, (512, 1024, 3, 3), np.int8)
    constants = {
        "w": weights,
        "s": np.float32(0.05),
        "z": np.int8(0),
        "ws": np.float32(0.001),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"], name="dq"),
        helper.make_node("DequantizeLinear", ["w", "ws", "z"], ["wf"], name="wdq"),
        helper.make_node("Conv", ["f", "wf"], ["c"], name="Conv_1"),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["g"], name="dq2"),
        helper.make_node("Softmax", ["g"], ["y"], name="Softmax_1"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 3, [1, 1024, 5, 5])],
        [helper.make_tensor_value_info("y", 1, [1, 512, 3, 3])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "wide.onnx"
    onnx.save_model(model, path, save_as_external_data=beside, location="wide.bin", size_threshold=1 << 20)
    return path


def removed(path: Path) -> None:
    path.unlink()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize(("way", "kind"), [(circle, "small"), (removed, "large"), (pipe, "beside")])
async def test_every_action_after_it_says_so_or_does_its_work(
    way: Callable[[Path], None], kind: str, denoiser: Path, explore: Any, settle: Any, tmp_path: Path
) -> None:
    path = denoiser if kind == "small" else wide(tmp_path, kind == "beside")
    edit = SplitInput("Gemm_28", (144, 113)) if kind == "small" else SplitOutput("Conv_1", (256, 256))
    async with explore(path) as pilot:
        app = pilot.app
        app.make(edit)
        await settle(pilot)
        way(path if kind != "beside" else tmp_path / "wide.bin")
        app.reloader.watch()
        for key in ("v", "e", "f", "R"):
            await pilot.press(key, *(["enter"] if key in "ve" else []))
            await settle(pilot)
            assert key == "R" or app.session.done[:1] == (edit,)
            while len(app.screen_stack) > 1:
                await pilot.press("escape")
                await settle(pilot)
        assert app.snapshot.layers
    assert not (tmp_path / "state" / "npuscope" / "crash.txt").exists()
