"""Split a layer along its input channels: the parts compute partial sums, which Adds put together."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np
from onnx import NodeProto, helper

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Probe, Ranges, Refusal, patched
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.toolkit.drafting import Draft, Grid, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.ranges import INTEGERS, Range, limits, partial_ranges, quantization
from npuscope.edits.toolkit.sizes import misfit, written
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import QLINEAR
from npuscope.model.layers import QUANTIZE, Layers, fold
from npuscope.record import dataclass

GEMM_WITHOUT_C = 11
"""Opset from which a Gemm may leave out its C."""


EXAMPLE = quantized("Conv(f, w)", "1,4,4,4", "1,4,4,4", "4,4,1,1")


@dataclass(frozen=True, slots=True)
class SplitInput(Declared):
    """Split a Conv, ConvTranspose, Gemm or MatMul with constant weights into parts of `sizes` input channels.

    1. The pieces of the input keep its grid; each partial sum gets its own grid, the total has the layer's.
    2. `scales` are (scale, zero point) of part 0, 1, ... n-1, then of the sums of parts 0..1, 0..2, ... 0..n-2:
       2n - 2 pairs in all. Without them each grid holds every value its sum can take.
    3. The bias goes to part 0. The last Add writes what the operator wrote, before a fused activation.
    4. Where input or output is not quantized, partial sums stay in float and take no `scales`.
    5. A Conv of several groups is split within each group: `sizes` are of the channels of one, a part has all groups.
    6. A QLinear operator is put in QDQ form first.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "split-in",
        Exactness.APPROXIMATE,
        "Each partial sum is rounded once more.",
        operators=("Conv", "ConvTranspose", "Gemm", "MatMul"),
        replaces_one_layer=True,
        same_by_shape=True,
        example=EXAMPLE,
        fields={"sizes": (2, 2)},
    )

    layer: str
    sizes: tuple[int, ...]
    scales: tuple[tuple[float, int], ...] = ()

    def describe(self) -> str:
        """'split inputs of Gemm_28 as 144+113'."""
        return f"split inputs of {self.layer} as {written(self.sizes)}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The parts, or why the layer cannot be cut so."""
        weighted = weighted_layer(graph, layers, self.layer)
        if isinstance(weighted, Refusal):
            return weighted
        refusal = self._uncut(weighted) or self._unfit_scales(weighted)
        if refusal is not None:
            return refusal
        if not weighted.layer.qoperator:
            return self._patch(weighted)
        first = ToQdq(self.layer).apply(graph, layers)
        if isinstance(first, Refusal):
            return first
        between = patched(graph, first)
        second = self.apply(between, fold(between, (graph, layers)))
        return second if isinstance(second, Refusal) else _both(graph, first, between, second)

    def takes_scales(self, user_supplied: bool) -> bool:
        """While it has none."""
        return not self.scales

    def probe(self, graph: Graph, layers: Layers) -> Probe | Refusal:
        """The partial sums in float, computed beside the model; nothing where they stay in float."""
        bare = replace(self, scales=())
        patch = bare.apply(graph, layers)
        if isinstance(patch, Refusal):
            return patch
        laid = weighted_layer(graph, layers, self.layer)
        assert not isinstance(laid, Refusal), "the edit has just been applied"
        grid = sums_grid(laid)
        if grid is None:
            return Probe((), lambda _: bare)
        stored = grid.stored
        # What writes a tensor the model has stays out: the model itself computes on as it was.
        nodes = [node for node in patch.insert if graph.producers.keys().isdisjoint(node.outputs)]
        operator = layers.by_name[self.layer].kind
        parts = [node.output(0) for node in nodes if node.op == operator]
        types = dict(patch.types)
        tensors, running = list(parts), parts[0]
        for number, part in enumerate(parts[1:-1], start=1):
            total = f"{part}_sum_of_{number + 1}"
            proto = helper.make_node("Add", (running, part), (total,), name=total)
            nodes.append(Node(total, "Add", "", (running, part), (total,), proto))
            types[total] = types.get(part, graph.type(part))
            tensors.append(total)
            running = total

        def finish(ranges: Ranges) -> SplitInput:
            return replace(bare, scales=tuple(quantization(low, high, stored) for low, high in ranges))

        return Probe(tuple(tensors), finish, tuple(nodes), patch.constants, types)

    def _uncut(self, weighted: Weighted) -> Refusal | None:
        """Why the sizes do not cut the channels that are summed together."""
        each, groups = weighted.inputs_per_group, weighted.group
        if groups == 1:
            return misfit(self.sizes, each, f"{self.layer} has {each} input channels")
        if each == 1 or weighted.layer.kind == "ConvTranspose":
            return Refusal(
                f"{self.layer} has {groups} groups, whose {each} input channels each are summed apart",
                "split it along its outputs",
            )
        return misfit(self.sizes, each, f"{self.layer} sums {each} input channels in each of {groups} groups")

    def _unfit_scales(self, weighted: Weighted) -> Refusal | None:
        if not self.scales:
            return None
        grid, wanted = sums_grid(weighted), 2 * len(self.sizes) - 2
        if grid is None:
            return Refusal(f"{self.layer} is not quantized, so its partial sums take no scales")
        if len(self.scales) != wanted:
            return Refusal(
                f"{len(self.scales)} scales given; {self.layer} in {len(self.sizes)} parts takes {wanted}, "
                "one per part and one per sum before the last"
            )
        low, high = limits(grid.stored)
        for scale, zero_point in self.scales:
            if not (math.isfinite(scale) and np.float32(scale) > 0 and low <= zero_point <= high):
                return Refusal(
                    f"scale {scale:g} with zero point {zero_point} is not an {grid.stored} quantization "
                    f"for a partial sum of {self.layer}"
                )
        return None

    def _patch(self, weighted: Weighted) -> Patch:
        layer, graph = weighted.layer, weighted.graph
        draft = Draft(graph, layer.core)
        name, total = layer.name, layer.core.output(0)
        type_ = weighted.part(weighted.output, weighted.out_channels, weighted.output_axis)
        grid = sums_grid(weighted)
        scales = self.scales or (() if grid is None else self._bounds(weighted, grid))
        count = len(self.sizes)

        def stored(tensor: str, wanted: str, index: int) -> str:
            if grid is None:
                return tensor
            return draft.quantized(tensor, type_, draft.grid(wanted, *scales[index], grid))

        sources = _sources(weighted, draft, self.sizes)
        parts = []
        for i, (start, stop) in enumerate(pairwise(accumulate(self.sizes, initial=0))):
            part = f"{name}_part{i}"
            weight = weighted.cut_weight(draft, part, weighted.weight_in, start, stop)
            bias = _bias(weighted, draft, i)
            output = draft.name(f"{part}_output")
            draft.copy(layer.core, part, weighted.operands(sources[i], weight, bias), ((output, type_),))
            parts.append(stored(output, output, i))
        running = parts[0]
        for i, part in enumerate(parts[1:], start=1):
            last = i == count - 1
            wanted = f"{name}_add" if count == 2 else f"{name}_add{i - 1}"
            output = total if last else draft.name(f"{wanted}_output")
            draft.node("Add", wanted, (running, part), ((output, type_),))
            running = output if last else stored(output, output, count + i - 1)
        removed = removed_with(graph, (layer.core,), draft.nodes)
        return draft.patch(removed)

    def _bounds(self, weighted: Weighted, grid: Grid) -> tuple[tuple[float, int], ...]:
        """Grids that no partial sum can leave, from the range of the input and the weights."""
        parts = partial_ranges(weighted, self.sizes)
        sums: list[Range] = []
        running = parts[0]
        for part in parts[1:-1]:
            running = running + part
            sums.append(running)
        return tuple(quantization(*part.ends, grid.stored) for part in (*parts, *sums))


def _sources(weighted: Weighted, draft: Draft, sizes: tuple[int, ...]) -> list[str]:
    """What each part reads: its channels, of each group where there are several."""
    groups, count = weighted.group, len(sizes)
    if groups == 1:
        return weighted.pieces(draft, sizes)
    pieces = weighted.pieces(draft, sizes * groups)
    sources = []
    for i, size in enumerate(sizes):
        name = f"{weighted.layer.name}_part{i}_input"
        type_ = weighted.part(weighted.input, size * groups, weighted.input_axis)
        output = draft.name(name)
        own = tuple(pieces[group * count + i] for group in range(groups))
        draft.node("Concat", f"{name}_concat", own, ((output, type_),), axis=weighted.input_axis)
        grid = weighted.input_grid
        sources.append(output if grid is None else draft.quantized(output, type_, grid))
    return sources


def _both(graph: Graph, first: Patch, between: Graph, second: Patch) -> Patch:
    """One patch that does what the first does to a graph, and the second to what comes of it."""
    after = patched(between, second)
    kept = {id(node) for node in graph.nodes}
    left = {id(node) for node in after.nodes}
    removed = frozenset(node.name for node in graph.nodes if id(node) not in left)
    added = tuple(node for node in after.nodes if id(node) not in kept)
    constants = tuple(c for c in (*first.constants, *second.constants) if c.name in after.constants)
    return Patch(removed, added, constants, {**first.types, **second.types})


def sums_grid(weighted: Weighted) -> Grid | None:
    """The grid whose types partial sums take; None where they stay in float."""
    if weighted.layer.qoperator:
        return _qlinear_grid(weighted)
    grid = weighted.output_grid if weighted.input_grid is not None else None
    return grid if grid is not None and grid.stored in INTEGERS else None


def _qlinear_grid(weighted: Weighted) -> Grid | None:
    """The grid of what a QLinear operator writes, as its QDQ form will have it."""
    core, quant = weighted.layer.core, weighted.output.quant
    if quant is None or quant.per_channel or quant.dtype not in INTEGERS:
        return None
    scale, zero = QLINEAR[core.op][2]
    like = Node("", QUANTIZE, "", (), (), NodeProto(op_type=QUANTIZE))
    return Grid(core.input(scale), core.input(zero), quant.dtype, "float32", like)


def _bias(weighted: Weighted, draft: Draft, part: int) -> str:
    """The bias for the first part; a zero for the others where the opset insists on a C."""
    if part == 0 and weighted.layer.bias is not None:
        return weighted.layer.bias.seen
    if weighted.layer.kind == "Gemm" and 0 < weighted.graph.opset < GEMM_WITHOUT_C:
        kind = weighted.graph.type(weighted.output.seen).dtype
        return draft.constant(f"{weighted.layer.name}_part{part}_zero", np.zeros(1, kind))
    return ""
