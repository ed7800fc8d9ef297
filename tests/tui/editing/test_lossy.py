"""What is offered that loses too much: marked, and behind what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.models import SAMPLES
from builders.shown_text import page_text

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.numbers.differences import OutputDifference
from npuscope.numbers.price import Price
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain


def lossy_where(monkeypatch: pytest.MonkeyPatch, is_lossy: Callable[[Edit], bool]) -> None:
    """As resizing to the nearest element is in movenet_192, whose worst output keeps -5.7 dB with it."""
    kept = OutputDifference("y", False, 1.0, 0.1, 40.0, 1.0, 0.1, "quantization", 7, 9)
    lost = replace(kept, max_steps=50.0, sqnr_db=8.2)
    monkeypatch.setattr(
        "npuscope.numbers.price.price", lambda _, edit, *__: Price(lost if is_lossy(edit) else kept, None, 8)
    )


def in_two(edit: Edit) -> bool:
    return isinstance(edit, SplitInput) and len(edit.sizes) == 2


async def test_a_fix_that_loses_too_much_is_marked_and_comes_last(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy_where(monkeypatch, in_two)
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("f")
        await settle(pilot)
        screen = pilot.app.screen
        lossy = [in_two(fix.edit) for fix in screen.fixes]
        assert lossy[-1] and lossy.count(True) == 1
        choices = screen.query_one(Choices)
        assert plain(choices.body(len(lossy) - 1, 90)).rstrip().endswith("▲ 8.2\N{NO-BREAK SPACE}dB")
        assert "≈ 40.0" in plain(choices.body(len(lossy) - 2, 90))
        await pilot.press("end")
        assert "less than 25 dB" in " ".join(page_text(screen).split())


async def test_a_split_that_loses_too_much_comes_last_and_stays_chosen(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy_where(monkeypatch, in_two)
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("s")
        await settle(pilot)
        screen = pilot.app.screen
        first = screen.query_one(Entry).value
        screen.evaluate_whole_model(screen.result)  # as it does once the keys rest
        await settle(pilot)
        choices = screen.query_one(Choices)
        rows = [plain(choices.body(i, 80)) for i in range(choices.count)]
        assert "▲" in rows[choices.cursor] and rows[choices.cursor].startswith(first)
        assert "▲" not in rows[0]


async def test_what_loses_too_much_in_the_whole_model_comes_last(
    explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy_where(monkeypatch, lambda _: True)
    async with explore(SAMPLES / "attention_block_int8.onnx") as pilot:
        await pilot.press("home", "f")
        await settle(pilot)
        screen = pilot.app.screen
        lossy = [edit in screen.prices for edit in screen.edits]
        assert True in lossy and False in lossy and lossy == sorted(lossy)
        await pilot.press("end")
        assert "less than 25 dB" in " ".join(page_text(screen).split())
