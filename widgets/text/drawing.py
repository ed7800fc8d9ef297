"""Drawing lines of spans in the colours of the theme."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from npuscope.widgets.guarded import Guarded
from npuscope.widgets.text.cells import cells
from npuscope.widgets.text.line_cache import LineCache
from npuscope.widgets.text.role_styles import style_of
from npuscope.widgets.text.spans import Line, Span, fit, safe


class LineWidget(Guarded, Widget):
    """The base of everything that shows lines."""

    _drawn_in: Style | None = None
    _drawn_width = 0

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._styles_cache = self._pictures = LineCache()
        self._looks: dict[tuple[str, str | None], Style] = {}
        self._looks_for: object = None
        """What they depend on."""

    @property
    def rich_style(self) -> Style:
        """The style of the widget alone; formed once for all lines that are drawn together."""
        return self._drawn_in if self._drawn_in is not None else super().rich_style

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the widget."""
        if self._pictures.has(crop, self.outer_size.width):
            return self._pictures.render_widget(self, crop)
        self._begin()
        try:
            return super().render_lines(crop)
        finally:
            self._drawn_in = None

    def _begin(self) -> None:
        """Find out once what all lines that are drawn together depend on."""
        self._drawn_width = self.size.width
        self._drawn_in = super().rich_style
        drawn_for = self._drawn_in, self.app.theme_variables, self.has_focus
        if drawn_for != self._looks_for:
            self._looks_for = drawn_for
            self._looks.clear()

    def strip(self, spans: Line, under: str | None = None) -> Strip:
        """Spans filled up to the width of the widget; `under` is the role the whole line lies on."""
        if self._drawn_in is None:
            self._begin()
            try:
                return self.strip(spans, under)
            finally:
                self._drawn_in = None
        width = self._drawn_width
        texts = [safe(text) for text, _ in spans]
        rest = width - sum(map(cells, texts))
        if rest < 0:
            fitted = fit(tuple(Span(text, role) for text, (_, role) in zip(texts, spans, strict=True)), width)
            return self.strip(fitted, under)
        segments: list[Segment] = []
        held, look = "", self._look("", under)
        for text, (_, role) in zip(texts, spans, strict=True):
            style = self._look(role, under)
            # Text of one look is one segment, and blanks look as what stands before them.
            if (
                style is look
                or style == look
                or (not text.strip(" ") and held and _blanks_alike(look, style))
            ):
                held += text
                continue
            if held:
                segments.append(Segment(held, look))
            held, look = text, style
        if rest:
            style = self._look("", under)
            if not held or not _blanks_alike(look, style):
                if held:
                    segments.append(Segment(held, look))
                held, look = "", style
            held += " " * rest
        if held:
            segments.append(Segment(held, look))
        return Strip(segments, width)

    def _look(self, role: str, under: str | None) -> Style:
        """The style of a role, or of what is below all (''); formed once."""
        style = self._looks.get((role, under))
        if style is None:
            below = self.style_of(under) if under is not None else Style.null()
            own = self.style_of(role) if role else Style.null()
            # Sixteen colours hold no pair that is sure to be readable on the cursor's, so its own colour wins there.
            cursor_wins = under == "cursor" and self.app.native_ansi_color
            style = self.rich_style + (own + below if cursor_wins else below + own)
            self._looks[role, under] = style
        return style

    def style_of(self, role: str) -> Style:
        """The style of a role alone."""
        if role == "title" and self.has_focus:
            role = "accent-strong"
        return style_of(role, self.app.theme_variables)

    def notify_style_update(self) -> None:
        """The theme changed: every line has new colours."""
        super().notify_style_update()
        self.refresh()


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
