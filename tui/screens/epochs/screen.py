"""The epochs, one after the other: where the time goes, and where the NPU hands over to the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.tui.screens.listing import Listing
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.epoch_rows import Schedule, about_epoch, epoch_heading, epoch_line, tally
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet


class EpochsScreen(Listing[str]):
    """Ends with the name of the layer to go to. Predicted and actual epochs are tabs where both are known."""

    DEFAULT_CSS = """
    EpochsScreen > #box { width: 128; height: auto; }
    EpochsScreen TabBar { margin: 0 0 1 0; }
    EpochsScreen RowList { height: 1fr; min-height: 4; margin: 0 1; }
    EpochsScreen Page { height: auto; max-height: 6; margin: 1 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab", "other", show=False, priority=True),
        Binding("1", "schedule(0)", show=False),
        Binding("2", "schedule(1)", show=False),
        Binding("n", "off_npu(1)", show=False),
        Binding("N", "off_npu(-1)", show=False),
        Binding("i,q", "leave", show=False),
    ]

    def __init__(self, schedules: Sequence[Schedule], layer: str | None = None) -> None:
        super().__init__()
        self._schedules = tuple(schedules)
        self._at = 0
        self._first = layer

    @property
    def schedule(self) -> Schedule:
        """The epochs in view."""
        return self._schedules[self._at]

    def heading(self) -> tuple[Line, Line]:
        """How many there are, and how long they take."""
        schedule = self.schedule
        about = f"{milliseconds(schedule.total)} " if any(r.milliseconds for r in schedule.rows) else ""
        about += "measured" if schedule.measured else schedule.source
        return tally(schedule), line(quiet(about))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys."""
        hints = [
            KeyHint("Enter", "to its layer", "screen.take", 9, self._layered),
            KeyHint("n", "next off NPU", "screen.off_npu(1)", 6, any(self.schedule.off)),
            KeyHint("/", "filter", "screen.narrow", 5),
        ]
        if len(self._schedules) > 1:
            hints.append(KeyHint("Tab", "predicted, actual", "screen.other", 5))
        return (*hints, KeyHint("Esc", "back", "screen.leave", 9))

    @property
    def _layered(self) -> bool:
        """A layer is known to be in the epoch under the cursor."""
        index = self.cursor
        return 0 <= index < len(self.schedule.rows) and bool(self.schedule.rows[index].layers)

    def content(self) -> Iterable[Widget]:
        """Whose epochs, the epochs, the one under the cursor."""
        if len(self._schedules) > 1:
            yield TabBar(tuple(schedule.source for schedule in self._schedules))
        yield RowList(
            lambda index, width: epoch_line(self.schedule, index, width),
            lambda width: epoch_heading(width, self._timed),
        )
        yield Page(self.about)

    @property
    def _timed(self) -> bool:
        return not self.schedule.weights or any(row.milliseconds for row in self.schedule.rows)

    def on_mount(self) -> None:
        """Start at the layer that was selected."""
        self.query_one(RowList).focus()
        self._show(self.schedule.find(self._first))

    def _show(self, cursor: int) -> None:
        self.show_rows(len(self.schedule.rows), cursor)
        self.renew_heading()

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        rows = self.query(RowList)
        if not self.schedule.rows or not rows or rows.first().cursor < 0:
            return [line(Span("No epochs.", "quiet"))] if not self.schedule.rows else [BLANK]
        return list(about_epoch(self.schedule, rows.first().cursor, width))

    def action_take(self) -> None:
        """To the epoch's first layer."""
        rows = self.schedule.rows
        if rows and rows[self.cursor].layers:
            self.dismiss(rows[self.cursor].layers[0])

    def action_off_npu(self, step: int) -> None:
        """The next or previous epoch off the NPU; after the last comes the first."""
        off = [index for index, there in enumerate(self.schedule.off) if there]
        self.move_on(off, step)

    def action_schedule(self, index: int) -> None:
        """The predicted or the actual epochs."""
        if index < len(self._schedules) and index != self._at:
            row = self.schedule.rows[self.cursor] if self.schedule.rows else None
            self._at = index
            self.query_one(TabBar).current = index
            self._show(self.schedule.find(row.layers[0] if row is not None and row.layers else None))

    def action_other(self) -> None:
        """The other of the two."""
        self.action_schedule(1 - self._at)

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_schedule(message.index)
