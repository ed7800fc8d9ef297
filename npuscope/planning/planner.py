"""The planner: a round asks every layer in its window for its best edits and makes those that are independent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import monotonic

from npuscope.edits.edit import Exactness, Patch, Refusal
from npuscope.edits.toolkit.merge import merged
from npuscope.jobs import QUIET, Job
from npuscope.model.budget import working
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.validity.foreign import obstacle
from npuscope.npu.verdict import Placement
from npuscope.planning.accuracy.less_freedom import FREER, Found, better_of, better_than, with_exact_part
from npuscope.planning.accuracy.set_aside import set_aside
from npuscope.planning.cut import LEAST_BESIDE_EDITS, LEAST_GAIN, CutOffer, offer_of, propose_cut
from npuscope.planning.outcome import ANALYSED, stated
from npuscope.planning.plan import (
    TOLERANCE,
    Allowed,
    Budget,
    Plan,
    Step,
    apply,
    common_way_out,
    left_off,
)
from npuscope.planning.search.explored import Explored, Made, Option, Reached, shortened
from npuscope.planning.search.improve import Trial, tried
from npuscope.planning.search.improver import Improver
from npuscope.planning.streams import stream_edits
from npuscope.session import Session, State
from npuscope.snapshot import LayerReport, Snapshot, Summary, analyse

ROUNDS = 200
"""How often the layers that a round has made, and those near them, are looked at again, at most."""

STREAMS = 24
"""Layers whose streams are looked at."""

GRACE = 5.0
"""Seconds by which the search for one layer may go on when time is up."""

KEPT = 0.9
"""The part of what edits promise in their windows that the model as a whole must save for none of them to cost time."""

SO_FAR_EVERY = 1.0
"""Seconds between two plans that are handed over while the search goes on: each costs an analysis of the model."""


def plan(
    session: Session,
    snapshot: Snapshot,
    budget: Budget | None = None,
    job: Job = QUIET,
    found: Found | None = None,
) -> Plan:
    """Edits that bring the most layers onto the NPU, then save the most time, then lose the least.

    1. `snapshot` is the analysis of the session as it is.
    2. No step leaves more layers off the NPU, nor takes longer, unless the budget says that it may for leaving fewer of
       them; what then stays off for this reason says so.
    3. A bound in decibels is not looked at here: `npuscope.planning.accuracy.loss_budget` measures it.
    4. `job` is told of layers, `found` of the plans until then. Raises StoppedError where it is stopped.
    """
    search, result = _searched(session, snapshot, budget or Budget(), job, found)
    result = with_exact_part(session, result)
    aside = set_aside(search.current, search.snapshot, search.budget, search.late, job.reporting(None))
    reached = search.current, search.snapshot
    return replace(result, set_aside=aside, cut=_cut(session, snapshot, result, job, reached))


def _searched(
    session: Session, snapshot: Snapshot, budget: Budget, job: Job, found: Found | None
) -> tuple[_Search, Plan]:
    """The search that changes the fewest numbers, then, in what is left of the time, those that may change more.

    Each counts where its plan is better than the one before: a plan that may do more never ends slower for it, however
    little time there is. One that would find the same is left out: nothing was ruled out, or all layers have their place.
    """
    deadline = monotonic() + budget.seconds
    search = _Search(session, snapshot, replace(budget, allowed=Allowed.EXACT), job, deadline, found)
    result = search.run()
    last = search
    for allowed in FREER[budget.allowed]:
        placed = allowed is Allowed.NEEDED and not result.after.off_npu
        if placed or not any(allowed in more for more in last.improver.held_back.values()):
            continue
        if last.late():
            result = replace(result, finished=False)
            break
        freer = last.freer(allowed, better_than(result, allowed, found))
        plan = freer.run()
        chosen = better_of(plan, result, allowed)
        search = search if chosen is result else freer
        result, last = replace(chosen, finished=plan.finished), freer
    return search, result


class _Search:
    def __init__(
        self,
        session: Session,
        snapshot: Snapshot,
        budget: Budget,
        job: Job,
        deadline: float,
        found: Found | None = None,
        improver: Improver | None = None,
        explored: Explored | None = None,
    ) -> None:
        self.found, self.told_at, self.told = found, 0.0, 0
        self.session, self.current = session, session.bare()
        self.before = self.snapshot = snapshot
        self.budget, self.job, self.deadline = budget, job, deadline
        self.improver = improver or Improver(budget)
        self.explored = explored or Explored()
        self.made: list[Made] = []
        self.names = tuple(report.name for report in snapshot.layers)
        self.finished = True
        self.done = self.total = 0

    def freer(self, allowed: Allowed, found: Found | None) -> _Search:
        """One from the start that may change more, until the same time; it counts on the layers looked at so far."""
        budget = replace(self.budget, allowed=allowed)
        improver = self.improver.freer(budget)
        start = self.session, self.before, budget, self.job, self.deadline
        other = _Search(*start, found, improver, self.explored)
        other.done = other.total = self.total
        return other

    def run(self) -> Plan:
        self.pad_streams()
        work = _by_promise(self.snapshot.layers)
        for _ in range(ROUNDS):
            before = self.snapshot
            chosen, put_off = self.chosen(work)
            brought = [option for option in chosen if option.brings]
            self.make(brought)
            self.make([option for option in chosen if option not in brought])
            if self.snapshot is before:
                break
            if self.found is not None:
                self.found(self.result(self.snapshot, self.made, finished=False))
            again = {report.name for report in put_off}
            work = _by_promise(
                report
                for report in self.snapshot.layers
                if report.name in again
                or report.name not in before.by_name
                or before.by_name[report.name].layer.nodes != report.layer.nodes
            )
        self.job.report(self.total, self.total)
        return self.result(self.snapshot, self.made, self.finished)

    def result(self, snapshot: Snapshot, made: Sequence[Made], finished: bool) -> Plan:
        """What was made, as a plan; `snapshot` is the analysis with it."""
        left = left_off(snapshot, self.improver.declined)
        steps = tuple(one.step for one in made)
        reports = snapshot.layers
        quantized = any(r.layer.weight is not None and r.placement is not Placement.SW_FLOAT for r in reports)
        return Plan(
            steps,
            self.before.summary,
            snapshot.summary,
            left,
            finished,
            self.names,
            obstacle(snapshot.graph) or ("" if quantized else common_way_out(reports)),
            quantized,
        )

    def tell(self, options: Sequence[Option]) -> None:
        """Hand over the plan with what is made and these options, where the model is better for them together."""
        if self.found is None or len(options) == self.told or monotonic() < self.told_at + SO_FAR_EVERY:
            return
        reached = self.reached(options)
        if reached is not None:
            session, made = reached
            snapshot = analyse(session, self.snapshot)
            if _better(snapshot.summary, self.snapshot.summary, self.budget):
                made = self.stated(options, made, snapshot, most=0)
                self.found(self.result(snapshot, [*self.made, *made], finished=False))
        self.told, self.told_at = len(options), monotonic()

    def pad_streams(self) -> None:
        """Pad the channels that many layers off the NPU share, where that brings several of them onto it at once."""
        stuck = [
            report.name for report in _by_promise(self.snapshot.off_npu) if report.layer.weight is not None
        ]
        for name in stuck[:STREAMS]:
            report = self.snapshot.by_name.get(name)
            if report is None or not report.off_npu:
                continue
            root = Trial(self.current, self.snapshot, (), (name,))
            trials = []
            try:
                with working("looking for its edits", self.left() + GRACE):
                    for edit in stream_edits(self.current, name):
                        self.job.check()
                        if self.late():
                            return
                        trials.append(tried(root, name, edit))
            except ModelError:  # as below
                continue
            best = min(
                (trial for trial in trials if trial is not None and _several(root, trial)),
                key=lambda trial: (trial.placement, trial.milliseconds),
                default=None,
            )
            if best is not None:
                self.make([Option(best.steps)])

    def chosen(self, work: Sequence[LayerReport]) -> tuple[list[Option], list[LayerReport]]:
        """The best edits for each layer, where they are independent; and the layers to ask again when those are made."""
        options: list[Option] = []
        self.told = 0
        put_off: list[LayerReport] = []
        touched: set[str] = set()
        here = self.current, self.snapshot
        self.total += len(work)
        for report in work:
            self.job.check()
            self.job.report(self.done, self.total)
            self.done += 1
            self.tell(options)
            if self.late():
                break
            try:
                nodes, near = self.explored.near(self.current, report.name, report.layer.nodes)
                if not touched.isdisjoint(nodes):
                    put_off.append(report)  # what it would be judged by is about to change
                    continue
                with working("looking for its edits", self.left() + GRACE):
                    improvement = self.improver.improve(*here, report.layer, nodes, near)
            except ModelError as error:  # values that are not all there: the rest of the model is planned for
                self.improver.declined[report.name] = str(error)
                continue
            if improvement is not None:
                options.append(Option(improvement.steps))
                touched |= improvement.touched
        return options, put_off

    def left(self) -> float:
        """Seconds until then."""
        return max(self.deadline - monotonic(), 0.0)

    def late(self) -> bool:
        """Time is up."""
        if monotonic() > self.deadline:
            self.finished = False
        return not self.finished

    def make(self, chosen: Sequence[Option]) -> None:
        """Make independent options; each half by itself where the model as a whole is not better for all of them.

        Neither is it where those that only save time save less than they promised: one of them costs time.
        """
        if not chosen:
            return
        state = self.current.states[-1]
        edits = tuple([tuple([(s.edit, _why(s, self.budget)) for s in option.steps]) for option in chosen])
        if self.explored.knows(state, edits):
            better = self.explored.reached(state, edits)
        else:
            better = self.better(chosen)
            if not self.late():
                self.explored.keep(state, edits, better)
        if better is not None:
            self.made += better.made
            self.current, self.snapshot = better.session, better.snapshot
        elif len(chosen) > 1 and not self.late():
            middle = len(chosen) // 2
            self.make(chosen[:middle])
            self.make(chosen[middle:])

    def better(self, chosen: Sequence[Option]) -> Reached | None:
        """The model with these options, where it is better for them."""
        reached = self.reached(chosen)
        if reached is None:
            return None
        session, made = reached
        snapshot = analyse(session, self.snapshot, keep=True)
        saved = self.snapshot.summary.milliseconds - snapshot.summary.milliseconds
        kept = len(chosen) == 1 or saved >= KEPT * sum(option.promised for option in chosen)
        if not (kept or chosen[0].brings) or not _better(
            snapshot.summary, self.snapshot.summary, self.budget
        ):
            return None
        known = self.stated(chosen, made, snapshot)
        hidden = len(chosen) > 1 and any(option.costs(one.step for one in known) for option in chosen)
        return None if hidden else Reached(session, snapshot, known)

    def stated(
        self, chosen: Sequence[Option], made: Sequence[Made], after: Snapshot, most: int = ANALYSED
    ) -> list[Made]:
        """The same, with what each saves of the model: what it saves of its window need not be that."""

        def first(count: int) -> Session | None:
            reached = self.reached(shortened(chosen, count))
            return reached[0] if reached is not None else None

        most = 0 if self.late() else most
        steps = [one.step for one in made]
        known = stated(self.current, self.snapshot, steps, after, most, self.job, first)
        return [replace(one, step=step) for one, step in zip(made, known, strict=True)]

    def reached(self, chosen: Sequence[Option]) -> tuple[Session, list[Made]] | None:
        """The model with these options, made edit by edit; None where they meet after all."""
        session, made = self.current, list[Made]()
        for depth in range(max(len(option.steps) for option in chosen)):
            turn = [option for option in chosen if depth < len(option.steps)]
            patches = []
            for option in turn:
                patch = option.steps[depth].edit.apply(session.graph, session.layers)
                if isinstance(patch, Refusal):
                    return None
                patches.append(patch)
            graph = merged(session.graph, patches)
            if graph is None:
                return None
            for option, patch in zip(turn, patches, strict=True):
                made.append(self.noted(option, depth, session.graph, patch, made))
            session = Session(session.source, session.target, (State(graph, session.states[-1]),))
        return session, made

    def noted(self, option: Option, depth: int, graph: Graph, patch: Patch, earlier: Sequence[Made]) -> Made:
        step = option.steps[depth]
        read = {name for node in patch.added for name in node.inputs}
        needs = tuple(
            index
            for index, before in enumerate((*self.made, *earlier))
            if not before.nodes.isdisjoint(patch.touched) or not before.tensors.isdisjoint(read)
        )
        nodes = frozenset(node.name for node in patch.added)
        written = {name for node in patch.added for name in node.outputs if name}
        tensors = frozenset(name for name in written if name not in graph.producers)
        return Made(replace(step, needs=needs, why=_why(step, self.budget)), nodes, tensors)


def _cut(
    session: Session,
    snapshot: Snapshot,
    plan: Plan,
    job: Job,
    reached: tuple[Session, Snapshot] | None = None,
) -> CutOffer | None:
    """Where the model could end: with all steps made (`reached`), or without those that help only what would follow."""
    quiet, offers = job.reporting(None), list[CutOffer | None]()
    if plan.after.off_npu:
        made, seen = reached or (apply(session, plan, job=quiet), None)
        offers.append(offer_of(made, plan.after.milliseconds, (), quiet, seen))
    plain = propose_cut(session, snapshot, quiet) if plan.steps else None
    if plain is not None:
        behind = {layer.name for layer in plain.cut.tail.layers.layers}
        kept = [i for i, step in enumerate(plan.steps) if step.layer not in behind]
        kept = [i for i in kept if set(plan.with_needed([i])) <= set(kept)]
        if left_out := tuple(i for i in range(len(plan.steps)) if i not in kept):
            made = apply(session, plan, kept, job=quiet)
            offers.append(offer_of(made, plan.after.milliseconds, left_out, quiet))
    saving = [offer for offer in offers if offer is not None and (offer.times.saved or 0.0) > 0]
    best = max(saving, key=lambda offer: offer.times.saved or 0.0, default=None)
    if best is None:
        return None
    # Where a cut makes edits needless, it has only to be the faster of the two: it saved LEAST_GAIN without them.
    least = LEAST_BESIDE_EDITS if best.left_out else LEAST_GAIN
    return best if (best.times.saved or 0.0) >= least * plan.after.milliseconds else None


def _by_promise(reports: Iterable[LayerReport]) -> list[LayerReport]:
    """Layers off the NPU, then those that take the most time."""
    promising = [r for r in reports if r.off_npu or (r.cost is not None and r.cost.milliseconds > 0)]
    return sorted(
        promising, key=lambda r: (not r.off_npu, -(r.cost.milliseconds if r.cost is not None else 0.0))
    )


def _better(after: Summary, before: Summary, budget: Budget) -> bool:
    placements = (after.off_npu, after.on_cpu), (before.off_npu, before.on_cpu)
    if after.milliseconds > before.milliseconds + TOLERANCE and not budget.slower:
        return False
    if placements[0] != placements[1]:
        return after.off_npu <= before.off_npu and placements[0] < placements[1]
    return after.milliseconds < before.milliseconds - TOLERANCE


def _several(root: Trial, trial: Trial) -> bool:
    """More than one layer is off the CPU for it, or one and no other needs its help instead."""
    return root.placement[0] - trial.placement[0] >= 1 and trial.placement[1] < root.placement[1]


def _why(step: Step, budget: Budget) -> str:
    """The step's reason; where it is not exact, that nothing exact would do."""
    brought = step.placement[1].rank < step.placement[0].rank
    if brought and budget.allowed is Allowed.NEEDED and step.exactness is not Exactness.BIT_EXACT:
        return f"{step.why}, and nothing bit-exact does"
    return step.why
