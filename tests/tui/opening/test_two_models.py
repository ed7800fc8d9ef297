"""`npuscope OLD NEW`: two models side by side; the second one is explored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.models import DENOISER, SAMPLES

from npuscope.edits.apply_all import apply_all
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.files.onnx_file import write
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.services.diff import Change
from npuscope.services.open import two_models
from npuscope.session import Session
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.difference.screen import DifferenceScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.text.spans import plain


@pytest.fixture
def fixed(tmp_path: Path) -> Path:
    session = Session.open(load(DENOISER), target("2.1"))
    edited = apply_all(session, [PadChannels("Gemm_28", 264)])
    assert isinstance(edited, Session)
    return write(edited, tmp_path / "fixed.onnx").path


async def test_side_by_side(fixed: Path, settle: Any) -> None:
    app = Npuscope(str(DENOISER), target("2.1"), [str(fixed)])
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, DifferenceScreen)
        assert app.session is not None and app.session.source.path == fixed
        assert len(screen.pairs) == len(app.snapshot.layers)
        assert screen.pair is not None and screen.pair.touched
        await pilot.press("tab")
        assert [pair.report.name for pair in screen.pairs] == ["Conv2D_23", "Flatten_26", "Gemm_28"]
        while screen.pair.report.name != "Gemm_28":
            await pilot.press("down")
        assert Change.MOVED in screen.pair.changes
        assert "moved" in plain(screen._line(2, 130)) and "✗ CPU" in plain(screen._line(2, 130))
        shortest = plain(screen._line(2, 54))
        assert "+1" in shortest and len(screen.pair.changes) == 2, "words that do not fit are counted"
        assert all(change.value in plain(screen.about(60)[2]) for change in screen.pair.changes)
        await pilot.press("tab")
        assert screen.pair.report.name == "Gemm_28", "the cursor stays on the layer"
        await pilot.press("n")
        assert screen.pair.report.name == "Conv2D_23", "behind the last change the first again"
        await pilot.press("N")
        await pilot.press("enter")
        await settle(pilot)
        assert app.main.report is not None and app.main.report.name == "Gemm_28"
        assert not isinstance(app.screen, DifferenceScreen)
        await pilot.press("D")
        await settle(pilot)
        assert isinstance(app.screen, DifferenceScreen)
        await pilot.press("escape")


async def test_models_that_have_nothing_in_common(settle: Any) -> None:
    other = SAMPLES / "mobilenet_mini_int8.onnx"
    app = Npuscope(str(DENOISER), target("2.1"), [str(other)])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, DifferenceScreen)
        from npuscope.tui.screens.difference.rows import difference_verdict

        assert "nothing in common" in plain(difference_verdict(app.screen._found))
        for key in ("down", "tab", "n", "N", "tab", "up", "end", "home"):
            await pilot.press(key)
        assert app.screen.query_one(KeyBar)


async def test_without_a_second_model_the_key_says_how(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("D")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, DifferenceScreen)


async def test_a_second_model_that_cannot_be_read(tmp_path: Path, settle: Any) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x08\x01\x00nonsense")
    app = Npuscope(str(DENOISER), target("2.1"), [str(bad)])
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert not isinstance(app.screen, DifferenceScreen)
        assert app.faults.maxlen and not app.faults


def test_which_files_are_two_models(tmp_path: Path) -> None:
    copy = shutil.copy(DENOISER, tmp_path / "copy.onnx")
    report = tmp_path / "report.txt"
    report.write_text("ST Edge AI Core v2.1.0\n")
    assert two_models([DENOISER, copy]) == (str(DENOISER), str(copy))
    assert two_models([DENOISER]) is None and two_models([DENOISER, report]) is None
    assert two_models([DENOISER, copy, copy]) is None
    front = onnx.load(DENOISER)
    front.producer_name = "Cube.AI"
    onnx.save(front, tmp_path / "x_OE_3_3_0.onnx")
    assert two_models([DENOISER, tmp_path / "x_OE_3_3_0.onnx"]) is None
