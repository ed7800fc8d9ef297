"""Two schedules beside each other: nothing is lost, and what did not change is said to be the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from npuscope.npu.cost import Epoch
from npuscope.npu.epoch_changes import stretches
from npuscope.npu.verdict import Placement

EPOCHS = st.builds(
    Epoch,
    st.just(0),
    st.sampled_from([Placement.HW, Placement.HYBRID, Placement.SW_INT]),
    st.just("Conv"),
    st.tuples(st.sampled_from("abcdef")),
    milliseconds=st.floats(0, 10),
)


@given(st.lists(EPOCHS, max_size=12), st.lists(EPOCHS, max_size=12))
def test_both_schedules_can_be_read_back(before: list[Epoch], after: list[Epoch]) -> None:
    pieces = stretches(before, after)
    assert [epoch for stretch in pieces for epoch in stretch.before] == before
    assert [epoch for stretch in pieces for epoch in stretch.after] == after
    change = sum(e.milliseconds for e in after) - sum(e.milliseconds for e in before)
    assert abs(sum(stretch.milliseconds for stretch in pieces) - change) < 1e-6


@given(st.lists(EPOCHS, min_size=1, max_size=12))
def test_a_schedule_is_the_same_as_itself(epochs: list[Epoch]) -> None:
    (pieces,) = stretches(epochs, epochs)
    assert pieces.same


def test_one_epoch_that_moved_is_one_change() -> None:
    def epoch(name: str, placement: Placement = Placement.HW) -> Epoch:
        return Epoch(0, placement, "Conv", (name,), milliseconds=1.0)

    before = [epoch("a"), epoch("b", Placement.SW_INT), epoch("c")]
    after = [epoch("a"), epoch("b1"), epoch("b2"), epoch("c")]
    same, changed, rest = stretches(before, after)
    assert same.same and rest.same and not changed.same
    assert [e.layers for e in changed.after] == [("b1",), ("b2",)]


def test_one_epoch_that_is_faster_is_one_change() -> None:
    def epoch(name: str, milliseconds: float) -> Epoch:
        return Epoch(0, Placement.HW, "Conv", (name,), milliseconds=milliseconds)

    before = [epoch("a", 1.0), epoch("b", 1.0), epoch("c", 1.0)]
    after = [epoch("a", 1.0), epoch("b", 0.5), epoch("c", 1.0001)]
    same, changed, rest = stretches(before, after)
    assert same.same and rest.same and not changed.same
    assert changed.before == (before[1],) and changed.milliseconds == -0.5
