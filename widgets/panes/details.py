"""The right side: the four panes, all at once or one at a time."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.layout import Layout
from textual.reactive import reactive
from textual.widget import Widget

from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.panes.arrangement import Arrangement
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.neighbourhood import Neighbourhood
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.panes.quantization import Quantization
from npuscope.widgets.panes.selection import NOTHING, Selection
from npuscope.widgets.panes.verdict_bar import VerdictBar


class Details(Widget):
    """Eligibility, quantization, MAC/cycle and neighbourhood of the selection.

    `stacked`: one pane in view under the verdict; the others behind numbered tabs.
    """

    DEFAULT_CSS = """
    Details {
        height: 1fr;
        overflow: hidden hidden;
        & Pane { padding: 0 0 0 1; }
        & #tabs, & #verdict { display: none; }
    }
    Details.-stacked {
        & #tabs, & #verdict { display: block; }
        & #tabs { margin: 0 0 1 0; }
        & Pane { display: none; }
        &.-pane-0 #eligibility { display: block; }
        &.-pane-1 #quantization { display: block; }
        &.-pane-2 #cost { display: block; }
        &.-pane-3 #neighbourhood { display: block; }
    }
    """

    selection: reactive[Selection] = reactive(NOTHING, init=False, repaint=False)
    stacked: reactive[bool] = reactive(False, init=False, repaint=False)
    current: reactive[int] = reactive(0, init=False, repaint=False)
    """The pane in view where they are stacked."""

    def __init__(self, stacked: bool) -> None:
        self._arrangement = Arrangement()
        super().__init__(classes="-pane-0 -stacked" if stacked else "-pane-0")
        self.set_reactive(Details.stacked, stacked)

    def compose(self) -> ComposeResult:
        """Verdict and tabs for the stacked form, then the panes."""
        yield VerdictBar(reason=False, id="verdict").data_bind(Details.selection)
        yield TabBar(("Why", "Quant", "MAC/c", "Graph"), id="tabs").data_bind(Details.current)
        yield Eligibility(id="eligibility", headless=self.stacked)
        yield Quantization(id="quantization", headless=self.stacked)
        yield CostPane(id="cost", headless=self.stacked)
        yield Neighbourhood(id="neighbourhood", headless=self.stacked)

    @property
    def layout(self) -> Layout:
        """Where the panes stand."""
        return self._arrangement

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The panes in their order."""
        return tuple(self.query(Pane))

    def on_mount(self) -> None:
        """What was selected before there were panes."""
        self._tell()

    def watch_selection(self, before: Selection, selection: Selection) -> None:
        """Tell the panes, all of them before any is moved; of fixes those that show some."""
        self._tell(before.differs_in_fixes_alone(selection))
        if not selection.awaits_fixes:  # what is not there yet will take room
            self.share()

    def forget(self) -> None:
        """Another model: where the panes were for the one before has no say."""
        self._arrangement.forget()

    def _tell(self, of_fixes: bool = False) -> None:
        for pane in self.panes:
            if pane.SHOWS_FIXES or not of_fixes:
                pane.selection = self.selection

    @on(Pane.Wrapped)
    def share(self) -> None:
        """The panes hold something else now: share the height anew, where that moves any."""
        if self._arrangement.moves(self.panes):
            self.panes[0].refresh(
                repaint=False, layout=True
            )  # Textual forgets where the children of its parents were

    def watch_stacked(self, stacked: bool) -> None:
        """Change between all panes and one."""
        self.set_class(stacked, "-stacked")
        for pane in self.panes:
            pane.headless = stacked

    def watch_current(self, before: int, current: int) -> None:
        """Bring another pane into view."""
        self.remove_class(f"-pane-{before}")
        self.add_class(f"-pane-{current}")

    @on(TabBar.Chosen)
    def _choose(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.current = message.index

    def show(self, index: int, focus: bool) -> None:
        """Bring a pane into view, and move the keys to it."""
        self.current = index
        if focus or not self.stacked:
            self.panes[index].focus()
