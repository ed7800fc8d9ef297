"""Keys, signs and words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope import __version__
from npuscope.tui.actions import ACTIONS, GROUPS, MOVES, Action, actions_of
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.terms import SEARCHES, SIGNS, TERMS
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import left, shown
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

_LABEL = 15


class HelpScreen(Dialog[None]):
    """One page that scrolls."""

    DEFAULT_CSS = """
    HelpScreen > #box { width: 92; height: auto; max-height: 60; }
    HelpScreen Page { height: 1fr; margin: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,f1,q", "leave", show=False)]
    HINTS = (KeyHint("↑↓", "scroll", "screen.down", scrolls="Page"), KeyHint("Esc", "back", "screen.leave"))

    def __init__(self, screen: str = "", keys: tuple[KeyHint, ...] = ()) -> None:
        super().__init__()
        self._screen, self._keys = screen, keys

    def heading(self) -> tuple[Line, Line]:
        """What this is."""
        return line(strong("Keys, signs and words")), line(quiet(f"npuscope {__version__}"))

    def content(self) -> Iterable[Widget]:
        """The page."""
        yield Page(self._text)

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(Page).focus()

    def action_down(self) -> None:
        """A page further."""
        self.query_one(Page).scroll_page_down(animate=False)

    def _text(self, width: int) -> list[Line]:
        return help_text(width, self._screen, self._keys, actions_of(self.app))


def help_text(
    width: int, screen: str = "", keys: tuple[KeyHint, ...] = (), actions: tuple[Action, ...] = ACTIONS
) -> list[Line]:
    """The whole help; first the keys of the screen it was asked for on."""
    lines: list[Line] = []
    if keys:
        lines += _section(shown(screen, max(width - 4, 8)), width)
        for hint in keys:
            lines += _entry(Span(left(hint.key, _LABEL), "accent-strong"), hint.label, width)
    lines += _section("Moving", width)
    for pressed, text in MOVES:
        lines += _entry(Span(left(pressed, _LABEL), "accent"), text, width)
    by_name = {action.name: action for action in actions}
    for title, names in GROUPS.items():
        lines += _section(title if not keys else f"{title}, on the main screen", width)
        for action in (by_name[name] for name in names):
            lines += _entry(Span(left(action.key, _LABEL), "accent-strong"), action.help, width)
    lines += _section("What / looks for", width)
    for example, text in SEARCHES:
        lines += _entry(strong(left(example, _LABEL)), text, width)
    lines += _section("Signs", width)
    for sign, role, text in SIGNS:
        lines += _entry(Span(left(sign, _LABEL), role), text, width)
    lines += _section("Words", width)
    for term, text in TERMS:
        lines += _entry(strong(left(term, _LABEL)), text, width)
    return lines[1:]


def _section(title: str, width: int) -> list[Line]:
    return [BLANK, line(Span(f"{title} ", "title"), Span("─" * max(width - len(title) - 2, 0), "rule"))]


def _entry(label: Span, text: str, width: int) -> list[Line]:
    return list(wrap(line(label, text), width, _LABEL))
