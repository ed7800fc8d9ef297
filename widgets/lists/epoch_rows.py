"""Epochs as rows: as npuscope predicts them, or as an artefact lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from npuscope.model.brief import Names
from npuscope.neural_art.artefacts.values import ReportedEpoch
from npuscope.neural_art.comparison.values import Comparison
from npuscope.neural_art.schedule.handovers import excursion, handovers, saved
from npuscope.npu.figures import plural
from npuscope.npu.ledger import bound_name
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import Snapshot
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import bytes_, grouped, milliseconds, percent, short, time_cell
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import Line, Span, line, quiet, spread, strong, wrap
from npuscope.widgets.text.words import GLYPHS, ROLES, WORDS, where


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch. `placement` is None, and a figure None, where no one says it."""

    index: int
    last: int
    placement: Placement | None
    op: str
    layers: tuple[str, ...]
    inserted: tuple[str, ...] = ()
    cycles: int | None = None
    milliseconds: float | None = None
    start_milliseconds: float = 0.0
    bound_by: str = ""
    known: bool = True
    """False where no one says which layers are in it."""
    printed: ReportedEpoch | None = None
    """What the tools say of it."""

    @property
    def off_npu(self) -> bool:
        """The CPU does it, or drives it."""
        return self.placement not in (None, Placement.HW, Placement.NONE)


@dataclass(frozen=True, eq=False)
class Schedule:
    """All epochs; `source` says whose they are."""

    rows: tuple[EpochRow, ...]
    source: str
    measured: bool = False
    epochs: int | None = None
    """How many epochs there are, where a row may stand for several."""

    @cached_property
    def names(self) -> Names:
        """The names in its rows."""
        return Names(row.layers[0] for row in self.rows if row.layers)

    @cached_property
    def off(self) -> tuple[bool, ...]:
        """For each epoch whether the CPU is needed."""
        return tuple(row.off_npu for row in self.rows)

    @cached_property
    def handovers(self) -> int:
        """How often the work passes between NPU and CPU."""
        return handovers(self.off)

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """What the bars show: times, else cycles; empty where neither is known."""
        if any(row.milliseconds for row in self.rows):
            return tuple(row.milliseconds or 0.0 for row in self.rows)
        if any(row.cycles for row in self.rows):
            return tuple(float(row.cycles or 0) for row in self.rows)
        return ()

    @cached_property
    def total(self) -> float:
        """Sum of the weights."""
        return sum(self.weights)

    @cached_property
    def most(self) -> float:
        """The largest of them."""
        return max(self.weights, default=0.0) or 1.0

    def share(self, index: int) -> float:
        """An epoch's part of the whole, 0 to 1."""
        return self.weights[index] / self.total if self.total else 0.0

    def find(self, layer: str | None) -> int:
        """The place of the epoch that holds a layer, 0 where none does."""
        return next((index for index, row in enumerate(self.rows) if layer in row.layers), 0)


def predicted_schedule(snapshot: Snapshot) -> Schedule:
    """The epochs the compiler would make."""
    rows = tuple(
        EpochRow(
            epoch.index, epoch.index, epoch.placement, epoch.op, epoch.layers,
            tuple(item.kind for item in epoch.inserted),
            # What the compiler estimates for software, in the NPU's cycles, fits no time.
            None if epoch.placement.on_cpu else epoch.cycles, epoch.milliseconds,
            epoch.start_milliseconds, epoch.bound_by,
        )
        for epoch in snapshot.epochs
    )  # fmt: skip
    return Schedule(rows, "predicted")


_PLACES = {
    "hw": Placement.HW,
    "hybrid": Placement.HYBRID,
    "sw": Placement.SW_INT,
    "sw_int": Placement.SW_INT,
    "sw_float": Placement.SW_FLOAT,
}


def place(word: str) -> Placement | None:
    """A placement as the artefacts word it."""
    return _PLACES.get(word)


def actual_schedule(comparison: Comparison) -> Schedule:
    """The epochs the tools made."""
    layers_of: dict[int, list[str]] = {}
    for layer in comparison.layers:
        if layer.actual is not None and layer.actual.epoch is not None:
            for number in layer.actual.epochs or (layer.actual.epoch,):
                layers_of.setdefault(number, []).append(layer.name)
    nodes: Mapping[int, str] = {
        entry.epoch: entry.node for entry in comparison.off_npu if entry.epoch is not None and entry.node
    }
    rows = tuple(
        EpochRow(
            epoch.index,
            epoch.last if epoch.last is not None else epoch.index,
            place(epoch.placement),
            epoch.op,
            tuple(layers_of.get(epoch.index, ())) or epoch.nodes or ((nodes[epoch.index],) if epoch.index in nodes else ()),
            (),
            epoch.cycles if epoch.cycles is not None else epoch.compute_cycles,
            epoch.milliseconds,
            known=False,
            printed=epoch,
        )
        for epoch in comparison.epochs
    )  # fmt: skip
    measured = any(row.milliseconds is not None for row in rows)
    return Schedule(rows, "as the tools made them", measured, comparison.totals.epochs)


# -- lines


def tally(schedule: Schedule) -> Line:
    """'18 epochs · 3 on the CPU · 4 hand-overs'."""
    rows = schedule.rows
    cpu = sum(row.placement is not None and row.placement.on_cpu for row in rows)
    hybrid = sum(row.placement is Placement.HYBRID for row in rows)
    parts = [strong(plural(len(rows), "epoch"))]
    if any(row.last > row.index for row in rows):
        known = plural(schedule.epochs, "epoch") if schedule.epochs is not None else "epochs"
        parts = [strong(known), quiet(f" in {plural(len(rows), 'row')}")]
    if cpu:
        parts += [quiet(" · "), Span(f"{cpu} on the CPU", "sw")]
    if hybrid:
        parts += [quiet(" · "), Span(f"{hybrid} hybrid", "hybrid")]
    if not cpu and not hybrid and rows and all(row.placement is not None for row in rows):
        parts += [quiet(" · "), Span("all on the NPU", "hw")]
    if all(row.placement is not None for row in rows):
        parts += [quiet(" · "), quiet(plural(schedule.handovers, "hand-over"))]
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class _Widths:
    op: int
    layers: int
    bar: int
    cycles: int


_FIXED = 1 + 5 + 2 + 5 + 2
_TIME, _SHARE = 11, 4


def _widths(width: int) -> _Widths:
    op = 0 if width < 90 else 16
    cycles = 0 if width < 68 else 9
    room = width - _FIXED - (op + 2 if op else 0) - cycles - _TIME - _SHARE - 1
    bar = max(min(room * 2 // 5, 40), 0)
    return _Widths(op, max(room - bar - 1, 4), bar, cycles)


def epoch_heading(width: int, timed: bool) -> Line:
    """The names of the columns."""
    widths = _widths(width)
    text = " " + right("epoch", 5) + "  " + left("where", 5) + "  "
    if widths.op:
        text += left("op", widths.op) + "  "
    text += left("layers", widths.layers) + " " + left(_bar_title(widths.bar, timed), widths.bar)
    if widths.cycles:
        text += right("cycles", widths.cycles)
    return line(Span(text + right("time", _TIME) + " " + right("%", _SHARE), "title"))


def _bar_title(room: int, timed: bool) -> str:
    return ("where the time goes" if timed else "where cycles go") if room > 19 else ""


def epoch_line(schedule: Schedule, index: int, width: int) -> Line:
    """A row in its columns."""
    row, widths = schedule.rows[index], _widths(width)
    role = ROLES[row.placement] if row.placement is not None else "quiet"
    number = str(row.index) if row.last == row.index else f"{row.index}-{row.last}"
    parts = [Span(_bracket(schedule, index), role), quiet(right(number, 5)), Span("  ")]
    parts.append(where(row.placement) if row.placement is not None else quiet("?    "))
    parts.append(Span("  "))
    if widths.op:
        parts += [Span(left(shown(row.op, widths.op), widths.op), "text" if row.op else "quiet"), Span("  ")]
    parts.append(_layers(row, schedule.names, widths.layers))
    share = schedule.share(index) if schedule.weights else 0.0
    weight = schedule.weights[index] / schedule.most if schedule.weights else 0.0
    start = row.start_milliseconds / row.milliseconds if row.milliseconds else 0.0
    parts += [Span(" "), *bar(weight, widths.bar, role, start)]
    loud = share >= 0.05
    if widths.cycles:
        parts.append(quiet(right(short(row.cycles) if row.cycles is not None else "·", widths.cycles)))
    time = time_cell(row.milliseconds) if row.milliseconds is not None else "·"
    parts.append(Span(right(time, _TIME), "text" if loud else "quiet"))
    figure = f"{share * 100:.0f}" if share >= 0.005 else "·"
    parts.append(Span(" " + right(figure, _SHARE), "text" if loud else "quiet"))
    return tuple(parts)


def _layers(row: EpochRow, names: Names, width: int) -> Span:
    if not row.layers:
        text = f"inserted: {_kinds(row.inserted)}" if row.inserted else "inserted" if row.known else "·"
        return quiet(left(text, width))
    more = f" +{len(row.layers) - 1}" if len(row.layers) > 1 else ""
    name = shown_of(names, row.layers[0], max(width - len(more), 4))
    return Span(left(name + more, width), "sw-strong" if row.placement and row.placement.on_cpu else "text")


def _kinds(kinds: Sequence[str]) -> str:
    """'2 Identity, Transpose'."""
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in Counter(kinds).items())


def _bracket(schedule: Schedule, index: int) -> str:
    """A bracket around each run of epochs off the NPU: its ends are the hand-overs."""
    if not schedule.off[index]:
        return " "
    first = index == 0 or not schedule.off[index - 1]
    last = index == len(schedule.off) - 1 or not schedule.off[index + 1]
    return "[" if first and last else "┌" if first else "└" if last else "│"


_PARTS = " ▏▎▍▌▋▊▉"


def bar(weight: float, width: int, role: str, start: float = 0.0) -> Line:
    """A bar of `width` cells for a weight of 1; the part `start` of it is set off. What is there is seen."""
    if width < 1:
        return ()
    eighths = round(min(max(weight, 0.0), 1.0) * width * 8) or (1 if weight > 0 else 0)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_PARTS[rest] if rest else "")
    set_up = min(round(len(text) * start), len(text)) if start < 1 else len(text)
    parts = (Span(text[:set_up], "faint"), Span(text[set_up:], role), Span(" " * (width - len(text))))
    return tuple(part for part in parts if part.text)


def about_epoch(schedule: Schedule, index: int, width: int) -> Iterator[Line]:
    """What there is to say of one epoch."""
    if not schedule.rows:
        return
    row = schedule.rows[index]
    placement = row.placement
    sign = where(placement) if placement is not None else quiet("?")
    title = f"epoch {row.index}" + (f" · {shown(row.op, 30)}" if row.op else "")
    unit = "time" if any(one.milliseconds for one in schedule.rows) else "cycles"
    share = f"{percent(schedule.share(index))} % of the {unit}" if schedule.weights else ""
    yield spread(line(sign, "  ", strong(title)), (quiet(share),) if share else (), width)
    yield from _membership(row, width)
    yield from _handover(schedule, index, width)
    figures = []
    if row.cycles is not None:
        figures.append(f"{grouped(row.cycles)} cycles")
    if row.milliseconds is not None:
        figures.append(milliseconds(row.milliseconds) + (" measured" if schedule.measured else ""))
    if row.start_milliseconds:
        figures.append(f"{milliseconds(row.start_milliseconds)} of it to set up")
    if row.bound_by:
        figures.append(
            "bound by its set-up" if row.bound_by == "start" else f"bound by {bound_name(row.bound_by)}"
        )
    if figures:
        yield from wrap(line(quiet(" · ".join(figures))), width)
    if row.printed is not None:
        yield from _as_printed(row.printed, width)


def _as_printed(epoch: ReportedEpoch, width: int) -> Iterator[Line]:
    """What else the tools say of an epoch: kernels, cycles with ideal memory, what it moves, power, the CPU's part."""
    parts = []
    if epoch.printed:
        parts.append(f"printed {shown(epoch.printed, 20)}{', float kernel' if epoch.in_float else ''}")
    if epoch.compute_cycles is not None and epoch.cycles is not None:
        parts.append(f"{grouped(epoch.compute_cycles)} with ideal memory")
    if epoch.ops:
        parts.append(f"{short(epoch.ops)} OPS")
    if epoch.milliwatts is not None and any(epoch.milliwatts):
        parts.append(f"{epoch.milliwatts[0]:.3g} + {epoch.milliwatts[1]:.3g} mW accelerators + memories")
    if epoch.cpu_cycles is not None:
        before, during, after = (grouped(cycles) for cycles in epoch.cpu_cycles)
        parts.append(f"CPU cycles {before} set-up, {during} running, {after} after")
    if parts:
        yield from wrap(line(quiet(" · ".join(parts))), width)
    moved = []
    for traffic in epoch.traffic:
        if traffic.pool.startswith("bus port"):
            continue
        sides = [
            f"{bytes_(amount)} {word}"
            for word, amount in (("in", traffic.reads), ("out", traffic.writes))
            if amount
        ]
        if sides:
            moved.append(f"{shown(traffic.pool, 24)} {', '.join(sides)}")
    if moved:
        yield from wrap(line(quiet("moves  " + " · ".join(moved))), width, 7)


def _membership(row: EpochRow, width: int) -> Iterator[Line]:
    most = 12
    if row.layers:
        names = ", ".join(listed(row.layers[:most], 32))
        more = f" and {len(row.layers) - most} more" if len(row.layers) > most else ""
        lead = "layer  " if len(row.layers) == 1 else f"{len(row.layers)} layers in one chain  "
        yield from wrap(line(quiet(lead), names + more), width, 2)
    if row.inserted:
        text = (
            "added by the compiler  " if row.layers else "inserted by the compiler, no layer of the model  "
        )
        yield from wrap(line(quiet(text), _kinds(row.inserted)), width, 2)
    elif not row.layers and row.placement is not None:
        text = "no layer of the model" if row.known else "which layers are in it is not known"
        yield from wrap(line(quiet(text)), width)


def _handover(schedule: Schedule, index: int, width: int) -> Iterator[Line]:
    """What moving the epoch, or the run it is in, to the NPU would save."""
    run = excursion(schedule.off, index)
    if not run:
        return
    alone = saved(schedule.off, range(index, index + 1))
    together = saved(schedule.off, run)
    row = schedule.rows[index]
    if alone > 0:
        yield from wrap(
            line(Span("→ ", "accent"), f"moving it to the NPU removes {plural(alone, 'hand-over')}"), width, 2
        )
    elif together > 0:
        others = [str(schedule.rows[position].index) for position in run if position != index]
        listed = ", ".join(others[:6]) + (" …" if len(others) > 6 else "")
        word = "epoch" if len(others) == 1 else "epochs"
        text = f"moving it and {word} {listed} to the NPU removes {plural(together, 'hand-over')}"
        yield from wrap(line(Span("→ ", "accent"), text), width, 2)
    elif row.placement is not None:
        yield from wrap(
            line(quiet(f"{GLYPHS[row.placement]} {WORDS[row.placement]}: no hand-over to save")), width
        )
