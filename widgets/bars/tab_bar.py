"""The names of the panes where only one of them is in view."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.reactive import reactive

from npuscope.record import dataclass
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line, Span


class TabBar(Bar):
    """Numbered names; the one in view is set off."""

    DEFAULT_CSS = """
    TabBar { padding: 0 1; }
    """

    current: reactive[int] = reactive(0, init=False)

    @dataclass
    class Chosen(Message):
        """A name was clicked."""

        index: int

    def __init__(self, names: tuple[str, ...], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.names = names

    def bar(self, width: int) -> Line:
        """The names on a rule."""
        parts: list[Span] = []
        used = 0
        for index, name in enumerate(self.names):
            here = index == self.current
            # The brackets say which one is in view where colour does not.
            parts.append(
                Span(f"[{index + 1}] " if here else f" {index + 1}  ", "accent" if here else "quiet")
            )
            parts.append(Span(name, "accent-strong" if here else "quiet"))
            used += len(name) + 4
            if index < len(self.names) - 1:
                parts.append(Span(" "))
                used += 1
        return (*parts, Span(" " + "─" * (width - used - 1), "rule")) if width > used + 2 else tuple(parts)

    def on_click(self, event: events.Click) -> None:
        """Ask for the name under the mouse."""
        column = event.x - self.styles.padding.left
        for index, name in enumerate(self.names):
            size = len(name) + 5
            if 0 <= column < size:
                self.post_message(self.Chosen(index))
                return
            column -= size
