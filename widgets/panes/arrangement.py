"""Where the panes stand: they share the height by what each has to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.geometry import NULL_OFFSET, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from npuscope.record import dataclass
from npuscope.widgets.panes.pane import Pane


@dataclass(frozen=True, slots=True)
class Claim:
    """What a pane asks for: `want` rows show all of it, `part` of the height is its usual share, `least` it keeps."""

    want: int
    part: float
    least: int


BLOCK = 5
"""Blank rows from which on they are somebody else's; fewer of them are not worth that everything below moves."""

_AIR = 2
"""Rows beyond what it wants that are left to a pane: the next layer's text may be a little longer."""


def shares(height: int, claims: Sequence[Claim], now: Sequence[int] = ()) -> list[int]:
    """Rows for each pane, `height` in all; the claims in order of who is served first.

    1. Who cannot show all takes rows that stay blank elsewhere, of the usual shares.
    2. The first takes what it still lacks from the last, down to the least of that.
    3. What it is `now` stays as long as that would not show much more.
    """
    usual = [int(height * claim.part) for claim in claims]
    usual[-1] += height - sum(usual)
    least = [min(claim.least, own) for claim, own in zip(claims, usual, strict=True)]
    if now and sum(now) == height and _will_do(now, claims, least):
        return list(now)
    rows = usual

    def spare(at: int) -> int:
        return max(rows[at] - max(claims[at].want + _AIR, least[at]), 0)

    def move(giver: int, taker: int, most: int) -> None:
        moved = max(min(most, claims[taker].want - rows[taker]), 0)
        rows[giver] -= moved
        rows[taker] += moved

    for at in range(len(claims)):
        for giver in sorted(range(len(claims)), key=spare, reverse=True):
            if giver != at:
                move(giver, at, spare(giver))
    move(len(claims) - 1, 0, rows[-1] - least[-1])
    return rows


def _will_do(rows: Sequence[int], claims: Sequence[Claim], least: Sequence[int]) -> bool:
    """Nobody lacks much that somebody else has."""
    last = len(claims) - 1
    lacks = [max(claim.want - own, 0) for claim, own in zip(claims, rows, strict=True)]
    spare = [own - max(claim.want, low) for claim, own, low in zip(claims, rows, least, strict=True)]
    if lacks[0] and rows[last] > least[last]:
        return False
    return not any(
        lack and other != at and free >= (BLOCK if at == last else 1)
        for at, lack in enumerate(lacks)
        for other, free in enumerate(spare)
    )


FIRST, SIDE, NEAR = Claim(0, 0.32, 9), Claim(0, 0.45, 13), Claim(0, 0.23, 8)
"""Eligibility, figures and neighbourhood, one below the other."""

_FIGURES = 8 / 15
"""Of the width, for quantization beside MAC/cycle."""

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
    """Regions for one pane or for all four, by the rows that each wants and where they are now."""
    width, height = size
    if len(wants) < 4:
        return tuple(Region(0, 0, width, height) for _ in wants)
    why, scales, cost, around = wants
    column = width >= ROOMY
    part, fewest, most = COLUMN
    right = min(max(int(width * part), fewest), most) if column else width - int(width * _FIGURES)
    left = width - right
    side = scales if column else max(scales, cost)
    first, last, middle = shares(
        height,
        (replace(FIRST, want=why), replace(NEAR, want=around), replace(SIDE, want=side)),
        [now[at].height for at in (0, 3, 1)] if len(now) == len(wants) else (),
    )
    full = left if column else width
    return (
        Region(0, 0, full, first),
        Region(0, first, left, middle),
        Region(left, 0, right, height) if column else Region(left, first, right, middle),
        Region(0, first + middle, full, last),
    )
