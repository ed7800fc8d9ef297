"""Write an average over a large window as a chain of averages over small ones."""

from __future__ import annotations

import math
from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.averages import average_named
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.sizes import machine_limits
from npuscope.model.graph import Graph
from npuscope.model.layers import DEQUANTIZE, Layer, Layers, is_qdq
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

Stage = tuple[tuple[int, ...], tuple[int, ...]]
"""(window, strides) along the spatial axes."""


EXAMPLE = quantized("AveragePool <kernel_shape = [16, 16], strides = [16, 16]> (f)", "1,2,16,16", "1,2,1,1")


@dataclass(frozen=True, slots=True)
class PoolChain(Declared):
    """Compute an AveragePool, GlobalAveragePool, or ReduceMean over height and width, in steps of small windows.

    1. Each step takes windows side by side, up to 7 wide, whose size divides the window and the stride; the last takes
       what is left, which may be wider.
    2. The tensor between two steps has a Q/DQ pair on the input's grid, which holds every average. Each is rounded
       once: a chain of n steps is at most (n - 1) / 2 steps of the input's scale from the one average.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "pool-chain",
        Exactness.APPROXIMATE,
        "Averages between the steps are rounded.",
        operators=("AveragePool", "GlobalAveragePool", "ReduceMean"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the average AveragePool_3 as a chain of small ones'."""
        return f"write the average {self.layer} as a chain of small ones"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The averages, or why there is no such chain."""
        average = average_named(graph, layers, self.layer)
        if isinstance(average, Refusal):
            return average
        node, window = average.layer.core, average.window
        strides = window
        if node.op == "AveragePool":
            strides = node.integers("strides") or (1,) * len(window)
        chain = stages(window, strides)
        if len(chain) < 2:
            return Refusal(
                f"the window {'x'.join(map(str, window))} of {self.layer} has no factor up to {machine_limits().pool_window_register} that also divides its "
                "stride, or already fits",
                "write it as a depthwise Conv",
            )
        return _patch(graph, average.layer, average.source, chain)


def stages(window: tuple[int, ...], strides: tuple[int, ...]) -> list[Stage]:
    """The windows and strides of the steps; the last may still be larger than the widest."""
    sizes, steps = list(window), list(strides)
    chain: list[Stage] = []
    widest = machine_limits().pool_window_register
    while any(size > widest for size in sizes):
        factors = []
        for size, step in zip(sizes, steps, strict=True):
            common = math.gcd(size, step)
            fitting = [f for f in range(widest, 1, -1) if common % f == 0]
            factors.append(fitting[0] if size > widest and fitting else 1)
        if all(factor == 1 for factor in factors):
            break
        chain.append((tuple(factors), tuple(factors)))
        sizes = [size // factor for size, factor in zip(sizes, factors, strict=True)]
        steps = [step // factor for step, factor in zip(steps, factors, strict=True)]
    return [*chain, (tuple(sizes), tuple(steps))]


def _patch(graph: Graph, layer: Layer, source: tuple[int, ...], chain: list[Stage]) -> Patch:
    node, name, draft = layer.core, layer.name, Draft(graph, layer.core)
    grid, current, dims = _grid(graph, layer), node.input(0), source
    for i, (window, strides) in enumerate(chain):
        last = i == len(chain) - 1
        sizes = zip(dims[2:], window, strides, strict=True)
        dims = (*dims[:2], *((size - width) // stride + 1 for size, width, stride in sizes))
        type_ = TensorType(graph.type(node.output(0)).dtype, dims)
        written = node.output(0) if last else draft.name(f"{name}_step{i}_output")
        draft.node(
            "AveragePool", f"{name}_step{i}", (current,), ((written, type_),),
            kernel_shape=list(window), strides=list(strides),
        )  # fmt: skip
        current = written if last or grid is None else draft.quantized(written, type_, grid)
    removed = removed_with(graph, (node,), draft.nodes)
    return draft.patch(removed)


def _grid(graph: Graph, layer: Layer) -> Grid | None:
    """The grid of the input; None where it is float."""
    before = graph.producer(layer.core.input(0))
    if before is None or not is_qdq(before) or before.op != DEQUANTIZE or layer.inputs[0].quant is None:
        return None
    return None if layer.inputs[0].quant.per_channel else grid_of(graph, before)
