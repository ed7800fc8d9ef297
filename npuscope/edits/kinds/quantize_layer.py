"""Quantize a layer that computes in float: a Q/DQ pair on each tensor around it that has none."""

from __future__ import annotations

import math
from dataclasses import field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Probe, Ranges, Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.intervals import KEEPS_RANGE, output_range, tensor_range
from npuscope.edits.toolkit.ranges import INTEGERS, limits, quantization
from npuscope.edits.toolkit.rewiring import (
    ACTIVATION_TYPE,
    AXIS_SINCE,
    QDQ_SINCE,
    behind_dequantize,
    new_grid,
    quantized_constant,
    rewired,
    symmetric,
    weight_scales,
)
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.layers import (
    ACTIVATIONS,
    DEQUANTIZE,
    FLOATS,
    QUANTIZE,
    Layer,
    Layers,
    Operand,
    is_qdq,
    is_transparent,
)
from npuscope.model.names import with_article
from npuscope.model.tensors import Array
from npuscope.neural_art.mapping.operators import LATER_IN_INTEGERS, ON_NPU, SOFTWARE
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass

Scale = tuple[str, float, int]
"""(tensor, scale, zero point)."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] x) => (float[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}>
{ f = DequantizeLinear(x, s, z)
  [op] y = Relu(f) }"""


@dataclass(frozen=True, slots=True)
class QuantizeLayer(Declared):
    """Put a float layer between Q and DQ, in the pattern that onnxruntime's quantizer writes.

    1. `scales` are (tensor, scale, zero point) of the activations that get a Q/DQ; runs of the model find them.
    2. A tensor that is not in `scales` takes its input's grid where the operator keeps the range (a pool), else the
       range that follows from what the layer reads. Without either the edit is refused.
    3. Weights become int8 with zero point 0, per channel where the opset has that; a bias int32; other constants
       int8 over their range. A fused activation stays between the operator and its Q.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "quantize",
        Exactness.APPROXIMATE,
        "Each tensor that gets a Q is rounded to its steps.",
        answers=("N112",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str
    scales: tuple[Scale, ...] = ()

    def describe(self) -> str:
        """'quantize PRelu_3'."""
        return f"quantize {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer with Q/DQ pairs around it, or why it cannot be quantized."""
        island = float_island(graph, layers, self.layer)
        if isinstance(island, Refusal):
            return island
        stated = {tensor: (scale, zero_point) for tensor, scale, zero_point in self.scales}
        # What another edit has quantized in the meantime needs its scale no more.
        foreign = sorted(stated.keys() - island.known)
        if foreign:
            return Refusal(f"{foreign[0]!r} is not a tensor of {self.layer} that gets a scale")
        low, high = limits(ACTIVATION_TYPE)
        for tensor, (scale, zero_point) in stated.items():
            if not (math.isfinite(scale) and np.float32(scale) > 0 and low <= zero_point <= high):
                return Refusal(
                    f"scale {scale:g} with zero point {zero_point} is not an int8 quantization of {tensor!r}"
                )
        return _Patching(island, stated).patch()

    def takes_scales(self, user_supplied: bool) -> bool:
        """While it has none."""
        return not self.scales

    def probe(self, graph: Graph, layers: Layers) -> Probe | Refusal:
        """The model's own tensors that get a Q."""
        island = float_island(graph, layers, self.layer)
        if isinstance(island, Refusal):
            return island
        tensors = island.calibrated

        def finish(ranges: Ranges) -> QuantizeLayer:
            scales = (
                (tensor, *quantization(low, high, ACTIVATION_TYPE))
                for tensor, (low, high) in zip(tensors, ranges, strict=True)
            )
            return replace(self, scales=tuple(scales))

        return Probe(tensors, finish)


@dataclass(frozen=True, eq=False)
class Island:
    """A layer that computes in float, and what of it lacks a quantization."""

    graph: Graph
    layers: Layers
    layer: Layer
    activation: Node | None
    """The Relu or Clip behind it, which its Q will stand behind."""

    @cached_property
    def bare_inputs(self) -> tuple[str, ...]:
        """Float activations it reads without a DQ, once each."""
        return tuple(dict.fromkeys(o.seen for o in self.layer.inputs if o.constant is None and _is_bare(o)))

    @cached_property
    def bare_outputs(self) -> tuple[str, ...]:
        """Float tensors it writes (behind the activation) without a Q."""
        if self.activation is not None:
            return self.activation.outputs
        return tuple(o.seen for o in self.layer.outputs if _is_bare(o))

    @cached_property
    def bare_constants(self) -> tuple[Operand, ...]:
        """Float constants it computes with."""
        operands = [*self.layer.inputs, self.layer.weight, self.layer.bias]
        constants = {o.seen: o for o in operands if o is not None and o.constant is not None and _is_bare(o)}
        return tuple(constants.values())

    @property
    def keeps_grid(self) -> bool:
        """The output is held by the grid of the input."""
        return self.layer.kind in KEEPS_RANGE and self.activation is None and self.layer.core.standard

    @property
    def tensors(self) -> tuple[str, ...]:
        """The activations that get a Q/DQ pair."""
        return (*self.bare_inputs, *self.bare_outputs)

    @property
    def calibrated(self) -> tuple[str, ...]:
        """Those of them whose range runs of the model tell."""
        return self.bare_inputs if self.keeps_grid else self.tensors

    @property
    def known(self) -> frozenset[str]:
        """All activations around it."""
        ends = self.activation.outputs if self.activation is not None else ()
        return frozenset((*(o.seen for o in (*self.layer.inputs, *self.layer.outputs)), *ends))


def _is_bare(operand: Operand) -> bool:
    return operand.quant is None and operand.type.dtype in FLOATS


NEVER_ZERO = frozenset({"Log", "Reciprocal"})
"""Operators that make infinity of 0, which every 8-bit grid holds."""


def float_island(graph: Graph, layers: Layers, name: str) -> Island | Refusal:
    """The layer and what it lacks, or why quantizing it cannot be done or brings nothing."""
    layer = layer_named(layers, name)
    if isinstance(layer, Refusal):
        return layer
    if is_qdq(layer.core):
        return Refusal(
            f"{name} is {with_article(layer.op)}: it changes the data type itself and computes nothing"
        )
    if layer.qoperator:
        return Refusal(f"{name} is {with_article(layer.op)}, which keeps its quantization inside")
    if layer.kind == "BatchNormalization":
        return Refusal(
            f"the parameters of {name} cannot be quantized", "make a Conv of it, or fold it into one"
        )
    unit = (
        ON_NPU | LATER_IN_INTEGERS | {kind for kind, place in SOFTWARE.items() if place is Placement.SW_INT}
    )
    if not layer.core.standard or layer.core.op in CONTROL_FLOW or layer.kind not in unit:
        return Refusal(
            f"{layer.kind} has no integer form, so quantizing {name} would not bring it onto the NPU"
        )
    if graph.opset < QDQ_SINCE:
        return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
    island = Island(graph, layers, layer, _activation_behind(graph, layers, layer))
    if not (island.tensors or island.bare_constants) or (is_transparent(layer.core) and not island.tensors):
        return Refusal(f"{name} is quantized already")
    for operand in (*layer.inputs, *layer.outputs, *(o for o in (layer.weight,) if o is not None)):
        if _is_bare(operand) and operand.type.dtype not in ("float32", "unknown"):
            return Refusal(f"{name} computes in {operand.type.dtype}; only float32 is quantized")
        if operand.quant is not None and operand.quant.dtype.startswith("float"):
            return Refusal(f"{name} is quantized to {operand.quant.dtype}, not to integers")
    if not any(operand.constant is None for operand in layer.inputs):
        return Refusal(
            f"{name} reads constants only", "fold constants first (onnxruntime does when it loads a model)"
        )
    for tensor in island.calibrated:
        for index in graph.consumers.get(tensor, ()):
            reader = graph.nodes[index]
            if reader.standard and reader.op in NEVER_ZERO and reader.name != layer.core.name:
                return Refusal(
                    f"{reader.name} ({reader.op}) reads {tensor}: what is stored as 0 would become infinite there"
                )
    return island


def _activation_behind(graph: Graph, layers: Layers, layer: Layer) -> Node | None:
    """The one Relu or Clip that alone reads the float output and has no Q: it can share the layer's."""
    if layer.core.op in ACTIVATIONS or len(layer.outputs) != 1 or not _is_bare(layer.outputs[0]):
        return None
    tensor = layer.outputs[0].seen
    readers = graph.consumers.get(tensor, ())
    if len(readers) != 1 or tensor in graph.output_set:
        return None
    after = graph.nodes[readers[0]]
    return after if after.op in ACTIVATIONS and after.standard and after.input(0) == tensor else None


@dataclass(eq=False)
class _Patching:
    island: Island
    ranges: dict[str, tuple[float, int]]
    grids: dict[str, Grid] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph, self.layer = self.island.graph, self.island.layer
        self.draft = Draft(self.graph, self.layer.core)

    def patch(self) -> Patch | Refusal:
        island, graph, draft, core = self.island, self.graph, self.draft, self.layer.core
        swapped: dict[str, str] = {}
        for tensor in island.bare_inputs:
            operand = next(o for o in self.layer.inputs if o.seen == tensor)
            scale = self.ranges.get(tensor) or _known(tensor_range(operand, island.layers))
            if scale is None:
                return _unknown(self.layer.name, tensor)
            swapped[tensor] = self.stored(tensor, scale)
        for operand in island.bare_constants:
            swapped[operand.seen] = self.constant(operand)
        ends = []
        for tensor in island.bare_outputs:
            grid = self.output_grid(tensor)
            if isinstance(grid, Refusal):
                return grid
            ends.append((tensor, grid))
        nodes, written = [core], {}
        if island.activation is not None:
            nodes.append(island.activation)
        for tensor, _ in ends:
            written[tensor] = draft.name(f"{tensor}_{QUANTIZE}_Input")
            draft.types[written[tensor]] = graph.type(tensor)
        for node in nodes:
            inputs = tuple(swapped.get(name, name) for name in node.inputs) if node is core else node.inputs
            outputs = tuple(written.get(name, name) for name in node.outputs)
            draft.nodes.append(rewired(node, inputs, outputs))
        for tensor, grid in ends:
            draft.quantized(written[tensor], graph.type(tensor), grid, wanted=tensor, into=tensor)
        removed = removed_with(graph, tuple(nodes), draft.nodes)
        return draft.patch(removed)

    def stored(self, tensor: str, scale: tuple[float, int]) -> str:
        """Put an input through a Q/DQ: the grid of a Q that is on it already, or one of its own."""
        graph, draft = self.graph, self.draft
        grid = next(
            (
                grid_of(graph, node)
                for node in (graph.nodes[i] for i in graph.consumers.get(tensor, ()))
                if is_qdq(node) and node.op == QUANTIZE and node.input(0) == tensor and node.input(1) in graph.constants
                and graph.constants[node.input(1)].size == 1
            ),
            None,
        ) or new_grid(draft, tensor, *scale)  # fmt: skip
        self.grids[tensor] = grid
        return draft.quantized(tensor, graph.type(tensor), grid)

    def constant(self, operand: Operand) -> str:
        """Quantize a constant as what it is: weights, a bias, or an operand like any other."""
        assert operand.constant is not None
        values, layer, graph = operand.constant.array(), self.layer, self.graph
        axis = self.channels if values.ndim > 1 and graph.opset >= AXIS_SINCE else None
        if operand is layer.weight:
            scales = weight_scales(values, axis)
            steps = symmetric(values, scales, axis, "int8")
            return behind_dequantize(
                self.draft, operand.seen, steps, scales, np.zeros(scales.shape), axis, "float32"
            )
        if operand is layer.bias:
            return self.bias(operand, values)
        return quantized_constant(self.draft, operand.seen, values, ACTIVATION_TYPE, "float32")

    @property
    def channels(self) -> int | None:
        """The axis of the weights' output channels, None where one scale has to do."""
        weighted = weighted_layer(self.graph, self.island.layers, self.layer.name)
        return weighted.weight_out if isinstance(weighted, Weighted) else None

    def bias(self, operand: Operand, values: Array) -> str:
        """int32, on the scale of the products; left in float where that is not known."""
        weight, scale_in = self.layer.weight, self.input_scale()
        if weight is None or weight.constant is None or scale_in is None:
            return operand.seen
        if weight.quant is not None:
            scales = weight.quant.scale if weight.quant.per_channel else weight.quant.scale[0]
        else:
            weights = weight.constant.array()
            axis = self.channels if weights.ndim > 1 and self.graph.opset >= AXIS_SINCE else None
            scales = weight_scales(weights, axis)
        scales = np.asarray(scales, np.float32) * np.float32(scale_in)
        axis = values.ndim - 1 if scales.ndim and values.ndim and values.shape[-1] == scales.size else None
        scales = scales if axis is not None else np.asarray(scales.max(), np.float32)
        steps = symmetric(values, scales, axis, "int32")
        return behind_dequantize(
            self.draft, operand.seen, steps, scales, np.zeros(scales.shape), axis, "float32"
        )

    def input_scale(self) -> float | None:
        first = self.layer.inputs[0]
        if first.quant is not None:
            return None if first.quant.per_channel else float(first.quant.scale[0])
        grid = self.grids.get(first.seen)
        if grid is None:
            return None
        added = {constant.name: constant for constant in self.draft.constants}
        scale = added.get(grid.scale) or self.graph.constants[grid.scale]
        return float(scale.array().reshape(-1)[0])

    def output_grid(self, tensor: str) -> Grid | Refusal:
        island, layer = self.island, self.layer
        if tensor in self.ranges:
            return new_grid(self.draft, tensor, *self.ranges[tensor])
        if island.keeps_grid:
            first = layer.inputs[0]
            node = self.graph.producer(first.seen)
            if first.seen in self.grids:
                return self.grids[first.seen]
            if node is not None and is_qdq(node) and node.op == DEQUANTIZE and first.type.dtype in INTEGERS:
                return grid_of(self.graph, node)
            if first.quant is not None and not first.quant.per_channel:
                return new_grid(
                    self.draft, tensor, float(first.quant.scale[0]), first.quant.zero, first.quant.dtype
                )
        after = island.layers.of_node[island.activation.name] if island.activation is not None else layer
        ends = output_range(after, island.layers)
        if ends is None:
            return _unknown(layer.name, tensor)
        return new_grid(self.draft, tensor, *quantization(*ends, ACTIVATION_TYPE))


def _known(ends: tuple[Array, Array] | None) -> tuple[float, int] | None:
    if ends is None:
        return None
    low, high = float(np.min(ends[0])), float(np.max(ends[1]))
    return quantization(low, high, ACTIVATION_TYPE) if math.isfinite(low) and math.isfinite(high) else None


def _unknown(layer: str, tensor: str) -> Refusal:
    return Refusal(
        f"the range of {tensor!r} does not follow from what {layer} reads",
        "calibrate the edit on samples first",
    )
