"""Re-centre the input of a layer: another zero point, with which the NPU has its fast modes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Probe, Ranges, Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.ranges import limits
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.edits.toolkit.shared_grids import SharedGrid, dequantize_before, shared_grid
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers
from npuscope.model.names import with_article
from npuscope.model.quant import INT32_MAX, Quant, of_node
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

FAST = (0, -128)
"""Int8 zero points with which features need no subtraction (FACTS 3.3)."""


SCALE_AGREES = 1e-3
"""Relative difference up to which the scale of a bias counts as input scale x weight scale."""


EXAMPLE = quantized("Conv(f, w)", "1,4,4,4", "1,4,4,4", "4,4,1,1")


@dataclass(frozen=True, slots=True)
class Recentre(Declared):
    """Requantize the activation that a layer reads with zero point 0 or -128 (in int8).

    1. The new scale covers the range of the present one: each value moves by at most half a new step. Or it
       holds `ends` (smallest and largest value), and what lies outside of them is clipped.
    2. Every Q and DQ of the tensors tied to it changes as well (through Concat, Split, Reshape, MaxPool...), and int32
       biases keep the scale input x weight.
    3. Where an input or output of the graph is tied to it, a DQ and a Q before the layer change the scale, and
       the application feeds and reads what it did. With `borders` the inputs and outputs change instead: the
       application must then quantize with the new scale and zero point.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "recentre",
        Exactness.APPROXIMATE,
        "The values of the input are rounded to another grid.",
        example=EXAMPLE,
    )

    layer: str
    zero_point: int = 0
    ends: tuple[float, float] | None = None
    borders: bool = False

    def describe(self) -> str:
        """'re-centre input of Gemm_30 to zero point 0'."""
        also = ", graph inputs and outputs with it" if self.borders else ""
        return f"re-centre input of {self.layer} to zero point {self.zero_point}{also}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The new quantization, or why it cannot be had."""
        at_hand = present(graph, layers, self.layer)
        if isinstance(at_hand, Refusal):
            return at_hand
        layer, dequantize, quant = at_hand
        scale = self._scale(quant)
        if isinstance(scale, Refusal):
            return scale
        group = shared_grid(graph, dequantize)
        draft = Draft(graph, layer.core)
        like = grid_of(graph, dequantize)
        grid = Grid(
            draft.constant(like.scale, np.asarray(scale, graph.constants[like.scale].array().dtype)),
            draft.constant(
                like.zero_point or f"{like.scale}_zero_point", np.asarray(self._stored(quant), quant.dtype)
            ),
            like.stored,
            like.real,
            like.like,
        )
        if group.obstacle or (group.borders and not self.borders):
            return _requantized(draft, layers, layer, dequantize, quant, grid, scale)
        return regridded(draft, layers, group, quant, grid, scale)

    def takes_scales(self, user_supplied: bool) -> bool:
        """From samples of the user's own: random ones are no better than the range the tensor has."""
        return user_supplied and self.ends is None

    def probe(self, graph: Graph, layers: Layers) -> Probe | Refusal:
        """The tensors whose values a re-centred quantization has to hold."""
        at_hand = present(graph, layers, self.layer)
        if isinstance(at_hand, Refusal):
            return at_hand
        group = shared_grid(graph, at_hand[1])
        before = {node.input(0) for node in group.nodes.values() if node.op == QUANTIZE}
        return Probe(tuple(sorted(before or {at_hand[1].output(0)})), self.with_ends)

    def with_ends(self, ranges: Ranges) -> Recentre:
        """The edit with the range that was seen; as it is where nothing but zeros, or no number, was."""
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            return self
        return replace(self, ends=(low, high))

    def _stored(self, quant: Quant) -> int:
        """The zero point as the tensor's type holds it."""
        return self.zero_point - limits("int8")[0] + limits(quant.dtype)[0]

    def _scale(self, quant: Quant) -> float | Refusal:
        name = self.layer
        if self.zero_point not in FAST:
            return Refusal(f"zero point {self.zero_point} rules out the fast modes as well", "take 0 or -128")
        low, high = self.ends if self.ends is not None else quant.range
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            return Refusal(f"{low:g} to {high:g} is not a range for the input of {name}")
        present = quant.zero - limits(quant.dtype)[0] + limits("int8")[0]
        if present in FAST and self.ends is None:
            return Refusal(
                f"the input of {name} has zero point {present} already, which allows the fast modes"
            )
        if self.zero_point:
            if low < 0:
                return Refusal(
                    f"the input of {name} goes down to {low:g}, and zero point -128 cannot represent values below 0",
                    "use zero point 0, or give the range seen in runs of the model",
                )
            scale = np.float32(high / 255)
        else:
            scale = np.float32(max(high / 127, -low / 128))
        if not np.isfinite(scale) or scale < np.finfo(np.float32).tiny:
            return Refusal(f"{low:g} to {high:g} leaves no scale for the input of {name}")
        return float(scale)


def present(graph: Graph, layers: Layers, name: str) -> tuple[Layer, Node, Quant] | Refusal:
    """A layer, the DQ its first input comes from, and the quantization that one has; or why there is none."""
    layer = layer_named(layers, name)
    if isinstance(layer, Refusal):
        return layer
    if layer.qoperator:
        return Refusal(
            f"{name} is {with_article(layer.op)}, which keeps its quantization inside",
            "convert it to QDQ form first",
        )
    source = layer.input
    dequantize = dequantize_before(graph, source.seen) if source is not None else None
    if source is None or dequantize is None or layer.core.op in (QUANTIZE, DEQUANTIZE):
        return Refusal(f"the input of {name} is not quantized", "quantize the layer first")
    quant = of_node(graph, dequantize)
    if quant is None or quant.per_channel or quant.dtype not in ("int8", "uint8"):
        return Refusal(f"the input of {name} is not quantized to 8 bits with one constant scale")
    return layer, dequantize, quant


def regridded(
    draft: Draft, layers: Layers, group: SharedGrid, quant: Quant, grid: Grid, scale: float
) -> Patch | Refusal:
    """Every Q and DQ of the group on the new grid."""
    changed: dict[str, Node | tuple[Node, ...]] = {}
    for node in group.nodes.values():
        changed[node.name] = rewired(node, (node.input(0), grid.scale, grid.zero_point))
    for tensor in sorted(group.floats):
        for reader in _weighted_readers(draft.graph, layers, tensor):
            fresh = _rebiased(draft, reader, quant, scale)
            if isinstance(fresh, Refusal):
                return fresh
            changed[reader.core.name] = fresh
    return _patch(draft, changed)


def _requantized(
    draft: Draft, layers: Layers, layer: Layer, dequantize: Node, quant: Quant, grid: Grid, scale: float
) -> Patch | Refusal:
    """A change of scale in front of the layer, and of the other layers with weights that read the same tensor."""
    graph = draft.graph
    assert layer.input is not None
    seen = layer.input.seen
    shape = graph.type(seen).shape or layer.input.type.shape
    type_ = TensorType(graph.type(seen).dtype, shape)
    real = draft.quantized(seen, type_, grid, wanted=f"{dequantize.input(0)}_recentred")
    pair = tuple(draft.nodes)
    readers = {reader.name: reader for reader in (layer, *_weighted_readers(graph, layers, seen))}
    ordered = sorted(readers.values(), key=lambda reader: graph.node_index[reader.core.name])
    changed: dict[str, Node | tuple[Node, ...]] = {}
    for position, reader in enumerate(ordered):
        fresh = _rebiased(draft, reader, quant, scale)
        if isinstance(fresh, Refusal):
            return fresh
        *before, core = fresh
        core = substituted(core, {seen: real})
        changed[core.name] = (*(pair if position == 0 else ()), *before, core)
    return _patch(draft, changed)


def _patch(draft: Draft, changed: dict[str, Node | tuple[Node, ...]]) -> Patch:
    """The patch, with the DQs of biases that nothing reads any more."""
    graph = draft.graph
    patch = Patch(frozenset(), (), tuple(draft.constants), draft.types, changed)
    old = tuple(graph.nodes[graph.node_index[name]] for name in changed)
    return replace(patch, remove=removed_with(graph, old, list(patch.added)) - changed.keys())


def _weighted_readers(graph: Graph, layers: Layers, tensor: str) -> list[Layer]:
    """Layers with constant weights whose input is this tensor."""
    readers = []
    for index in graph.consumers.get(tensor, ()):
        node = graph.nodes[index]
        layer = layers.of_node.get(node.name)
        has_weight = layer is not None and layer.core is node and layer.weight is not None
        if layer is not None and has_weight and layer.input is not None and layer.input.seen == tensor:
            readers.append(layer)
    return readers


def _rebiased(draft: Draft, layer: Layer, quant: Quant, scale: float) -> tuple[Node, ...] | Refusal:
    """The layer's operator, its int32 bias (where it has one) on the scale of the new input."""
    graph, bias = draft.graph, layer.bias
    dequantize = graph.producer(bias.seen) if bias is not None else None
    if (
        bias is None
        or bias.constant is None
        or bias.quant is None
        or dequantize is None
        or layer.weight is None
    ):
        return (rewired(layer.core),)
    weight = layer.weight.quant
    if weight is None or graph.constant(dequantize.input(0)) is None or bias.quant.dtype != "int32":
        return (rewired(layer.core),)
    expected = quant.scale.astype(np.float64) * weight.scale
    stored_scale = bias.quant.scale.astype(np.float64)
    if stored_scale.size not in (1, expected.size) or not np.allclose(
        stored_scale, expected, rtol=SCALE_AGREES, atol=0
    ):
        return (rewired(layer.core),)
    scales = (stored_scale * (scale / float(quant.scale[0]))).astype(np.float32)
    values = bias.constant.array()
    with np.errstate(all="ignore"):
        integers = np.rint(values * (stored_scale / scales.astype(np.float64))).reshape(values.shape)
    if not np.isfinite(integers).all() or np.abs(integers).max(initial=0) > INT32_MAX:
        return Refusal(f"the bias of {layer.name} does not fit in 32 bits at the input scale {scale:g}")
    draft.pattern = layer.core
    old = graph.constants[dequantize.input(1)].array()
    inputs = (
        draft.constant(dequantize.input(0), integers.astype(np.int32)),
        draft.constant(dequantize.input(1), scales.reshape(old.shape).astype(old.dtype)),
        *dequantize.inputs[2:],
    )
    seen = draft.name(bias.seen)
    fresh = draft.copy(dequantize, dequantize.name, inputs, ((seen, graph.type(bias.seen)),))
    return fresh, substituted(layer.core, {bias.seen: seen})
