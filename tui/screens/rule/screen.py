"""A rule in full: what it checks, why, what to do, where that is known from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.neural_art.rules import BY_CODE
from npuscope.npu.rule import Rule
from npuscope.reports.rule_pages import source_text
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, Span, fit, line, quiet, strong, wrap


class RuleScreen(Dialog[None]):
    """One page a rule; several rules are tabs."""

    DEFAULT_CSS = """
    RuleScreen > #box { width: 92; height: auto; max-height: 44; }
    RuleScreen TabBar { margin: 0 0 1 0; }
    RuleScreen Page { height: 1fr; margin: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,right", "other(1)", show=False, priority=True),
        Binding("shift+tab,left", "other(-1)", show=False, priority=True),
        Binding("x,q,enter", "leave", show=False),
    ]

    def __init__(self, codes: Sequence[str]) -> None:
        super().__init__()
        self._rules = tuple(BY_CODE[code] for code in codes if code in BY_CODE)
        self._at = 0

    @property
    def rule(self) -> Rule:
        """The rule in view."""
        return self._rules[self._at]

    def heading(self) -> tuple[Line, Line]:
        """Code and title."""
        return line(strong(self.rule.code), f"  {self.rule.title}"), line(quiet(self.rule.family))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys."""
        scroll = KeyHint("↑↓", "scroll", "screen.down", scrolls="Page")
        other = KeyHint("Tab", "other rule", "screen.other(1)")
        back = KeyHint("Esc", "back", "screen.leave")
        return (scroll, other, back) if len(self._rules) > 1 else (scroll, back)

    def content(self) -> Iterable[Widget]:
        """Codes, page."""
        if len(self._rules) > 1:
            yield TabBar(tuple(rule.code for rule in self._rules[:8]))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(Page).focus()

    def _text(self, width: int) -> list[Line]:
        return rule_lines(self.rule, width)

    def action_down(self) -> None:
        """A page further."""
        self.query_one(Page).scroll_page_down(animate=False)

    def action_other(self, step: int) -> None:
        """The next rule."""
        self._go((self._at + step) % len(self._rules[:8]))

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self._go(message.index)

    def _go(self, index: int) -> None:
        if index == self._at:
            return
        self._at = index
        self.query_one(TabBar).current = index
        bar = self.query_one(TitleBar)
        bar.title, bar.about = self.heading()
        page = self.query_one(Page)
        page.scroll_to(y=0, animate=False, force=True, immediate=True)
        page.show(self._text)


def rule_lines(rule: Rule, width: int) -> list[Line]:
    """What `npuscope explain` says of a rule."""
    lines: list[Line] = []
    for title, text in (("What it checks", rule.what), ("Why", rule.why)):
        lines += [_title(title, width), *wrap(line(text), width), BLANK]
    if rule.fix:
        lines += [_title("Fix", width), *wrap(line(Span("→ ", "accent"), rule.fix), width, 2), BLANK]
    known = f"{source_text(rule)} ({rule.confidence.value})"
    lines += [_title("Known from", width), *wrap(line(quiet(known)), width)]
    lines += [*wrap(line(quiet(f"Core {', '.join(rule.versions)}")), width), BLANK]
    for title, model in (("Example that triggers it", rule.failing), ("Example that does not", rule.passing)):
        if model:
            lines += [_title(title, width), *_source(model, width), BLANK]
    return lines[:-1]


def _title(text: str, width: int) -> Line:
    return line(Span(f"{text} ", "title"), Span("─" * max(width - len(text) - 1, 0), "rule"))


def _source(model: str, width: int) -> Iterable[Line]:
    for text in model.strip("\n").splitlines():
        indent = len(text) - len(text.lstrip(" "))
        spans = (Span(" " * indent), quiet(text.lstrip(" ")))
        yield from (
            wrap(spans, width, min(indent + 2, width // 2)) if len(text) > width else (fit(spans, width),)
        )
