"""A plan for the whole model: edits found by a search, ticked or not, made together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job
from npuscope.model.names import printable
from npuscope.numbers.price import SAMPLES
from npuscope.numbers.runner import Sample
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.planning.accuracy.loss_budget import measured
from npuscope.planning.accuracy.set_aside import PRICED, priced
from npuscope.planning.accuracy.within import Kept, limit_of, steps_within
from npuscope.planning.assess import MOST_NODES
from npuscope.planning.plan import Allowed, Budget, Left, Plan, SetAside, apply, left_off, loss
from npuscope.planning.planner import plan as find_plan
from npuscope.session import Session
from npuscope.snapshot import Snapshot, Summary, analyse
from npuscope.tui.jobs import run_each, run_job, silently
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.plan.text import heading, kept_text, outcome, reasons, step_line, why_not
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import decibels
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
        Binding("b", "limit", show=False),
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
        KeyHint("PgDn", "more", "screen.scroll(1)", 5),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(self, session: Session, snapshot: Snapshot, inputs: str | None = None) -> None:
        super().__init__()
        self._inputs = inputs
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
        self._numbers: dict[frozenset[int], str] = {}
        """Ticked steps of the plan -> what they leave of the worst output."""
        self._alone: dict[Edit, SetAside] = {}
        """Edits that no plan takes, with what each leaves of the numbers."""
        self.kept: Kept | None = None
        """What came of the budget that the ticks follow."""
        self._asking = False
        self._said = ""

    def heading(self) -> tuple[Line, Line]:
        """What is looked for."""
        return line(strong("Plan")), line(quiet("edits that bring layers onto the NPU, then save time"))

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
        self._search()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where a budget is typed, letters and figures are text."""
        typed = ("tick", "tick_all", "allow", "limit", "budget")
        return not (self._asking and action in typed) and bool(super().check_action(action, parameters))

    # -- searching

    def _search(self) -> None:
        allowed = BUDGETS[self._at]
        self._failed = ""
        if allowed in self._plans:
            self._show_plan(self._plans[allowed])
            return
        self.plan, self._said, self._progress = None, "", (0, len(self._snapshot.layers))
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
        self.kept, self._said, self._numbers = None, "", {}
        self.taken = frozenset(range(len(plan.steps)))
        self._after, self._left = plan.after, plan.left
        self.query_one(Choices).show(self._lines())
        self._refresh()
        self.measure()

    # -- numbers

    def measure(self) -> None:
        """Run the model with the ticked steps, and alone with each edit that was left out."""
        plan, taken = self.plan, self.taken
        graph = self._session.graph
        if plan is None or graph.as_int8 or len(graph.nodes) > MOST_NODES:
            return

        def run(job: Job) -> Iterator[tuple[frozenset[int], str] | SetAside]:
            samples = self._samples()
            if taken not in self._numbers and any(loss(plan.steps[i].exactness) for i in taken):
                result = measured(
                    self._session, plan, sorted(taken), samples, job.reporting(None), self._inputs is not None
                )
                yield taken, "?" if isinstance(result, Refusal) else decibels(result.sqnr_db_min)
            unknown = [one for one in plan.set_aside[:PRICED] if one.edit not in self._alone]
            yield from priced(self._session, unknown, samples, self._inputs is not None, job)

        run_each(self, run, lambda known: self._measured(plan, known), on_failed=silently, group="numbers")

    def _samples(self) -> Sequence[Sample]:
        return samples_or_random(self._inputs, self._session.source, SAMPLES)[:SAMPLES]

    def _measured(self, plan: Plan, known: tuple[frozenset[int], str] | SetAside) -> None:
        if isinstance(known, SetAside):
            self._alone[known.edit] = known
        elif plan is self.plan:
            self._numbers[known[0]] = known[1]
        self._refresh()

    def action_limit(self) -> None:
        """Ask for dB to keep, or for a time."""
        if self.plan is None or not self.plan.steps:
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
        if self.plan is None:
            return tuple(hint for hint in self.HINTS if hint.key in ("Tab", "Esc"))
        if not self._asking:
            return self.HINTS
        return KeyHint("Enter", "tick what keeps it", "screen.take", 9), self.HINTS[-1]

    def action_leave(self) -> None:
        """Out of the line that is typed into, else back."""
        if self._asking:
            self._ask(False)
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

        def found(job: Job) -> Kept | Refusal:
            samples = self._samples()
            return steps_within(self._session, plan, limit, samples, self._inputs is not None, job)

        run_job(
            self, found, self._show_kept, self._no_limit, group="limit", only_if=lambda: plan is self.plan
        )

    def _show_kept(self, kept: Kept | Refusal) -> None:
        if isinstance(kept, Refusal):
            self._no_limit(str(kept))
            return
        self._said = ""
        self._take(frozenset(kept.taken))
        self._numbers[self.taken] = decibels(kept.sqnr_db)
        self.kept = kept
        self._refresh()

    def _no_limit(self, reason: str) -> None:
        self._said = reason
        self._refresh()

    # -- choosing

    def _lines(self) -> list[Line]:
        assert self.plan is not None
        width = self.query_one(Choices).line_width
        names = self.plan.names
        return [
            step_line(step, index in self.taken, width, names) for index, step in enumerate(self.plan.steps)
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

    def action_allow(self, index: int) -> None:
        """Search with other edits allowed."""
        self._at = index
        self.query_one(TabBar).current = self._at
        self._search()

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
        self.kept, self._said = None, ""
        choices = self.query_one(Choices)
        choices.show(self._lines(), choices.cursor)
        if len(taken) == len(self.plan.steps):
            self._after, self._left = self.plan.after, self.plan.left
        elif not taken:
            self._after, self._left = self.plan.before, left_off(self._snapshot)
        else:
            self.sum_up(self.plan, taken)
        self._refresh()
        self.measure()

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
        self.query_one(KeyBar).hints = self.hints()
        self.query_one(Page).show(self._text)

    def _text(self, width: int) -> list[Line]:
        if self._failed:
            return list(wrap(line(Span("✗ ", "sw"), self._failed), width, 2))
        plan = self.plan
        if plan is None:
            done, total = self._progress
            return [progress_line(done, total, "layers", width), *wrap(line(quiet(self._said)), width)]
        on_cpu = self._after is None or self._after.on_cpu > 0
        summed = []
        if plan.steps:
            exact = not any(loss(plan.steps[i].exactness) for i in self.taken)
            numbers = None if exact else self._numbers.get(self.taken, "…")
            summed = [*outcome(plan.before, self._after, len(self.taken), numbers, width)]
            if self._said:
                summed += wrap(line(quiet(self._said)), width)
            elif self.kept is not None:
                summed += kept_text(self.kept, width)
            summed.append(BLANK)
        index = self.query_one(Choices).cursor
        plan = replace(plan, set_aside=tuple(self._alone.get(one.edit, one) for one in plan.set_aside))
        return [*summed, *reasons(plan, index, width, self._left, len(self.taken), on_cpu, BUDGETS[self._at])]

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
