"""The last line: the keys that do something here."""

from __future__ import annotations

from dataclasses import replace

from textual import events
from textual.message import Message
from textual.reactive import reactive

from npuscope.record import dataclass
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line, Span


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key, what it does in a word or two, and the action it stands for.

    1. Where the line is too short, hints take their `short` labels; then those give way that are not `enabled`, and
       those of low `weight`, the way out (Esc) last.
    2. A hint that is not `enabled` is dimmed where there is room for it.
    """

    key: str
    label: str
    action: str
    weight: int = 1
    enabled: bool = True
    short: str = ""
    """A shorter label, for where the line is too short."""

    scrolls: str = ""
    """What it scrolls, as a selector: there is nothing to do where all of that is in view."""

    @property
    def width(self) -> int:
        """Cells it takes, with the blank before the next one."""
        return len(self.key) + len(self.label) + 3


class KeyBar(Bar):
    """Keys by weight, as many as fit; a click does what the key does."""

    DEFAULT_CSS = """
    KeyBar { padding: 0 1; background: $surface; dock: bottom; }
    """

    hints: reactive[tuple[KeyHint, ...]] = reactive(tuple[KeyHint, ...](), init=False)

    @dataclass
    class Chosen(Message):
        """A hint was clicked."""

        action: str

    def __init__(self, hints: tuple[KeyHint, ...] = (), *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.set_reactive(KeyBar.hints, hints)

    def fitting(self, width: int) -> list[KeyHint]:
        """The hints that fit, in their order."""
        kept = [replace(hint, enabled=False) if self._all_in_view(hint) else hint for hint in self.hints]
        taken = sum(hint.width for hint in kept) - 2
        if taken > width:
            kept = [replace(hint, label=hint.short) if hint.short else hint for hint in kept]
            taken = sum(hint.width for hint in kept) - 2
        while kept and taken > width:
            least = min(reversed(kept), key=lambda hint: (hint.key == "Esc", hint.enabled, hint.weight))
            kept.remove(least)
            taken -= least.width
        return kept

    def _all_in_view(self, hint: KeyHint) -> bool:
        return bool(hint.scrolls) and not any(
            sheet.overflows for sheet in self.screen.query(hint.scrolls).results(Sheet)
        )

    def bar(self, width: int) -> Line:
        """The line."""
        parts: list[Span] = []
        for hint in self.fitting(width):
            if parts:
                parts.append(Span("  "))
            parts.append(Span(hint.key, "accent-strong" if hint.enabled else "faint"))
            parts.append(Span(" " + hint.label, "quiet" if hint.enabled else "faint"))
        return tuple(parts)

    def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        column = event.x - self.styles.padding.left
        for hint in self.fitting(self.size.width):
            if 0 <= column < hint.width - 1:
                if hint.enabled:
                    self.post_message(self.Chosen(hint.action))
                return
            column -= hint.width
