"""What if this layer had N channels: the counts around its own, each judged and priced as the layer would be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.model.layer import Layer
from npuscope.planning.channels import MOST_CHANNELS, Row, Shape, Table, channel_table, shape_of
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.channels.rows import about_row, beaten, channels_heading, channels_line
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, line, quiet, strong

AROUND = 128
"""Counts on either side of the layer's own."""


class ChannelsScreen(Dialog[None]):
    """Shows; changes nothing."""

    DEFAULT_CSS = """
    ChannelsScreen > #box { width: 104; height: auto; max-height: 44; }
    ChannelsScreen TabBar { margin: 0 0 1 0; }
    ChannelsScreen RowList { height: 1fr; min-height: 4; margin: 0 1; }
    ChannelsScreen Page { height: 2; margin: 1 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn", show=False, priority=True),
        Binding("n", "next_good(1)", show=False),
        Binding("N", "next_good(-1)", show=False),
        Binding("M,q", "leave", show=False),
    ]

    def __init__(self, snapshot: Snapshot, layer: Layer) -> None:
        super().__init__()
        self._snapshot, self._layer, self._target = snapshot, layer, snapshot.target
        self.vary_inputs = True
        self.table: Table | None = None
        self._beaten: Mapping[int, int] = {}
        self._reason = ""

    def heading(self) -> tuple[Line, Line]:
        """Which layer."""
        return line(
            strong("What if"),
            "  ",
            shown_layer(self._snapshot, self._layer.name, 48),
            quiet(" had other channel counts"),
        ), line(quiet("as an epoch of its own"))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys."""
        return (
            KeyHint("n", "next good count", "screen.next_good(1)", 8),
            KeyHint("Tab", "outputs" if self.vary_inputs else "inputs", "screen.turn", 7),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """Which side is varied, the counts, the one under the cursor."""
        yield TabBar(("input channels", "output channels"))
        yield RowList(self._line, channels_heading)
        yield Page(self._about)

    def on_mount(self) -> None:
        """Judge the counts around the layer's own."""
        self.query_one(RowList).focus()
        self._judge()

    @property
    def shape(self) -> Shape | None:
        """The layer with the side open that is varied."""
        return shape_of(self._layer, self.vary_inputs)

    @property
    def now(self) -> int:
        """The layer's own count."""
        inputs, outputs = shape_of(self._layer, False), shape_of(self._layer, True)
        known = (outputs.outputs if outputs else None), (inputs.inputs if inputs else None)
        count = known[1] if self.vary_inputs else known[0]
        dims = self._layer.input.dims if self._layer.input is not None else None
        return count or (dims[1] if dims and len(dims) > 1 else 1)

    @property
    def row(self) -> Row | None:
        """The count under the cursor."""
        lists = self.query(RowList)
        index = lists.first().cursor if lists else -1
        return (
            self.table.rows[index] if self.table is not None and 0 <= index < len(self.table.rows) else None
        )

    def _judge(self) -> None:
        shape, now, vary = self.shape, self.now, self.vary_inputs
        self.table, self._reason = None, ""
        self._show(-1)
        self.query_one(TabBar).current = 0 if vary else 1
        assert shape is not None, "the screen is opened for layers that have one"
        counts = range(max(1, now - AROUND), min(MOST_CHANNELS, now + AROUND) + 1)
        run_job(
            self,
            lambda _: channel_table(shape, counts, self._target),
            self._judged,
            self._failed,
            group="channels",
            only_if=lambda: vary is self.vary_inputs,
        )

    def _judged(self, table: Table) -> None:
        self.table, self._beaten = table, beaten(table)
        index = next((i for i, row in enumerate(table.rows) if row.channels == self.now), 0)
        self._show(index)

    def _failed(self, reason: str) -> None:
        self._reason = reason
        self._update_details()

    def _show(self, cursor: int) -> None:
        self.query_one(RowList).show_rows(len(self.table.rows) if self.table else 0, cursor)
        self._update_details()

    def _update_details(self) -> None:
        self.query_one(Page).show(self._about)
        self.query_one(KeyBar).hints = self.hints()

    def _line(self, index: int, width: int) -> Line:
        assert self.table is not None, "rows are shown once they are judged"
        row = self.table.rows[index]
        return channels_line(row, self._beaten.get(row.channels), self.now, width)

    def _about(self, width: int) -> list[Line]:
        if self._reason:
            return [line(quiet(self._reason))]
        row = self.row
        if row is None or self.table is None:
            return [line(quiet("…"))]
        own = next((one for one in self.table.rows if one.channels == self.now), None)
        return about_row(row, own)

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self._update_details()

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        if message.index != (0 if self.vary_inputs else 1):
            self.action_turn()

    def action_turn(self) -> None:
        """Vary the other side."""
        self.vary_inputs = not self.vary_inputs
        self._judge()

    def action_next_good(self, step: int) -> None:
        """To the next count that no larger one is faster than."""
        if self.table is None:
            return
        index = self.query_one(RowList).cursor
        good = [i for i, row in enumerate(self.table.rows) if row.channels not in self._beaten]
        later = [i for i in good if (i - index) * step > 0]
        if later:
            self._show(later[0] if step > 0 else later[-1])
