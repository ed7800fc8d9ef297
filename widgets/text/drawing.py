"""Drawing lines of spans in the colours of the theme."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from npuscope.widgets.guarded import Guarded
from npuscope.widgets.text.role_styles import style_of
from npuscope.widgets.text.spans import Line, Span, fit, length, safe


class LineWidget(Guarded, Widget):
    """The base of everything that shows lines."""

    _drawn_in: Style | None = None

    @property
    def rich_style(self) -> Style:
        """The style of the widget alone; formed once for all lines that are drawn together."""
        return self._drawn_in if self._drawn_in is not None else super().rich_style

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the widget."""
        self._drawn_in = super().rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._drawn_in = None

    def strip(self, spans: Line, under: str | None = None) -> Strip:
        """Spans filled up to the width of the widget; `under` is the role the whole line lies on."""
        base = self.rich_style
        below = self.style_of(under) if under is not None else Style.null()
        width = self.size.width
        spans = fit(tuple(Span(safe(text), role) for text, role in spans), width)
        # Sixteen colours hold no pair that is sure to be readable on the cursor's, so its own colour wins there.
        cursor_wins = under == "cursor" and self.app.native_ansi_color
        segments: list[Segment] = []
        for text, role in spans:
            style = base + self.style_of(role) + below if cursor_wins else base + below + self.style_of(role)
            _append(segments, text, style)
        rest = width - length(spans)
        if rest > 0:
            _append(segments, " " * rest, base + below)
        return Strip(segments, width)

    def style_of(self, role: str) -> Style:
        """The style of a role alone."""
        if role == "title" and self.has_focus:
            role = "accent-strong"
        return style_of(role, self.app.theme_variables)

    def notify_style_update(self) -> None:
        """The theme changed: every line has new colours."""
        super().notify_style_update()
        self.refresh()


def _append(segments: list[Segment], text: str, style: Style) -> None:
    """Text of one look is one segment, and blanks look as what stands before them: fewer bytes on a slow line."""
    if segments:
        last, before, _ = segments[-1]
        if before is not None and (before == style or (not text.strip(" ") and _blanks_alike(before, style))):
            segments[-1] = Segment(last + text, before)
            return
    segments.append(Segment(text, style))


def _blanks_alike(one: Style, other: Style) -> bool:
    if one.bgcolor != other.bgcolor:
        return False
    return not any(style.reverse or style.underline or style.strike for style in (one, other))


class Bar(LineWidget):
    """A widget of one line."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; }
    """

    def bar(self, width: int) -> Line:
        """The line, in at most `width` cells."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        return self.strip(self.bar(width)) if y == 0 and width else Strip.blank(width, self.rich_style)
