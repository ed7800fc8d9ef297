"""From the first screen, without typing a name: what a Concat joins, what a residual skips, what is hottest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.models import SHARED
from builders.networks.yolo_like import yolo_like

from npuscope.widgets.panes.neighbourhood import Neighbourhood
from npuscope.widgets.text.spans import plain

YOLO = SHARED / "groundtruth" / "cases" / "yolov11n_micro_224" / "model.onnx"
SIZES = [((120, 40), 4), ((80, 24), 6)]


@pytest.fixture(params=["yolov11n_micro_224", "generated"])
def detector(request: Any, tmp_path: Path) -> Path:
    if request.param == "generated":
        return yolo_like(tmp_path / "detector.onnx")
    if not YOLO.exists():
        pytest.skip("the model is not in this checkout")
    return YOLO


def on_screen(app: Any) -> str:
    """What the neighbourhood pane shows without scrolling."""
    pane = app.query_one(Neighbourhood)
    assert pane.region.area, "the pane is in view"
    lines = range(min(pane.count, pane.page))
    return "\n".join(plain(pane.body(i, pane.line_width)) for i in lines)


class Truth:
    """Who makes what a node reads, off the file itself, Q and DQ left out."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(path, load_external_data=False).graph
        self.nodes = {node.name: node for node in graph.node}
        self.makers = {output: node for node in graph.node for output in node.output}

    def producers(self, name: str) -> list[str]:
        makers = []
        for tensor in self.nodes[name].input:
            maker = self.makers.get(tensor)
            while maker is not None and maker.op_type in ("QuantizeLinear", "DequantizeLinear"):
                maker = self.makers.get(maker.input[0])
            makers.append(maker.name if maker is not None else tensor)
        return makers


async def pressed_until(pilot: Any, settle: Any, op: str, most: int, first: list[str]) -> str:
    """Keys to the first join of an operator; its name."""
    keys = list(first)
    if keys:
        await pilot.press(*keys)
    while True:
        keys.append("right_curly_bracket")
        await pilot.press("right_curly_bracket")
        await settle(pilot)
        report = pilot.app.main.report
        if report.layer.op == op:
            break
        assert len(keys) < most, f"no {op} within {most} keys"
    assert len(keys) <= most
    return str(report.name)


@pytest.mark.parametrize(("size", "most"), SIZES)
async def test_which_tensors_a_concat_joins(
    detector: Path, size: tuple[int, int], most: int, explore: Any, settle: Any
) -> None:
    truth = Truth(detector)
    async with explore(detector, size) as pilot:
        name = await pressed_until(pilot, settle, "Concat", most, ["4"] if size[0] < 100 else [])
        text = on_screen(pilot.app)
        for producer, tensor in zip(truth.producers(name), truth.nodes[name].input, strict=True):
            assert producer in text, (producer, text)
            matched = re.search(r"[^/]+_output_\d+", tensor)
            assert matched is not None and matched[0] in text, (tensor, text)


@pytest.mark.parametrize(("size", "most"), SIZES)
async def test_which_residual_skips_which_block(
    detector: Path, size: tuple[int, int], most: int, explore: Any, settle: Any
) -> None:
    truth = Truth(detector)
    async with explore(detector, size) as pilot:
        name = await pressed_until(pilot, settle, "Add", most, ["4"] if size[0] < 100 else [])
        text = on_screen(pilot.app)
        around, through = truth.producers(name)
        sentence = next(line for line in text.splitlines() if " skips " in line)
        assert f"● {name}" in text
        assert sentence.startswith("│ ") and around.rpartition("/")[2] in sentence.partition(" skips ")[0]
        scope = name.rpartition("/")[0]
        assert through.startswith(scope), "the block that is skipped has the residual's scope"
        assert scope in sentence.partition(" skips ")[2]


@pytest.mark.parametrize(("size", "most"), SIZES)
async def test_the_three_hottest_layers(
    detector: Path, size: tuple[int, int], most: int, explore: Any, settle: Any
) -> None:
    async with explore(detector, size) as pilot:
        snapshot = pilot.app.snapshot
        ranked = sorted(snapshot.layers, key=lambda report: -snapshot.time_of(report))
        for report in ranked[:3]:
            await pilot.press("full_stop")
            await settle(pilot)
            assert snapshot.time_of(pilot.app.main.report) == snapshot.time_of(report)
        assert most >= 3
