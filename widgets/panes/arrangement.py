"""Where the panes stand: they share the height by what each has to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import NULL_OFFSET, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from npuscope.record import dataclass
from npuscope.widgets.panes.pane import Pane


@dataclass(frozen=True, slots=True)
class Claim:
    """What a pane gets at least, and in what steps it grows to show all it has: what lies below moves only by these."""

    least: int
    step: int

    def rows(self, want: int) -> int:
        """Enough for `want` rows."""
        return self.least + -(-max(want - self.least, 0) // self.step) * self.step


WHY, AROUND, FIGURES = Claim(9, 4), Claim(8, 3), Claim(13, 1)
"""Eligibility, neighbourhood and figures, one below the other."""

_USUAL = 0.32, 0.23
"""Of the height: eligibility's and the neighbourhood's where the figures need no more."""


def shares(height: int, why: int, around: int, figures: int, roomy: bool = False) -> tuple[int, int, int]:
    """Rows for eligibility, neighbourhood and figures, `height` in all, by the rows that each wants.

    1. Eligibility takes what it needs, then the neighbourhood; the figures, the longest, scroll, but keep their least.
    2. `roomy`: where all is seen, nobody shrinks to that, so that less moves.
    """
    kept = min(FIGURES.least, figures, height // 3)
    least = min(AROUND.least, height // 4)
    first = max(min(WHY.rows(why), height - kept - least), 0)
    last = max(min(AROUND.rows(around), height - first - kept), 0)
    if roomy:
        larger = max(first, int(height * _USUAL[0])), max(last, int(height * _USUAL[1]))
        if sum(larger) + figures <= height:
            first, last = larger
    return first, last, height - first - last


_FIGURES = 8 / 15
"""Of the width, for quantization beside MAC/cycle."""

BLOCK = 5
"""Rows that figures must gain before anything moves for them."""


def will_do(now: tuple[int, int, int], wants: tuple[int, int, int], figures: int) -> bool:
    """Rows as they are do for what the panes want: reasons and neighbours are seen, and `figures` would be few more."""
    first, last, middle = now
    return wants[0] <= first and wants[1] <= last and (wants[2] <= middle or figures - middle < BLOCK)


COLUMN = (0.31, 28, 44)
"""MAC/cycle in a column of its own: its part of the width, and the least and most cells."""

ROOMY = 88
"""Cells from which on it has one."""


class Arrangement(Layout):
    """Eligibility, quantization, MAC/cycle and neighbourhood, whichever of them are displayed, below bars of one row.

    1. One of them: it fills what the bars leave.
    2. All: eligibility on top, quantization beside MAC/cycle, neighbourhood below. On a wide terminal MAC/cycle, the
       longest, has a column of its own.
    """

    name: ClassVar[str] = "arrangement"

    def __init__(self) -> None:
        self._size = Size(0, 0)
        """Of all panes, as last arranged."""
        self._regions: tuple[Region, ...] = ()

    def forget(self) -> None:
        """Where the panes are has no say in where they go: another model."""
        self._regions = ()

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """A place for each child that is displayed."""
        parent.pre_layout(self)
        panes = [child for child in children if isinstance(child, Pane)]
        bars = [child for child in children if not isinstance(child, Pane)]
        top = 0
        placed: list[WidgetPlacement] = []
        for bar in bars:
            placed.append(_placement(bar, Region(0, top, size.width, 1)))
            top += 1 + bar.styles.margin.bottom
        self._size = Size(size.width, max(size.height - top, 0))
        self._regions = regions(self._size, _wants(panes), self._regions)
        for pane, region in zip(panes, self._regions, strict=True):
            placed.append(_placement(pane, region.translate((0, top))))
        return placed

    def moves(self, panes: Sequence[Pane]) -> bool:
        """Whether the panes, which hold something else now, would stand elsewhere."""
        wants = _wants([pane for pane in panes if pane.display])
        return regions(self._size, wants, self._regions) != self._regions


def _placement(widget: Widget, region: Region) -> WidgetPlacement:
    return WidgetPlacement(region, NULL_OFFSET, widget.styles.margin, widget, 0, False, False, False)


def _wants(panes: Sequence[Pane]) -> list[int]:
    return [pane.count + pane.heading_lines for pane in panes]


def regions(size: Size, wants: Sequence[int], now: Sequence[Region] = ()) -> tuple[Region, ...]:
    """Regions for one pane or for all four, by the rows that each wants; as they are `now` where that will do."""
    width, height = size
    if len(wants) < 4:
        return tuple(Region(0, 0, width, height) for _ in wants)
    why, scales, cost, around = wants
    column = width >= ROOMY
    part, fewest, most = COLUMN
    right = min(max(int(width * part), fewest), most) if column else width - int(width * _FIGURES)
    left = width - right
    figures = scales if column else max(scales, cost)
    first, last, middle = shares(height, why, around, figures, roomy=column)
    if len(now) == len(wants) and size == (now[2].right, now[3].bottom):
        held = now[0].height, now[3].height, now[1].height
        if will_do(held, (why, around, figures), middle):
            first, last, middle = held
    full = left if column else width
    return (
        Region(0, 0, full, first),
        Region(0, first, left, middle),
        Region(left, 0, right, height) if column else Region(left, first, right, middle),
        Region(0, first + middle, full, last),
    )
