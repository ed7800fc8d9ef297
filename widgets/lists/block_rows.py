"""The model as blocks: a row each, with the edges between them as lanes, and the time each takes."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from npuscope.model.brief import Names
from npuscope.model.inspection.blocks import Block, Blocks, operators
from npuscope.model.inspection.trace import Trace
from npuscope.model.links import LaneRow, lanes
from npuscope.model.names import printable
from npuscope.npu.figures import plural
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.bars.figure_bars import bar
from npuscope.widgets.lists.rail import AWAY, lane_line
from npuscope.widgets.text.cells import cells, clip, left, right
from npuscope.widgets.text.figures import milliseconds, time_cell
from npuscope.widgets.text.layer_names import shown_layer, shown_of
from npuscope.widgets.text.spans import Line, Span, fit, length, line, quiet, wrap
from npuscope.widgets.text.words import ROLES, counts, shape

MOST_LANES = 10

HOT, WARM = 0.1, 0.03
"""Shares of the model's time from which on a block is set off."""


@dataclass(frozen=True, eq=False)
class BlockRows:
    """Blocks as rows of a list; `by_time` colours them by what they take, else by where they run."""

    snapshot: Snapshot
    graph: Blocks
    by_time: bool = False
    trace: Trace | None = None
    """What is set off from the rest."""

    @cached_property
    def drawn(self) -> list[LaneRow]:
        """The lanes beside the rows."""
        return lanes(len(self.graph.blocks), self.graph.edges, MOST_LANES)

    @cached_property
    def reports(self) -> list[tuple[LayerReport, ...]]:
        """The layers of each block, as judged."""
        known = self.snapshot.by_name
        return [tuple(known[layer.name] for layer in block.layers) for block in self.graph.blocks]

    @cached_property
    def shares(self) -> list[float]:
        """Each block's part of the model's time, 0 to 1."""
        return [sum(self.snapshot.share(report) for report in reports) for reports in self.reports]

    @cached_property
    def feeds(self) -> dict[int, list[int]]:
        """Row -> the rows it reads."""
        feeds: dict[int, list[int]] = defaultdict(list)
        for start, end in self.graph.edges:
            feeds[end].append(start)
        return feeds

    @cached_property
    def reads(self) -> dict[int, list[int]]:
        """Row -> the rows that read it."""
        reads: dict[int, list[int]] = defaultdict(list)
        for start, end in self.graph.edges:
            reads[start].append(end)
        return reads

    def role(self, index: int) -> str:
        """The colour of a block."""
        if not self.is_on(index):
            return AWAY
        if self.by_time:
            share = self.shares[index]
            return "attention" if share >= HOT else "text" if share >= WARM else "faint"
        worst = max((report.placement for report in self.reports[index]), key=lambda p: p.rank)
        return ROLES[worst]

    def is_on(self, index: int) -> bool:
        """Some of its layers are on the trace, if there is one."""
        trace = self.trace
        return trace is None or any(layer.name in trace.layers for layer in self.graph.blocks[index].layers)

    @cached_property
    def _scopes(self) -> Names:
        return Names(block.label for block in self.graph.blocks if not _is_run(block))

    @cached_property
    def _ends(self) -> Names:
        return Names(name for block in self.graph.blocks if _is_run(block) for name in _first_and_last(block))

    def name(self, index: int, width: int) -> str:
        """Its scope; of a run, which no scope holds, the layers it goes from and to."""
        block = self.graph.blocks[index]
        if not _is_run(block):
            return shown_of(self._scopes, block.label, width)
        ends = _first_and_last(block)
        if len(ends) == 1:
            return shown_of(self._ends, ends[0], width)
        room = max(width - len(_TO), 2)
        first = shown_of(self._ends, ends[0], max(room // 2, room - cells(printable(ends[1]))))
        return first + _TO + shown_of(self._ends, ends[1], room - cells(first))

    @cached_property
    def _longest(self) -> int:
        """Cells of the longest name in full; those of blocks that take no time, as an input's border, are cut."""
        longest = len("block")
        for block, share in zip(self.graph.blocks, self.shares, strict=True):
            name = printable(_TO.join(_first_and_last(block)) if _is_run(block) else block.label)
            longest = max(longest, min(cells(name), _LONGEST if share else _LONGEST_UNTIMED))
        return longest

    def _widths(self, width: int) -> _Widths:
        return _columns(width - self.lane_width(width), self._longest)

    def lane_width(self, width: int) -> int:
        """Cells of the lanes: as many as are used, no more than a quarter of the line."""
        used = [lane for row in self.drawn for lane in (*row.through, *row.ends, row.starts or 0)]
        return min(max(used, default=0) + 2, MOST_LANES + 1, max(width // 4, 4))

    def heading(self, width: int) -> Line:
        """The names of the columns."""
        widths = self._widths(width)
        text = " " * (self.lane_width(width) + 2) + left("block", widths.name)
        if widths.ops:
            text += " " + left("operators", widths.ops)
        if widths.shape:
            text += " " + right("writes", widths.shape)
        text += " " + right("layers", 6) + "  " + left("where", _WHERE)
        return line(
            Span(text + left("", widths.bar and widths.bar + 1) + right("time", 10) + right("%", 4), "title")
        )

    def line(self, index: int, width: int) -> Line:
        """A row."""
        room = self.lane_width(width)
        widths = self._widths(width)
        block, reports = self.graph.blocks[index], self.reports[index]
        parts = [
            *lane_line(self.role, self.drawn, index, room),
            Span("▸ " if block.divides else "  ", "quiet"),
        ]
        parts.append(Span(left(self.name(index, widths.name), widths.name), self.role(index)))
        if widths.ops:
            what = clip(printable(operators(block.layers)), widths.ops)
            parts.append(quiet(" " + left(what, widths.ops)))
        if widths.shape:
            output = block.layers[-1].output
            parts.append(quiet(" " + right(shape(output.type) if output is not None else "", widths.shape)))
        parts.append(quiet(" " + right(str(len(reports)), 6)))
        off = [report.placement for report in reports if report.off_npu]
        cpu = sum(placement.on_cpu for placement in off)
        placed = [report for report in reports if report.placement is not Placement.NONE]
        tally = counts(len(placed) - len(off), len(off) - cpu, cpu)
        parts += [Span("  "), *fit(tally, _WHERE), Span(" " * max(_WHERE - length(tally), 0))]
        time = sum(self.snapshot.time_of(report) for report in reports)
        if widths.bar:
            parts += [Span(" "), *self._bar(reports, widths.bar)]
        share = self.shares[index]
        figure = f"{share * 100:.0f}" if share >= 0.005 else "·"
        parts.append(quiet(right(time_cell(time) if time else "·", 10)))
        parts.append(Span(right(figure, 4), "text" if share >= WARM else "quiet"))
        if not self.is_on(index):
            parts[room:] = [Span(part.text, AWAY) for part in parts[room:]]
        return tuple(parts)

    def _bar(self, reports: tuple[LayerReport, ...], width: int) -> Line:
        """The block's time against that of the longest one; in parts by where its layers run."""
        times: dict[str, float] = defaultdict(float)
        for report in reports:
            role = "attention" if self.by_time else ROLES[report.placement]
            times[role] += self.snapshot.share(report)
        order = sorted(
            times, key=lambda role: ("sw", "hybrid").index(role) if role in ("sw", "hybrid") else 2
        )
        most = max(self.shares) or 1.0
        drawn = bar([(times[role], role) for role in order if times[role] / most >= 1e-3], most, width)
        return tuple(
            Span(" " * cells(text), "text") if role == "rule" else Span(text, role) for text, role in drawn
        )

    def about(self, index: int, width: int) -> list[Line]:
        """What a block reads and who reads it, in full."""
        lines: list[Line] = []
        for label, rows, border in (
            ("reads", self.feeds.get(index, []), "the input of the model"),
            ("feeds", self.reads.get(index, []), "the output of the model"),
        ):
            names = ", ".join(self.name(index, 60) for index in rows[:8]) or border
            more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
            lines += wrap(line(quiet(left(label, 7)), names + more), width, 7)
        worst = sorted(self.reports[index], key=lambda report: -self.snapshot.time_of(report))[:3]
        hot = ", ".join(
            f"{shown_layer(self.snapshot, report.name, 48)} {milliseconds(self.snapshot.time_of(report))}"
            for report in worst
            if self.snapshot.time_of(report) > 0
        )
        if hot:
            lines.append(fit(line(quiet(left("hottest", 9)), hot), width))
        return lines


_WHERE, _LEAST_BAR = 16, 6
_LONGEST, _LONGEST_UNTIMED = 60, 16


@dataclass(frozen=True, slots=True)
class _Widths:
    name: int
    ops: int
    shape: int
    bar: int


def _columns(width: int, longest: int) -> _Widths:
    """Cells of the columns beside the lanes; `longest` is what the longest name takes."""
    rest = max(width - 2 - 7 - 2 - _WHERE - 14, 8)
    shape_ = 14 if rest >= 56 else 0
    rest -= shape_ + 1 if shape_ else 0
    name = min(longest, max(rest - _LEAST_BAR - 1, 12), rest)
    rest -= name
    ops = min(rest // 2, 30) - 1 if rest >= 24 else 0
    rest -= ops + 1 if ops else 0
    bar_ = min(rest - 1, 40) if rest >= 5 else 0
    return _Widths(name + (rest if not bar_ else 0), ops, shape_, bar_)


def _is_run(block: Block) -> bool:
    return block.key == block.layers[0].name


_TO = " to "
"""Between the first and the last layer of a run."""


def _first_and_last(block: Block) -> tuple[str, ...]:
    return tuple(dict.fromkeys((block.layers[0].name, block.layers[-1].name)))


def title(rows: BlockRows) -> tuple[Line, Line]:
    """How many blocks, and of what."""
    total = milliseconds(rows.snapshot.layer_milliseconds)
    about = f"{plural(len(rows.snapshot.layers), 'layer')}, {total}"
    return line(Span(plural(len(rows.graph.blocks), "block"), "strong")), line(quiet(about))
