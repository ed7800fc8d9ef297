"""LineCache: the pictures of a widget's lines, made without what Textual does for borders and tints that it has not."""

from __future__ import annotations

from rich.segment import Segment
from textual._styles_cache import StylesCache
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class LineCache(StylesCache):
    """Lines as they go to the screen, filtered once and not each time they are asked for.

    A widget with a border, an outline, a tint or a padding above or below is drawn as Textual does it.
    """

    def has(self, crop: Region, width: int) -> bool:
        """All lines of a part are known."""
        lines = crop.line_range
        return (
            width == self._width and self._dirty_lines.isdisjoint(lines) and self._cache.keys() >= set(lines)
        )

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        """The lines of a part of a widget."""
        width = widget.outer_size.width
        if not self.has(crop, width):
            if not _is_plain(widget):
                return super().render_widget(widget, crop)
            self._draw(widget, crop, width)
        strips = [self._cache[y] for y in crop.line_range]
        if crop.column_span != (0, width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _draw(self, widget: Widget, crop: Region, width: int) -> None:
        if width != self._width:
            self.clear()
            self._width = width
        base_background, background = widget.background_colors
        inner = self.get_inner_outer(base_background, background)[0].rich_style
        filters = widget.get_line_filters()
        _, right, _, left = widget.styles.padding
        content_width, content_height = widget.content_region.size
        before, behind = (
            [Segment(" " * left, inner)] * bool(left),
            [Segment(" " * right, inner)] * bool(right),
        )
        for y in crop.line_range:
            if y in self._cache and y not in self._dirty_lines:
                continue
            if y < content_height:
                strip = widget.render_line(y).adjust_cell_length(content_width, inner)
            else:
                strip = Strip.blank(content_width, inner)
            if before or behind:
                strip = Strip([*before, *strip, *behind], width)
            for one in filters:
                strip = strip.apply_filter(one, background)
            self._cache[y] = strip
        self._dirty_lines.difference_update(crop.line_range)


def _is_plain(widget: Widget) -> bool:
    """Nothing but lines, and what stands beside them."""
    styles = widget.styles
    top, _, bottom, _ = styles.padding
    return not (
        top
        or bottom
        or any(edge for edge, _ in (*styles.border, *styles.outline))
        or styles.tint.a
        or styles.has_rule("hatch")
        or widget.opacity != 1
        or styles.text_opacity != 1
        or widget._border_title is not None
        or widget._border_subtitle is not None
    )
