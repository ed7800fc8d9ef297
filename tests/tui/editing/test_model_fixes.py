"""The edits of the whole model, by keyboard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.longer import SIZES
from builders.models import save_text
from builders.shown_text import page_text

from npuscope.edits.edit import Exactness
from npuscope.edits.gain import Gain
from npuscope.edits.kinds.activations_int8 import ActivationsInt8
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.planning.whole_model import free_sizes, parse_dimensions, whole_model_edits
from npuscope.tui.screens.model_fixes.screen import ModelFixesScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain

UINT8 = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1, 8, frames, 4] x) => (float[1, 8, frames, 4] y) <float s = {0.1}, uint8 z = {100}> {
  q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) r = Relu(d)
  rq = QuantizeLinear(r, s, z) y = DequantizeLinear(rq, s, z)
}"""


NOTHING_TO_GAIN = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1, 8, 4, 4] q) => (int8[1, 8, 4, 4] rq) <float s = {0.1}, int8 z = {0}> {
  d = DequantizeLinear(q, s, z) r = Relu(d) rq = QuantizeLinear(r, s, z)
}"""

WAIT = 300.0
"""Seconds, on a machine that is busy."""


@pytest.fixture
def free(tmp_path: Path) -> Path:
    return save_text(UINT8, tmp_path / "free.onnx")


async def open_screen(pilot: Any, settle: Any) -> Any:
    await pilot.press("home", "f")
    await settle(pilot)
    assert isinstance(pilot.app.screen, ModelFixesScreen)
    return pilot.app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_sizes_are_typed(free: Path, size: tuple[int, int], explore: Any, settle: Any) -> None:
    async with explore(free, size) as pilot:
        screen = await open_screen(pilot, settle)
        assert screen.edits[0] == FixDimensions()
        assert "frames" in page_text(screen)
        await pilot.press("enter", *"30x", "enter")
        await settle(pilot)
        assert pilot.app.screen is screen, "not a size"
        assert "name=number" in page_text(screen)
        await pilot.press("backspace", "enter")
        await settle(pilot)
        assert pilot.app.session.done == (FixDimensions((("frames", 30),)),)
        assert pilot.app.session.graph.type("y").dims == (1, 8, 30, 4)


async def test_escape_leaves_the_sizes_then_the_screen(free: Path, explore: Any, settle: Any) -> None:
    async with explore(free) as pilot:
        screen = await open_screen(pilot, settle)
        await pilot.press("enter")
        assert screen.asking and pilot.app.focused is screen.query_one(Entry).input
        await pilot.press("escape")
        assert not screen.asking and pilot.app.screen is screen
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.session.done == ()


async def test_an_edit_that_takes_nothing_is_one_enter_away(free: Path, explore: Any, settle: Any) -> None:
    async with explore(free) as pilot:
        screen = await open_screen(pilot, settle)
        at = screen.edits.index(ActivationsInt8())
        await pilot.press(*["down"] * at, "enter")
        await settle(pilot)
        assert pilot.app.session.done == (ActivationsInt8(),)
        screen = await open_screen(pilot, settle)
        assert ActivationsInt8() not in screen.edits and Int8Borders() in screen.edits


async def test_a_model_without_any_lists_the_best_of_its_layers(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        screen = await open_screen(pilot, settle)
        assert whole_model_edits(pilot.app.session) == () == free_sizes(pilot.app.session.graph)
        assert screen.edits[0] == PadChannels("Gemm_28", 258) and screen.query_one(Choices).has_focus
        saved = [screen.results[edit].after.milliseconds for edit in screen.edits]
        assert saved == sorted(saved)
        choices = screen.query_one(Choices)
        first = plain(choices.body(0, choices.line_width))
        assert "pad inputs of Gemm_28 to 258 channels" in first and "✗ 3→2" in first
        assert f" {saved[0] - pilot.app.snapshot.summary.milliseconds:.3f}" in first
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.done == (PadChannels("Gemm_28", 258),)


@pytest.mark.parametrize(
    "text", ["30", "frames=", "=30", "frames=-1", "frames=1.5", "frames=٣٠x", "frames=" + "9" * 5000]
)
def test_what_is_no_size(text: str) -> None:
    assert not isinstance(parse_dimensions(text), FixDimensions)


def test_sizes_of_odd_names() -> None:
    assert parse_dimensions("a=b=3, x:0=7") == FixDimensions((("a=b", 3), ("x:0", 7)))


async def test_what_saves_no_time_comes_behind_what_does(explore: Any, settle: Any) -> None:
    model = Path(__file__).resolve().parents[3] / "sample_models" / "attention_block_int8.onnx"
    async with explore(model, (80, 24)) as pilot:
        screen = await open_screen(pilot, settle)
        assert Int8Borders() in screen.edits
        after = [screen.results[edit].after.milliseconds for edit in screen.edits]
        assert after == sorted(after)
        exact, approximate = (
            next(
                i
                for i, edit in enumerate(screen.edits)
                if (edit.exactness is Exactness.APPROXIMATE) is wanted
            )
            for wanted in (False, True)
        )
        choices = screen.query_one(Choices)
        assert "≈" not in plain(choices.body(exact, choices.line_width))
        assert plain(choices.body(approximate, choices.line_width)).rstrip().endswith("≈")


async def test_what_is_not_known_yet_is_not_denied(
    tmp_path: Path, explore: Any, settle: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def waits(session: Any, snapshot: Any, *rest: Any) -> Iterator[tuple[Gain, ...]]:
        assert go_on.wait(WAIT)
        yield ()

    monkeypatch.setattr("npuscope.planning.gains.weigh", waits)
    path = save_text(NOTHING_TO_GAIN, tmp_path / "relu.onnx")
    async with explore(path, (80, 24)) as pilot:
        await pilot.press("home", "f")
        await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, ModelFixesScreen)
        assert page_text(screen).startswith("Looking for"), page_text(screen)
        go_on.set()
        await until(pilot, lambda: page_text(screen).startswith("No edit of the whole model"))
