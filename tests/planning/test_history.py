"""The edits of a session as a list: taken away, put in another order, each with its gain and its loss."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import written

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.jobs import Job, StoppedError
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.numbers.differences import OutputDifference
from npuscope.planning.history import losses, remade, steps
from npuscope.session import Session
from npuscope.snapshot import analyse

SAMPLE = Path(__file__).resolve().parents[2] / "sample_models" / "denoiser_lstm_int8.onnx"


def edited(*edits: Edit) -> Session:
    session = Session.open(load(SAMPLE), target("2.1"))
    for edit in edits:
        result = session.edit(edit)
        assert isinstance(result, Session), result
        session = result
    return session


A, B = SplitInput("Gemm_28", (144, 113)), SplitOutput("Gemm_30", (512, 512))


@pytest.mark.parametrize("kept", [(), (A,), (B,), (A, B), (B, A)])
def test_any_edits_in_any_order_give_what_making_them_gives(kept: tuple[Edit, ...]) -> None:
    session = edited(A, B)
    redone = remade(session, kept, [edit for edit in (A, B) if edit not in kept])
    assert isinstance(redone, Session)
    assert redone.done == kept and set(redone.undone) == {A, B} - set(kept)
    assert len(redone.states) == len(kept) + 1
    assert written(redone) == written(edited(*kept))


def test_what_stays_the_same_is_not_made_again() -> None:
    session = edited(A, B)
    redone = remade(session, (A,))
    assert isinstance(redone, Session) and redone.states[1] is session.states[1]


def test_an_edit_of_what_another_made_cannot_stand_alone() -> None:
    session = edited(B)
    part = next(layer.name for layer in session.layers.layers if layer.name.startswith("Gemm_30"))
    inner = SplitOutput(part, (256, 256))
    both = session.edit(inner)
    assert isinstance(both, Session)
    redone = remade(both, (inner,))
    assert isinstance(redone, Refusal)
    assert inner.describe() in str(redone)


def test_steps_add_up_to_the_model() -> None:
    session = edited(A, B)
    listed = list(steps(session))
    assert [step.edit for step in listed] == [A, B]
    assert listed[0].before.milliseconds == analyse(edited()).summary.milliseconds
    assert listed[0].after == listed[1].before
    last = analyse(session).summary.milliseconds
    assert listed[-1].after.milliseconds == pytest.approx(last)
    assert listed[0].before.milliseconds + sum(s.milliseconds for s in listed) == pytest.approx(last)
    assert listed[0].after.on_cpu == listed[0].before.on_cpu - 1


def test_losses_are_those_of_each_edit_alone() -> None:
    first, second = losses(edited(A, B))
    assert isinstance(first, OutputDifference) and isinstance(second, OutputDifference)
    assert not first.bit_exact and second.bit_exact, "a split of outputs is exact, one of inputs rounds"


def test_a_stopped_job_stops() -> None:
    with pytest.raises(StoppedError):
        list(steps(edited(A), Job(None, lambda: True)))
