"""Which layers are lowered again: those that would be answered otherwise, and those that ask what cannot be asked again."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders.models import DENOISER

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.lowering.journal import lowered
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.steps import Step
from npuscope.npu.verdict import Placement
from npuscope.session import Session

FIRST, SECOND = (cast(Placed, SimpleNamespace(layer=SimpleNamespace(name=name))) for name in ("one", "two"))
ASKS: dict[str, tuple[Callable[[Lowering], Any], bool]] = {
    "a note of another layer": (lambda lowering: lowering.batches.get("x", 0), False),
    "whether there is one": (lambda lowering: "x" in lowering.batches, False),
    "a note that stays as it is": (lambda lowering: lowering.batches.get("y", 0), True),
    "how many steps there are": (lambda lowering: len(lowering.steps), False),
    "one of the steps": (lambda lowering: lowering.steps[0], False),
    "what the steps are": (lambda lowering: list(lowering.steps), False),
    "all notes": (lambda lowering: sorted(lowering.batches), False),
    "one of the notes": (lambda lowering: next(iter(lowering.batches), ""), False),
    "how many notes there are": (lambda lowering: len(lowering.batches), False),
}


@pytest.mark.parametrize("name", ASKS)
def test_a_layer_is_lowered_again_where_its_answers_may_differ(name: str) -> None:
    ask, kept = ASKS[name]
    session = Session.open(load(DENOISER), target("2.2"))
    calls: list[str] = []

    def lowering_with(batch: int) -> Callable[[Lowering, Placed], None]:
        def lower(lowering: Lowering, item: Placed) -> None:
            calls.append(item.layer.name)
            if item is FIRST and batch:
                lowering.batches["x"] = batch
            asked = ask(lowering) if item is SECOND else batch
            lowering.steps.append(Step(str(asked), item.layer.name, Placement.HW, (), ()))

        return lower

    layers, machine = session.layers, session.target
    steps, journal = lowered([FIRST, SECOND], layers, machine, lowering_with(8), None)
    assert calls == ["one", "two"]
    calls.clear()
    again, _ = lowered([FIRST, SECOND], layers, machine, lowering_with(8), journal)
    assert again == steps and "one" not in calls
    calls.clear()
    journal.entries["one"] = journal.entries["one"]._replace(item=cast(Placed, SimpleNamespace()))
    changed, _ = lowered([FIRST, SECOND], layers, machine, lowering_with(0), journal)
    assert calls == (["one"] if kept else ["one", "two"])
    assert (changed[0].layer, changed[0].op) == ("one", "0")
    assert (changed[0] is steps[0], changed[1].op == steps[1].op) == (False, changed[1] is steps[1])


@pytest.mark.parametrize("order", [[SECOND], [SECOND, FIRST]], ids=["gone", "behind"])
def test_a_note_of_a_layer_that_is_gone_or_comes_later_now_answers_nobody(order: list[Placed]) -> None:
    session = Session.open(load(DENOISER), target("2.2"))

    def lower(lowering: Lowering, item: Placed) -> None:
        if item is FIRST:
            lowering.batches["x"] = 8
        asked = lowering.batches.get("x", 0) if item is SECOND else 8
        lowering.steps.append(Step(str(asked), item.layer.name, Placement.HW, (), ()))

    steps, journal = lowered([FIRST, SECOND], session.layers, session.target, lower, None)
    assert steps[1].op == "8"
    again, _ = lowered(order, session.layers, session.target, lower, journal)
    assert again[0].op == "0"


def test_what_was_lowered_for_another_target_is_not_taken_over() -> None:
    calls: list[str] = []

    def lower(lowering: Lowering, item: Placed) -> None:
        calls.append(item.layer.name)
        lowering.steps.append(Step("Relu", item.layer.name, Placement.HW, (), ()))

    layers, newer = Session.open(load(DENOISER), target("2.2")).layers, target("4.0")
    _, journal = lowered([FIRST], layers, target("2.2"), lower, None)
    _, journal = lowered([FIRST], layers, newer, lower, journal)
    assert calls == ["one", "one"]
    lowered([FIRST], layers, newer, lower, journal)
    assert calls == ["one", "one"]
