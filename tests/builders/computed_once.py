"""Gains, plans, fixes and what these save, found once for each model and target: commands and screens ask for those of the same samples.

Who imports them by name gets those that compute. Plans, which take longest, are found once for all processes that run tests.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import thread_time

import pytest
from onnx import TensorProto

from npuscope.edits.gain import Gain
from npuscope.jobs import QUIET, Job
from npuscope.planning import candidates, gains, outcome, planner, ranked_fixes
from npuscope.planning.outcome import Outcome
from npuscope.planning.plan import Budget, Plan
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import Snapshot

_gains: dict[object, list[tuple[Gain, ...]]] = {}
_plans: dict[object, tuple[Plan, float]] = {}
"""With the seconds that the search took."""
_fixes: dict[object, tuple[Preview, ...]] = {}
_outcomes: dict[object, Outcome | None] = {}
_weigh, _plan, _propose, _outcome = gains.weigh, planner.plan, ranked_fixes.propose_edits, outcome.outcome


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
    """As `npuscope.planning.planner.plan`; a search that came to its end is the same in any longer time."""
    asked = budget or Budget()
    key = _key(session, snapshot, (replace(asked, seconds=0.0), candidates.SOURCES))
    known, took = _plans.get(key, (None, 0.0))
    if known is not None and took <= asked.seconds:
        job.check()
        return known
    if key is not None and (other := _of_another_process(key)) is not None and other[1] <= asked.seconds:
        job.check()
        _plans[key] = other
        return other[0]
    begin = thread_time()
    result = _plan(session, snapshot, budget, job, found)
    if key is not None and result.finished:
        _plans[key] = result, thread_time() - begin
        _tell(key)
    return result


FOLDER = "NPUSCOPE_TESTS_SHARED"
"""Environment variable: where processes that run tests leave plans for each other."""


def share() -> None:
    """Make the folder: by the process that starts the others."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="npuscope-tests-")


def share_no_more() -> None:
    """Remove it."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def _file(key: object) -> Path | None:
    """None where a test asks with a function of its own."""
    names = [f"{one.__module__}.{one.__qualname__}" for one in candidates.SOURCES]
    if any("<locals>" in name for name in names):
        return None
    digest, form, judged_for, (asked, _) = key  # type: ignore[misc]
    text = repr((digest, form, judged_for, asked, names))
    return Path(os.environ[FOLDER], hashlib.sha256(text.encode()).hexdigest())


def _of_another_process(key: object) -> tuple[Plan, float] | None:
    place = _file(key)
    if place is None or not place.exists():
        return None
    known: tuple[Plan, float] = pickle.loads(place.read_bytes())
    return known


def _tell(key: object) -> None:
    place = _file(key)
    if place is None:
        return
    written = place.with_suffix(f".{os.getpid()}")
    written.write_bytes(pickle.dumps(_plans[key]))
    written.replace(place)


def propose_edits(session: Session, snapshot: Snapshot, layer: str, limit: int = 8) -> tuple[Preview, ...]:
    """As `npuscope.planning.ranked_fixes.propose_edits`."""
    key = _key(session, snapshot, (layer, limit))
    if key is None:
        return _propose(session, snapshot, layer, limit)
    if key not in _fixes:
        _fixes[key] = _propose(session, snapshot, layer, limit)
    return _fixes[key]


def outcome_of(session: Session, before: Snapshot, edit: Preview) -> Outcome | None:
    """As `npuscope.planning.outcome.outcome`."""
    key = _key(session, before, edit.edit)
    if key is None:
        return _outcome(session, before, edit)
    if key not in _outcomes:
        _outcomes[key] = _outcome(session, before, edit)
    return _outcomes[key]


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
    # A float model judged as if quantized comes from the same file.
    form = f"{source.path.suffix}{' as int8' * session.graph.as_int8}"
    return source.sha256, form, session.target, asked


def use(patch: pytest.MonkeyPatch) -> None:
    """Whoever imports them from now on gets these."""
    patch.setattr(gains, "weigh", weigh)
    patch.setattr(planner, "plan", plan)
    patch.setattr(ranked_fixes, "propose_edits", propose_edits)
    patch.setattr(outcome, "outcome", outcome_of)
