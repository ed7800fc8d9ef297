"""What each finding is worth: the milliseconds of the model that its best fix would save, from trial edits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.npu.cost import NOTHING
from npuscope.npu.ledger import START
from npuscope.npu.verdict import Finding
from npuscope.planning.candidates import propose_padding
from npuscope.planning.placement_fixes import propose_answers, propose_fixes
from npuscope.planning.proposals import Preview, rank
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.planning.retuning import propose_recentring
from npuscope.planning.rewrites import propose_forms
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, milliseconds

TRIED, TRIED_OFF = 2, 4
"""Edits that are tried on the whole model for a finding: those whose own previews promise the most. More are for a layer
off the NPU, as there is more to choose from."""

PROPOSED = 8
"""Edits that are looked at for a layer off the NPU, as `npuscope fix --layer` lists them."""

WORK = 1_500
"""Layers that are scheduled again in all trials together, where time is short: about 0.3 s. A count, not a clock, so that
a report does not depend on the machine."""

PROPOSING = 300
"""What it counts to look for the edits of a layer off the NPU, of which there are many."""

LEAST_GAIN = 1e-4
"""The part of the model's time that a fix must save: less is none."""

TOLERANCE = 1e-6
"""Milliseconds below which two times are the same."""


class HowMany(Enum):
    """Of how many findings the gain is looked for."""

    AUTO = "auto"
    """Those of the slowest layers, as `WORK` allows."""
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Gain:
    """What the best fix of a finding saves; `edit` is None where no single edit answers the finding.

    `saved_milliseconds` are of the whole model, priced anew with the edit made; negative where it takes longer.
    """

    layer: str
    code: str
    edit: Edit | None = None
    saved_milliseconds: float | None = None
    bound_by: str = ""
    """What sets the layer's time now."""
    worth: bool = False
    """It saves enough to be called a gain."""

    @property
    def moot(self) -> bool:
        """A fix is known, and gains nothing."""
        return self.saved_milliseconds is not None and not self.worth

    @property
    def words(self) -> str:
        """'saves 0.37 ms', 'no gain: bound by octoFlash', 'no single edit known answers it'."""
        saved = self.saved_milliseconds
        if saved is None:
            return "no single edit known answers it"
        if self.worth:
            return f"saves {saved:.3g} ms"
        bound = bound_words(self.bound_by)
        if saved < -TOLERANCE:
            return f"no gain: the model takes {-saved:.3g} ms longer{', ' if bound else ''}{bound}"
        return f"no gain{': ' if bound else ''}{bound}"


def bound_words(bound: str) -> str:
    """'bound by octoFlash'; '' where nothing can be said."""
    return {"": "", NOTHING: "", "cpu": "", START: "the set-up takes the time"}.get(
        bound, f"bound by {bound}"
    )


def moot_words(finding: Finding, gain: Gain | None) -> str:
    """Why nothing is won by answering a finding; '' where something is, or nobody knows."""
    if gain is not None and gain.saved_milliseconds is not None:
        return gain.words if gain.moot else ""
    return finding.moot


class Gains:
    """The gains found so far, for a view that is filled while it is looked at."""

    def __init__(self, found: Iterable[Gain] = ()) -> None:
        self._found: dict[tuple[str, str], Gain] = {}
        self.add(found)

    def add(self, found: Iterable[Gain]) -> None:
        """Take more in."""
        self._found |= {(gain.layer, gain.code): gain for gain in found}

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, layer: str, code: str) -> Gain | None:
        """The gain of a finding; None where it was not looked for yet."""
        return self._found.get((layer, code))

    def saved(self, layer: str, codes: Iterable[str]) -> float:
        """The most that a fix of one of these findings of a layer saves; 0 where none is known to save anything."""
        known = [gain for code in codes if (gain := self._found.get((layer, code))) is not None]
        return max((gain.saved_milliseconds or 0.0 for gain in known if gain.worth), default=0.0)

    def saved_by_layer(self, report: LayerReport) -> float:
        """The most that a fix of the layer saves."""
        return self.saved(report.name, (finding.code for finding in report.findings))


def hottest_first(snapshot: Snapshot) -> list[LayerReport]:
    """The layers of which something is said: those that take the most time first."""
    said = [report for report in snapshot.layers if report.findings]
    return sorted(
        said, key=lambda report: (not snapshot.share(report), not report.off_npu, -snapshot.share(report))
    )


def weigh(
    session: Session, snapshot: Snapshot, work: int | None = None, job: Job = QUIET
) -> Iterator[tuple[Gain, ...]]:
    """The gains of all findings, a layer at a time, the hottest layer first.

    1. `snapshot` is the analysis of the session as it is.
    2. `work` bounds the layers that are scheduled again in all trials together; None: no bound.
    3. Raises StoppedError where the job is stopped.
    """
    trials = _Trials(session, snapshot, job)
    for report in job.each(hottest_first(snapshot)):
        if work is not None and trials.scheduled >= work:
            return
        yield trials.gains(report)


def weighed(session: Session, snapshot: Snapshot, how: HowMany) -> Gains:
    """The gains of the findings, of as many as are asked for; none where zero points, as if quantized, are not known."""
    if how is HowMany.NONE or snapshot.graph.as_int8:
        return Gains()
    work = None if how is HowMany.ALL else WORK
    return Gains(gain for found in weigh(session, snapshot, work) for gain in found)


class _Trials:
    def __init__(self, session: Session, snapshot: Snapshot, job: Job) -> None:
        self.session = Session(session.source, session.target, session.states[-1:])
        self.snapshot, self.job = snapshot, job
        self.known: dict[Edit, float | None] = {}
        self.scheduled = 0
        """Layers, in all trials together; the search for edits counts along."""

    def gains(self, report: LayerReport) -> tuple[Gain, ...]:
        proposed = list(self.proposed(report))
        codes = dict.fromkeys(finding.code for finding in report.findings)
        return tuple(self.gain(report, code, proposed) for code in codes)

    def proposed(self, report: LayerReport) -> Iterator[Preview]:
        """The edits that may answer what is said of a layer, best first."""
        session, snapshot, name = self.session, self.snapshot, report.name
        if report.off_npu:
            self.scheduled += PROPOSING
            yield from propose_edits(session, snapshot, name, PROPOSED)
            return
        found: dict[Edit, Preview] = {}
        for propose in (propose_answers, propose_fixes, propose_forms, propose_padding, propose_recentring):
            self.job.check()
            for one in propose(session, snapshot, name):
                found.setdefault(one.edit, one)
        yield from sorted(found.values(), key=rank)

    def gain(self, report: LayerReport, code: str, proposed: Sequence[Preview]) -> Gain:
        answers = [one.edit for one in proposed if all(finding.code != code for finding in one.findings)]
        most = TRIED_OFF if report.off_npu else TRIED
        tried = [(saved, edit) for edit in answers[:most] if (saved := self.saved(edit)) is not None]
        if not tried:
            return Gain(report.name, code, bound_by=report.line.bound_by)
        saved, edit = max(tried, key=lambda trial: trial[0])
        worth = saved > LEAST_GAIN * self.snapshot.summary.milliseconds
        return Gain(report.name, code, edit, saved, report.line.bound_by, worth)

    def saved(self, edit: Edit) -> float | None:
        """Milliseconds of the whole model; None where the edit cannot be made after all."""
        if edit not in self.known:
            self.job.check()
            self.scheduled += len(self.snapshot.layers)
            made = self.session.edit(edit)
            before = self.snapshot.summary.milliseconds
            self.known[edit] = (
                None if isinstance(made, Refusal) else before - milliseconds(made, self.snapshot)
            )
        return self.known[edit]
