"""The main screen: it owns the cursor, the search and the filter, and shows the document."""

from __future__ import annotations

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Size
from textual.reactive import Reactive, reactive
from textual.timer import Timer
from textual.widget import Widget

from npuscope.model.inspection.trace import Trace
from npuscope.npu.figures import plural
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.actions import BEFORE_A_VERDICT, actions_of
from npuscope.tui.controllers.views import Views
from npuscope.tui.document import Document
from npuscope.tui.layout import STACKED, Layout, layout_for
from npuscope.tui.screens.guarded import GuardedScreen
from npuscope.tui.screens.main.fix_hints import FixHints
from npuscope.tui.screens.main.following import Following
from npuscope.tui.screens.main.search import Search, SearchMessage
from npuscope.tui.screens.main.text import WHOLE, copied, hints, same, selection, status
from npuscope.tui.screens.main.tracing import Tracing, label
from npuscope.tui.screens.main.walk import Walk
from npuscope.tui.screens.main.weigher import Weigher
from npuscope.tui.screens.main.zoom import Zoom
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.search_bar import SearchBar
from npuscope.widgets.bars.status_line import Status, StatusLine
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.lists.layer_filter import LayerFilter, Ranked
from npuscope.widgets.lists.outline import Kind, Row
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.panes.neighbourhood import Neighbourhood
from npuscope.widgets.panes.selection import NOTHING, Selection
from npuscope.widgets.panes.verdict_bar import VerdictBar
from npuscope.widgets.text.keys import keyed

BUSY_DELAY = 0.2
"""Seconds after which an analysis is worth a word."""


JUMPING = (
    KeyHint("a-z A-Z", "go to its row", "screen.none", 9),
    KeyHint("Esc", "stay", "screen.stay", 9),
)
"""The keys while rows have labels."""


class MainScreen(GuardedScreen[object]):
    """The screen below all others. What it shows follows the document; what changes that, the application does."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """What gains or loses the focus draws itself; the rest of the screen need not be sent again."""

    snapshot: reactive[Snapshot] = reactive(EMPTY, repaint=False)
    selection: reactive[Selection] = reactive(NOTHING, repaint=False)
    status: reactive[Status] = reactive(Status(EMPTY, ""), repaint=False)
    hints: reactive[tuple[KeyHint, ...]] = reactive(tuple[KeyHint, ...](), repaint=False)
    model_title: reactive[str] = reactive("", repaint=False)
    query_text: reactive[str] = reactive("", repaint=False)
    only: reactive[LayerFilter | None] = reactive(None, repaint=False)
    differing: reactive[frozenset[str]] = reactive(frozenset[str](), repaint=False)
    trace: reactive[Trace | None] = reactive(None, repaint=False)

    def __init__(self, document: Document) -> None:
        self.document = document
        self._fix_hints = FixHints(self)
        super().__init__(id="_default")
        self._walk, self._zoom, self._tracing = Walk(self), Zoom(self), Tracing(self)
        self._search = Search(self, self._walk)
        self._weigher, self._views = Weigher(self), Views(self)
        self._busy_soon: Timer | None = None
        self._following = Following(self)

    def compose(self) -> ComposeResult:
        """Status, tree and panes, keys; the search lies over them."""
        # The layout is known before anything is styled: chosen later, everything would be styled twice.
        layout = layout_for(self.app.size.width, self.app.size.height)
        self.add_class(layout.value)
        yield StatusLine().data_bind(MainScreen.status)
        with Horizontal(id="main"):
            yield GraphTree(id="tree").data_bind(
                MainScreen.snapshot,
                MainScreen.model_title,
                MainScreen.only,
                MainScreen.differing,
                MainScreen.trace,
                sought=MainScreen.query_text,
            )
            yield Details(stacked=layout in STACKED).data_bind(MainScreen.selection)
        yield VerdictBar(reason=True, id="tiny-verdict").data_bind(MainScreen.selection)
        yield KeyBar().data_bind(MainScreen.hints)
        yield SearchBar()

    def fit(self, size: Size) -> None:
        """Choose the layout."""
        layout = layout_for(size.width, size.height)
        for other in Layout:
            self.set_class(other is layout, other.value)
        for details in self.query(Details):  # none yet where the first size comes before the screen is set up
            details.stacked = self._zoom.stacks(layout in STACKED)
        if layout is not Layout.TINY:
            self.remove_class("-details")

    def show_opened(self) -> None:
        """Show a model that was opened, all of it, from its beginning; a draft of it stays where the cursor is."""
        self.query_one(Details).forget()
        if self.snapshot.draft and self.snapshot.graph is self.document.snapshot.graph:
            self.show_document()
            return
        self._show_all(self.document.snapshot)

    def show_draft(self, draft: Snapshot) -> None:
        """Show the layers of a model while they are judged; the document does not hold it yet."""
        self._show_all(draft)

    def _show_all(self, snapshot: Snapshot) -> None:
        self.only = None
        with self.app.batch_update():
            self.model_title = WHOLE
            self.set_reactive(MainScreen.snapshot, EMPTY)
            self.graph_tree.set_reactive(GraphTree.snapshot, EMPTY)
            self._show(snapshot)

    def show_document(self) -> None:
        """Show what the document holds now."""
        self._show(self.document.snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        with self.app.batch_update():
            self.differing = self.document.differing
            self.snapshot = snapshot
            self._tracing.follow(snapshot)
            self.select(self.graph_tree.row)
            self.update_status()
            self.update_hints()

    def refusal(self, action: str) -> str:
        """What a key needs is still computed."""
        waits = self.snapshot.draft and any(action == one.name for one in actions_of(self.app))
        if not waits or action in BEFORE_A_VERDICT:
            return ""
        return (
            f"Not yet: computing where {len(self.snapshot.layers)} layers run. You can browse them meanwhile."
        )

    def update_status(self, busy: str = "") -> None:
        """Bring the status line up to date; `busy` says what goes on."""
        if self._busy_soon is not None:
            self._busy_soon.stop()
            self._busy_soon = None
        if self.snapshot.draft and not busy:
            busy = f"computing where {len(self.snapshot.layers)} layers run …"
        traced = label(self.trace, self.snapshot) if self.trace is not None else ""
        self.status = status(self.document, self.only, busy, traced)

    def update_status_soon(self, busy: str) -> None:
        """Say what goes on where it takes its time."""
        self._busy_soon = self.set_timer(BUSY_DELAY, lambda: self.update_status(busy))

    def update_hints(self) -> None:
        """Bring the key bar up to date."""
        if self.graph_tree.labels:
            self.hints = JUMPING
            return
        self.hints = hints(self.document, self.selection, actions_of(self.app), self.snapshot)

    @on(KeyBar.Chosen)
    async def _hint_clicked(self, message: KeyBar.Chosen) -> None:
        message.stop()
        await self.app.run_action(message.action)

    @property
    def graph_tree(self) -> GraphTree:
        """The graph."""
        return self.query_one(GraphTree)

    @property
    def report(self) -> LayerReport | None:
        """The layer the cursor is on, shown in the panes yet or not."""
        row = self.graph_tree.row
        return row.report if row is not None else None

    def action_jump(self) -> None:
        """To a row in view, by the letters that stand before it."""
        self._zoom.end()
        self.graph_tree.focus()
        self.graph_tree.ask_where()

    def action_stay(self) -> None:
        """No jump after all."""
        self.graph_tree.forget_labels()

    @on(GraphTree.Asked)
    def _asked(self) -> None:
        self.update_hints()

    @on(GraphTree.Jumped)
    def _jumped(self, message: GraphTree.Jumped) -> None:
        if message.row.report is not None and message.row.kind is Kind.LAYER:
            self.jump(message.row.report.name)
        else:
            self.graph_tree.go_to_key(message.row.key)

    @on(Neighbourhood.Chosen)
    def _neighbour_chosen(self, message: Neighbourhood.Chosen) -> None:
        self._walk.to_neighbour(message.layer)

    @on(GraphTree.Moved)
    def _moved(self, message: GraphTree.Moved) -> None:
        self._following.moved(message.row)

    def catch_up(self, key: str) -> None:
        """The panes show what the cursor is on before a key acts on it, or a click ('')."""
        self._following.catch_up(key)

    def select(self, row: Row | None) -> None:
        """Show what the cursor is on."""
        selected = selection(self.document, self.snapshot, self.only, row)
        if selected is not None and not same(self.selection, selected):
            self.selection = selected
            self.update_hints()

    def validate_selection(self, selected: Selection) -> Selection:
        """The fixes with the layer, where they are known: set by the watcher, they would not reach the panes."""
        return self._fix_hints.added_to(selected)

    def watch_selection(self, selected: Selection) -> None:
        """Look for the fixes of a layer."""
        self._fix_hints.look_for(selected)

    def on_screen_resume(self) -> None:
        """Nothing lies over it."""
        self._weigher.seen_again()

    def gains_changed(self) -> None:
        """More is known of what fixes save: the panes say so."""
        if any(report.findings for report in self.selection.layers[:1]):
            self.selection = replace(self.selection)

    def go_to(self, name: str) -> None:
        """Put the cursor on a layer, out of the filter where it has to be."""
        if name not in self.snapshot.by_name:
            self.show_message(f"{name} is not a layer of the model.")
            return
        if name not in self.graph_tree.outline.position:
            self.action_show_all()
        self.graph_tree.go_to_layer(name)
        self.graph_tree.focus()

    def jump(self, name: str | None) -> None:
        """Go to a layer, if any, and remember where from."""
        if name is not None:
            self._walk.jump(name)

    def go_to_choice(self, choice: LayerFilter | Ranked | str | None) -> None:
        """Do what a screen ended with: to a layer, only some layers, or nothing."""
        self._walk.by_gain = isinstance(choice, Ranked)
        if isinstance(choice, LayerFilter):
            self.show_only(choice)
        elif isinstance(choice, Ranked):
            self.jump(choice.layer)
            self._walk.gain(0)
        else:
            self.jump(choice)

    def action_off_npu(self, step: int) -> None:
        """To the next or previous layer that is not on the NPU; by gain where a layer was last chosen by it."""
        self._walk.off_npu(step)

    def action_walk(self, step: int) -> None:
        """To the first producer (-1) or consumer (1) of the selected layer."""
        self._walk.along(step)

    def action_go_back(self, step: int) -> None:
        """Where the cursor jumped from (-1), and forward again (1)."""
        self._walk.back(step)

    def action_join(self, step: int) -> None:
        """To the next (1) or previous (-1) layer where branches meet."""
        self._walk.join(step)

    def action_trace(self) -> None:
        """What leads to the selected layer or scope and what comes of it; on another one the path between both."""
        self._tracing.step()

    def action_hottest(self, step: int) -> None:
        """The most expensive layer, then the next one."""
        self._walk.hottest(step)

    def action_pane(self, index: int) -> None:
        """Bring a pane into view."""
        tiny = self.has_class("-tiny")
        if tiny:
            self.add_class("-details")
        self.query_one(Details).show(index, focus=tiny)

    def action_enlarge(self) -> None:
        """Zoom the focused pane to the whole screen, and back."""
        self._zoom.toggle()

    # -- the filter

    def show_only(self, wanted: LayerFilter) -> None:
        """Show only some layers in the tree; n and N go through them."""
        self.only = wanted
        self.update_status()
        count = len(self.graph_tree.outline.order)
        hint = keyed("{n} and {N} go through them, {⌫} shows all.")
        self.show_message(f"Only {plural(count, 'layer')}. {hint}")

    def action_show_all(self) -> None:
        """Show all layers again."""
        if self.only is not None:
            self.only = None
            self.update_status()

    def to_tree(self) -> None:
        """The keys go to the tree; there already, all layers are shown again."""
        self.remove_class("-details")
        self._zoom.end()
        self._walk.by_gain = False
        if self.graph_tree.has_focus and not self._tracing.end():
            self.action_show_all()
        self.graph_tree.focus()

    # -- searching

    def action_search(self) -> None:
        """Start a search from where the cursor is."""
        self._search.start()

    @on(SearchBar.Typed)
    @on(SearchBar.Stepped)
    @on(SearchBar.Kept)
    @on(SearchBar.Left)
    def _searched(self, message: SearchMessage) -> None:
        self._search.asked(message)

    # -- looking closer

    def action_epochs(self) -> None:
        """The sequence of epochs."""
        self._views.epochs()

    def weigh(self) -> None:
        """Begin to find out what fixes save."""
        if self.snapshot.layers:
            self._weigher.start()

    def action_reasons(self) -> None:
        """Reasons, with the layers each holds for."""
        self.weigh()
        self._views.reasons()

    def action_rule(self) -> None:
        """The rules behind the eligibility pane, in full."""
        self._views.rules()

    def action_to_layer(self, index: int) -> None:
        """To a layer by its place in the graph."""
        self.jump(self.snapshot.layers[index].name if index < len(self.snapshot.layers) else None)

    def action_layers(self, by: str = "") -> None:
        """All layers in a table, sorted by the column of a name."""
        self.weigh()
        self._views.layers(by)

    def action_blocks(self) -> None:
        """The model as blocks with the edges between them."""
        self._views.blocks()

    def action_bounds(self) -> None:
        """What sets the model's time."""
        self._views.bounds()

    def action_channels(self) -> None:
        """What the selected layer would take with other channel counts."""
        self._views.channels()

    def action_scales(self) -> None:
        """The per-channel scales of the selected layer."""
        self._views.scales()

    def action_copy(self) -> None:
        """What the panes say, as text, into the terminal's clipboard."""
        selected = self.selection
        if selected.layers:
            self.app.copy_to_clipboard(copied(selected, self.query_one(Details).panes))
            what = f"the {WHOLE}" if selected.title == WHOLE else selected.title
            self.show_message(f"Copied: what the panes say about {what}.")
