"""Plan: edits for a whole model, step by step, each with what it brings; and a session with some of them made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.model.brief import BriefNames, Names, brief_names
from npuscope.npu.times import in_ms
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.runner import Sample
from npuscope.planning.cut import CutOffer
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary

UNQUANTIZED = "N101"
"""The finding of layers that have no Q/DQ."""

TOLERANCE = 1e-9
"""Milliseconds below which two times are the same."""


class Allowed(Enum):
    """Which edits a plan may use."""

    EXACT = "exact"
    """Only edits that change no number."""
    NEEDED = "needed"
    """Approximate ones only where nothing bit-exact brings a layer onto the NPU."""
    ANY = "any"
    """Approximate ones also where they only save time."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a plan may cost.

    1. `decibels` is the least ratio of signal to difference that every output must keep, measured on samples.
    2. `seconds` bounds the search; what was found until then is the plan. Edits that change numbers are looked for in what
       those that change none leave of it.
    3. `slower`: a layer is brought onto the NPU even where the model then takes longer.
    """

    allowed: Allowed = Allowed.NEEDED
    decibels: float | None = None
    seconds: float = 15.0
    slower: bool = False

    def allows(self, exactness: Exactness) -> bool:
        """An edit of this exactness may be in the plan."""
        return exactness is Exactness.BIT_EXACT or self.allowed is not Allowed.EXACT


@dataclass(frozen=True, slots=True)
class Step:
    """One edit of a plan.

    1. Cycles and placement are those of `layer` before, and of the layers that stand for it after.
    2. Milliseconds are what the step saves of the model's time on top of all steps before it, negative where it costs
       some: in a plan, their sum is what all steps save.
    3. `needs` are the positions of the steps that must be made before it.
    """

    edit: Edit
    layer: str
    exactness: Exactness
    placement: tuple[Placement, Placement]
    """(before, after)"""
    cycles: tuple[int | None, int | None]
    """(before, after)"""
    saved_milliseconds: float
    why: str
    needs: tuple[int, ...] = ()
    approximate: bool = False
    """What it saves is known only together with its neighbours' part (`npuscope.planning.outcome.stated`)."""


Left = tuple[tuple[str, str], ...]
"""Layers off the NPU: (name, reason)."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a plan does to the numbers, and the steps that are not made without being asked for.

    1. `decibels` is the ratio of signal to difference that the worst output keeps with all steps made; None where
       outputs are bit-exact, or where `unknown` says why nothing was measured.
    2. `uncalibrated` steps have scales from random inputs, `lossy` ones bring an output below `least` decibels;
       `held_back` are these and the steps that need them. All count from 0.
    """

    decibels: float | None
    least: float
    uncalibrated: tuple[int, ...] = ()
    lossy: tuple[int, ...] = ()
    held_back: tuple[int, ...] = ()
    unknown: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of the plan, a sentence each; empty where all is well."""
        sentences = []
        if self.decibels is not None and self.decibels < self.least:
            sentences.append(
                f"with all steps the worst output keeps {self.decibels:.1f} dB, below {self.least:g} dB: "
                f"{_numbered(self.lossy)} would lose too much"
            )
        if self.uncalibrated:
            sentences.append(
                f"{_numbered(self.uncalibrated)} would be calibrated on random inputs, whose ranges may not be "
                "those of real ones: give samples of real inputs (--inputs)"
            )
        if self.unknown:
            sentences.append(f"what the steps do to the outputs was not measured: {self.unknown}")
        return tuple(sentences)


def _numbered(steps: tuple[int, ...]) -> str:
    """'steps 1 and 3'."""
    numbers = [str(step + 1) for step in steps]
    if len(numbers) < 2:
        return f"step {numbers[0]}" if numbers else "no single step"
    return f"steps {', '.join(numbers[:-1])} and {numbers[-1]}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """An edit that saves time and is left to the user, with the reason."""

    edit: Edit
    layer: str
    saved_milliseconds: float
    """Of the model with all steps of the plan made."""
    why: str
    sqnr_db: float | None = None
    """Signal against difference at the layer, made alone on the model before; None where that is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Edits for a model, in the order they are made.

    1. `left` are layers that stay off the NPU: (name, reason).
    2. `finished` is False where time ran out before every layer was looked at.
    3. `layers` are the names of the model's layers before.
    """

    steps: tuple[Step, ...]
    before: Summary
    after: Summary
    left: Left = ()
    finished: bool = True
    layers: tuple[str, ...] = ()
    obstacle: str = ""
    """What keeps all of the model from being read as quantized."""
    quantized: bool = False
    """Some layer with weights computes in integers: the model is quantized, whatever else computes in float."""
    cut: CutOffer | None = None
    """Where the model with all steps made could end, so that what follows is left to the CPU."""

    set_aside: tuple[SetAside, ...] = ()
    """Edits that would save time, and why they are no steps; the largest saving first."""

    exact: Summary | None = None
    """The model with the bit-exact steps alone, where it is faster than with all: the others bring layers onto the NPU."""

    assessment: Assessment | None = None
    """What it does to the numbers; None where no step changes any, or nobody asked."""

    @property
    def safe(self) -> tuple[int, ...]:
        """The steps that are made without being asked for."""
        held_back = self.assessment.held_back if self.assessment is not None else ()
        return tuple(index for index in range(len(self.steps)) if index not in held_back)

    @property
    def brief(self) -> Mapping[str, str]:
        """Short forms of the names of layers, those that steps make included."""
        made = (step.layer for step in self.steps)
        aside = (one.layer for one in self.set_aside)
        return brief_names((*self.layers, *made, *aside, *(name for name, _ in self.left)))

    @property
    def names(self) -> BriefNames:
        """The same, told apart from the others that are listed where they do not fit."""
        brief = self.brief
        listed = (*(step.layer for step in self.steps), *(one.layer for one in self.set_aside))
        return BriefNames(brief, Names(brief[name] for name in (*listed, *(name for name, _ in self.left))))

    @property
    def hint(self) -> str:
        """What no edit can do for the model, in a sentence; '' where nothing stands out."""
        if self.obstacle:
            return self.obstacle
        if 2 * self.after.sw_float > self.after.layers and not self.quantized:
            return (
                "Most layers compute in float: quantize the model first ('npuscope quantize' does, or Q in the explorer); "
                "'plan --as-int8' plans as if it were"
            )
        if self.exact is not None:
            sooner = self.after.milliseconds - self.exact.milliseconds
            off, cpu = self.exact.off_npu - self.after.off_npu, self.exact.on_cpu - self.after.on_cpu
            count, where = (off, "off the NPU") if off > 0 else (cpu, "on the CPU")
            return (
                f"The bit-exact steps alone leave {count} layer{'s' if count > 1 else ''} more {where} and are "
                f"{in_ms(sooner)} ms faster ('plan --loss exact')"
            )
        return ""

    @property
    def exactness(self) -> Exactness:
        """The worst of its steps."""
        return max((step.exactness for step in self.steps), key=loss, default=Exactness.BIT_EXACT)

    def with_needed(self, taken: Collection[int]) -> tuple[int, ...]:
        """The steps taken and those they need, in order."""
        wanted = set(taken)
        for index in range(len(self.steps) - 1, -1, -1):
            if index in wanted:
                wanted.update(self.steps[index].needs)
        return tuple(sorted(wanted))


def left_off(snapshot: Snapshot, declined: Mapping[str, str] | None = None) -> Left:
    """The layers off the NPU: (name, reason); `declined` says of some what would bring them there, and its price."""
    offers = declined or {}
    left = []
    for report in snapshot.off_npu:
        reason = report.forced_by[0].message if report.forced_by else ""
        offer = offers.get(report.name, "")
        left.append((report.name, f"{reason}; {offer}" if reason and offer else reason or offer))
    return tuple(left)


def common_way_out(reports: Sequence[LayerReport]) -> str:
    """What to do where most layers are float kernels, for another reason than missing Q/DQ first; '' elsewhere.

    A model of 16 or 4 bits, of free sizes, or of scales for each channel of its data was quantized: it is not to be again.
    """
    reasons = [r.forced_by[0] for r in reports if r.placement is Placement.SW_FLOAT and r.forced_by]
    if 2 * len(reasons) <= len(reports):
        return ""
    code = Counter(finding.code for finding in reasons).most_common(1)[0][0]
    if code == UNQUANTIZED:
        return ""
    fix = Counter(finding.fix for finding in reasons if finding.code == code).most_common(1)[0][0]
    return f"Most layers are on the CPU, most often for {code}: {fix}"


def loss(exactness: Exactness) -> int:
    """0 for no loss; more for more."""
    return _LOSS[exactness]


_LOSS = {Exactness.BIT_EXACT: 0, Exactness.ROUNDING: 1, Exactness.APPROXIMATE: 2}


def apply(
    session: Session,
    plan: Plan,
    taken: Collection[int] | None = None,
    samples: Sequence[Sample] | None = None,
    job: Job = QUIET,
    user_supplied: bool = False,
) -> Session | Refusal:
    """The session with the steps taken (all by default) and those they need.

    1. With `samples`, edits that take scales get them from runs of the model; without, grids that hold any value.
       `user_supplied`: they are the user's own (see `calibrate_all`).
    2. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    picked = plan.with_needed(range(len(plan.steps)) if taken is None else taken)
    edits = [plan.steps[index].edit for index in picked]
    if samples:
        return calibrate_all(session, edits, samples, job, user_supplied)
    return apply_all(session, edits, job.reporting(None))


def budget_of(text: str) -> Budget | Refusal:
    """What a user typed: 'exact', 'needed', 'any', or a number of dB."""
    known = {allowed.value: Budget(allowed) for allowed in Allowed}
    if text in known:
        return known[text]
    try:
        decibels = float(text)
    except ValueError:
        decibels = math.nan
    if not math.isfinite(decibels) or decibels <= 0:
        return Refusal(
            f"{text[:40]!r} is not a loss budget", "give exact, needed, any, or a number of dB such as 30"
        )
    return Budget(Allowed.NEEDED, decibels)
