"""Ranges of tensors from runs of a model, for the edits that ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np

from npuscope.edits.edit import Edit, Probe, Refusal
from npuscope.edits.toolkit.drafting import names_in
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers, fold
from npuscope.model.load import Source
from npuscope.model.tensors import Array
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.runner import Runner, Sample
from npuscope.record import dataclass

Kind = TypeVar("Kind", bound=Edit)


def calibrated(
    source: Source,
    graph: Graph,
    edit: Kind,
    samples: Sequence[Sample],
    job: Job = QUIET,
    layers: Layers | None = None,
) -> Kind | Refusal:
    """The edit with the scales it takes, from runs of the model (onnxruntime's MinMax), or why it cannot be made.

    1. Runs what the tensors it asks for depend on; 0 is always in their range.
    2. An edit that asks for none comes back as it is.
    3. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    probe = edit.probe(graph, layers if layers is not None else fold(graph))
    if isinstance(probe, Refusal):
        return probe
    if probe.tensors and not samples:
        raise ModelError(f"no samples to calibrate on: {edit.describe()}")
    return cast(Kind, finished(source, graph, [probe], samples, job)[0])


def finished(
    source: Source, graph: Graph, probes: Sequence[Probe], samples: Sequence[Sample], job: Job = QUIET
) -> list[Edit]:
    """The edit of each probe, all from one run of the model over the samples; `job` is told of samples.

    Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    tensors = tuple(dict.fromkeys(name for probe in probes for name in probe.tensors))
    extremes = {name: Extremes() for name in tensors}
    if tensors:
        constants, types, nodes = dict(graph.constants), dict(graph.types), list(graph.nodes)
        for probe in probes:
            nodes += probe.nodes
            constants.update((constant.name, constant) for constant in probe.constants)
            types.update(probe.types)
        computed = tuple(name for name in tensors if name not in graph.inputs)
        needed = upstream(replace(graph, nodes=tuple(nodes), constants=constants, types=types), computed)
        runner = Runner(source, needed) if computed else None
        for sample in job.each(samples):
            values = dict(sample)
            if runner is not None:
                taken = {name: value for name, value in sample.items() if name in needed.inputs}
                values |= zip(computed, runner.run(adapt_inputs(graph, taken)), strict=True)
            for name, extreme in extremes.items():
                extreme.add(values[name])
    ranges = {name: (extreme.low, extreme.high) for name, extreme in extremes.items()}
    return [probe.finish([ranges[name] for name in probe.tensors]) for probe in probes]


@dataclass(slots=True)
class Extremes:
    """Smallest and largest value seen."""

    low: float = 0.0
    high: float = 0.0

    def add(self, values: Array) -> None:
        """Take in the values of one sample; what is not finite does not count."""
        finite = values[np.isfinite(values)]
        self.low = min(self.low, float(finite.min(initial=0.0)))
        self.high = max(self.high, float(finite.max(initial=0.0)))


def upstream(graph: Graph, outputs: tuple[str, ...]) -> Graph:
    """The part of a graph that some tensors depend on, with those as its outputs."""
    wanted: set[int] = set()
    read = set(outputs)
    pending = list(outputs)
    while pending:
        index = graph.producers.get(pending.pop(), -1)
        if index < 0 or index in wanted:
            continue
        wanted.add(index)
        node = graph.nodes[index]
        # A body may read any tensor around it; one name too many only keeps a node.
        inner = set[str]().union(*(names_in(body) for body in node.subgraphs))
        for name in (*node.inputs, *inner):
            if name and name not in read:
                read.add(name)
                pending.append(name)
    nodes = tuple(graph.nodes[i] for i in sorted(wanted))
    constants = {name: constant for name, constant in graph.constants.items() if name in read}
    inputs = tuple(name for name in graph.inputs if name in read)
    return replace(graph, nodes=nodes, constants=constants, inputs=inputs, outputs=outputs)
