"""A float model judged as if quantized on the screen: offered, marked everywhere, edited, and never run or written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.longer import SIZES
from builders.networks.spectrum_masks import mask

from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.fixes.screen import FixesScreen
from npuscope.tui.screens.plan.screen import PlanScreen
from npuscope.tui.screens.quantize.screen import QuantizeScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.neighbourhood import Neighbourhood
from npuscope.widgets.panes.quantization import Quantization
from npuscope.widgets.text.spans import plain

SAMPLES = Path(__file__).resolve().parents[3] / "sample_models"


@pytest.fixture
def float_model(tmp_path: Path) -> Path:
    return Path(shutil.copy(SAMPLES / "denoiser_lstm_float.onnx", tmp_path))


def top_line(app: Any) -> str:
    bar = app.main.query_one(StatusLine)
    return plain(bar.bar(app.size.width - 2))


def hint_labels(app: Any) -> list[str]:
    return [hint.label for hint in app.main.query_one(KeyBar).hints]


@pytest.mark.parametrize("size", SIZES)
async def test_a_float_model_is_judged_as_if_quantized_and_back(
    float_model: Path, size: tuple[int, int], explore: Any, settle: Any
) -> None:
    async with explore(float_model, size) as pilot:
        app = pilot.app
        assert {"as int8", "quantize"} <= set(hint_labels(app))
        assert app.snapshot.summary.on_cpu == 28
        await pilot.press("I")
        await settle(pilot)
        assert [report.name for report in app.snapshot.layers if report.placement.on_cpu] == [
            "Conv2D_23",
            "Gemm_28",
            "Conv2D_79",
        ]
        assert "if quantized" in top_line(app)
        assert "as float" in hint_labels(app)
        pane = "\n".join(map(plain, Eligibility().lines(app.selection, 200)))
        assert "if quantized: " in pane
        assert "calibration sets" in pane
        assert "quantize --symmetric" in pane
        await pilot.press("n")
        await settle(pilot)
        quantized = "\n".join(map(plain, Quantization().lines(app.selection, 80)))
        assert "int8" in quantized
        assert "1e-06" not in quantized
        assert "?" in quantized
        around = "\n".join(map(plain, Neighbourhood().lines(app.selection, 80)))
        assert "int8" in around
        assert not re.search(r"int8 1 |int8 .*z\d", around), "scales and zero points are not known yet"
        await pilot.press("I")
        await settle(pilot)
        assert app.snapshot.summary.on_cpu == 28
        assert "if quantized" not in top_line(app)
        assert app.main.report.name == "Conv2D_23"


async def test_every_dialog_over_it_says_so(tmp_path: Path, explore: Any, settle: Any) -> None:
    onnx.save(mask(), tmp_path / "mask.onnx")
    async with explore(tmp_path / "mask.onnx", (80, 24)) as pilot:
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("n")
        seen = []
        for key in ("f", "p", "b", "W", "L", "i", "m", "s", "M", "B", "d"):
            await pilot.press(key)
            await settle(pilot)
            screen = pilot.app.screen
            if isinstance(screen, Dialog):
                seen.append(key)
                assert "if quantized" in plain(screen.query_one(TitleBar).bar(78)), key
                await pilot.press("escape")
                await settle(pilot)
        assert len(seen) >= 9
        assert pilot.app.screen is pilot.app.main


async def test_fixes_and_plan_work_and_their_edits_wait_for_the_way_back(
    float_model: Path, explore: Any, settle: Any
) -> None:
    async with explore(float_model, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("n", "f")
        await settle(pilot)
        assert isinstance(app.screen, FixesScreen)
        await pilot.press("enter")
        await settle(pilot)
        assert len(app.session.done) == 1
        assert app.snapshot.summary.on_cpu == 2
        await pilot.press("p")
        await settle(pilot)
        assert isinstance(app.screen, PlanScreen)
        await pilot.press("enter")
        await settle(pilot)
        assert app.snapshot.summary.on_cpu == 0
        made = app.session.done
        assert len(made) > 1
        assert not app.has_unexported
        await pilot.press("I")
        await settle(pilot)
        assert app.session.done == ()
        assert not app.session.graph.as_int8
        await pilot.press("I")
        await settle(pilot)
        assert app.session.done == made
        assert app.snapshot.summary.on_cpu == 0
        await pilot.press("u")
        await settle(pilot)
        assert app.session.done == made[:-1]


async def test_nothing_of_it_is_run_or_written(float_model: Path, explore: Any, settle: Any) -> None:
    async with explore(float_model, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("n", "f")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        for key in ("e", "v", "C", "A", "E"):
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is app.main, key
        assert [path.name for path in float_model.parent.iterdir() if path.suffix == ".onnx"] == [
            float_model.name
        ]
        assert not list(float_model.parent.glob("state/**/*.toml"))
        await pilot.press("R")
        await settle(pilot)
        assert app.session.graph.as_int8
        assert len(app.session.done) == 1


async def test_q_quantizes_the_float_model_behind_it(
    float_model: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(QuantizeScreen, "start", lambda screen: taken.append(screen.session))
    async with explore(float_model, (80, 24)) as pilot:
        await pilot.press("I")
        await settle(pilot)
        await pilot.press("Q")
        await settle(pilot)
        assert len(taken) == 1
        assert not taken[0].graph.as_int8


async def test_a_quantized_model_is_not_offered(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        assert "as int8" not in hint_labels(pilot.app)
        before = pilot.app.session
        await pilot.press("I")
        await settle(pilot)
        assert pilot.app.session is before
