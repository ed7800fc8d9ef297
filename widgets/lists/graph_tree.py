"""The graph: a list of the visible rows of the outline, with a cursor that stays where it was."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive

from npuscope.model.inspection.trace import Trace
from npuscope.model.links import LaneRow
from npuscope.record import dataclass
from npuscope.services.query import parsed
from npuscope.snapshot import Snapshot
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.columns import arrow_at, column_at, heading, row_line
from npuscope.widgets.lists.layer_filter import LayerFilter
from npuscope.widgets.lists.outline import Kind, Outline, Outlines, Row, layer_key, successor
from npuscope.widgets.lists.rail import lanes_on, rail_line, rail_width, traced
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.labels import labelled, labels
from npuscope.widgets.text.spans import Line, Span, plain


class GraphTree(Sheet):
    """Layers by scope, below them their nodes. Moves by keys or mouse and says what the cursor is on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home", "edge(-1)", show=False),
        Binding("end", "edge(1)", show=False),
        Binding("right,l", "open", show=False),
        Binding("left,h", "close", show=False),
        Binding("enter,space", "toggle_row", show=False),
    ]

    snapshot: reactive[Snapshot] = reactive(EMPTY, init=False, repaint=False)
    model_title: reactive[str] = reactive("", init=False, repaint=False)
    sought: reactive[str] = reactive("", init=False, repaint=False)
    """What a search looks for, set off in the rows."""

    only: reactive[LayerFilter | None] = reactive(None, init=False, repaint=False)
    """Which layers are shown, None for all."""

    differing: reactive[frozenset[str]] = reactive(frozenset[str](), init=False)
    """The layers on which the tools do not agree."""

    trace: reactive[Trace | None] = reactive(None, init=False)
    """What is set off from the rest."""

    class Asked(Message):
        """Rows have labels, or no longer."""

    @dataclass
    class Jumped(Message):
        """The label of a row was typed."""

        row: Row

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        row: Row

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.outline, self._outlines = Outline(EMPTY), Outlines()
        self.rows: list[Row] = []
        self._rail, self._on_trace = list[LaneRow](), lanes_on((), (), None)
        self.opened: set[str] = set()
        self.cursor = 0
        self._opened_unfiltered: set[str] = set()
        self.labels: dict[str, int] = {}
        """Label -> row, while a label is typed to jump to its row."""
        self._typed = ""

    # -- what is shown

    @property
    def count(self) -> int:
        """Visible rows."""
        return len(self.rows)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def layer_name(self) -> str | None:
        """The layer the cursor is on or below."""
        row = self.row
        return row.report.name if row is not None and row.report is not None else None

    def heading(self, index: int, width: int) -> Line:
        """The names of the columns."""
        (title,) = heading(width - (room := rail_width(width)), "layer", bool(self.snapshot.own_decibels))
        return (Span(" " * room + title.text, title.role),)

    def body(self, index: int, width: int) -> Line:
        """A row."""
        room = rail_width(width)
        shown = row_line(
            self.rows[index], self.snapshot, width - room, parsed(self.sought).words, self.differing
        )
        if self.trace is not None:
            shown = traced(shown, self.rows[index], self.trace)
        if room:
            # The mark of a change stays at the very left.
            shown = (shown[0], *rail_line(self.rows, self._rail, index, room, self._on_trace), *shown[1:])
        label = next((label for label, row in self.labels.items() if row == index), "")
        return labelled(shown, label, self._typed) if label and label.startswith(self._typed) else shown

    def line_role(self, index: int) -> str | None:
        """The cursor's row."""
        if index != self.cursor:
            return None
        return "cursor"

    def watch_snapshot(self, before: Snapshot, snapshot: Snapshot) -> None:
        """Show another state of the model: the same rows open, the cursor on the same row or on what replaced it."""
        old, old_row, top = self.outline, self.row, self.scroll_offset.y
        above, first = self.cursor - top, self.rows[top].key if top < self.count else ""
        if before is EMPTY or not before.layers:
            self._outlines.forget()
        self.outline = Outline(snapshot, self.only) if self.only is not None else self._outlines.of(snapshot)
        if before is EMPTY or not before.layers:
            self.opened = self.outline.open_at_first()
            key = "s:"
        else:
            opened = any(key.startswith("s:") for key in self.opened)
            self.opened |= self.outline.scopes - old.scopes if opened or not old.scopes else set()
            key = successor(old_row, old, self.outline)
        self._reveal(key)
        self._flatten()
        self.cursor = self._index_of(key)
        self.fit_to(len(self.rows))
        top = max(self.cursor - above, 0)
        if old_row is None or old_row.key != key:  # another row: what is above it stays where it is
            top = self._index_of(first, top)
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self._show_cursor()
        self.refresh_others()
        self._post_moved()

    def watch_only(self, before: LayerFilter | None, only: LayerFilter | None) -> None:
        """Show other layers: all that is found is open; without a filter the tree is as it was."""
        row = self.row
        if before is None:
            self._opened_unfiltered = set(self.opened)
        self.outline = Outline(self.snapshot, only)
        self.opened = set(self._opened_unfiltered) if only is None else self.outline.open_at_first()
        key = row.key if row is not None else "s:"
        if row is not None and row.report is not None and row.report.name in self.outline.position:
            key = layer_key(row.report.name)
        elif only is not None:
            key = layer_key(self.outline.order[0].name) if self.outline.order else "s:"
        self._reveal(key)
        self._flatten()
        self.cursor = self._index_of(key)
        self.fit_to(len(self.rows))
        self._show_cursor(2)
        self.refresh()
        self._post_moved()

    def watch_model_title(self) -> None:
        """Another file name."""
        self._flatten()
        self.refresh_body(0)

    def watch_trace(self) -> None:
        """Another trace."""
        self._on_trace = lanes_on(self.rows, self._rail, self.trace)

    def watch_sought(self) -> None:
        """Another search."""
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.fit_to(len(self.rows))
        self._show_cursor()

    # -- where to go

    def go_to_layer(self, name: str) -> None:
        """Put the cursor on a layer, opening what hides it."""
        key = layer_key(name)
        if self._reveal(key):
            self._flatten()
            self.fit_to(len(self.rows))
            self.refresh()
        self.move_to(self._index_of(key), context=2)

    def go_to_key(self, key: str) -> None:
        """Put the cursor on a row, by its identity."""
        if key.startswith("l:"):
            self.go_to_layer(key[2:])
        else:
            self.move_to(self._index_of(key))

    @property
    def stops(self) -> tuple[str, ...]:
        """What n and N go to: the layers off the NPU, or all that a filter shows; on a trace those on it, or all of it."""
        outline = self.outline
        names = outline.off_npu if self.only is None else tuple(report.name for report in outline.order)
        if self.trace is None:
            return names
        on = self.trace.layers
        return tuple(n for n in names if n in on) or tuple(r.name for r in outline.order if r.name in on)

    def next_stop(self, step: int) -> str | None:
        """The next (1) or previous (-1) of the stops; after the last comes the first."""
        names = self.stops
        if not names:
            return None
        here = self.place
        places = [self.outline.position[name] for name in names]
        if step > 0:
            ahead = [name for name, place in zip(names, places, strict=True) if place > here]
            return ahead[0] if ahead else names[0]
        behind = [name for name, place in zip(names, places, strict=True) if place < here]
        return behind[-1] if behind else names[-1]

    def matching(self, query: str) -> list[str]:
        """Names of the layers a search finds, in the tree's order."""
        return [report.name for report in parsed(query).find(self.outline.order, self.snapshot)]

    @property
    def place(self) -> float:
        """Where the cursor is among the layers; between two of them on a scope."""
        row = self.row
        if row is None or row.kind is Kind.MODEL:
            return -1
        if row.report is not None:
            return self.outline.position[row.report.name]
        if row.scope is None:
            return len(self.outline.order)
        return self.outline.position[row.scope.layers[0].name] - 0.5

    # -- jumping

    def ask_where(self) -> None:
        """Give each row in view a label; the one that is typed next is jumped to, any other key is what it always is."""
        top = self.scroll_offset.y
        rows = range(top, min(top + self.page, len(self.rows)))
        self._label(dict(zip(labels(len(rows)), rows, strict=True)))

    def _label(self, rows: dict[str, int], typed: str = "") -> None:
        self.labels, self._typed = rows, typed
        self.refresh()
        self.post_message(self.Asked())

    def on_key(self, event: events.Key) -> None:
        """A letter of a label."""
        if not self.labels:
            return
        typed = self._typed + (event.character or " ")
        row = self.labels.get(typed)
        if row is None and any(label.startswith(typed) for label in self.labels):
            self._label(self.labels, typed)
        else:
            self._label({})
        if row is not None:
            self.post_message(self.Jumped(self.rows[row]))
        if row is not None or self.labels or event.key == "escape":
            event.stop()
            event.prevent_default()

    def on_blur(self) -> None:
        """The keys go elsewhere."""
        self.forget_labels()

    def forget_labels(self) -> None:
        """Rows are only rows again."""
        if self.labels:
            self._label({})

    # -- moving

    def move_to(self, index: int, context: int = 0) -> None:
        """Put the cursor on a row; `context` rows around it stay in view."""
        index = min(max(index, 0), max(len(self.rows) - 1, 0))
        if index == self.cursor:
            self._show_cursor(context)
            return
        before, self.cursor = self.cursor, index
        self.refresh_body(before)
        self.refresh_body(index)
        self._show_cursor(context)
        self._post_moved()

    def action_move(self, step: int) -> None:
        """One row up or down."""
        self.move_to(self.cursor + step)

    def action_page(self, step: int) -> None:
        """One page up or down."""
        self.move_to(self.cursor + step * max(self.page - 1, 1))

    def action_half_page(self, step: int) -> None:
        """Half a page up or down."""
        self.move_to(self.cursor + step * max(self.page // 2, 1))

    def action_edge(self, side: int) -> None:
        """To the first or the last row."""
        self.move_to(0 if side < 0 else len(self.rows) - 1)

    def action_open(self) -> None:
        """Show what is below the row; on an open one go to it."""
        row = self.row
        if row is None or not row.expandable:
            return
        if row.expanded:
            self.move_to(self.cursor + 1)
        else:
            self._toggle(row)

    def action_close(self) -> None:
        """Hide what is below the row; on a closed one go to the row it is below."""
        row = self.row
        if row is None:
            return
        if row.expandable and row.expanded:
            self._toggle(row)
            return
        for index in range(self.cursor - 1, -1, -1):
            if self.rows[index].depth < row.depth or self.rows[index].kind is Kind.MODEL:
                self.move_to(index)
                return

    def action_toggle_row(self) -> None:
        """Show or hide what is below the row."""
        if self.row is not None and self.row.expandable:
            self._toggle(self.row)

    def on_click(self, event: events.Click) -> None:
        """Select a row; a click on its arrow opens or closes it, one on a column's name sorts the table of layers by it."""
        if event.y < self.heading_lines:
            if column := column_at(event.x, plain(self.heading(0, self.line_width))):
                self.post_message(KeyBar.Chosen(f"screen.layers('{column}')"))
            return
        self.forget_labels()
        index = event.y - self.heading_lines + self.scroll_offset.y
        if not 0 <= index < len(self.rows):
            return
        row = self.rows[index]
        self.move_to(index)
        room = rail_width(self.line_width)
        arrow = 1 + room + arrow_at(row, self.line_width - room)
        if row.expandable and (arrow <= event.x <= arrow + 1 or event.chain == 2):
            self._toggle(row)

    # -- inside

    def _toggle(self, row: Row) -> None:
        self.opened ^= {row.key}
        self._flatten()
        self.fit_to(len(self.rows))
        self.cursor = min(self.cursor, len(self.rows) - 1)
        self.refresh_body(self.cursor, len(self.rows) + self.page)
        self._show_cursor()

    def _flatten(self) -> None:
        self.forget_labels()  # they are of the rows there were
        title = self.model_title if self.only is None else f"only {self.only.label}"
        self.rows, self._rail = self.outline.shown(self.opened, title)
        self.watch_trace()

    def _reveal(self, key: str) -> bool:
        """Open the scopes around a layer. True where any was closed."""
        around = set(self.outline.around(key[2:])) if key.startswith("l:") else set()
        hidden = around - self.opened
        self.opened |= hidden
        return bool(hidden)

    def _index_of(self, key: str, missing: int = 0) -> int:
        return next((index for index, row in enumerate(self.rows) if row.key == key), missing)

    def _show_cursor(self, context: int = 0) -> None:
        top = self.scroll_offset.y
        lowest = self.cursor + context - self.page + 1
        highest = self.cursor - context
        wanted = min(max(top, lowest), max(highest, 0))
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def _post_moved(self) -> None:
        if self.row is not None:
            self.post_message(self.Moved(self.row))
