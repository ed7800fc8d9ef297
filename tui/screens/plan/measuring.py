"""What the steps of a plan leave of the numbers: measured while the plan is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from textual.dom import DOMNode

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job
from npuscope.numbers.price import SAMPLES
from npuscope.numbers.runner import Sample
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.planning.accuracy.loss_budget import measured
from npuscope.planning.accuracy.set_aside import PRICED, priced
from npuscope.planning.assess import MOST_NODES
from npuscope.planning.plan import Plan, SetAside, loss
from npuscope.session import Session
from npuscope.tui.jobs import run_each, silently
from npuscope.widgets.text.figures import decibels


class Measuring:
    """Runs a model with the ticked steps of a plan; `changed` is called when more is known."""

    def __init__(
        self, host: DOMNode, session: Session, inputs: str | None, changed: Callable[[], object]
    ) -> None:
        self._host, self._session, self._inputs, self._changed = host, session, inputs, changed
        self._plan: Plan | None = None
        self._numbers: dict[frozenset[int], str] = {}
        """Ticked steps of the plan -> what they leave of the worst output."""
        self._alone: dict[Edit, SetAside] = {}
        """Edits that no plan takes, with what each leaves of the numbers."""

    @property
    def given(self) -> bool:
        """The samples are the user's own."""
        return self._inputs is not None

    def samples(self) -> Sequence[Sample]:
        """What the model runs on."""
        return samples_or_random(self._inputs, self._session.source, SAMPLES)[:SAMPLES]

    def numbers(self, plan: Plan, taken: frozenset[int]) -> str | None:
        """What some steps keep of the worst output: None for all of it, '…' where that is not known yet."""
        exact = not any(loss(plan.steps[i].exactness) for i in taken)
        return None if exact else self._numbers.get(taken, "…") if plan is self._plan else "…"

    def note(self, plan: Plan, taken: frozenset[int], sqnr_db: float | None) -> None:
        """It was measured elsewhere."""
        self._turn_to(plan)
        self._numbers[taken] = decibels(sqnr_db)

    def with_losses(self, plan: Plan) -> Plan:
        """The plan with what each edit that it leaves out would cost alone, where that is known."""
        return replace(plan, set_aside=tuple(self._alone.get(one.edit, one) for one in plan.set_aside))

    def measure(self, plan: Plan, taken: frozenset[int]) -> None:
        """Run the model with some steps, and alone with each edit that was left out."""
        graph = self._session.graph
        if graph.as_int8 or len(graph.nodes) > MOST_NODES:
            return
        self._turn_to(plan)

        def run(job: Job) -> Iterator[tuple[frozenset[int], str] | SetAside]:
            samples = self.samples()
            if taken not in self._numbers and any(loss(plan.steps[i].exactness) for i in taken):
                result = measured(
                    self._session, plan, sorted(taken), samples, job.reporting(None), self.given
                )
                yield taken, "?" if isinstance(result, Refusal) else decibels(result.sqnr_db_min)
            unknown = [one for one in plan.set_aside[:PRICED] if one.edit not in self._alone]
            yield from priced(self._session, unknown, samples, self.given, job)

        run_each(self._host, run, lambda known: self._known(plan, known), on_failed=silently, group="numbers")

    def _turn_to(self, plan: Plan) -> None:
        if plan is not self._plan:
            self._plan, self._numbers = plan, {}

    def _known(self, plan: Plan, known: tuple[frozenset[int], str] | SetAside) -> None:
        if isinstance(known, SetAside):
            self._alone[known.edit] = known
        elif plan is self._plan:
            self._numbers[known[0]] = known[1]
        self._changed()
