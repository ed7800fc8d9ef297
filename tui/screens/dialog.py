"""Dialog: a box over the main screen with a title and its keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import Reactive
from textual.screen import ModalScreen
from textual.widget import Widget

from npuscope.tui.screens.guarded import GuardedScreen
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.box import Box
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.spans import BLANK, Line, Span, line, plain

Result = TypeVar("Result")


NOTE = line(Span("if quantized  ", "attention"))


def if_quantized(app: object) -> bool:
    """What lies behind a dialog is a float model judged as if quantized."""
    session = getattr(app, "session", None)
    return session is not None and session.graph.as_int8


class Dialog(ModalScreen[Result], GuardedScreen[Result]):
    """The base of every screen over the main one. Esc leaves it without a result."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;
        &:ansi { background: $background; }  /* 16 colours cannot be mixed: what lay behind would outshine the box */
        & > #box {
            width: 78;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            background: $background;
            border: round $changed;
        }
        & > #box > KeyBar { dock: bottom; }
    }
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """What gains or loses the focus draws itself; the rest of the screen need not be sent again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("slash", "narrow", show=False),
        Binding("question_mark,f1", "help", show=False),
    ]
    HINTS: ClassVar[tuple[KeyHint, ...]] = (KeyHint("Esc", "back", "screen.leave"),)
    """The keys, where they are always the same."""

    def heading(self) -> tuple[Line, Line]:
        """Title and what it is about."""
        return BLANK, BLANK

    def content(self) -> Iterable[Widget]:
        """What lies between title and keys."""
        raise NotImplementedError

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys."""
        return self.HINTS

    def compose(self) -> ComposeResult:
        """The box."""
        title, about = self.heading()
        with Box(id="box"):
            yield TitleBar(title, about, NOTE if if_quantized(self.app) else BLANK)
            yield from self.content()
            yield KeyBar(self.hints())

    @on(Sheet.Overflowed)
    def _overflowed(self, message: Sheet.Overflowed) -> None:
        """There is something to scroll now, or no longer."""
        message.stop()
        for bar in self.query(KeyBar):
            bar.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        """Columns take the room there is, once it is known."""
        self.call_after_refresh(self.lay_out)

    def lay_out(self) -> None:
        """Write the lists anew for the width they have; a screen with columns says how."""

    @on(KeyBar.Chosen)
    async def _chosen(self, message: KeyBar.Chosen) -> None:
        message.stop()
        await self.run_action(message.action)

    def action_narrow(self) -> None:
        """Show only the lines of the list that hold what is typed."""
        from npuscope.widgets.bars.narrow_bar import NarrowBar

        if self.query(NarrowBar):
            return
        here = self.focused
        lists = [here] if isinstance(here, Choices) else [c for c in self.query(Choices) if c.display]
        if lists and lists[0].count > 1:
            self.query_one("#box").mount(NarrowBar(lists[0]))

    def action_help(self) -> None:
        """The keys of this screen, then those of all. Where one types, F1 does it."""
        from npuscope.tui.screens.help.screen import HelpScreen

        self.app.push_screen(HelpScreen(plain(self.heading()[0]).strip(), self.hints()))

    def action_none(self) -> None:
        """A hint for arrows, which a click does not stand for."""

    def action_leave(self) -> None:
        """Back, with nothing done."""
        self.dismiss(None)
