"""The per-channel scales of a layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.panes.page import Page
from npuscope.widgets.panes.quantization import operands
from npuscope.widgets.panes.scales_text import CHANNELS, Scales, channel_line, scales_of, summary
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, line, quiet, strong


class ScalesScreen(Dialog[None]):
    """Figures and histogram, below them every channel."""

    DEFAULT_CSS = """
    ScalesScreen > #box { width: 84; height: auto; max-height: 44; }
    ScalesScreen TabBar { margin: 0 0 1 0; }
    ScalesScreen Page { height: 7; margin: 0 1 1 1; }
    ScalesScreen ChannelList { height: 1fr; margin: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w,q", "leave", show=False),
        Binding("tab,right", "other(1)", show=False, priority=True),
        *(Binding(str(index + 1), f"tensor({index})", show=False, priority=True) for index in range(9)),
        Binding("shift+tab,left", "other(-1)", show=False, priority=True),
    ]
    HINTS = (
        KeyHint("↑↓", "scroll", "screen.none", scrolls="ChannelList"),
        KeyHint("Tab", "other tensor", "screen.other(1)"),
        KeyHint("Esc", "back", "screen.leave"),
    )

    def __init__(self, snapshot: Snapshot, report: LayerReport) -> None:
        super().__init__()
        self._snapshot, self._report = snapshot, report
        all_scales = (scales_of(label, operand) for label, operand in operands(report.layer))
        self._tensors = [scales for scales in all_scales if scales is not None]
        self._at = 0

    def heading(self) -> tuple[Line, Line]:
        """Which layer."""
        name = shown_layer(self._snapshot, self._report.name, 40)
        return line(strong(f"Scales of {name}")), line(quiet(self._report.layer.op))

    def content(self) -> Iterable[Widget]:
        """Tensors, figures, channels."""
        yield TabBar(tuple(f"{s.label}, {len(s.scales)}" for s in self._tensors))
        yield Page(lambda width: summary(self._tensors[self._at], width))
        yield ChannelList(self._tensors[self._at])

    def on_mount(self) -> None:
        """Let the arrows scroll the list."""
        self.query_one(ChannelList).focus()

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """A tensor was clicked."""
        message.stop()
        self._show(message.index)

    def action_other(self, step: int) -> None:
        """The next tensor."""
        self._show((self._at + step) % len(self._tensors))

    def action_tensor(self, index: int) -> None:
        """A tensor by its number."""
        if index < len(self._tensors):
            self._show(index)

    def _show(self, index: int) -> None:
        self._at = index
        self.query_one(TabBar).current = index
        self.query_one(Page).show(lambda width: summary(self._tensors[index], width))
        self.query_one(ChannelList).show(self._tensors[index])


class ChannelList(Sheet):
    """One line for each channel."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", show=False),
        Binding("down,j", "scroll_down", show=False),
    ]

    def __init__(self, scales: Scales) -> None:
        super().__init__()
        self._scales = scales

    @property
    def count(self) -> int:
        """Channels."""
        return len(self._scales.scales)

    def heading(self, index: int, width: int) -> Line:
        """The names of the columns."""
        return CHANNELS

    def body(self, index: int, width: int) -> Line:
        """A channel."""
        return channel_line(self._scales, index)

    def show(self, scales: Scales) -> None:
        """Another tensor."""
        self._scales = scales
        self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.fit_to(self.count)
        self.refresh()

    def on_resize(self) -> None:
        """Scroll as far as there are channels."""
        self.fit_to(self.count)
