"""A plan for the whole model: edits found by a search, ticked or not, made together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Refusal
from npuscope.jobs import Job
from npuscope.planning.plan import Allowed, Budget, Left, Plan, apply, left_off
from npuscope.planning.planner import plan as find_plan
from npuscope.session import Session
from npuscope.snapshot import Snapshot, Summary, analyse
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.plan.text import heading, outcome, reasons, step_line
from npuscope.widgets.bars.key_bar import KeyHint
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
    PlanScreen > #box { width: 130; height: 32; }
    PlanScreen TabBar { margin: 0 0 1 0; }
    PlanScreen Choices { height: auto; min-height: 2; max-height: 12; margin: 0 0 0 1; }
    PlanScreen Page { height: 1fr; margin: 1 0 0 1; }
    PlanScreen.-low Choices { max-height: 8; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "tick", show=False, priority=True),
        Binding("a", "tick_all", show=False),
        Binding("tab", "budget(1)", show=False, priority=True),
        Binding("shift+tab", "budget(-1)", show=False, priority=True),
        *(Binding(str(at + 1), f"allow({at})", show=False, priority=True) for at in range(3)),
        Binding("enter", "take", show=False, priority=True),
        Binding("p,q", "leave", show=False),
    ]
    HINTS = (
        KeyHint("Enter", "apply", "screen.take", 9),
        KeyHint("Space", "tick", "screen.tick", 8),
        KeyHint("a", "all or none", "screen.tick_all", 4),
        KeyHint("Tab", "what is allowed", "screen.budget(1)", 6),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
        self._session, self._snapshot = session, snapshot
        self._at = 1
        self._plans: dict[Allowed, Plan] = {}
        self._progress = (0, len(snapshot.layers))
        self._failed = ""
        self.plan: Plan | None = None
        self.taken: frozenset[int] = frozenset()
        self._after: Summary | None = None
        self._left: Left = ()
        """The layers that the ticked steps leave off the NPU."""

    def heading(self) -> tuple[Line, Line]:
        """What is looked for."""
        return line(strong("Plan")), line(quiet("edits that bring layers onto the NPU, then save time"))

    def content(self) -> Iterable[Widget]:
        """What is allowed, steps, reasons."""
        yield TabBar(NAMES)
        yield Choices((), heading(76))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Search at once."""
        self.query_one(Choices).focus()
        self.query_one(TabBar).current = self._at
        self._search()

    # -- searching

    def _search(self) -> None:
        allowed = BUDGETS[self._at]
        self._failed = ""
        if allowed in self._plans:
            self._show_plan(self._plans[allowed])
            return
        self.plan, self._progress = None, (0, len(self._snapshot.layers))
        self.query_one(Choices).show(())
        self._refresh()
        self.search(allowed)

    def search(self, allowed: Allowed) -> None:
        """Find the edits."""

        def planned(plan: Plan) -> None:
            self._plans[allowed] = plan
            if allowed is BUDGETS[self._at]:
                self._show_plan(plan)

        run_job(
            self,
            lambda job: find_plan(self._session, self._snapshot, Budget(allowed), job),
            planned,
            self._not_found,
            group="plan",
            on_progress=self._progressed,
        )

    def _progressed(self, done: int, total: int) -> None:
        self._progress = (done, total)
        self._refresh()

    def _not_found(self, reason: str) -> None:
        self._failed = reason
        self._refresh()

    def _show_plan(self, plan: Plan) -> None:
        self.plan = plan
        self.taken = frozenset(range(len(plan.steps)))
        self._after, self._left = plan.after, plan.left
        self.query_one(Choices).show(self._lines())
        self._refresh()

    # -- choosing

    def _lines(self) -> list[Line]:
        assert self.plan is not None
        width = self.query_one(Choices).line_width
        brief = self.plan.brief
        return [
            step_line(step, index in self.taken, width, brief) for index, step in enumerate(self.plan.steps)
        ]

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

    def action_allow(self, at: int) -> None:
        """Search with other edits allowed."""
        self._at = at
        self.query_one(TabBar).current = self._at
        self._search()

    def action_tick(self) -> None:
        """Take a step, with those it needs; or leave it, with those that need it."""
        at = self.query_one(Choices).cursor
        if self.plan is None or not 0 <= at < len(self.plan.steps):
            return
        if at in self.taken:
            gone = {i for i in self.taken if at in self.plan.with_needed([i])}
            self._take(self.taken - gone)
        else:
            self._take(frozenset(self.plan.with_needed(self.taken | {at})))

    def action_tick_all(self) -> None:
        """All steps, or none."""
        if self.plan is not None:
            every = frozenset(range(len(self.plan.steps)))
            self._take(frozenset() if self.taken == every else every)

    def _take(self, taken: frozenset[int]) -> None:
        assert self.plan is not None
        self.taken, self._after, self._left = taken, None, ()
        choices = self.query_one(Choices)
        choices.show(self._lines(), choices.cursor)
        if len(taken) == len(self.plan.steps):
            self._after, self._left = self.plan.after, self.plan.left
        elif not taken:
            self._after, self._left = self.plan.before, left_off(self._snapshot)
        else:
            self.sum_up(self.plan, taken)
        self._refresh()

    def sum_up(self, plan: Plan, taken: frozenset[int]) -> None:
        """What the ticked steps bring together; of no use once others are ticked."""

        def summed(_: Job) -> tuple[Summary, Left] | None:
            changed = apply(self._session, plan, taken)
            if isinstance(changed, Refusal):
                return None
            snapshot = analyse(changed, self._snapshot)
            return snapshot.summary, left_off(snapshot)

        run_job(self, summed, self._summed, group="sum", only_if=lambda: taken == self.taken)

    def _summed(self, result: tuple[Summary, Left] | None) -> None:
        if result is not None:
            self._after, self._left = result
            self._refresh()

    # -- showing and leaving

    def _refresh(self) -> None:
        self.query_one(Page).show(self._text)

    def _text(self, width: int) -> list[Line]:
        if self._failed:
            return list(wrap(line(Span("✗ ", "sw"), self._failed), width, 2))
        plan = self.plan
        if plan is None:
            done, total = self._progress
            return [progress_line(done, total, "layers", width)]
        on_cpu = self._after is None or self._after.on_cpu > 0
        summed = outcome(plan.before, self._after, len(self.taken), width) if plan.steps else []
        return [
            *summed,
            *([BLANK] if summed else []),
            *reasons(plan, self.query_one(Choices).cursor, width, self._left, len(self.taken), on_cpu),
        ]

    def action_take(self) -> None:
        """Make the ticked steps."""
        if self.plan is not None and self.taken:
            self.dismiss(Chosen(self.plan, tuple(sorted(self.taken))))
