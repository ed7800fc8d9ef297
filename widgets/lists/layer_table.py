"""All layers as a table, in any order; a line is made when it is seen."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from npuscope.model.inspection.trace import Trace
from npuscope.services.query import parsed
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.bars.search_bar import EXAMPLES
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_columns import GAIN, TIME, LayerColumn, fitting, heading, row
from npuscope.widgets.lists.narrowed import WHOLE
from npuscope.widgets.lists.rail import AWAY
from npuscope.widgets.text.spans import Line, Span, plain


class LayerTable(Choices):
    """Sorted by a column; left and right choose it, r turns the order round. Layers off a trace are faint, or left out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "sort(-1)", show=False),
        Binding("right,l", "sort(1)", show=False),
        Binding("r", "reverse", show=False),
    ]

    sought_by = EXAMPLES

    def __init__(
        self,
        snapshot: Snapshot,
        by: LayerColumn = TIME,
        trace: Trace | None = None,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__((), (), id=id)
        self.heading_lines = 1
        self._snapshot = snapshot
        self.by: LayerColumn = by
        self.turned = False
        self._trace, self._only_trace = trace, False
        self.reports: list[LayerReport] = []
        self._sort()

    @property
    def count(self) -> int:
        """Layers."""
        return len(self.reports)

    def heading(self, index: int, width: int) -> Line:
        """The names of the columns."""
        return heading(width, self.by, self.turned, bool(self._snapshot.own_decibels))

    def body(self, index: int, width: int) -> Line:
        """A layer."""
        report = self.reports[index]
        shown = row(report, self._snapshot, width)
        if self._trace is None or report.name in self._trace.layers:
            return shown
        return tuple(Span(span.text, AWAY) for span in shown)

    @property
    def report(self) -> LayerReport | None:
        """The layer under the cursor."""
        return self.reports[self.cursor] if 0 <= self.cursor < self.count else None

    def _sort(self) -> None:
        """Unknown figures come last, whichever way round; equals stay in graph order."""
        snapshot, order = self._snapshot, self.by.order
        keyed = [(order(report, snapshot), report) for report in snapshot.layers if self._shows(report)]
        known = [(value, report) for value, report in keyed if value is not None]
        known.sort(key=lambda pair: pair[0], reverse=self.by.largest_first != self.turned)
        self.reports = [report for _, report in known] + [r for value, r in keyed if value is None]

    def _shows(self, report: LayerReport) -> bool:
        return self._trace is None or not self._only_trace or report.name in self._trace.layers

    def _holds(self, index: int, words: list[str]) -> bool:
        """A layer by its line, or by what it is."""
        line = plain(self.body(index, WHOLE)).lower()
        return parsed(self.words).holds(self.reports[index], self._snapshot, line)

    def sort_by(self, column: LayerColumn, turned: bool = False) -> None:
        """Another order; the cursor goes to its first row."""
        self.by, self.turned = column, turned
        self._sort_again()
        self.move_to(self.line_at(0))
        self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def gains_changed(self) -> None:
        """More is known: sort again where it counts; the cursor stays on its layer, or at the top."""
        if self.by is GAIN:
            here, index = self.report, self.cursor
            self._sort_again()
            self.move_to(self.reports.index(here) if here is not None and index > 0 else 0)
        self.refresh()

    def show_trace(self) -> None:
        """Only the layers on the trace, or all again; the cursor stays on its layer where it can."""
        here = self.report
        self._only_trace = not self._only_trace
        self._sort_again()
        self.fit_to(self.seen)
        self.cursor = min(self.cursor, self.count - 1)
        self.move_to(self.reports.index(here) if here in self.reports else self.line_at(0))
        self.refresh()

    def _sort_again(self) -> None:
        self._sort()
        if self.words:
            self.narrow(self.words)

    def action_sort(self, step: int) -> None:
        """By the next column that is in view."""
        columns = [column for column, _ in fitting(self.line_width, bool(self._snapshot.own_decibels))]
        index = columns.index(self.by) if self.by in columns else 0
        self.sort_by(columns[(index + step) % len(columns)])

    def action_reverse(self) -> None:
        """The other way round."""
        self.sort_by(self.by, not self.turned)

    def on_click(self, event: events.Click) -> None:
        """A click on a column's name sorts by it; again, the other way round."""
        if event.y >= self.heading_lines:
            super().on_click(event)
            return
        offset = event.x
        for column, room in fitting(self.line_width, bool(self._snapshot.own_decibels)):
            if offset <= room:
                self.sort_by(column, column is self.by and not self.turned)
                return
            offset -= room + 1
