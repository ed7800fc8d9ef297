"""A plan for the whole model: edits found by a search, ticked or not, made together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job
from npuscope.model.names import printable
from npuscope.planning.accuracy.loss_budget import part
from npuscope.planning.accuracy.within import LimitedSteps, limit_of, steps_within
from npuscope.planning.plan import Allowed, Left, Plan, Step, left_off
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, Summary
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.plan.measuring import Measuring
from npuscope.tui.screens.plan.search import FoundPlans, PlanSearch
from npuscope.tui.screens.plan.text import (
    heading,
    kept_text,
    outcome,
    reasons,
    step_lines,
    unfinished,
    why_not,
)
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

BUDGETS = (Allowed.EXACT, Allowed.NEEDED, Allowed.ANY)
NAMES = ("bit-exact only", "approximate if needed", "any that saves time")


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Steps of a plan to make."""

    plan: Plan
    taken: tuple[int, ...]


class PlanScreen(Dialog[Chosen]):
    """Ends with the steps to make."""

    DEFAULT_CSS = """
    PlanScreen > #box { width: 130; height: auto; max-height: 40; }
    PlanScreen TabBar { margin: 0 0 1 0; }
    PlanScreen Choices { height: auto; min-height: 2; max-height: 12; margin: 0 0 0 1; }
    PlanScreen Page { height: 1fr; margin: 1 0 0 1; }
    PlanScreen.-short Choices { max-height: 8; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "tick", show=False, priority=True),
        Binding("a", "tick_all", show=False),
        Binding("b", "limit", show=False),
        Binding("r", "search_on", show=False),
        Binding("pagedown,ctrl+d", "scroll(1)", show=False, priority=True),
        Binding("pageup,ctrl+u", "scroll(-1)", show=False, priority=True),
        Binding("tab", "budget(1)", show=False, priority=True),
        Binding("shift+tab", "budget(-1)", show=False, priority=True),
        *(Binding(str(index + 1), f"allow({index})", show=False, priority=True) for index in range(3)),
        Binding("enter", "take", show=False, priority=True),
        Binding("p,q", "leave", show=False),
    ]
    HINTS = (
        KeyHint("Enter", "apply", "screen.take", 9),
        KeyHint("Space", "tick", "screen.tick", 8),
        KeyHint("a", "all or none", "screen.tick_all", 4),
        KeyHint("Tab", "allow", "screen.budget(1)", 6),
        KeyHint("b", "budget", "screen.limit", 7),
        KeyHint("PgDn", "more", "screen.scroll(1)", 5, scrolls="Page"),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(
        self,
        session: Session,
        snapshot: Snapshot,
        inputs: str | None = None,
        found: FoundPlans | None = None,
    ) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
        self._session, self._snapshot = session, snapshot
        self._at = 1
        self.search = PlanSearch(self, snapshot, found or FoundPlans(session), self._search_changed)
        self._measuring = Measuring(self, session, inputs, self._refresh)
        self.plan: Plan | None = None
        self.taken: frozenset[int] = frozenset()
        self._after: Summary | None = None
        self._stated: tuple[Step, ...] = ()
        """The steps of the plan, with what each saves on top of those that are ticked before it."""
        self._left: Left = ()
        """The layers that the ticked steps leave off the NPU."""
        self._unticked: frozenset[Edit] = frozenset()
        """Left out by the user; a plan that grows keeps to it."""
        self.kept: LimitedSteps | None = None
        """What came of the budget that the ticks follow."""
        self._asking = False
        self._said = ""

    def heading(self) -> tuple[Line, Line]:
        """What is looked for."""
        measured = "; times are predicted, not measured" if self._snapshot.measured else ""
        about = f"edits that bring layers onto the NPU, then save time{measured}"
        return line(strong("Plan")), line(quiet(about))

    def content(self) -> Iterable[Widget]:
        """What is allowed, steps, reasons."""
        yield TabBar(NAMES)
        yield Choices((), heading(76))
        yield Entry("budget  ", "", "30 dB: the least time that keeps it; 4 ms: the most dB within it")
        yield Page(self._text)

    def on_mount(self) -> None:
        """Search at once."""
        self.query_one(Entry).display = False
        self.query_one(Choices).focus()
        self.query_one(TabBar).current = self._at
        self.search.turn_to(BUDGETS[self._at])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where a budget is typed, letters and figures are text."""
        typed = ("tick", "tick_all", "allow", "limit", "search_on", "budget")
        return not (self._asking and action in typed) and bool(super().check_action(action, parameters))

    # -- searching

    def _search_changed(self) -> None:
        """It has found more, come further, or ended."""
        if self.search.plan is not self.plan:
            self._show_plan(self.search.plan)
        elif self.plan is not None and not self.search.running:
            self._measuring.measure(self.plan, self.taken)
        self._refresh()

    def _show_plan(self, plan: Plan | None) -> None:
        self.plan = plan
        choices = self.query_one(Choices)
        if plan is None:
            choices.show(())
            return
        out = {i for i, step in enumerate(plan.steps) if step.edit in self._unticked}
        every = frozenset(range(len(plan.steps)))
        self._take(frozenset(i for i in every if out.isdisjoint(plan.with_needed([i]))))

    def action_search_on(self) -> None:
        """Search again where it was stopped."""
        if self.search.stopped:
            self.search.start()

    # -- a budget

    def action_limit(self) -> None:
        """Ask for dB to keep, or for a time."""
        if self.plan is None or not self.plan.steps or self.search.running:
            return
        if self._session.graph.as_int8:
            self._said = "A budget is measured, and a model judged as if quantized cannot be run."
            self._refresh()
            return
        self._ask(True)

    def _ask(self, asking: bool) -> None:
        self._asking = asking
        entry = self.query_one(Entry)
        entry.display = asking
        (entry.input if asking else self.query_one(Choices)).focus()
        self._refresh()

    def hints(self) -> tuple[KeyHint, ...]:
        """Enter does what stands there."""
        if self._asking:
            return KeyHint("Enter", "tick what keeps it", "screen.take", 9), self.HINTS[-1]
        empty = ("Enter", "Space", "a", "b") if self.plan is None or not self.plan.steps else ()
        needless = (*empty, "PgDn") if self.plan is None else (*empty, "b") if self.search.running else empty
        hints = tuple(hint for hint in self.HINTS if hint.key not in needless)
        if self.search.running and not empty:
            return (*hints[:-1], replace(hints[-1], label="stop, keep these"))
        if self.search.stopped:
            return (*hints[:-1], KeyHint("r", "search on", "screen.search_on", 8), hints[-1])
        return hints

    def action_leave(self) -> None:
        """Out of the line that is typed into; out of a search that has found something, which stays; else back."""
        if self._asking:
            self._ask(False)
        elif self.search.running and self.plan is not None:
            self.search.stop()
        else:
            super().action_leave()

    def _take_limit(self) -> None:
        limit, plan = limit_of(self.query_one(Entry).input.value), self.plan
        if isinstance(limit, Refusal):
            self._said = printable(f"{limit.reason}: {limit.hint}")
            self._refresh()
            return
        self._ask(False)
        if plan is None:
            return
        self._said = f"looking for what keeps {limit} …"
        self._refresh()

        def found(job: Job) -> LimitedSteps | Refusal:
            return steps_within(
                self._session, plan, limit, self._measuring.samples(), self._measuring.given, job
            )

        run_job(
            self, found, self._show_kept, self._no_limit, group="limit", only_if=lambda: plan is self.plan
        )

    def _show_kept(self, kept: LimitedSteps | Refusal) -> None:
        if isinstance(kept, Refusal):
            self._no_limit(str(kept))
            return
        self._said = ""
        self._take(frozenset(kept.taken))
        if self.plan is not None:
            self._measuring.note(self.plan, self.taken, kept.sqnr_db)
        self.kept = kept
        self._refresh()

    def _no_limit(self, reason: str) -> None:
        self._said = reason
        self._refresh()

    # -- choosing

    def _lines(self) -> list[Line]:
        assert self.plan is not None
        width = self.query_one(Choices).line_width
        return step_lines(self._stated, self.taken, width, self.plan.names)

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width))
        if self.plan is not None:
            choices.show(self._lines(), choices.cursor)

    @on(Choices.Moved)
    def _moved(self) -> None:
        self._refresh()

    @on(TabBar.Chosen)
    def _budget_clicked(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_allow(message.index)

    def action_budget(self, step: int) -> None:
        """Allow more or less."""
        self.action_allow((self._at + step) % len(BUDGETS))

    def action_allow(self, index: int) -> None:
        """Search with other edits allowed."""
        self._at = index
        self.query_one(TabBar).current = self._at
        self._said, self._unticked = "", frozenset()
        self.search.turn_to(BUDGETS[index])

    def action_tick(self) -> None:
        """Take a step, with those it needs; or leave it, with those that need it."""
        index = self.query_one(Choices).cursor
        if self.plan is None or not 0 <= index < len(self.plan.steps):
            return
        if index in self.taken:
            removed = {i for i in self.taken if index in self.plan.with_needed([i])}
            self._take(self.taken - removed)
        else:
            self._take(frozenset(self.plan.with_needed(self.taken | {index})))

    def action_tick_all(self) -> None:
        """All steps, or none."""
        if self.plan is not None:
            every = frozenset(range(len(self.plan.steps)))
            self._take(frozenset() if self.taken == every else every)

    def _take(self, taken: frozenset[int]) -> None:
        assert self.plan is not None
        self.taken, self._after, self._left = taken, None, ()
        self._stated = self.plan.steps
        self.kept, self._said = None, ""
        self._unticked = frozenset(
            step.edit for index, step in enumerate(self.plan.steps) if index not in taken
        )
        choices = self.query_one(Choices)
        choices.show(self._lines(), max(choices.cursor, 0))
        if len(taken) == len(self.plan.steps):
            self._after, self._left = self.plan.after, self.plan.left
        elif not taken:
            self._after, self._left = self.plan.before, left_off(self._snapshot)
        else:
            self.sum_up(self.plan, taken)
        self._refresh()
        if not self.search.running:
            self._measuring.measure(self.plan, taken)

    def sum_up(self, plan: Plan, taken: frozenset[int]) -> None:
        """What the ticked steps bring together; of no use once others are ticked."""

        def summed(job: Job) -> Plan | Refusal:
            return part(self._session, plan, sorted(taken), job)

        run_job(self, summed, self._summed, group="sum", only_if=lambda: taken == self.taken)

    def _summed(self, taken: Plan | Refusal) -> None:
        if not isinstance(taken, Refusal) and self.plan is not None:
            self._after, self._left = taken.after, taken.left
            stated = {step.edit: step for step in taken.steps}
            self._stated = tuple(
                replace(stated[step.edit], needs=step.needs) if step.edit in stated else step
                for step in self.plan.steps
            )
            choices = self.query_one(Choices)
            choices.show(self._lines(), choices.cursor)
            self._refresh()

    # -- showing and leaving

    def _refresh(self) -> None:
        self.query_one(KeyBar).hints = self.hints()
        self.query_one(Page).show(self._text)

    def _text(self, width: int) -> list[Line]:
        search, plan = self.search, self.plan
        if search.failed:
            return list(wrap(line(Span("✗ ", "sw"), search.failed), width, 2))
        done, total = search.progress
        looked_at = "layers" if total <= len(self._snapshot.layers) else "layers, those near edits again"
        going = [progress_line(done, total, looked_at, width)] if search.running else []
        if plan is None:
            return [*going, *wrap(line(quiet(self._said)), width)]
        on_cpu = self._after is None or self._after.on_cpu > 0
        summed = []
        if plan.steps:
            numbers = self._measuring.numbers(plan, self.taken)
            summed = [*outcome(plan.before, self._after, len(self.taken), numbers, width)]
            if self._said:
                summed += wrap(line(quiet(self._said)), width)
            elif self.kept is not None:
                summed += kept_text(self.kept, width)
            summed.append(BLANK)
        index = self.query_one(Choices).cursor
        plan = self._measuring.with_losses(plan)
        why = reasons(plan, index, width, self._left, len(self.taken), on_cpu, BUDGETS[self._at])
        ended = [] if search.running or plan.finished else unfinished(search.by_hand, width)
        return [*going, *ended, *summed, *why]

    def action_scroll(self, step: int) -> None:
        """Scroll what stands below the steps."""
        page = self.query_one(Page)
        (page.scroll_page_down if step > 0 else page.scroll_page_up)(animate=False)

    def action_take(self) -> None:
        """Make the ticked steps; tick what keeps the budget that was typed."""
        if self._asking:
            self._take_limit()
        elif self.plan is not None and self.taken:
            self.dismiss(Chosen(self.plan, tuple(sorted(self.taken))))
        else:
            self._said = why_not(self.plan)
            self._refresh()
