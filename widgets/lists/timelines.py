"""Two timelines of epochs under each other, on one scale, and what changed between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from npuscope.model.brief import Names
from npuscope.neural_art.schedule.handovers import handovers
from npuscope.npu.cost import Epoch
from npuscope.npu.epoch_changes import Stretch, stretches
from npuscope.npu.figures import plural
from npuscope.npu.times import change_sign
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import Snapshot
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import milliseconds, time_cell, time_change
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import Line, Span, fit, length, line, quiet, spread, strong
from npuscope.widgets.text.words import GLYPHS, ROLES

_LABEL = 8


def _off(epoch: Epoch) -> bool:
    return epoch.placement not in (Placement.HW, Placement.NONE)


def timeline(epochs: Sequence[Epoch], longest: float, width: int, among: Names) -> tuple[Line, Line]:
    """A bar on a scale of `longest` milliseconds, a cell in the colour of what fills most of it; names below.

    Neighbours of one colour are told apart by the height of their cells; a name stands where it has room.
    """
    if not epochs or longest <= 0 or width < 1:
        return (), ()
    scale = width / longest
    starts, elapsed = [], 0.0
    for epoch in epochs:
        starts.append(elapsed)
        elapsed += epoch.milliseconds
    cells = min(max(round(elapsed * scale), 1), width)
    spans: list[Span] = []
    names: list[str] = [" "] * cells
    which = 0
    runs: list[tuple[int, int, int]] = []
    for cell in range(cells):
        middle = (cell + 0.5) / scale
        while which + 1 < len(epochs) and starts[which + 1] <= middle:
            which += 1
        # An epoch off the NPU that is too short to fill a cell is still seen.
        here = _worst_in(epochs, starts, cell / scale, (cell + 1) / scale, which)
        if runs and runs[-1][0] == here:
            runs[-1] = (here, runs[-1][1], cell + 1)
        else:
            runs.append((here, cell, cell + 1))
    for i, (index, begin, end) in enumerate(runs):
        epoch = epochs[index]
        spans.append(Span(("█" if i % 2 else "▇") * (end - begin), ROLES[epoch.placement]))
        name = _name(epoch)
        if end - begin >= 6:
            for offset, letter in enumerate(left(shown_of(among, name, end - begin - 1), end - begin)):
                names[begin + offset : begin + offset + 1] = [letter]
    return tuple(spans), line(quiet("".join(names).rstrip()))


def _worst_in(epochs: Sequence[Epoch], starts: Sequence[float], begin: float, end: float, which: int) -> int:
    """The epoch that fills most of a cell; one off the NPU that has a third of it goes before."""
    best, most = which, -1.0
    position = which
    while position > 0 and starts[position] > begin:
        position -= 1
    while position < len(epochs) and starts[position] < end:
        inside = min(starts[position] + epochs[position].milliseconds, end) - max(starts[position], begin)
        weight = inside * (3 if _off(epochs[position]) else 1)
        if weight > most:
            best, most = position, weight
        position += 1
    return best


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """A model as it was opened and as it is now."""

    before: Snapshot
    after: Snapshot

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """What stayed, and what was put in the place of what."""
        return stretches(self.before.epochs, self.after.epochs)

    @cached_property
    def _names(self) -> Names:
        """What stands on the timelines and in the rows."""
        return Names(_name(epoch) for snapshot in (self.before, self.after) for epoch in snapshot.epochs)

    @property
    def longest(self) -> float:
        """The scale of both timelines."""
        return max(self.before.summary.milliseconds, self.after.summary.milliseconds)

    def head(self, width: int) -> list[Line]:
        """Both timelines with their figures, and the scale."""
        lines: list[Line] = []
        for label, snapshot in (("before", self.before), ("after", self.after)):
            bar, names = timeline(snapshot.epochs, self.longest, max(width - _LABEL, 1), self._names)
            lines += [
                line(strong(left(label, _LABEL)), *_figures(snapshot, width - _LABEL)),
                (Span(" " * _LABEL), *bar),
                fit((Span(" " * _LABEL), *names), width),
            ]
        end = milliseconds(self.longest)
        lines.append(line(quiet(" " * _LABEL + "0" + right(end, max(width - _LABEL - 1, len(end))))))
        return lines

    def heading(self, width: int) -> Line:
        """The names of the columns."""
        half = _half(width)
        text = left("before", half) + "  " + left("after", half) + right("change", _CHANGE)
        return line(Span(text, "title"))

    def row(self, index: int, width: int) -> Line:
        """What stands where what stood."""
        stretch, half = self.stretches[index], _half(width)
        if stretch.same:
            time = sum(epoch.milliseconds for epoch in stretch.after)
            same = f"{plural(len(stretch.after), 'epoch')} as before, {milliseconds(time)}"
            change = stretch.milliseconds
            change_words = time_change(change) if change_sign(change) else ""
            return spread(line(quiet(f"  {same}")), line(quiet(change_words)), width)
        change = stretch.milliseconds
        role = "hw" if change < 0 else "attention"
        return (
            *_side(stretch.before, half, self._names),
            Span("  "),
            *_side(stretch.after, half, self._names),
            Span(right(_change(change), _CHANGE), role),
        )

    def layer(self, index: int) -> str:
        """A layer of a row that is still there, '' where there is none."""
        stretch = self.stretches[index]
        return next((name for epoch in stretch.after for name in epoch.layers), "")

    def about(self, index: int) -> Iterator[Line]:
        """Every epoch of a row, one line each."""
        stretch = self.stretches[index]
        for word, epochs in (("was", stretch.before), ("is", stretch.after)):
            for epoch in epochs[:4] if not stretch.same else ():
                place = Span(f"{GLYPHS[epoch.placement]} ", ROLES[epoch.placement])
                names = ", ".join(listed(epoch.layers[:3], 40)) or epoch.op
                yield line(
                    quiet(left(word, 4)),
                    place,
                    quiet(right(time_cell(epoch.milliseconds), 10)),
                    "  ",
                    names,
                )


_CHANGE = 11


def _half(width: int) -> int:
    return max((width - _CHANGE - 2) // 2, 8)


def _change(value: float) -> str:
    return time_change(value)


def _name(epoch: Epoch) -> str:
    """Its first layer, else the operator that the compiler added."""
    return epoch.layers[0] if epoch.layers else epoch.op


def _side(epochs: Sequence[Epoch], width: int, among: Names) -> Line:
    if not epochs:
        return line(quiet(left("  (nothing)", width)))
    worst = max((epoch.placement for epoch in epochs), key=lambda p: p.rank)
    longest = max(epochs, key=lambda epoch: (bool(epoch.layers), epoch.milliseconds))
    time = time_cell(sum(epoch.milliseconds for epoch in epochs))
    more = f" +{len(epochs) - 1}" if len(epochs) > 1 else ""
    room = max(width - 2 - len(more) - 10, 4)
    text = left(shown_of(among, _name(longest), room) + more, width - 12)
    return (Span(f"{GLYPHS[worst]} ", ROLES[worst]), Span(text), quiet(right(time, 10)))


def _figures(snapshot: Snapshot, width: int) -> Line:
    """'4.08 ms  17 NPU  3 CPU  6 hand-overs'."""
    summary = snapshot.summary
    passes = handovers([_off(epoch) for epoch in snapshot.epochs])
    parts = [
        Span(milliseconds(summary.milliseconds), "strong"),
        quiet(f"  {plural(summary.epochs, 'epoch')}:"),
    ]
    if summary.epochs_sw:
        parts.append(Span(f" {summary.epochs_sw} CPU", "sw"))
    if summary.epochs_hybrid:
        parts.append(Span(f" {summary.epochs_hybrid} hybrid", "hybrid"))
    parts += [quiet(f" {summary.epochs_hw} NPU"), quiet(f", {plural(passes, 'hand-over')}")]
    figures = tuple(parts)
    return figures if length(figures) <= width else fit(figures, width)
