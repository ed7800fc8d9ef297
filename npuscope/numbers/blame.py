"""Where two models first part, and which edit of a session is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.layers import QUANTIZE, Layers, fold
from npuscope.model.load import Source
from npuscope.model.quant import of_node
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.differences import DifferenceMeter, OutputDifference
from npuscope.numbers.exact_sums import with_exact_sums
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Edited, Runner, Sample, model_of
from npuscope.numbers.verify_models import Verification, output_quant, verify
from npuscope.record import dataclass
from npuscope.session import Session


@dataclass(frozen=True, slots=True)
class Parting:
    """The first layer, in graph order, whose output differs between two models."""

    layer: str
    tensor: str
    difference: OutputDifference
    compared: int
    """How many layers both models have in common and were compared."""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"layer": self.layer, "compared": self.compared, **self.difference.to_json()}


@dataclass(frozen=True, slots=True)
class Culprit:
    """The first edit of a session after which the outputs differ too much."""

    index: int
    edit: Edit
    before: Verification
    """The model with the edits before it."""
    after: Verification
    """The model with it."""

    def to_json(self) -> dict[str, Any]:
        """Plain data; edits are counted from 1."""
        return {
            "edit": self.index + 1,
            "describe": self.edit.describe(),
            "layer": self.edit.layer,
            "sqnr_db_min": self.after.sqnr_db_min,
        }


def first_difference(
    a: Source | Edited,
    b: Source | Edited,
    samples: int = 4,
    inputs: Sequence[Sample] | None = None,
    job: Job = QUIET,
) -> Parting | None:
    """Where two models of the same inputs first part, None where all layers they share give the same numbers.

    Layers belong together by the name of the tensor they write; those with another type, shape or quantization in
    the other model are left out. Raises ModelError where a model does not run or they share no layer.
    """
    (source_a, graph_a), (source_b, graph_b) = model_of(a), model_of(b)
    layers = fold(graph_a)
    tensors = _shared(graph_a, graph_b, layers)
    if not tensors:
        raise ModelError(f"{source_b.path}: has no layer in common with {source_a.path}")
    if set(graph_a.inputs) != set(graph_b.inputs):
        raise ModelError(f"{source_b.path}: has other inputs than {source_a.path}")
    chosen = tuple(inputs) if inputs is not None else random_samples(source_a, samples)
    comparisons = [DifferenceMeter(name, output_quant(graph_a, name)) for name in tensors]
    runners = [
        _watching(source, graph, tensors) for source, graph in ((source_a, graph_a), (source_b, graph_b))
    ]
    for sample in job.each(chosen):
        found_a, found_b = (
            runner.run(adapt_inputs(graph, sample))
            for runner, graph in zip(runners, (graph_a, graph_b), strict=True)
        )
        for comparison, one, other in zip(comparisons, found_a, found_b, strict=True):
            comparison.add(one, other)
    for name, comparison in zip(tensors, comparisons, strict=True):
        result = comparison.result()
        if not result.bit_exact:
            return Parting(layers.writers[name].name, name, result, len(tensors))
    return None


def _shared(a: Graph, b: Graph, layers: Layers) -> tuple[str, ...]:
    """Stored outputs of layers that both graphs write and mean the same by."""
    names = dict.fromkeys(operand.tensor for layer in layers.layers for operand in layer.outputs)
    return tuple(
        name
        for name in names
        if name in a.producers
        and name in b.producers
        and a.type(name) == b.type(name)
        and a.type(name).dims is not None
        and _same_grid(a, b, name)
    )


def _same_grid(a: Graph, b: Graph, name: str) -> bool:
    one, other = a.producer(name), b.producer(name)
    if one is None or other is None or one.op != QUANTIZE or other.op != QUANTIZE:
        return True
    grid = of_node(a, one)
    return grid is None or grid.same_as(of_node(b, other))


def _watching(source: Source, graph: Graph, tensors: tuple[str, ...]) -> Runner:
    exact = with_exact_sums(graph, fold(graph))
    return Runner(source, replace(exact, outputs=tensors))


def bisect(
    session: Session,
    decibels: float | None = None,
    samples: int = 4,
    inputs: Sequence[Sample] | None = None,
    job: Job = QUIET,
) -> Culprit | None:
    """The edit after which some output first keeps less than so many decibels (None: is no longer bit-exact).

    1. None where the outputs are good with all edits made. Takes a number of runs that grows with its logarithm.
    2. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    chosen = tuple(inputs) if inputs is not None else random_samples(session.source, samples)
    known: dict[int, Verification] = {}

    def checked(count: int) -> Verification:
        if count not in known:
            state = replace(session, states=session.states[: count + 1], done=session.done[:count], undone=())
            known[count] = verify(session.source, state, inputs=chosen, job=job.reporting(None))
            job.report(len(known), len(session.done).bit_length() + 1)
        return known[count]

    def good(count: int) -> bool:
        ratio = checked(count).sqnr_db_min
        return ratio is None or (decibels is not None and ratio >= decibels)

    low, high = 0, len(session.done)
    if good(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return Culprit(high - 1, session.done[high - 1], checked(high - 1), checked(high))
