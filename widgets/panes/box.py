"""Box: the frame of a dialog, as high as what it holds."""

from __future__ import annotations

from textual.containers import Vertical
from textual.geometry import Size
from textual.widget import Widget


class Box(Vertical):
    """Up to its `max-height` as high as all that its children could show; below that the one of `1fr` scrolls.

    It grows with them. It shrinks only with the terminal: nothing jumps where a list is filtered.
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._most = (0, 0)
        """(width, rows): the most that its children asked for in that width."""

    _has_relative_children_height = False
    """Else Textual would give it all the room there is."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Rows of all children, each as high as it would be alone."""
        rows, below, docked = 0, 0, 0
        for child in self.children:
            if not child.display:
                continue
            margin = child.styles.margin
            own = _height(child, container, viewport, max(width - margin.width, 1))
            if child.styles.dock == "bottom":  # one in place of the other
                docked = max(docked, own)
                continue
            rows += own + max(below, margin.top)  # margins that meet are one
            below = margin.bottom
        rows += below + docked
        if self._most[0] == width:
            rows = max(rows, self._most[1])
        self._most = (width, rows)
        return min(rows, max(container.height, 1))

    def content_changed(self, child: Widget, rows: int) -> None:
        """A child holds so many rows now: take the room for more of them, where there is some."""
        height = child.styles.height
        flexible = height is None or height.is_auto or height.is_fraction
        if self.styles.is_auto_height and flexible and rows > child.content_size.height and self._can_grow:
            self.refresh(layout=True)

    @property
    def _can_grow(self) -> bool:
        parent, most = self.parent, self.styles.max_height
        room = parent.size.height if isinstance(parent, Widget) else 0
        return self.outer_size.height < (
            room if most is None or most.cells is None else min(room, most.cells)
        )


def _height(child: Widget, container: Size, viewport: Size, width: int) -> int:
    styles, height = child.styles, child.styles.height
    inner = max(width - styles.gutter.width, 1)
    if height is None or height.is_auto or height.is_fraction:
        rows = child.get_content_height(container, viewport, inner) + styles.gutter.height
    else:
        rows = int(height.resolve(container, viewport))
    least, most = styles.min_height, styles.max_height
    if most is not None and most.cells is not None:
        rows = min(rows, most.cells)
    if least is not None and least.cells is not None:
        rows = max(rows, least.cells)
    return rows
