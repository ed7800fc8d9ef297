"""What bounds the model: the time put down to what sets it, and the roofline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.neural_art.price.bounds import Bound, bounds
from npuscope.neural_art.price.roofline import points, roofs
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.bounds.text import bound_line, epochs_text, heading, slowest_layer, words
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.panes.roofline_plot import roofline_plot
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.layer_names import names_of_few
from npuscope.widgets.text.spans import Line, line, quiet, strong

NAMES = ("where the time goes", "roofline")


class BoundsScreen(Dialog[str]):
    """Ends with the name of the layer to go to."""

    DEFAULT_CSS = """
    BoundsScreen > #box { width: 110; height: auto; max-height: 44; }
    BoundsScreen TabBar { margin: 0 0 1 0; }
    BoundsScreen Choices { height: auto; max-height: 11; margin: 0 0 0 1; }
    BoundsScreen #epochs { height: 1fr; margin: 1 0 0 1; }
    BoundsScreen #roofline { height: 1fr; margin: 0 0 0 1; display: none; }
    BoundsScreen.-roof > #box { height: 100%; }
    BoundsScreen.-roof { & #roofline { display: block; } & Choices, & #epochs { display: none; } }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn", show=False, priority=True),
        Binding("shift+tab", "turn", show=False, priority=True),
        Binding("1", "show(0)", show=False),
        Binding("2", "show(1)", show=False),
        Binding("space", "scroll(1)", show=False),
        Binding("b,q", "leave", show=False),
    ]
    HINTS = (
        KeyHint("↑↓", "choose", "screen.none", 5),
        KeyHint("Enter", "go to its slowest layer", "screen.take", 7, short="slowest layer"),
        KeyHint("Tab", "roofline", "screen.turn", 8),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._costs = {report.name: report.cost for report in snapshot.layers}
        self.bounds = bounds(snapshot.epochs, self._costs)
        self._total = sum(bound.milliseconds for bound in self.bounds)

    def heading(self) -> tuple[Line, Line]:
        """How much time there is."""
        predicted = " predicted" if self._snapshot.measured else ""
        return line(strong("What bounds the model")), line(quiet(milliseconds(self._total) + predicted))

    def content(self) -> Iterable[Widget]:
        """Bounds and their epochs; or the roofline."""
        yield TabBar(NAMES)
        yield Choices((), heading(80))
        yield Page(lambda width: epochs_text(self.chosen, self._costs, width), id="epochs")
        yield Page(self._roofline, id="roofline")

    def on_mount(self) -> None:
        """The arrows choose a bound."""
        self.query_one(Choices).focus()

    def lay_out(self) -> None:
        """The bars take the room there is."""
        choices = self.query_one(Choices)
        width = choices.line_width
        among = names_of_few(tuple(words(bound.name)[0] for bound in self.bounds))
        choices.show([bound_line(bound, among, self._total, width) for bound in self.bounds], choices.cursor)
        self._refresh()

    def _refresh(self) -> None:
        self.query_one("#epochs", Page).show(lambda width: epochs_text(self.chosen, self._costs, width))

    @property
    def chosen(self) -> Bound | None:
        """The bound under the cursor."""
        index = self.query_one(Choices).cursor
        return self.bounds[index] if 0 <= index < len(self.bounds) else None

    def _roofline(self, width: int) -> list[Line]:
        dots = points(
            (report.layer for report in self._snapshot.layers), self._costs, self._snapshot.ledger.by_name
        )
        page = self.query_one("#roofline", Page)
        height = max(min(page.size.height - 6, 24), 12)
        return roofline_plot(roofs(self._snapshot.target), dots, min(width, 100), height)

    @on(Choices.Moved)
    def _moved(self) -> None:
        self.query_one("#epochs", Page).scroll_to(y=0, animate=False, force=True, immediate=True)
        self._refresh()

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    @on(TabBar.Chosen)
    def _tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_show(message.index)

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys of the side that is shown."""
        if not self.has_class("-roof"):
            return self.HINTS
        return (
            KeyHint("↑↓", "scroll", "screen.none", 5, scrolls="#roofline"),
            KeyHint("Tab", "where the time goes", "screen.turn", 8),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def action_turn(self) -> None:
        """The other side."""
        self.action_show(1 - self.query_one(TabBar).current)

    def action_show(self, index: int) -> None:
        """One of the two sides."""
        self.query_one(TabBar).current = index
        self.set_class(index == 1, "-roof")
        self.query_one(KeyBar).hints = self.hints()
        page = self.query_one("#roofline", Page)
        if index == 1:
            page.focus()
            self.call_after_refresh(lambda: page.show(self._roofline))
        else:
            self.query_one(Choices).focus()
            self.call_after_refresh(
                self.lay_out
            )  # the terminal may have changed while the roofline was shown

    def action_scroll(self, step: int) -> None:
        """Scroll the epochs."""
        page = self.query_one("#epochs", Page)
        (page.scroll_page_down if step > 0 else page.scroll_page_up)(animate=False)

    def action_take(self) -> None:
        """To the slowest layer of the bound."""
        name = slowest_layer(self.chosen.parts) if self.chosen is not None else None
        if name is not None:
            self.dismiss(name)
