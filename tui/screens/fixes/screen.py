"""Every edit that helps a layer, best first, each with what it brings and what it does to the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Edit
from npuscope.jobs import Job
from npuscope.model.convolution import channels_text
from npuscope.model.errors import ModelError
from npuscope.planning.cut import propose_cut
from npuscope.planning.outcome import Outcome, outcome
from npuscope.planning.proposals import Preview
from npuscope.planning.ranked_fixes import by_worth, propose_edits
from npuscope.reports.cut_report import saved_text
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.jobs import run_each, run_job, silently
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.fixes.text import details, fix_line, heading, nothing
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.fix_lines import edit_names
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import shown
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap
from npuscope.widgets.text.words import where

if TYPE_CHECKING:
    from npuscope.numbers.price import Price

MOST = 24
"""Edits listed at most."""


ELSEWHERE = (
    ("p", "plan", "plan", True),
    ("C", "cut", "cut", True),
    ("W", "reasons", "screen.reasons", True),
    ("b", "bounds", "screen.bounds", False),
    ("L", "layers", "screen.layers", False),
)
"""Where to go from a layer without edits: key, name, action, and whether it is for layers off the NPU."""


class FixesScreen(Dialog[Edit]):
    """Ends with the edit to make."""

    DEFAULT_CSS = """
    FixesScreen > #box { width: 100; height: auto; max-height: 44; }
    FixesScreen Choices { height: auto; min-height: 2; max-height: 12; margin: 1 0 0 1; }
    FixesScreen Page { height: 1fr; margin: 1 0 0 1; }
    FixesScreen.-short Choices { max-height: 7; margin: 0 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False, priority=True),
        Binding("s", "split", show=False),
        Binding("tab", "scroll(1)", show=False, priority=True),
        Binding("shift+tab", "scroll(-1)", show=False, priority=True),
        Binding("f,q", "leave", show=False),
        *(Binding(key, f"go('{action}')", show=False) for key, _, action, _ in ELSEWHERE),
    ]
    HINTS = (
        KeyHint("Enter", "apply", "screen.take", 9),
        KeyHint("↑↓", "choose", "screen.none", 5),
        KeyHint("s", "split by hand", "screen.split", 4),
        KeyHint("Tab", "scroll below", "screen.scroll(1)", 2, scrolls="Page"),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(
        self, session: Session, snapshot: Snapshot, report: LayerReport, inputs: str | None = None
    ) -> None:
        super().__init__()
        self._inputs = inputs
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]
        self._session, self._snapshot, self._report = session, snapshot, report
        self._failed = ""
        self.fixes: tuple[Preview, ...] | None = None
        """None while they are looked for."""
        self.prices: dict[Edit, Price] = {}
        """What the edits that are not exact do to the numbers, as far as they were tried."""
        self.outcomes: dict[Edit, Outcome] = {}
        """What edits make of the layer and the model, as far as that was judged."""
        self.saved_by_cut: str | None = None
        """What a cut saves that leaves the layer to a tail for the CPU, where no edit helps; None where none is known."""

    def heading(self) -> tuple[Line, Line]:
        """Which layer, and where it runs now."""
        report = self._report
        about = (
            where(report.placement),
            quiet(f"  {shown(report.layer.op, 20)}, {channels_text(report.layer)} channels"),
        )
        return line(strong(f"Fixes for {shown_layer(self._snapshot, report.name, 40)}")), about

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys that do something: without an edit there is none to choose or to make."""
        needless = ("screen.take", "screen.none", "screen.scroll(1)") if self.fixes == () else ()
        if self._report.layer.weight is None:
            needless = (*needless, "screen.split")
        hints = tuple(hint for hint in self.HINTS if hint.action not in needless)
        if self.fixes != ():
            return hints
        elsewhere = (
            KeyHint(key, label, f"screen.go('{action}')", 6)
            for key, label, action, off in ELSEWHERE
            if off is self._report.off_npu and (key != "C" or self.saved_by_cut is not None)
        )
        return (*elsewhere, *hints)

    def content(self) -> Iterable[Widget]:
        """The edits; below them the one under the cursor."""
        yield Choices((), heading(96))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Look for them at once."""
        self.query_one(Choices).focus()
        self.propose()

    def propose(self) -> None:
        """Try every edit that may help."""
        run_job(
            self,
            lambda _: propose_edits(self._session, self._snapshot, self._report.name, MOST),
            self._found,
            self._not_found,
            group="fixes",
        )

    def _found(self, previews: tuple[Preview, ...]) -> None:
        self.fixes = previews
        if not previews:
            self.query_one(Choices).display = False
            self.query_one(Page).focus()
        if previews:
            self.evaluate_whole_model(previews)
        elif self._report.off_npu and not self._snapshot.graph.as_int8:
            self.look_for_cut()
        self.query_one(KeyBar).hints = self.hints()
        self.lay_out()

    def _not_found(self, reason: str) -> None:
        self._failed = reason
        self.lay_out()

    def look_for_cut(self) -> None:
        """Whether the layer lies behind the cut that saves most."""

        def saved(job: Job) -> str | None:
            best = propose_cut(self._session, self._snapshot, job)
            behind = best is not None and self._report.name in best.cut.tail.layers.by_name
            return saved_text(best.times) if best is not None and behind else None

        run_job(self, saved, self._cut_found, silently, group="fixes")

    def _cut_found(self, saved: str | None) -> None:
        self.saved_by_cut = saved
        self.query_one(KeyBar).hints = self.hints()
        self.query_one(Page).show(self._text)

    def evaluate_whole_model(self, previews: tuple[Preview, ...]) -> None:
        """Judge the whole model with each edit: what lies around a layer has its part in the time."""

        def judged(job: Job) -> Iterator[tuple[Edit, Outcome]]:
            for preview in job.each(previews):
                try:
                    made = outcome(self._session, self._snapshot, preview)
                except ModelError:
                    continue
                if made is not None:
                    yield preview.edit, made

        run_each(self, judged, self._timed, lambda: self.measure(previews), group="fixes")

    def _timed(self, timed: tuple[Edit, Outcome]) -> None:
        edit, made = timed
        self.outcomes[edit] = made
        self._rank_again(edit)

    def measure(self, previews: tuple[Preview, ...]) -> None:
        """Try those that are not exact on numbers."""

        def tried(job: Job) -> Iterator[tuple[Edit, Price]]:
            from npuscope.numbers.price import prices

            yield from prices(self._session, (preview.edit for preview in previews), self._inputs, job)

        run_each(self, tried, self._priced, on_failed=silently, group="fixes")

    def _priced(self, priced: tuple[Edit, Price]) -> None:
        edit, price = priced
        self.prices[edit] = price
        self._rank_again(edit)

    def _rank_again(self, edit: Edit) -> None:
        """More is known of an edit: show it, in the place that it has by now."""
        fixes = self.fixes or ()
        losing = {one for one, price in self.prices.items() if price.loses_too_much}
        ranked = by_worth(fixes, self.outcomes, losing)
        if ranked == fixes:
            self._show_again(edit)
            return
        choices = self.query_one(Choices)
        chosen = self.chosen if choices.cursor > 0 else None  # who has moved stays on an edit
        self.fixes = ranked
        self.lay_out(ranked.index(chosen) if chosen is not None else 0)

    def _show_again(self, edit: Edit) -> None:
        choices = self.query_one(Choices)
        for index, fix in enumerate(self.fixes or ()):
            if fix.edit == edit:
                choices.set_line(index, self._line(fix, choices.line_width))
        if self.chosen is not None and self.chosen.edit == edit:
            self.query_one(Page).show(self._text)

    def _line(self, fix: Preview, width: int) -> Line:
        return fix_line(
            fix, edit_names(self.fixes or ()), width, self.prices.get(fix.edit), self.outcomes.get(fix.edit)
        )

    def lay_out(self, cursor: int | None = None) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        width = choices.line_width
        choices.head(heading(width) if self.fixes else ())
        lines = [self._line(fix, width) for fix in self.fixes or ()]
        choices.show(lines, max(choices.cursor, 0) if cursor is None else cursor)
        self.query_one(Page).show(self._text)

    @on(Choices.Moved)
    def _moved(self) -> None:
        page = self.query_one(Page)
        page.scroll_to(y=0, animate=False, force=True, immediate=True)
        page.show(self._text)

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    @property
    def chosen(self) -> Preview | None:
        """The edit under the cursor."""
        index = self.query_one(Choices).cursor
        return self.fixes[index] if self.fixes and 0 <= index < len(self.fixes) else None

    def _text(self, width: int) -> list[Line]:
        if self._failed:
            return list(wrap(line(Span("✗ ", "sw"), self._failed), width, 2))
        if self.fixes is None:
            return [line(quiet("trying edits …"))]
        if not self.fixes:
            return nothing(self._report, width, self.saved_by_cut)
        chosen = self.chosen
        price = self.prices.get(chosen.edit) if chosen is not None else None
        made = self.outcomes.get(chosen.edit) if chosen is not None else None
        return details(chosen, self._report, width, price, made)

    def action_take(self) -> None:
        """Make the edit under the cursor."""
        if self.chosen is not None:
            self.dismiss(self.chosen.edit)

    def action_split(self) -> None:
        """To the split screen."""
        self._leave_for("split")

    def action_go(self, action: str) -> None:
        """Where there is no edit: to what may help instead."""
        if self.fixes == ():
            self._leave_for(action)

    def _leave_for(self, action: str) -> None:
        app = self.app
        self.dismiss(None)
        app.call_later(app.run_action, action)

    def action_scroll(self, step: int) -> None:
        """Scroll what stands below."""
        page = self.query_one(Page)
        (page.scroll_page_down if step > 0 else page.scroll_page_up)(animate=False)
