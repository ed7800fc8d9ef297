"""Scales for many edits from one run of the model, however many layers they are on."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Probe, Refusal
from npuscope.jobs import QUIET, Job, Progress
from npuscope.numbers.calibration import calibrated, finished
from npuscope.numbers.runner import Sample
from npuscope.session import Session


def calibrate_all(
    session: Session,
    edits: Sequence[Edit],
    samples: Sequence[Sample],
    job: Job = QUIET,
    user_supplied: bool = False,
    applied: Progress | None = None,
) -> Session | Refusal:
    """The session with all edits; those that take scales and have none get them from the samples.

    1. All edits of layers the session has now are calibrated on the model as it is now, in one run.
    2. An edit of a layer that an earlier one makes is calibrated on the model as it then is.
    3. `user_supplied`: the samples are the user's own. Then a re-centred tensor gets its range from them too; random
       ones are no better than the range it has.
    4. `job` is told of samples, `applied` of edits.
    5. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    probes: dict[int, Probe] = {}
    seen: set[str] = set()
    for position, edit in enumerate(edits):
        if edit.takes_scales(user_supplied) and edit.layer not in seen:
            probe = edit.probe(session.graph, session.layers)
            if not isinstance(probe, Refusal) and probe.tensors:
                probes[position] = probe
        seen.add(edit.layer)
    ready = dict(
        zip(
            probes,
            finished(session.source, session.graph, list(probes.values()), samples, job),
            strict=True,
        )
    )
    pending: list[Edit] = []
    for position, edit in enumerate(edits):
        if position not in ready and edit.takes_scales(user_supplied):
            session_then = apply_all(session, pending)
            if isinstance(session_then, Refusal):
                return session_then
            session, pending = session_then, []
            scaled = calibrated(
                session.source, session.graph, edit, samples, job.reporting(None), session.layers
            )
            if isinstance(scaled, Refusal):
                return scaled
            edit = scaled
        pending.append(ready.get(position, edit))
    return apply_all(session, pending, job.reporting(applied))


def takes_scales(edit: Edit, user_supplied: bool = False) -> bool:
    """An edit that calibration gives scales and that has none yet; `user_supplied` as `calibrate_all` takes it."""
    return edit.takes_scales(user_supplied)
