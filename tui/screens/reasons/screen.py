"""Why layers are where they are: each reason once, with the layers it holds for; or by placement, or by operator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.snapshot import Snapshot
from npuscope.tui.screens.listing import Listing
from npuscope.tui.screens.rule.screen import RuleScreen
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.layer_filter import LayerFilter, Ranked
from npuscope.widgets.lists.reason_groups import (
    Group,
    GroupRow,
    Sort,
    about_group,
    group_line,
    groups,
    groups_heading,
    rows_of,
)
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.eligibility import tally
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import percent
from npuscope.widgets.text.spans import Line, line, quiet, strong

SORTS = (Sort.REASON, Sort.PLACEMENT, Sort.OPERATOR, Sort.GAIN)


class ReasonsScreen(Listing[LayerFilter | Ranked | str]):
    """Ends with a filter for the tree, or with the layer to go to; one chosen by gain says so."""

    DEFAULT_CSS = """
    ReasonsScreen > #box { width: 120; height: auto; max-height: 44; }
    ReasonsScreen TabBar { margin: 0 0 1 0; }
    ReasonsScreen RowList { height: auto; min-height: 4; max-height: 70%; margin: 0 1; }
    ReasonsScreen Page { height: 1fr; min-height: 4; margin: 1 0 0 1; }
    ReasonsScreen.-short RowList { max-height: 55%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "sort(1)", show=False, priority=True),
        Binding("shift+tab", "sort(-1)", show=False, priority=True),
        *(Binding(str(index + 1), f"by({index})", show=False) for index in range(len(SORTS))),
        Binding("right,l", "open", show=False),
        Binding("left,h", "shut", show=False),
        Binding("space", "take", show=False),
        Binding("f", "filter", show=False),
        Binding("x", "rule", show=False),
        Binding("W,q", "leave", show=False),
    ]

    def __init__(self, snapshot: Snapshot, code: str = "") -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
        self._snapshot = snapshot
        self._at = 0
        self._first = code
        self._groups: dict[Sort, tuple[Group, ...]] = {}
        self._opened: set[LayerFilter] = set()
        self.rows: list[GroupRow] = []

    def heading(self) -> tuple[Line, Line]:
        """The model's verdict, and its part of the time."""
        snapshot = self._snapshot
        summary = snapshot.summary
        off = sum(snapshot.share(report) for report in snapshot.off_npu)
        about = f"{percent(off)} % of the time" if off else ""
        alarm = any(snapshot.alarming(report) for report in snapshot.off_npu)
        verdict = tally(summary.on_cpu, summary.hybrid, summary.layers, alarm)
        return (*line(strong("Reasons"), "  "), *verdict), line(quiet(about))

    def hints(self) -> tuple[KeyHint, ...]:
        """What the keys do on this row."""
        row = self.row
        member = row is not None and (row.member is not None or self._by_gain)
        return (
            KeyHint("Enter", "to the layer" if member else "its layers", "screen.take", 9, row is not None),
            KeyHint("f", "only these", "screen.filter", 8, row is not None),
            KeyHint("x", "the rule", "screen.rule", 6, row is not None and bool(row.group.code)),
            KeyHint("Tab", "grouped by", "screen.sort(1)", 5),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """What to group by, the groups, what is behind the one under the cursor."""
        yield TabBar(tuple(sort.value for sort in SORTS))
        yield RowList(self._line, lambda width: groups_heading(width, SORTS[self._at]))
        yield Page(self.about)

    def on_mount(self) -> None:
        """Start at the reason of the layer that was selected."""
        self.query_one(RowList).focus()
        self._regroup()
        index = next((i for i, row in enumerate(self.rows) if row.group.code == self._first), 0)
        self._show(index)

    @property
    def row(self) -> GroupRow | None:
        """The row under the cursor."""
        index = self.cursor
        return self.rows[index] if 0 <= index < len(self.rows) else None

    @property
    def _by_gain(self) -> bool:
        return SORTS[self._at] is Sort.GAIN

    def gains_changed(self) -> None:
        """More is known of what fixes save: the cursor stays on its row, or at the top."""
        if not self.is_mounted or not self.query(RowList):
            return
        rows = self.query_one(RowList)
        if self._by_gain:
            index, here = rows.cursor, self.row
            self._regroup()
            kept = [i for i, row in enumerate(self.rows) if here is not None and _same(row, here)]
            self._show(kept[0] if kept and index > 0 else 0)
        else:
            rows.refresh()
            self.follow_cursor()

    def _regroup(self) -> None:
        sort = SORTS[self._at]
        if sort not in self._groups or sort is Sort.GAIN:
            self._groups[sort] = groups(self._snapshot, sort)
        self.rows = rows_of(self._groups[sort], set() if sort is Sort.GAIN else self._opened)

    def _show(self, cursor: int) -> None:
        self.show_rows(len(self.rows), cursor)

    def _line(self, index: int, width: int) -> Line:
        row = self.rows[index]
        opened = not self._by_gain and row.group.filter in self._opened
        return group_line(row, opened, self._snapshot, width, self._by_gain)

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        row = self.row
        if row is None:
            return [line(quiet("Nothing to report: every layer is on the NPU, and nothing holds one back."))]
        return about_group(row, self._snapshot, width)

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_by(message.index)

    def action_take(self) -> None:
        """Open or close a group; go to a layer."""
        row = self.row
        if row is None:
            return
        if self._by_gain:
            self.dismiss(Ranked(row.group.members[0].name))
        elif row.report is not None:
            self.dismiss(row.report.name)
        else:
            self._toggle(row)

    def _toggle(self, row: GroupRow) -> None:
        self._opened ^= {row.group.filter}
        self._regroup()
        self._show(next(i for i, one in enumerate(self.rows) if one.index == row.index))

    def action_open(self) -> None:
        """Show a group's layers."""
        row = self.row
        if row is not None and not self._by_gain and row.group.filter not in self._opened:
            self._toggle(row)

    def action_shut(self) -> None:
        """Hide them."""
        row = self.row
        if row is not None and row.group.filter in self._opened:
            self._toggle(row)

    def action_filter(self) -> None:
        """Only the layers of this group in the tree."""
        if self.row is not None:
            self.dismiss(self.row.group.filter)

    def action_rule(self) -> None:
        """The whole rule."""
        if self.row is not None and self.row.group.code:
            self.app.push_screen(RuleScreen((self.row.group.code,)))

    def action_sort(self, step: int) -> None:
        """Group by something else."""
        self.action_by((self._at + step) % len(SORTS))

    def action_by(self, index: int) -> None:
        """Group by one of these."""
        self._at = index
        self.query_one(TabBar).current = index
        self._regroup()
        self._show(0)


def _same(one: GroupRow, other: GroupRow) -> bool:
    """Rows of the same finding of the same layer."""
    return one.group.code == other.group.code and one.group.members == other.group.members
