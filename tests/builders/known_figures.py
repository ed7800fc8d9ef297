"""Figures with a unit in shown text, and those of a model's ledger to look them up in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import fsum

from builders.seen_figures import agrees
from npuscope.edits.edit import Refusal
from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
from npuscope.machine.machine import Target, target
from npuscope.machine.what_if import Options, with_options
from npuscope.model.convolution import convolution
from npuscope.model.inspection.blocks import blocks
from npuscope.model.layers import Layer
from npuscope.neural_art.artefacts.values import ReportedEpoch
from npuscope.neural_art.mapping.tiling import choose, work
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point
from npuscope.neural_art.price.advice import advice
from npuscope.neural_art.price.bounds import bounds
from npuscope.planning.channels import channel_table, shape_of
from npuscope.planning.cut import better_cuts, cpu_milliseconds
from npuscope.planning.outcome import outcome
from npuscope.planning.plan import Plan
from npuscope.planning.proposals import propose_splits
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.planning.whole_model import whole_model_edits
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.widgets.lists.block_rows import BlockRows
from npuscope.widgets.lists.reason_groups import Sort, groups
from npuscope.widgets.lists.timelines import BeforeAfter
from npuscope.widgets.text.gains import gains_of

_NUMBER = r"(?<![\w.,])(?P<lead>[<+-]?)(?P<number>\d{1,3}(?:[ \u00a0]\d{3})+|\d+(?:\.\d+)?)"
FIGURE = re.compile(_NUMBER + r"(?:\u00a0(?P<prefix>[kMG]))?[ \u00a0](?P<unit>ms|compute cycles|cycles)\b")
BEFORE = re.compile(_NUMBER + r"(?P<prefix>)(?P<unit>)(?= (?:→|->) \d+(?:\.\d+)?[ \u00a0]ms)")
"""'4.09' of '4.09 → 3.72 ms'."""
SHARE = re.compile(_NUMBER + r"(?P<prefix>)[ \u00a0](?P<unit>%)")
DECIBELS = re.compile(_NUMBER + r"(?P<prefix>)[ \u00a0](?P<unit>dB)\b")


@dataclass
class Known:
    """Milliseconds; cycles with memory and compute cycles of the NPU; parts of 1; ratios in dB."""

    ms: list[float] = field(default_factory=list)
    cycles: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    decibels: list[float] = field(default_factory=list)

    def add_model(self, snapshot: Snapshot) -> None:
        """The model, its layers and epochs, and every way to sum them up that some view has."""
        summary, costs = snapshot.summary, {report.name: report.cost for report in snapshot.layers}
        self.ms += [summary.milliseconds, summary.milliseconds_error]
        self.cycles += [summary.cycles, summary.compute_cycles]
        for line in snapshot.ledger.lines:
            self.add_time(line.milliseconds, line.start_milliseconds)
            self.cycles += [line.cycles or 0, line.compute_cycles or 0]
        for epoch in snapshot.epochs:
            self.add_time(epoch.milliseconds, fsum(part.start_milliseconds for part in epoch.parts))
            self.cycles += [epoch.cycles, epoch.compute_cycles]
        for _, alike in groupby(snapshot.epochs, lambda epoch: epoch.placement):
            self.ms.append(fsum(epoch.milliseconds for epoch in alike))
        for bound in bounds(snapshot.epochs, costs):
            self.ms += [bound.milliseconds, *(part.milliseconds for part in bound.parts)]
        for sort in Sort:
            self.ms += [group.milliseconds for group in groups(snapshot, sort)]
        for reports in BlockRows(snapshot, blocks(snapshot.links, 24)).reports:
            self.ms.append(fsum(map(snapshot.time_of, reports)))
        found = gains_of(snapshot)
        codes = [(report.name, finding.code) for report in snapshot.layers for finding in report.findings]
        for gain in filter(None, (found.of(*key) for key in codes)):
            self.ms.append(gain.saved_milliseconds or 0.0)
            self.ms.append(summary.milliseconds - (gain.saved_milliseconds or 0.0))

    def add_shares(self, snapshot: Snapshot) -> None:
        """The part of the model's time that each of these takes or that it may be off, and the part of each memory in use."""
        total, costs = snapshot.ledger.milliseconds, {report.name: report.cost for report in snapshot.layers}
        self.shares += [1.0, snapshot.off_npu_share, snapshot.summary.milliseconds_error / total]
        self.shares += [snapshot.ledger.share(line) for line in snapshot.ledger.lines]
        for epoch in snapshot.epochs:
            self.shares.append(epoch.milliseconds / total)
        for bound in bounds(snapshot.epochs, costs):
            self.shares.append(bound.milliseconds / total)
        for sort in Sort:
            self.shares += [group.milliseconds / total for group in groups(snapshot, sort)]
        for reports in BlockRows(snapshot, blocks(snapshot.links, 24)).reports:
            self.shares.append(fsum(map(snapshot.share, reports)))
        for report in snapshot.layers:
            conv, cost = convolution(report.layer), report.cost
            self.add_calibrated(report.layer, snapshot.target)
            if conv is not None and report.layer.quantized and cost is not None and cost.compute_cycles:
                told = advice(conv, input_zero_point(report.layer), cost, snapshot.target, report.line)
                fewer = [*(one.cycles for one in told.better), *([told.best] if told.best else [])]
                self.shares += [1 - cycles / cost.compute_cycles for cycles in fewer]
        for pool in snapshot.memory.pools:
            self.shares.append(pool.used / pool.size if pool.size else 0.0)

    def add_calibrated(self, layer: Layer, on: Target) -> None:
        """What a layer of a float model computes in where calibration sets its zero point to 0."""
        conv = convolution(layer)
        best = choose(conv, "8x8", on) if conv is not None and awaits_zero_point(layer) else None
        if conv is not None and best is not None:
            self.cycles.append(work(best, conv).cycles)

    def add_time(self, milliseconds: float, start: float) -> None:
        """A time, its set-up, and what is left without it."""
        self.ms += [milliseconds, start, milliseconds - start]

    def add_change(self, before: float, after: float) -> None:
        """A time that becomes another."""
        self.ms += [before, after, after - before]

    def add_models(self, before: Snapshot, after: Snapshot) -> None:
        """A model before and after edits: as a whole, the layers that are others, and stretch by stretch of its epochs."""
        self.add_change(before.ledger.milliseconds, after.ledger.milliseconds)
        for snapshot in (before, after):
            self.ms.append(snapshot.ledger.total(after.changed & snapshot.by_name.keys()))
        for stretch in BeforeAfter(before, after).stretches:
            self.add_change(*(fsum(e.milliseconds for e in part) for part in (stretch.before, stretch.after)))

    def add_targets(self, session: Session) -> None:
        """The model for every version and clock, and with what the memory screen offers first."""
        others = [target(version, profile) for version in TOOLCHAINS for profile in PROFILES]
        for other in (*others, with_options(session.target, Options(on_chip=True))):
            self.ms.append(analyse(session.with_target(other)).ledger.milliseconds)

    def add_tools(self, snapshot: Snapshot, built: Sequence[ReportedEpoch]) -> None:
        """What tools state of epochs, their sums, those of epochs that run one after the other in one place, and how far the predicted time is off."""
        times = [epoch.milliseconds or 0.0 for epoch in built]
        total = fsum(times)
        self.ms += [*times, total]
        for _, alike in groupby(built, lambda epoch: epoch.placement):
            self.ms.append(fsum(epoch.milliseconds or 0.0 for epoch in alike))
        self.cycles += [figure or 0 for epoch in built for figure in (epoch.cycles, epoch.compute_cycles)]
        self.cycles += [sum(epoch.cycles or 0 for epoch in built), sum(e.compute_cycles or 0 for e in built)]
        self.shares += [one / total for one in times]
        self.shares.append(snapshot.ledger.milliseconds / total - 1)

    def add_plan(self, plan: Plan) -> None:
        """What its steps save, all of them, and what it leaves to the user."""
        self.add_change(plan.before.milliseconds, plan.after.milliseconds)
        self.ms += [one.saved_milliseconds for one in (*plan.steps, *plan.set_aside)]

    def add_fixes(self, session: Session, snapshot: Snapshot, layer: str) -> None:
        """The ledger with each fix of a layer made."""
        for fix in propose_edits(session, snapshot, layer):
            for report in fix.layers:
                self.add_calibrated(report.layer, session.target)
            made = outcome(session, snapshot, fix)
            if made is not None:
                self.add_change(made.model_before, made.model)
                self.ms.append(made.milliseconds)
                self.cycles.append(made.cycles or 0)

    def add_model_fixes(self, session: Session, snapshot: Snapshot) -> None:
        """The model with each edit of all of it made."""
        for edit in whole_model_edits(session):
            made = session.edit(edit)
            if not isinstance(made, Refusal):
                self.add_change(snapshot.ledger.milliseconds, analyse(made, snapshot).ledger.milliseconds)

    def add_splits(self, session: Session, snapshot: Snapshot, layer: str) -> None:
        """The ledger with each split made that is proposed for a layer."""
        for split in propose_splits(session, snapshot, layer):
            made = outcome(session, snapshot, split)
            if made is not None:
                self.add_change(made.model_before, made.model)
                self.ms += [made.milliseconds, made.milliseconds - snapshot.by_name[layer].line.milliseconds]
                self.cycles += [made.cycles or 0, *(one or 0 for one in split.compute_cycles)]

    def add_channels(self, snapshot: Snapshot, layer: str) -> None:
        """A layer alone with other counts of channels: that of its own count is the layer's price."""
        for vary_inputs in (True, False):
            shape, other = (
                shape_of(snapshot.by_name[layer].layer, vary) for vary in (vary_inputs, not vary_inputs)
            )
            own = (other.inputs if vary_inputs else other.outputs) if other is not None else None
            if shape is None or own is None:
                continue
            for row in channel_table(shape, range(max(1, own - 128), own + 129), snapshot.target).rows:
                self.ms.append(row.milliseconds)
                self.cycles += [row.cost.cycles, row.cost.compute_cycles] if row.cost is not None else []

    def add_cuts(self, session: Session, snapshot: Snapshot) -> None:
        """Every cut that is the best until a better one is found: its parts analysed as models of their own."""
        for priced in better_cuts(session, snapshot):
            head, tail = priced.cut.head, priced.cut.tail
            alone = [cpu_milliseconds(layer, tail.target) or 0.0 for layer in tail.layers.layers]
            self.add_change(snapshot.ledger.milliseconds, analyse(head).ledger.milliseconds + fsum(alone))
            self.ms += [analyse(head).ledger.milliseconds, fsum(alone), *alone]

    def add_all(self, session: Session, snapshot: Snapshot, layer: str) -> None:
        """What the screens show of a model, and of one of its layers."""
        self.add_model(snapshot)
        self.add_shares(snapshot)
        self.add_fixes(session, snapshot, layer)
        self.add_splits(session, snapshot, layer)
        self.add_channels(snapshot, layer)
        self.add_model_fixes(session, snapshot)
        self.add_targets(session)
        self.add_cuts(session, snapshot)

    def strange(self, text: str) -> Iterator[str]:
        """The figures in a text that are none of these, with their lines; of a kind of which none is known all may be."""
        for line in text.splitlines():
            kinds = [
                kind
                for kind, known in (
                    (FIGURE, self.ms),
                    (BEFORE, self.ms),
                    (SHARE, self.shares),
                    (DECIBELS, self.decibels),
                )
                if known
            ]
            for shown in (match for kind in kinds for match in kind.finditer(line)):
                number = shown["number"].replace("\u00a0", "").replace(" ", "")
                lead = "<" if shown["lead"] == "<" else ""
                unit = shown["unit"].split(" ")[-1]
                values: Iterable[float] = {
                    "cycles": self.cycles, "%": self.shares, "dB": self.decibels,
                }.get(unit, self.ms)  # fmt: skip
                text = f"{lead}{number}{shown['prefix'] or '%' * (unit == '%')}"
                if not any(agrees(text, abs(value)) for value in values):
                    yield f"{shown[0]} in: {line.strip()}"
