"""All layers in a table, sorted by what one asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.model.inspection.trace import Trace
from npuscope.npu.figures import plural
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.main.tracing import label
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_columns import GAIN, by_title
from npuscope.widgets.lists.layer_filter import Ranked
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong


class LayersScreen(Dialog[Ranked | str]):
    """Ends with the layer to go to; one from a table sorted by gain says so."""

    DEFAULT_CSS = """
    LayersScreen > #box { width: 100%; max-width: 180; height: auto; }
    LayersScreen LayerTable { height: 1fr; margin: 1 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L,q", "leave", show=False),
        Binding("T", "trace", show=False),
    ]
    HINTS = (
        KeyHint("Enter", "go to layer", "screen.take", 9),
        KeyHint("←→", "sort by", "screen.sort(1)", 8),
        KeyHint("r", "reverse", "screen.reverse", 6),
        KeyHint("/", "filter", "screen.narrow", 7),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(self, snapshot: Snapshot, by: str = "", trace: Trace | None = None) -> None:
        super().__init__()
        self._snapshot, self._by, self._trace = snapshot, by, trace

    def heading(self) -> tuple[Line, Line]:
        """How many, and how long they take together."""
        total = milliseconds(self._snapshot.layer_milliseconds)
        measured = len(self._snapshot.measured)
        kind = f"measured, of {plural(measured, 'layer')} apart" if measured else "set-up included"
        about = f"{plural(len(self._snapshot.layers), 'layer')}, {total} {kind}"
        if self._trace is None:
            return line(strong("Layers")), line(quiet(about))
        traced = Span(label(self._trace, self._snapshot), "accent-strong")
        return line(strong("Layers")), line(traced, quiet(f" · {about}"))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys; that of the trace where there is one."""
        if self._trace is None:
            return self.HINTS
        return (
            *self.HINTS[:-1],
            KeyHint("T", "only the trace, or all", "screen.trace", 6, short="trace"),
            self.HINTS[-1],
        )

    def content(self) -> Iterable[Widget]:
        """The table."""
        yield LayerTable(self._snapshot, by_title(self._by), self._trace)

    def on_mount(self) -> None:
        """Sort and move at once."""
        self.query_one(LayerTable).focus()

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_take(self) -> None:
        """Go to the layer under the cursor."""
        table = self.query_one(LayerTable)
        if table.report is not None:
            name = table.report.name
            self.dismiss(Ranked(name) if table.by is GAIN else name)

    def gains_changed(self) -> None:
        """More is known of what fixes save."""
        for table in self.query(LayerTable):
            table.gains_changed()

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        self.query_one(LayerTable).action_sort(step)

    def action_reverse(self) -> None:
        """The other way round."""
        self.query_one(LayerTable).action_reverse()

    def action_trace(self) -> None:
        """Only the layers on the trace, or all again."""
        if self._trace is not None:
            self.query_one(LayerTable).show_trace()
