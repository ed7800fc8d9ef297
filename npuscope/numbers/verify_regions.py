"""Do the edits of a session keep the numbers? Asked of the regions they changed, so that a large model need not run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from npuscope.jobs import QUIET, Job
from npuscope.model.graph import Graph
from npuscope.model.layers import fold
from npuscope.model.load import Source
from npuscope.model.tensors import Array
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.calibration import upstream
from npuscope.numbers.differences import DifferenceMeter, OutputDifference
from npuscope.numbers.exact_sums import with_exact_sums
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.region import Region, regions
from npuscope.numbers.runner import Runner, Sample
from npuscope.numbers.verify_models import Verification, output_quant, verify
from npuscope.record import dataclass
from npuscope.session import Session

SMALL = 3_000
"""Nodes up to which the whole model is run as well: onnxruntime needs a second or two to open so many."""


@dataclass(frozen=True, slots=True)
class RegionDifference:
    """One changed region: how far its outputs are from what they were, on the same inputs.

    `outputs` is empty where the region after the edits writes no tensor that there was before.
    """

    layers: tuple[str, ...]
    outputs: tuple[OutputDifference, ...]

    @property
    def bit_exact(self) -> bool:
        """No output differs."""
        return all(output.bit_exact for output in self.outputs)

    @property
    def worst(self) -> OutputDifference | None:
        """The output that keeps the smallest ratio of signal to difference; None where there is none."""
        return min(self.outputs, key=lambda o: math.inf if o.sqnr_db is None else o.sqnr_db, default=None)


@dataclass(frozen=True, slots=True)
class LocalVerification:
    """How far the changed regions are from what they were, and the whole model where it was run.

    `drawn` says what the regions read: 'model' (what the original model computes there) or 'random'.
    """

    regions: tuple[RegionDifference, ...]
    whole_model: Verification | None
    samples: int
    drawn: str

    @property
    def bit_exact(self) -> bool:
        """No region differs, nor an output of the whole model; what was not compared does not count as alike."""
        if self.whole_model is None and self.uncompared:
            return False
        return all(region.bit_exact for region in self.regions) and (
            self.whole_model is None or self.whole_model.bit_exact
        )

    @property
    def uncompared(self) -> int:
        """Regions that write nothing there was before, so that only the whole model tells."""
        return sum(not region.outputs for region in self.regions)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "bit_exact": self.bit_exact,
            "regions": [
                {"layers": list(r.layers), "outputs": [output.to_json() for output in r.outputs]}
                for r in self.regions
            ],
            "whole": None if self.whole_model is None else self.whole_model.to_json(),
            "samples": self.samples,
            "drawn": self.drawn,
        }


def verify_local(
    session: Session,
    samples: int = 8,
    seed: int = 0,
    inputs: Sequence[Sample] | None = None,
    whole_model: bool | None = None,
    job: Job = QUIET,
) -> LocalVerification:
    """Compare the session's model with its first state, the opened model as a rule, region by region.

    1. Models up to SMALL nodes, and any with `whole_model`, are run: regions then read what the original model computes on
       `inputs` (or on `samples` drawn with `seed`), and the outputs of the whole model are compared too.
    2. Regions of larger ones, and of any with `whole_model` False, read random values over the range of each input.
    3. `job` is told of samples for the regions and again for the whole model, or of regions. Raises ModelError where
       a part does not run, StoppedError where the job is stopped.
    """
    source, before = session.source, session.states[0].graph
    both = before, session.graph
    changed_regions = regions(*both)
    run_all = len(session.graph.nodes) <= SMALL if whole_model is None else whole_model
    if run_all:
        chosen = tuple(inputs) if inputs is not None else random_samples(source, samples, seed)
        count = len(chosen)
        compared = _on_the_model(source, both, changed_regions, chosen, job)
    else:
        count = samples
        compared = [_alone(source, both, region, samples, seed, job) for region in job.each(changed_regions)]
    checked = None
    if run_all:
        first = replace(session, states=session.states[:1], done=(), undone=())
        checked = verify(
            first,
            session,
            inputs=chosen,
            job=job.reporting(lambda done, _: job.report(count + done, 2 * count)),
        )
        if inputs is None:
            checked = replace(checked, seed=seed)
    return LocalVerification(tuple(compared), checked, count, "model" if run_all else "random")


def _as_model(source: Source, region: Region) -> Source:
    """A source whose graph is the region, with all inputs it reads before or after."""
    return replace(source, graph=replace(region.before, inputs=region.inputs))


class _Compared:
    """One region, run before and after on one sample after the other; one that writes nothing there was, not at all."""

    def __init__(self, source: Source, region: Region, models: tuple[Graph, Graph]) -> None:
        self.models = models
        self.region, self.graphs = region, (region.before, region.after)
        self.runners = [
            Runner(source, with_exact_sums(graph, fold(graph)))
            for graph in self.graphs
            if region.before.outputs
        ]
        self.comparisons = [
            DifferenceMeter(name, output_quant(region.before, name)) for name in region.before.outputs
        ]

    def add(self, sample: Mapping[str, Array]) -> None:
        if not self.runners:
            return
        was, now = (
            runner.run(adapt_inputs(graph, {name: sample[name] for name in graph.inputs}, model))
            for runner, graph, model in zip(self.runners, self.graphs, self.models, strict=True)
        )
        for comparison, one, other in zip(self.comparisons, was, now, strict=True):
            comparison.add(one, other)

    def result(self) -> RegionDifference:
        return RegionDifference(
            self.region.layers, tuple(comparison.result() for comparison in self.comparisons)
        )


def _on_the_model(
    source: Source,
    both: tuple[Graph, Graph],
    changed_regions: Sequence[Region],
    samples: Sequence[Sample],
    job: Job,
) -> list[RegionDifference]:
    """All regions on what the original model computes at their inputs, which is kept for one sample at a time."""
    graph = both[0]
    names = tuple(
        dict.fromkeys(
            name for region in changed_regions for name in region.inputs if name not in graph.inputs
        )
    )
    needed = upstream(graph, names)
    runner = Runner(source, with_exact_sums(needed, fold(needed))) if names else None
    compared = [_Compared(source, region, both) for region in changed_regions]
    for done, sample in enumerate(samples):
        job.report(done, 2 * len(samples))
        known = dict(sample)
        if runner is not None:
            read = {name: value for name, value in sample.items() if name in needed.inputs}
            known |= zip(names, runner.run(adapt_inputs(needed, read, graph)), strict=True)
        for one in compared:
            job.check()
            one.add(known)
    return [one.result() for one in compared]


def _alone(
    source: Source,
    both: tuple[Graph, Graph],
    region: Region,
    samples: int,
    seed: int,
    job: Job,
) -> RegionDifference:
    """A region on random values in the range of each input."""
    compared = _Compared(source, region, both)
    for sample in random_samples(_as_model(source, region), samples, seed) if compared.runners else ():
        job.check()
        compared.add(sample)
    return compared.result()
