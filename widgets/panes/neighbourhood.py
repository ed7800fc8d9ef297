"""Neighbourhood: what feeds a layer and what reads it, each with its shape, scale and place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from npuscope.model.brief import Names
from npuscope.model.inspection.joins import Shortcut, shortcut, together
from npuscope.model.layer import Operand
from npuscope.model.links import Link
from npuscope.npu.figures import plural
from npuscope.npu.verdict import Placement
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.cells import cells, left, right, shown
from npuscope.widgets.text.figures import percent, three, time_cell
from npuscope.widgets.text.gains import saved
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import Line, Span, fit, length, line, quiet, spread, strong, wrap
from npuscope.widgets.text.words import WORDS, shape, where

_BESIDE, _SAVING, _ROOMY = 92, 64, 48
"""Cells from which on a neighbour's tensor stands on its line, what is saved beside a time, and two blanks between columns."""

_LONGEST_TENSOR, _SHORTEST_TENSOR = 28, 16
"""Cells that a tensor's name takes at most, and below which its figures go on a line of their own."""
LEAST_SHARE, _TIME = 0.005, 11

MOST = 24
"""Neighbours on one side that are listed."""


Place = tuple[Line, str]
"""A line, and the layer that it speaks of; '' where that is none to go to."""


class Neighbourhood(Pane):
    """Producers, the layer, consumers. A hand-over between NPU and CPU is marked.

    With the keys it has a cursor: up and down go from neighbour to neighbour, Enter goes to that layer, as a click does.
    """

    TITLE = "Neighbourhood"
    HINT = ("[ ]", "walk")

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "next_neighbour(-1)", show=False),
        Binding("down,j", "next_neighbour(1)", show=False),
        Binding("enter", "take", show=False),
    ]

    class Chosen(Message):
        """The user wants to go to a layer."""

        def __init__(self, layer: str) -> None:
            super().__init__()
            self.layer = layer

    def __init__(self, *, id: str | None = None, headless: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, headless=headless)
        self._places: list[str] = []
        """Line by line the layer that it speaks of."""
        self._middle = -1
        """The line of the layer itself; before the first one where none is selected."""
        self._cursor = -1
        """A line that names a neighbour; -1 where there is none."""
        self._downward = True
        """The last step was towards the end of the model."""

    def lines(self, selection: Selection, width: int) -> list[Line]:
        """A line for each neighbour, the layer between them."""
        if selection.report is None:
            found = [] if selection.draft else hottest(selection, width)
        else:
            found = list(neighbourhood(selection.snapshot, selection.report, width))
        self._places = [layer for _, layer in found]
        own = selection.report.name if selection.report is not None else ""
        self._middle = self._places.index(own) if own else -1
        ahead = [at for at in self._beginnings() if at > self._middle]
        behind = [at for at in self._beginnings() if at < self._middle]
        self._cursor = next(iter((ahead or behind) if self._downward else (behind or ahead)), -1)
        return [one for one, _ in found]

    def _beginnings(self) -> list[int]:
        """The first line of each neighbour."""
        places, middle = self._places, self._middle
        return [
            at
            for at, layer in enumerate(places)
            if layer and at != middle and (not at or layer != places[at - 1])
        ]

    def line_role(self, index: int) -> str | None:
        """The cursor's line, where the keys come here."""
        return "cursor" if self.has_focus and index == self._cursor else None

    def action_next_neighbour(self, step: int) -> None:
        """To the next neighbour, or scroll where there is no other."""
        ahead = [at for at in self._beginnings() if (at - self._cursor) * step > 0]
        if not ahead:
            self.scroll_relative(y=step, animate=False)
            return
        before, self._cursor = self._cursor, ahead[0 if step > 0 else -1]
        self._show(self._cursor)
        self.refresh_body(before)
        self.refresh_body(self._cursor)

    def _show(self, index: int) -> None:
        top = self.scroll_offset.y
        wanted = min(max(top, index + 2 - self.page), index)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def action_take(self) -> None:
        """Go to the layer under the cursor."""
        self._go(self._cursor)

    def on_click(self, event: events.Click) -> None:
        """Go to the layer of a line."""
        if event.y >= self.heading_lines:
            self._go(event.y - self.heading_lines + self.scroll_offset.y)

    def _go(self, index: int) -> None:
        if 0 <= index < len(self._places) and (layer := self._places[index]):
            self._downward = index > self._middle
            self.post_message(self.Chosen(layer))


HOTTEST = 16
"""Layers that are named where none is selected."""


def hottest(selection: Selection, width: int) -> list[Place]:
    """Where no layer is selected: those that take the most time, and what their best fix saves."""
    snapshot = selection.snapshot
    ordered = sorted(selection.layers, key=snapshot.time_of, reverse=True)
    hot = [report for report in ordered if snapshot.share(report) >= LEAST_SHARE][:HOTTEST]
    if not hot:
        nothing = line(quiet("Select a layer to see what feeds it and what reads it."))
        return [(one, "") for one in wrap(nothing, width)]
    head = line(quiet("what takes the time:  "), Span(keyed("{.}"), "accent"), quiet(" goes there"))
    lines: list[Place] = [(fit(head, width), "")]
    gain = 17 if width >= _SAVING else 0
    gap = "  " if width >= _ROOMY else " "
    room = max(width - 5 - 5 - 2 * len(gap) - _TIME - gain, 8)
    names = listed((report.name for report in hot), room)
    room = min(room, max(map(cells, names)))
    for report, name in zip(hot, names, strict=True):
        saves = saved(snapshot, report) or 0.0
        words = f"  saves {time_cell(saves)}" if saves and gain else ""
        row = line(
            right(f"{percent(snapshot.share(report))} %", 5),
            gap,
            where(report.placement),
            gap,
            left(name, room),
            quiet(right(time_cell(snapshot.time_of(report)), _TIME)),
            Span(words, "hw"),
        )
        lines.append((fit(row, width), report.name))
    return lines


def neighbourhood(snapshot: Snapshot, report: LayerReport, width: int) -> Iterator[Place]:
    """What a layer reads, the layer itself, and what reads it."""
    before, after = snapshot.links.producers(report.layer), snapshot.links.consumers(report.layer)
    names = Names((report.name, *(link.layer for link in (*before[:MOST], *after[:MOST]))))
    yield from _side(snapshot, report, before, names, "┌ ", "input of the model", width)
    end = line(where(report.placement))
    middle = line(Span("● ", "accent"), strong(shown_of(names, report.name, max(width - 10, 8))))
    yield spread(fit(middle, width - length(end) - 1), end, width), report.name
    around = shortcut(snapshot.links, report.layer, *snapshot.graph_order) if len(before) > 1 else None
    if around is not None and not is_gated(around):
        yield from ((one, "") for one in _shortcut(around, width))
    yield from _side(snapshot, report, after, names, "└ ", "output of the model", width)


def _shortcut(around: Shortcut, width: int) -> Iterator[Line]:
    """What is skipped by what; how many layers that is goes on a line of its own where both fill one."""
    room = max(width - len("│  skips "), 16)
    block, source = together(around.skipped), around.source
    block = shown(block, max(room // 2, room - cells(shown(source, room))))
    source = shown(source, room - cells(block))
    count = f"({plural(len(around.skipped), 'layer')})"
    what = line(quiet("│ "), source, quiet(" skips "), block)
    if length(what) + 1 + len(count) <= width:
        yield (*what, *line(quiet(" " + count)))
    else:
        yield fit(what, width)
        yield line(quiet(f"│   {count}"))


def _kinds(others: Sequence[LayerReport], width: int) -> int:
    """Cells for the operators of neighbours: all they need where the names below one another keep theirs."""
    wanted = max((cells(other.layer.op) for other in others), default=0)
    longest = max((cells(other.name) for other in others), default=0)
    return max(min(wanted, 18, width - len("● NPU") - 4 - longest), 9)


def _side(
    snapshot: Snapshot,
    report: LayerReport,
    links: Sequence[Link],
    names: Names,
    corner: str,
    border: str,
    width: int,
) -> Iterator[Place]:
    kinds = _kinds([other for link in links[:MOST] if (other := snapshot.by_name.get(link.layer))], width)
    tensors = Names(tensor_label(link.operand.tensor) for link in links[:MOST])
    borders = Names(link.operand.tensor for link in links[:MOST])
    for link in links[:MOST]:
        other = snapshot.by_name.get(link.layer)
        if other is None:
            name = line(quiet(corner + border + " "), shown_of(borders, link.operand.tensor, 32))
            figures = line(quiet("  " + _tensor(link.operand)))
            if length((*name, *figures)) <= width:
                yield (*name, *figures), ""
            else:
                yield fit(name, width), ""
                yield fit((*line(quiet("│ " if corner == "┌ " else "  ")), *figures), width), ""
            continue
        for one in _neighbour(link, other, report, names, tensors, corner, kinds, width):
            yield one, other.name
    if len(links) > MOST:
        yield line(quiet(f"{corner}and {plural(len(links) - MOST, 'more')}")), ""


def _neighbour(
    link: Link,
    other: LayerReport,
    report: LayerReport,
    names: Names,
    tensors: Names,
    corner: str,
    kinds: int,
    width: int,
) -> Iterator[Line]:
    """A neighbour and the tensor between: one line where there is room, else up to three."""
    end = line(where(other.placement))
    pair = (other, report) if corner == "┌ " else (report, other)
    crossing = _hand_over(*(one.placement for one in pair))
    mark = line(Span(f"  {crossing}", "attention")) if crossing else ()
    figures = line(quiet("  " + _tensor(link.operand)))
    label = tensor_label(link.operand.tensor)
    named = line(quiet(corner), left(shown(other.layer.op, kinds), kinds), " ")
    if width >= _BESIDE:
        about = (*line("  ", shown_of(tensors, label, _LONGEST_TENSOR)), *figures, *mark)
        room = max(width - length(end) - length(about) - kinds - 4, 10)
        full = (*named, *line(shown_of(names, other.name, room)), *about)
        yield spread(fit(full, width - length(end) - 1), end, width)
        return
    room = max(width - length(end) - kinds - 4, 10)
    full = (*named, *line(shown_of(names, other.name, room)))
    yield spread(fit(full, width - length(end) - 1), end, width)
    rail = line(quiet("│ " if corner == "┌ " else "  "))
    room = width - length((*rail, *mark, *figures)) - 2
    own_line = room < min(_SHORTEST_TENSOR, len(label))
    room = min(width - length((*rail, *mark)) - 2 if own_line else room, _LONGEST_TENSOR)
    tensor = line("  ", shown_of(tensors, label, max(room, 8)))
    yield fit((*rail, *mark, *tensor, *(() if own_line else figures)), width)
    if own_line:
        yield fit((*rail, *figures), width)


_ENDINGS = ("_QuantizeLinear_Output", "_DequantizeLinear_Output", "_quantized", "_dequantized")


def tensor_label(name: str) -> str:
    """The last part of a tensor's name, without what a quantizer puts behind it.

    Of operators that a converter made one, which TFLite files name all ('x/relu/Relu6;x/bn/…'), the first one's scope.
    """
    first, fused, _ = name.partition(";")
    if fused:
        *scopes, last = first.split("/")
        return scopes[-1] if scopes and scopes[-1] else last or name
    name = without_ending(name)
    return name.rstrip("/").rpartition("/")[2] or name


def without_ending(name: str) -> str:
    """A tensor's name without what a quantizer puts behind it."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def is_gated(around: Shortcut) -> bool:
    """A value and its activation: no shortcut to speak of."""
    return len(around.skipped) == 1


def _tensor(operand: Operand) -> str:
    """'1×64×40×40 int8 0.023 z5'; of a model judged as if quantized only what is known before calibration."""
    text = shape(operand.type)
    quant = operand.quant
    if quant is None:
        return text
    if quant.per_channel:
        return f"{text} {quant.dtype} per channel"
    scale = f" {three(float(quant.scale.flat[0]))}" if quant.scale_known else ""
    return f"{text} {quant.dtype}{scale}{f' z{quant.zero}' if quant.zero_known else ''}"


def _hand_over(before: Placement, after: Placement) -> str:
    """'NPU→CPU' where one of them does not run on the NPU alone and the other does; else ''."""
    if Placement.NONE in (before, after) or before.on_cpu == after.on_cpu:
        return ""
    return f"{WORDS[before]}→{WORDS[after]}"
