"""The main screen and the data flow behind it: a session, its snapshot, what is selected."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.reactive import Reactive, reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from npuscope.edits.edit import Edit, Refusal
from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError, one_line
from npuscope.model.names import printable
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse
from npuscope.themes import THEMES
from npuscope.themes.variables import for_other
from npuscope.tui.actions import ACTIONS
from npuscope.tui.layout import STACKED, Layout, layout_for
from npuscope.tui.messages import Analysed, NotAnalysed, NotOpened, Opened
from npuscope.tui.palette import Palette
from npuscope.tui.screens.guarded import GuardedScreen
from npuscope.tui.survival import SurvivingApp
from npuscope.tui.terminal import AsciiFilter, ascii_only, first_theme
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.search_bar import SearchBar
from npuscope.widgets.bars.status_line import Status, StatusLine
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.lists.layer_filter import LayerFilter
from npuscope.widgets.lists.outline import Kind, Row
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.panes.selection import NOTHING, Change, Part, Selection
from npuscope.widgets.panes.verdict_bar import VerdictBar

if TYPE_CHECKING:
    from npuscope.neural_art.comparison.values import Comparison

BUSY_DELAY = 0.2
"""Seconds after which an analysis is worth a word."""

DETAILS_DELAY = 0.07
"""Seconds the panes wait while the cursor runs; a single step is shown at once."""


class Main(GuardedScreen[object]):
    """The screen below all others."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """What gains or loses the focus draws itself; the rest of the screen need not be sent again."""


class Explorer(SurvivingApp):
    """The application without its commands.

    1. `session` is the only thing that changes; everything shown is derived from it.
    2. Analysis runs in a thread and posts one message, dropped where the session has moved on.
    """

    TITLE = "npuscope"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(action.binding for action in ACTIONS),
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    snapshot: reactive[Snapshot] = reactive(EMPTY, repaint=False)
    selection: reactive[Selection] = reactive(NOTHING, repaint=False)
    status: reactive[Status] = reactive(Status(EMPTY, ""), repaint=False)
    hints: reactive[tuple[KeyHint, ...]] = reactive(tuple[KeyHint, ...](), repaint=False)
    model_title: reactive[str] = reactive("", repaint=False)
    query_text: reactive[str] = reactive("", repaint=False)
    only: reactive[LayerFilter | None] = reactive(None, repaint=False)
    differing: reactive[frozenset[str]] = reactive(frozenset[str](), repaint=False)

    def __init__(self, path: str | None, judged_for: Target) -> None:
        self._ascii = ascii_only(os.environ)
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        wanted = first_theme(os.environ, self.console.color_system)
        self.theme = wanted if wanted in self.available_themes else THEMES[0].name
        self.animation_level = "none"
        self.path = path
        self.target = judged_for
        self.session: Session | None = None
        self._text = ""
        self._slow: Timer | None = None
        self._change: Change | None = None
        self._pending: Timer | None = None
        self._last_move = 0.0
        self._warned_until = 0.0
        self._before_search: str | None = None
        self.comparison: Comparison | None = None
        self.inputs: str | None = None
        """Where samples lie that scales are calibrated and models compared on; random ones without."""

    # -- look

    def get_line_filters(self) -> Sequence[LineFilter]:
        """In a terminal without UTF-8 everything goes out in ASCII."""
        filters = super().get_line_filters()
        return [*filters, AsciiFilter()] if self._ascii else filters

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the keys do."""
        for action in ACTIONS:
            yield SystemCommand(
                action.label[:1].upper() + action.label[1:],
                f"{action.help}  ({action.key})",
                self._runner(action.name),
            )

    def action_command_palette(self) -> None:
        """All actions by name."""
        if self.use_command_palette and not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def _runner(self, action: str) -> Callable[[], Awaitable[bool]]:
        async def run() -> bool:
            return await self.run_action(action)

        return run

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables, for themes that are not ours."""
        return for_other(self.current_theme)

    def get_default_screen(self) -> Screen[object]:
        """The main screen."""
        return Main(id="_default")

    def compose(self) -> ComposeResult:
        """What is on the main screen."""
        # The layout is known before anything is styled: chosen later, everything would be styled twice.
        layout = layout_for(self.size.width, self.size.height)
        self.screen_stack[0].add_class(layout.value)
        yield StatusLine().data_bind(Explorer.status)
        with Horizontal(id="main"):
            yield GraphTree(id="tree").data_bind(
                Explorer.snapshot,
                Explorer.model_title,
                Explorer.only,
                Explorer.differing,
                sought=Explorer.query_text,
            )
            yield Details(stacked=layout in STACKED).data_bind(Explorer.selection)
        yield VerdictBar(reason=True, id="tiny-verdict").data_bind(Explorer.selection)
        yield KeyBar().data_bind(Explorer.hints)
        yield SearchBar()

    def on_ready(self) -> None:
        """The keys go to the tree."""
        super().on_ready()
        self._hint()
        if len(self.screen_stack) == 1:
            self.graph_tree.focus()

    @property
    def graph_tree(self) -> GraphTree:
        """The graph."""
        return self.screen_stack[0].query_one(GraphTree)

    def tell(self, text: str, severity: SeverityLevel = "information") -> None:
        """Say something for a few seconds, in place of what was said before; a warning stays its time."""
        timeout = 3 if severity == "information" else 8
        now = monotonic()
        if now >= self._warned_until:
            self.clear_notifications()
        if severity != "information":
            self._warned_until = now + timeout
        self.notify(printable(text), severity=severity, timeout=timeout, markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout."""
        screen = self.screen_stack[0]
        layout = layout_for(event.size.width, event.size.height)
        for other in Layout:
            screen.set_class(other is layout, other.value)
        screen.query_one(Details).stacked = layout in STACKED
        if layout is not Layout.TINY:
            screen.remove_class("-details")

    def tell_fault(self, text: str) -> None:
        """Show a line about an error of ours."""
        self.tell(text, "error")

    @property
    def has_unexported(self) -> bool:
        """Whether edits would be lost."""
        return self.session is not None and self.session.unexported

    # -- opening

    def open(self, path: str) -> None:
        """Read and analyse a file; an `Opened` or a `NotOpened` follows."""
        self.path = path
        self.say(busy="opening …")
        self.open_in_thread(path)

    @work(thread=True, exclusive=True, group="analysis", description="open in thread")
    def open_in_thread(self, path: str) -> None:
        """Read and analyse a file."""
        try:
            from npuscope.services.open import open_model

            session = Session.open(open_model(path), self.target)
            snapshot = analyse(session)
        except ModelError as error:
            message: Opened | NotOpened = NotOpened(path, str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not take the terminal with it
            message = NotOpened(path, f"{path}: {fault(error)}")
        else:
            message = Opened(session, snapshot)
        if not get_current_worker().is_cancelled:
            self.post_message(message)

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.session = message.session
        self._change = None
        with self.batch_update():
            self.model_title = "whole model"
            self.set_reactive(Explorer.snapshot, EMPTY)
            self.graph_tree.set_reactive(GraphTree.snapshot, EMPTY)
            self._show(message.snapshot)

    # -- editing

    def make(self, edit: Edit) -> None:
        """Make an edit, or say why it cannot be made."""
        if self.session is None:
            return
        result = self.session.edit(edit)
        if isinstance(result, Refusal):
            self.say()
            self.tell(str(result), "warning")
        else:
            self.become(result, edit.describe())

    def become(self, session: Session, text: str = "") -> None:
        """Go on with another session, and analyse it; `text` says what made it."""
        self._text = text
        self.session = session
        self._slow = self.set_timer(BUSY_DELAY, lambda: self.say(busy="analysing …"))
        self.analyse_in_thread(session, self.snapshot)

    @work(thread=True, exclusive=True, group="analysis", description="analyse in thread")
    def analyse_in_thread(self, session: Session, previous: Snapshot) -> None:
        """Judge and price the session's present state."""
        try:
            message: Analysed | NotAnalysed = Analysed(session, analyse(session, previous))
        except ModelError as error:
            message = NotAnalysed(session, str(error))
        except Exception as error:  # noqa: BLE001 - the edits made so far are worth more than a clean end
            message = NotAnalysed(session, fault(error))
        if not get_current_worker().is_cancelled:
            self.post_message(message)

    @on(Analysed)
    def _analysed(self, message: Analysed) -> None:
        if message.session is self.session:
            text, before = self._text, self.snapshot
            self._change = Change.between(text, before, message.snapshot) if text else None
            with self.batch_update():
                self._show(message.snapshot)

    @on(NotAnalysed)
    def _not_analysed(self, message: NotAnalysed) -> None:
        if message.session is self.session:
            self.say()
            self.tell(message.reason, "error")

    def _show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._select(self.graph_tree.row)
        self.say()
        self._hint()

    def say(self, busy: str = "") -> None:
        """Bring the status line up to date."""
        if self._slow is not None:
            self._slow.stop()
            self._slow = None
        session = self.session
        if session is None:
            # A file that could not be opened is not named as if it were.
            name = printable(Path(self.path).name) if self.path and busy else ""
            self.status = Status(EMPTY, name, busy=busy)
        else:
            name = printable(session.source.path.name)
            only = self.only.label if self.only is not None else ""
            compared = self.comparison
            measured = compared.totals.milliseconds if compared is not None else None
            self.status = Status(
                self.snapshot, name, len(session.done), session.unexported, busy, only, measured
            )

    # -- the cursor

    @on(GraphTree.Moved)
    def _moved(self, message: GraphTree.Moved) -> None:
        """Show a single step at once; while the cursor runs, wait until it rests."""
        now = monotonic()
        running = now - self._last_move < DETAILS_DELAY
        self._last_move = now
        if self._pending is not None:
            self._pending.stop()
            self._pending = None
        if running:
            self._pending = self.set_timer(DETAILS_DELAY, lambda: self._select(message.row))
        else:
            self._select(message.row)

    @property
    def report(self) -> LayerReport | None:
        """The layer the cursor is on, shown in the panes yet or not."""
        row = self.graph_tree.row
        return row.report if row is not None else None

    def _select(self, row: Row | None) -> None:
        if row is None or (row.report is None and row.scope is None and row.node is None):
            return
        change, part = self._change, part_of(row)
        if row.report is None and part is not None:
            selection = Selection(self.snapshot, part.tensor or part.node.name, (), part=part)
        elif row.report is not None:
            touched = change if row.report.name in self.snapshot.changed else None
            selection = Selection(
                self.snapshot,
                row.report.name,
                (row.report,),
                row.report,
                False,
                touched,
                self.comparison,
                part=part,
            )
        else:
            assert row.scope is not None
            whole = not row.scope.path and self.only is None
            title = row.scope.path or (self.model_title if self.only is None else self.only.label)
            told = change if whole else None
            selection = Selection(self.snapshot, title, row.scope.layers, None, whole, told, self.comparison)
        current = self.selection
        same = current.snapshot is selection.snapshot and current.comparison is selection.comparison
        alike = current.layers == selection.layers and current.report is selection.report
        if same and alike and current.part == selection.part:
            return
        self.selection = selection
        self._hint()

    def _hint(self) -> None:
        """What the key bar offers now."""
        session, report = self.session, self.selection.report
        off = {
            "undo": session is None or not session.done,
            "redo": session is None or not session.undone,
            "verify": session is None or not session.done,
            "export": session is None or not session.done,
            "split": report is None or report.layer.weight is None,
            "off_npu(1)": not self.snapshot.off_npu,
        }
        hidden = () if self.comparison is not None else ("agreement",)
        hints = tuple(
            KeyHint(
                action.key,
                action.label,
                action.name,
                action.weight,
                not off.get(action.name, False),
                action.short,
            )
            for action in ACTIONS
            if action.weight and action.name not in hidden
        )
        if hints != self.hints:
            self.hints = hints

    @on(KeyBar.Chosen)
    async def _chosen(self, message: KeyBar.Chosen) -> None:
        await self.run_action(message.action)


def part_of(row: Row) -> Part | None:
    """The node or tensor a row stands for; None for layers and scopes."""
    if row.node is None or row.graph is None:
        return None
    tensor = row.label if row.kind is Kind.TENSOR else ""
    return Part(row.node, row.graph, tensor, row.report.layer if row.report is not None else None)


def fault(error: Exception) -> str:
    """What to say where npuscope itself is wrong."""
    said = one_line(f"{type(error).__name__}: {error}", 160)
    return f"npuscope failed on this model ({said}); please report it with the model"
