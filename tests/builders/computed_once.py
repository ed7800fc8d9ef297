"""Gains and plans that are found once for each model and target: many commands and screens ask for those of the same samples.

Tests of the computations themselves import them by name, and get those that compute.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from onnx import TensorProto

from npuscope.edits.gain import Gain
from npuscope.jobs import QUIET, Job
from npuscope.planning import gains, planner
from npuscope.planning.plan import Budget, Plan
from npuscope.session import Session
from npuscope.snapshot import Snapshot

_gains: dict[object, list[tuple[Gain, ...]]] = {}
_plans: dict[object, Plan] = {}
_weigh, _plan = gains.weigh, planner.plan


def weigh(
    session: Session, snapshot: Snapshot, work: int | None = None, job: Job = QUIET
) -> Iterator[tuple[Gain, ...]]:
    """As `npuscope.planning.gains.weigh`."""
    key = _key(session, snapshot, work)
    if key in _gains:
        yield from job.each(_gains[key])
        return
    edits_found = []
    for one in _weigh(session, snapshot, work, job):
        edits_found.append(one)
        yield one
    if key is not None:
        _gains[key] = edits_found


def plan(
    session: Session,
    snapshot: Snapshot,
    budget: Budget | None = None,
    job: Job = QUIET,
    found: planner.Found | None = None,
) -> Plan:
    """As `npuscope.planning.planner.plan`."""
    key = _key(session, snapshot, budget or Budget())
    if key is None or key not in _plans:
        result = _plan(session, snapshot, budget, job, found)
        if key is None or not result.finished:
            return result
        _plans[key] = result
    job.check()
    return _plans[key]


def _key(session: Session, snapshot: Snapshot, asked: object) -> object:
    """What the answer depends on; None for a model with edits, or one that is not wholly in a file as it was opened."""
    source = session.source
    if (
        (source.file is None and not source.digest)
        or not source.is_current
        or not (snapshot.graph is session.graph is source.graph)
        or snapshot.target is not session.target
        or any(one.data_location == TensorProto.EXTERNAL for one in source.proto.graph.initializer)
    ):
        return None
    return source.sha256, source.path.suffix, session.target, asked


def use(patch: pytest.MonkeyPatch) -> None:
    """Whoever imports them from now on gets these."""
    patch.setattr(gains, "weigh", weigh)
    patch.setattr(planner, "plan", plan)
