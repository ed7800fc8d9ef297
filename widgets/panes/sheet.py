"""Sheet: lines of spans with a heading that stays, drawn only where they changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from npuscope.widgets.panes.box import Box
from npuscope.widgets.text.drawing import LineWidget
from npuscope.widgets.text.spans import BLANK, Line


class Sheet(LineWidget, ScrollView, can_focus=True):
    """The base of the tree and of every pane of text.

    1. A subclass gives `heading` (fixed) and `body` (scrolls), each line in at most the width it is told.
    2. `line_role` names the role a whole line lies on, the cursor's for one.
    3. Nothing here scrolls sideways.
    """

    DEFAULT_CSS = """
    Sheet {
        background: transparent;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;  /* Textual adds its row to an automatic height */
        scrollbar-gutter: stable;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "first_g", show=False),
        Binding("G", "edge(1)", show=False),
        Binding("ctrl+u", "half_page(-1)", show=False),
        Binding("ctrl+d", "half_page(1)", show=False),
    ]

    _after_g = False
    """One g was pressed; another one goes to the beginning."""

    class Overflowed(Message):
        """There is more of it than can be seen at once, or no longer."""

    overflows = False
    """There is something to scroll."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._drawn: dict[int, tuple[Line, str | None] | None] = {}
        """By line of the screen what was drawn last."""
        self._line_width = 1

    _told: tuple[tuple[Size, Size, Size], Size] | None = None
    """The sizes of the last layout, and what the bar was drawn for."""

    heading_lines = 1
    """Lines at the top that do not scroll."""

    def heading(self, index: int, width: int) -> Line:
        """A line of the heading."""
        return BLANK

    @property
    def count(self) -> int:
        """Lines in the body."""
        return 0

    def body(self, index: int, width: int) -> Line:
        """A line of the body."""
        raise NotImplementedError

    def line_role(self, index: int) -> str | None:
        """The role a whole line of the body lies on."""
        return None

    @property
    def line_width(self) -> int:
        """Cells a line may take."""
        return max(self.scrollable_content_region.width, 1)

    @property
    def page(self) -> int:
        """Lines of the body that can be seen at once."""
        return max(self.scrollable_content_region.height - self.heading_lines, 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """All lines, for what is as high as what is in it."""
        return self.count + self.heading_lines

    def fit_to(self, count: int) -> None:
        """Scroll over `count` lines of body. Costs a layout only where the scroll bar comes or goes."""
        if isinstance(self.parent, Box):
            self.parent.content_changed(self, count + self.heading_lines)
        visible = self.scrollable_content_region.height
        if self.overflows is not (self.heading_lines + count > visible):
            self.overflows = not self.overflows
            self.post_message(self.Overflowed())
        height = max(count + self.heading_lines, visible)
        if self.virtual_size.height == height:
            return
        stays = self.styles.overflow_y == "scroll" or height > visible
        if not self.show_vertical_scrollbar or not stays:
            self.virtual_size = Size(0, height)
            return
        self.set_reactive(ScrollView.virtual_size, Size(0, height))
        bar = self.vertical_scrollbar
        bar.window_virtual_size, bar.window_size = height, visible
        if self._told is not None:
            self._told = self._told[0], self.virtual_size
        self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        # Textual draws the bar again with every layout.
        told = size, virtual_size, container_size
        if self._size == size and (told, self.virtual_size) == self._told:
            return self._container_size != container_size
        self._told = told, self.virtual_size
        return super()._size_updated(size, virtual_size, container_size, layout)

    def refresh_body(self, index: int, lines: int = 1) -> None:
        """Draw some lines of the body again."""
        top = index - self.scroll_offset.y
        end = min(top + lines, self.page)
        top = max(top, 0)
        if end > top:
            self.refresh(Region(0, self.heading_lines + top, self.size.width, end - top))

    def refresh_changed(self, before: Sequence[Line], after: Sequence[Line]) -> None:
        """Draw again the lines of body that are others than before."""
        run = -1
        top = self.scroll_offset.y
        count = min(max(len(before), len(after)), top + self.page)
        for index in range(top, count + 1):
            old = before[index] if index < len(before) else BLANK
            new = after[index] if index < len(after) else BLANK
            if old != new and run < 0:
                run = index
            elif (old == new or index == count) and run >= 0:
                self.refresh_body(run, index - run)
                run = -1

    # -- keys of the vi family: gg, G, Ctrl+u and Ctrl+d

    def on_key(self, event: events.Key) -> None:
        """Any other key ends what one g began."""
        if event.key != "g":
            self._after_g = False

    def action_first_g(self) -> None:
        """A second g goes to the first line."""
        self._after_g = not self._after_g
        if not self._after_g:
            self.action_edge(-1)

    def action_edge(self, side: int) -> None:
        """To the first or the last line."""
        (self.scroll_home if side < 0 else self.scroll_end)(animate=False)

    def action_half_page(self, step: int) -> None:
        """Half a page up or down."""
        self.scroll_relative(y=step * max(self.page // 2, 1), animate=False)

    def render_line(self, y: int) -> Strip:
        """A line of the screen."""
        width = self._line_width if self._drawn_in is not None else self.line_width
        drawn = self._drawn[y] = self._line(y, width)
        return Strip.blank(self.size.width, self.rich_style) if drawn is None else self.strip(*drawn)

    def _begin(self) -> None:
        super()._begin()
        self._line_width = self.line_width

    def _line(self, y: int, width: int) -> tuple[Line, str | None] | None:
        """What is to be drawn in a line of the screen, and the role it lies on."""
        if y < self.heading_lines:
            return self.heading(y, width), None
        index = y - self.heading_lines + self.scroll_offset.y
        return (self.body(index, width), self.line_role(index)) if index < self.count else None

    def refresh_others(self) -> None:
        """Draw again the lines of the screen that are others than those drawn last: few, where much is as it was."""
        width, height = self.line_width, self.size.height
        run = 0
        for y in range(height + 1):
            if y < height and (y not in self._drawn or self._drawn[y] != self._line(y, width)):
                run += 1
            elif run:
                self.refresh(Region(0, y - run, self.size.width, run))
                run = 0
