"""What each finding is worth: the milliseconds of the model that its best fix would save, from trial edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.gain import Gain, Gains
from npuscope.edits.registry import KINDS
from npuscope.garbage import without_collections
from npuscope.jobs import QUIET, Job
from npuscope.neural_art.rules import BY_CODE
from npuscope.npu.times import is_gain
from npuscope.npu.verdict import Finding, Severity
from npuscope.planning.candidates import propose_padding
from npuscope.planning.layer_tuning import propose_recentring
from npuscope.planning.placement_fixes import propose_answers, propose_fixes
from npuscope.planning.proposals import Preview, in_turn, rank
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.planning.remembered import remembering
from npuscope.planning.rewrites import propose_forms
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary
from npuscope.totals import Totals, totals

TRIED, TRIED_OFF = 2, 4
"""Edits that are tried on the whole model for a finding: those whose own previews promise the most. More are for a layer
off the NPU, as there is more to choose from. Of a model of more layers than `WORK` only the first one is."""

PROPOSED = 8
"""Edits that are looked at for a layer off the NPU, as `npuscope fix --layer` lists them."""

WORK = 1_500
"""Layers that are scheduled again in all trials together, where time is short: about 0.3 s. A count, not a clock, so that
a report does not depend on the machine."""

WORK_BEHIND = 60_000
"""The same where it is done in the background, the hottest layers first: enough for all findings of models of some 400
layers (yolov11n_micro_224: 140 layers with findings of 322, 46 000)."""

PROPOSING = 300
"""What it counts to look for the edits of a layer off the NPU, of which there are many."""


_WEIGHTS = (Severity.ADVICE, Severity.WARNING, Severity.ERROR)


def weight(finding: Finding) -> int:
    """How heavy a finding is: an edit that leaves a lighter one of the same code answers it as well, as a Resize that
    comes from the CPU to a routine."""
    return _WEIGHTS.index(finding.severity)


class GainScope(Enum):
    """Of how many findings the gain is looked for."""

    AUTO = "auto"
    """Those of the slowest layers, as `WORK` allows."""
    ALL = "all"
    NONE = "none"


def timed(report: LayerReport) -> tuple[str, ...]:
    """Codes of the findings of a layer, without those that no faster model answers."""
    codes = dict.fromkeys(finding.code for finding in report.findings)
    return tuple(code for code in codes if not ((rule := BY_CODE.get(code)) is not None and rule.exactness))


def hottest_first(snapshot: Snapshot) -> list[LayerReport]:
    """The layers of which something is said that a faster model may answer: those that take the most time first."""
    flagged = [report for report in snapshot.layers if timed(report)]
    return sorted(
        flagged, key=lambda report: (not snapshot.share(report), not report.off_npu, -snapshot.share(report))
    )


def weigh(
    session: Session, snapshot: Snapshot, work: int | None = None, job: Job = QUIET
) -> Iterator[tuple[Gain, ...]]:
    """The gains of all findings, a layer at a time, the hottest layer first.

    1. `snapshot` is the analysis of the session as it is.
    2. `work` bounds the layers that are scheduled again in all trials together; None: no bound.
    3. Raises StoppedError where the job is stopped.
    """
    trials = _Trials(session, snapshot, job, one=work is not None and len(snapshot.layers) > WORK)
    for report in job.each(hottest_first(snapshot)):
        if work is not None and trials.scheduled >= work:
            return
        # What a trial makes is gone before the next; an edit that several propose is looked at once.
        with without_collections(), remembering(snapshot):
            gains = trials.gains(report)
        yield gains


def weighed(session: Session, snapshot: Snapshot, how: GainScope) -> Gains:
    """The gains of the findings, of as many as are asked for; none where zero points, as if quantized, are not known."""
    if how is GainScope.NONE or snapshot.graph.as_int8:
        return Gains()
    work = None if how is GainScope.ALL else WORK
    return Gains(gain for gains in weigh(session, snapshot, work) for gain in gains)


def many_trials(session: Session, how: GainScope) -> bool:
    """Whether so many edits are tried that an analysis should keep what speeds them up: of a large model few are."""
    return how is GainScope.ALL or (how is GainScope.AUTO and len(session.graph.nodes) < WORK)


class _Trials:
    def __init__(self, session: Session, snapshot: Snapshot, job: Job, one: bool) -> None:
        self.session = session.bare()
        self.snapshot, self.job, self.one = snapshot, job, one
        self.known: dict[Edit, Totals | None] = {}
        self.stated: dict[str, list[tuple[Gain, frozenset[str]]]] = {}
        """Layer -> what was found for it and its edit saves, with the layers that the edit changes."""
        self.scheduled = 0
        """Layers, in all trials together; the search for edits counts along."""

    def gains(self, report: LayerReport) -> tuple[Gain, ...]:
        proposed = list(self.proposed(report))
        reach = {one.edit: frozenset((report.name, *one.also)) for one in proposed}
        gains: list[Gain] = []
        for code in timed(report):
            gain = self.gain(report, code, proposed)
            if gain.worth and gain.edit is not None:
                changed = reach[gain.edit]
                gain = replace(gain, stated_by=self.stated_by(gain, changed))
                if gain.stated_by is None:
                    self.stated.setdefault(report.name, []).append((gain, changed))
            gains.append(gain)
        return tuple(gains)

    def stated_by(self, gain: Gain, reach: frozenset[str]) -> tuple[str, str] | None:
        """The finding that states a saving already: its edit changes this layer and this one that, by the same time."""
        for layer in reach:
            for other, reached in self.stated.get(layer, ()):
                if gain.layer in reached and _equal(other.saved_milliseconds, gain.saved_milliseconds):
                    return other.layer, other.code
        return None

    def proposed(self, report: LayerReport) -> Iterator[Preview]:
        """The edits that may answer what is said of a layer, best first."""
        session, snapshot, name = self.session, self.snapshot, report.name
        if report.off_npu:
            self.scheduled += PROPOSING + len(snapshot.layers)
            yield from propose_edits(session, snapshot, name, PROPOSED)
            return
        previews: dict[Edit, Preview] = {}
        for propose in (propose_answers, propose_fixes, self.forms, propose_padding, propose_recentring):
            self.job.check()
            for one in propose(session, snapshot, name):
                previews.setdefault(one.edit, one)
        yield from sorted(previews.values(), key=rank)

    def forms(self, session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
        """What another form saves is found out on the whole model, once, unless that is large."""
        return propose_forms(session, snapshot, layer, tried=None if self.one else self.tried)

    def gain(self, report: LayerReport, code: str, proposed: Sequence[Preview]) -> Gain:
        now = max(weight(finding) for finding in report.findings if finding.code == code)
        answers = [
            one
            for one in proposed
            if all(finding.code != code or weight(finding) < now for finding in one.findings)
        ]
        # Of a layer off the NPU the first few are often one kind in several sizes, such as Pads that all cost a copy.
        answers = in_turn(answers) if report.off_npu else answers
        most = 1 if self.one else TRIED_OFF if report.off_npu else TRIED
        tried = [(saved, one.edit) for one in answers[:most] if (saved := self.saved(one.edit)) is not None]
        if not tried:
            return Gain(report.name, code, bound_by=report.line.bound_by, asks=_asks(report, code))
        saved, edit = max(tried, key=self.standing)
        worth = is_gain(saved, self.snapshot.summary.milliseconds)
        return Gain(report.name, code, edit, saved, report.line.bound_by, worth)

    def standing(self, trial: tuple[float, Edit]) -> tuple[bool, float]:
        """What gains and is bit-exact comes first, as `fix` lists it, then what saves most."""
        saved, edit = trial
        exact = edit.exactness is Exactness.BIT_EXACT
        return exact and is_gain(saved, self.snapshot.summary.milliseconds), saved

    def saved(self, edit: Edit) -> float | None:
        """Milliseconds of the whole model; None where the edit cannot be made after all."""
        tried = self.tried(edit)
        return tried[0].milliseconds - tried[1].milliseconds if tried is not None else None

    def tried(self, edit: Edit) -> tuple[Summary, Totals] | None:
        """The figures of the whole model before and after an edit, tried once."""
        if edit not in self.known:
            self.job.check()
            self.scheduled += len(self.snapshot.layers)
            made = self.session.edit(edit)
            self.known[edit] = None if isinstance(made, Refusal) else totals(made, self.snapshot)
        after = self.known[edit]
        return (self.snapshot.summary, after) if after is not None else None


def _equal(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) < 1e-9


def _asks(report: LayerReport, code: str) -> str:
    """What the edit that a finding names has to be told, '' where it names none that has to be told anything."""
    named = {finding.named_edit for finding in report.findings if finding.code == code} & KINDS.keys()
    return next((asks for kind in named if (asks := KINDS[kind].declaration.asks)), "")
