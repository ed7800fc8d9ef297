"""Along which channels a layer is split."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.reactive import reactive

from npuscope.record import dataclass
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line, Span, quiet


class AxisBar(Bar):
    """'along  [inputs 257]  outputs 1024'."""

    inward: reactive[bool] = reactive(True, init=False)

    @dataclass
    class Chosen(Message):
        """An axis was clicked."""

        inward: bool

    def __init__(self, inputs: int, outputs: int, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._names = (f"inputs {inputs}", f"outputs {outputs}")

    def bar(self, width: int) -> Line:
        """The line."""
        parts: list[Span] = [quiet("along   ")]
        for index, name in enumerate(self._names):
            here = self.inward == (index == 0)
            parts.append(Span(f"[{name}]" if here else f" {name} ", "accent-strong" if here else "quiet"))
            parts.append(Span("  "))
        return tuple(parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the axis under the mouse."""
        column = event.x - self.styles.padding.left - 8
        if column >= 0:
            self.post_message(self.Chosen(column < len(self._names[0]) + 3))
