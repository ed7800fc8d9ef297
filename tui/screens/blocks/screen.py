"""The model as blocks, and which feeds which: the whole of it at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.model.inspection.blocks import blocks, closed_again, opened_further
from npuscope.model.inspection.trace import Trace
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.listing import Listing
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.block_rows import BlockRows, title
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line

AROUND = 8
"""Lines of the screen that are not blocks: frame, title, names of columns, what a block reads, keys."""

MOST = 48
"""Blocks on a screen of any height: more are divided by hand."""


class BlocksScreen(Listing[str]):
    """Ends with the name of the layer to go to."""

    DEFAULT_CSS = """
    BlocksScreen > #box { width: 100%; max-width: 170; height: auto; }
    BlocksScreen RowList { height: 1fr; min-height: 4; margin: 0 0 0 1; }
    BlocksScreen Page { height: 3; margin: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space", "divide", show=False),
        Binding("left,h", "close_again", show=False),
        Binding("c", "colour", show=False),
        Binding("left_square_bracket", "walk(-1)", show=False),
        Binding("right_square_bracket", "walk(1)", show=False),
        Binding("n", "off_npu(1)", show=False),
        Binding("N", "off_npu(-1)", show=False),
        Binding("full_stop", "hottest", show=False),
        Binding("d,q", "leave", show=False),
    ]

    def __init__(
        self, snapshot: Snapshot, height: int, layer: str | None = None, trace: Trace | None = None
    ) -> None:
        super().__init__()
        most = min(max(height - AROUND, 8), MOST)
        self.rows = BlockRows(snapshot, blocks(snapshot.links, most), trace=trace)
        self._layer = layer
        self._most = most
        self._hot = -1

    def heading(self) -> tuple[Line, Line]:
        """How many blocks of what."""
        return title(self.rows)

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys that do something here."""
        here = self.rows.graph.blocks[self._at]
        return (
            KeyHint("Enter", "to the tree", "screen.take", 9),
            KeyHint("→", "divide", "screen.divide", 7, here.divides),
            KeyHint("←", "put together", "screen.close_again", 6, here.around in self.rows.graph.opened),
            KeyHint("[ ]", "walk", "screen.walk(1)", 5),
            KeyHint(".", "hottest", "screen.hottest", 5),
            KeyHint("n", "next off NPU", "screen.off_npu(1)", 5, bool(self.rows.snapshot.off_npu), "next ✗"),
            KeyHint("/", "filter", "screen.narrow", 4),
            KeyHint("c", "by place" if self.rows.by_time else "by time", "screen.colour", 6),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    @property
    def _at(self) -> int:
        return max(self.cursor, 0)

    def content(self) -> Iterable[Widget]:
        """The blocks, and what the one under the cursor reads."""
        yield RowList(
            lambda index, width: self.rows.line(index, width), lambda width: self.rows.heading(width)
        )
        yield Page(self.about)

    def on_mount(self) -> None:
        """Start at the block that holds the layer that was selected."""
        self.query_one(RowList).focus()
        self._show(self._layer)

    def _show(self, layer: str | None) -> None:
        here = next(
            (
                index
                for index, block in enumerate(self.rows.graph.blocks)
                if any(member.name == layer for member in block.layers)
            ),
            0,
        )
        self.show_rows(len(self.rows.graph.blocks), here)
        self.renew_heading()

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        return self.rows.about(self._at, width) if self.query(RowList) else [BLANK]

    def action_take(self) -> None:
        """To the block's first layer in the tree."""
        self.dismiss(self.rows.graph.blocks[self.cursor].layers[0].name)

    def action_divide(self) -> None:
        """The parts of the block in its place."""
        block = self.rows.graph.blocks[self.cursor]
        if block.divides:
            self._open(opened_further(self.rows.snapshot.links, self.rows.graph, block))

    def action_close_again(self) -> None:
        """The scope around the block in the place of its parts."""
        around = self.rows.graph.blocks[self.cursor].around
        if around in self.rows.graph.opened:
            self._open(closed_again(self.rows.graph, around))

    def _open(self, opened: frozenset[str]) -> None:
        layer = self.rows.graph.blocks[self.cursor].layers[0].name
        graph = blocks(self.rows.snapshot.links, self._most, opened)
        self.rows = replace(self.rows, graph=graph)
        self._show(layer)

    def action_colour(self) -> None:
        """By what blocks take, or by where they run."""
        self.rows = replace(self.rows, by_time=not self.rows.by_time)
        self.query_one(RowList).refresh()
        self.follow_cursor()

    def action_walk(self, step: int) -> None:
        """To the first block this one reads, or that reads it."""
        there = (self.rows.feeds if step < 0 else self.rows.reads).get(self.cursor, [])
        if there:
            self.move_to(there[0])

    def action_off_npu(self, step: int) -> None:
        """To the next or previous block with a layer off the NPU; after the last comes the first."""
        off = [index for index, reports in enumerate(self.rows.reports) if any(r.off_npu for r in reports)]
        self.move_on(off, step)

    def action_hottest(self) -> None:
        """To the block that takes most, then the next one."""
        shares = self.rows.shares
        ranked = sorted(range(len(shares)), key=lambda index: -shares[index])
        index = ranked.index(self.cursor) if self._hot == self.cursor else -1
        self._hot = ranked[(index + 1) % len(ranked)]
        self.move_to(self._hot)
