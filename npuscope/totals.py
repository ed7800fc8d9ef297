"""What a trial of an edit is judged by: the time of the model, and how many layers are off the NPU."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.neural_art.trial.with_edit import Without, with_edit
from npuscope.session import Session
from npuscope.snapshot import Judged, Snapshot, epochs_of, judged_layers


class Totals(NamedTuple):
    """The figures of an analysis that a trial is judged by."""

    milliseconds: float
    off_npu: int
    on_cpu: int


def totals(session: Session, previous: Snapshot | None = None) -> Totals:
    """What the summary of `analyse` would say, and nothing else: no layer is given words."""
    judged = judged_layers(session, previous, worded=False)
    placements = [item.placement for item in judged.placed]
    milliseconds = _with_edit(session, judged, previous) if previous is not None else None
    if milliseconds is None:
        epochs, _ = epochs_of(session, judged, previous)
        milliseconds = sum(epoch.milliseconds for epoch in epochs)
    return Totals(
        milliseconds,
        sum(placement.rank > 0 for placement in placements),
        sum(placement.on_cpu for placement in placements),
    )


def _with_edit(session: Session, judged: Judged, previous: Snapshot) -> float | None:
    """The milliseconds of the model, from what differs alone; None where that is too much, or not known."""
    reuse, was = previous.reuse, previous.dependencies
    if reuse is None or was is None or previous.target is not session.target:
        return None
    costs = {report.name: report.cost for report in previous.layers}
    without = Without(previous.graph, was.layers, costs, previous.epochs, previous.memory, reuse)
    state = session.states[-1]
    return with_edit(state.graph, state.compiled, judged.placed, without)
