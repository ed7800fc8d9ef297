"""Scales for the partial sums of a split along input channels, from runs of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from npuscope.edits.edit import Patch, Refusal, patched
from npuscope.edits.kinds.split_input import SplitInput, sums_grid
from npuscope.edits.toolkit.drafting import names_in
from npuscope.edits.toolkit.ranges import quantization
from npuscope.edits.toolkit.weighted import weighted
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers, fold
from npuscope.model.load import Source
from npuscope.model.tensors import Array
from npuscope.numbers.adapt_inputs import fed
from npuscope.numbers.runner import Progress, Runner, Sample, ShouldStop, StoppedError


def calibrated(
    source: Source,
    graph: Graph,
    edit: SplitInput,
    samples: Sequence[Sample],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    layers: Layers | None = None,
) -> SplitInput | Refusal:
    """The edit with a scale for each partial sum, or why it cannot be made.

    1. Runs what the parts depend on, in float from the layer's input on, and takes the smallest and largest value
       of each partial sum over all samples (onnxruntime's MinMax).
    2. A layer whose sums stay in float needs no scales; the edit comes back without any.
    3. Raises ModelError where the model does not run, StoppedError where `should_stop` says so.
    """
    found = layers if layers is not None else fold(graph)
    bare = replace(edit, scales=())
    patch = bare.apply(graph, found)
    if isinstance(patch, Refusal):
        return patch
    whole = weighted(graph, found, edit.layer)
    assert not isinstance(whole, Refusal), "the edit has just been applied"
    grid = sums_grid(whole)
    if grid is None:
        return bare
    if not samples:
        raise ModelError(f"no samples to calibrate the split of {edit.layer} on")
    parts = _parts(patch, len(edit.sizes))
    needed = upstream(patched(graph, patch), parts)
    runner = Runner(source, needed)
    extremes = [Extremes() for _ in range(2 * len(parts) - 2)]
    for done, sample in enumerate(samples):
        if should_stop is not None and should_stop():
            raise StoppedError
        if progress is not None:
            progress(done, len(samples))
        sums = runner.run(
            fed(graph, {name: value for name, value in sample.items() if name in needed.inputs})
        )
        for seen, values in zip(extremes, (*sums, *_running(sums)), strict=True):
            seen.add(values)
    if progress is not None:
        progress(len(samples), len(samples))
    return replace(edit, scales=tuple(quantization(seen.low, seen.high, grid.stored) for seen in extremes))


def observed(
    source: Source,
    graph: Graph,
    tensors: Sequence[str],
    samples: Sequence[Sample],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of some float tensors over all samples, 0 always in between.

    Raises ModelError where the model does not run, StoppedError where `should_stop` says so.
    """
    if not samples:
        raise ModelError(f"no samples to find the range of {tensors[0]!r} on")
    found = {tensor: Extremes() for tensor in tensors}
    computed = tuple(tensor for tensor in found if tensor not in graph.inputs)
    needed = upstream(graph, computed)
    runner = Runner(source, needed) if computed else None
    for done, sample in enumerate(samples):
        if should_stop is not None and should_stop():
            raise StoppedError
        if progress is not None:
            progress(done, len(samples))
        taken = fed(graph, {name: value for name, value in sample.items() if name in needed.inputs})
        values = dict(zip(computed, runner.run(taken), strict=True)) if runner is not None else {}
        for tensor, seen in found.items():
            seen.add(values[tensor] if tensor in values else sample[tensor])
    if progress is not None:
        progress(len(samples), len(samples))
    return {tensor: (seen.low, seen.high) for tensor, seen in found.items()}


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


def _parts(patch: Patch, count: int) -> tuple[str, ...]:
    """The float partial sums: what the parts' operators write, before their Q."""
    adds = [node for node in patch.insert if node.op in ("Conv", "ConvTranspose", "Gemm", "MatMul")]
    assert len(adds) == count
    return tuple(node.output(0) for node in adds)


def _running(sums: Sequence[Array]) -> Iterable[Array]:
    """The sums of parts 0..1, 0..2, up to the last but one."""
    total = sums[0]
    for part in sums[1:-1]:
        total = total + part
        yield total


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
