"""Searching for plans: what was found so far is there while the search goes on, and stays once it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from textual.dom import DOMNode

from npuscope.jobs import Job
from npuscope.planning.plan import Allowed, Budget, Plan
from npuscope.planning.planner import plan as find_plan
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import handing_over, run_job, stop_jobs

GROUP = "plan"

LONGER = 4
"""Times as long as before that a search may take where time ran out."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundPlans:
    """The plans found for a model with the edits it has; whoever looks again finds them there."""

    session: Session
    complete: dict[Allowed, Plan] = field(default_factory=dict)
    so_far: dict[Allowed, Plan] = field(default_factory=dict)
    """Of a search that goes on, or was stopped; never without steps."""
    seconds: dict[Allowed, float] = field(default_factory=dict)
    """How long a search may take, where that is more than at first."""

    def fits(self, session: Session) -> bool:
        """They are for this model, these edits and this target."""
        return session.graph is self.session.graph and session.target == self.session.target


class PlanSearch:
    """One search at a time; `changed` is called when it has found more or has come further."""

    def __init__(
        self, host: DOMNode, snapshot: Snapshot, found: FoundPlans, changed: Callable[[], object]
    ) -> None:
        self._host, self._snapshot, self._found, self._changed = host, snapshot, found, changed
        self.allowed = Allowed.NEEDED
        self.running = False
        self.progress = (0, 0)
        self.failed = ""

    @property
    def plan(self) -> Plan | None:
        """The plan, or the best one so far."""
        return self._found.complete.get(self.allowed) or self._found.so_far.get(self.allowed)

    @property
    def stopped(self) -> bool:
        """It was stopped before its end, by hand or by time, and can go on."""
        whole = self._found.complete.get(self.allowed)
        return not self.running and not self.failed and (whole is None or not whole.finished)

    @property
    def by_hand(self) -> bool:
        """It did not end by itself."""
        return self.allowed not in self._found.complete

    def turn_to(self, allowed: Allowed) -> None:
        """Look for a plan under other conditions; what is known of it is there at once."""
        stop_jobs(self._host, GROUP)
        self.allowed, self.failed, self.running = allowed, "", False
        if self.plan is None:
            self.start()
        else:
            self._changed()

    def start(self) -> None:
        """Search, anew where it was stopped; for longer where time had run out."""
        allowed = self.allowed
        timed_out = self._found.complete.pop(allowed, None)
        if timed_out is not None:
            self._found.seconds[allowed] = LONGER * self._found.seconds.get(allowed, Budget().seconds)
            if timed_out.steps:
                self._found.so_far[allowed] = timed_out
        budget = Budget(allowed, seconds=self._found.seconds.get(allowed, Budget().seconds))
        self.failed, self.running, self.progress = "", True, (0, len(self._snapshot.layers))

        def run(job: Job) -> Plan:
            hand_over = handing_over(self._host, lambda plan: self._better(allowed, plan))
            return find_plan(self._found.session, self._snapshot, budget, job, hand_over)

        run_job(
            self._host,
            run,
            lambda plan: self._complete(allowed, plan),
            self._not_found,
            group=GROUP,
            on_progress=self._progressed,
        )
        self._changed()

    def stop(self) -> None:
        """End it, and keep what it has found."""
        stop_jobs(self._host, GROUP)
        self.running = False
        self._changed()

    def _progressed(self, done: int, total: int) -> None:
        self.progress = (done, total)
        self._changed()

    def _better(self, allowed: Allowed, plan: Plan) -> None:
        known = self._found.so_far.get(allowed)
        if plan.steps and (known is None or _standing(plan) <= _standing(known)):
            self._found.so_far[allowed] = plan
            self._changed()

    def _complete(self, allowed: Allowed, plan: Plan) -> None:
        self._found.complete[allowed] = plan
        self.running = False
        self._changed()

    def _not_found(self, reason: str) -> None:
        self.failed, self.running = reason, False
        self._changed()


def _standing(plan: Plan) -> tuple[int, float]:
    """Less is better: layers off the NPU, then time."""
    return plan.after.off_npu, plan.after.milliseconds
