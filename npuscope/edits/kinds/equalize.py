"""Equalize the channels between two float layers, so that one scale serves them all once they are quantized."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layers
from npuscope.model.tensors import Array
from npuscope.record import dataclass

PASSES_FACTORS_ON = frozenset(
    {
        "AveragePool",
        "Dropout",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Identity",
        "LeakyRelu",
        "MaxPool",
        "Relu",
    }
)
"""Operators with f(r x) = r f(x) for every r > 0, on each channel alone."""

MOST_BETWEEN = 4
MOST_POWER = 12
"""Channels are multiplied by 2^-12 to 2^12, so that no sum leaves the range of float32."""

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,1,4,4] x) => (float[1,4,4,4] y) <FIRST, SECOND>
{ [op] a = Conv(x, w)
  b = Relu(a)
  [next] y = Conv(b, v) }""".replace("FIRST", "float[4,1,1,1] w = {64, -1, 2, 0.25}").replace(
    "SECOND", numbers("float", "4,4,1,1", "v")
)


@dataclass(frozen=True, slots=True)
class Equalize(Declared):
    """Multiply each channel between two float Convs, Gemms or MatMuls by a power of two, and divide it out again.

    1. Weights and bias of `layer` are multiplied, those of the next layer divided, channel by channel, so that both
       span alike ranges. Quantized after that, small channels lose less beside large ones.
    2. Relu, LeakyRelu and pools may stand between them; nothing else may read the tensors between.
    3. Powers of two change only exponents: every output keeps its value, bit for bit.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "equalize",
        Exactness.BIT_EXACT,
        "Factors are powers of two, which cancel exactly.",
        operators=("Conv", "Gemm", "MatMul"),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'equalize channels behind Conv_3'."""
        return f"equalize channels behind {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """Both layers with other weights, or why they cannot have them."""
        first = weighted_layer(graph, layers, self.layer, "equalized", transposed=False, qlinear=False)
        if isinstance(first, Refusal):
            return first
        second = _behind(graph, layers, first)
        if isinstance(second, Refusal):
            return second
        for weighted in (first, second):
            if not _in_float(weighted):
                return Refusal(
                    f"{weighted.layer.name} does not compute in float",
                    "equalize the float model, then quantize it",
                )
        depthwise = second.group > 1
        if first.group > 1 and first.out_channels != first.group:
            return Refusal(f"{first.layer.name} has {first.group} groups")
        if depthwise and not second.in_channels == second.group == second.out_channels:
            return Refusal(f"{second.layer.name} has {second.group} groups")
        own, other = first.values, second.values
        axis = second.weight_out if depthwise else second.weight_in
        powers = _powers(_extent(own, first.weight_out), _extent(other, axis))
        if powers is None:
            return Refusal(f"the weights around the channels behind {self.layer} are not finite")
        if not powers.any():
            return Refusal(f"the channels behind {self.layer} are as equal as powers of two can make them")
        draft = Draft(graph, first.layer.core)
        changed = {
            first.weight.seen: draft.constant(first.weight.seen, _multiplied(own, powers, first.weight_out))
        }
        bias = first.layer.bias
        if bias is not None and bias.constant is not None:
            values = bias.constant.array()
            if values.size == 1:
                values = np.full(first.out_channels, values.reshape(-1)[0], values.dtype)
            changed[bias.seen] = draft.constant(bias.seen, _multiplied(values, powers, values.ndim - 1))
        weight = draft.constant(second.weight.seen, _multiplied(other, -powers, axis))
        # What lies between holds other values, and is called otherwise.
        between = _between(graph, first, second)
        names = {
            node.output(0): draft.name(f"{node.output(0)}_equalized") for node in (first.layer.core, *between)
        }
        draft.types.update((names[old], graph.type(old)) for old in names)
        replaced = {first.layer.core.name: substituted(first.layer.core, changed)}
        replaced |= {node.name: substituted(node, names) for node in between}
        replaced = {name: rewired(node, None, (names[node.output(0)],)) for name, node in replaced.items()}
        replaced[second.layer.core.name] = substituted(
            second.layer.core, {second.weight.seen: weight, second.input.seen: names[second.input.seen]}
        )
        return Patch(frozenset(), (), tuple(draft.constants), draft.types, dict(replaced))


def _between(graph: Graph, first: Weighted, second: Weighted) -> list[Node]:
    """The operators between two layers, in order."""
    path: list[Node] = []
    tensor = first.layer.core.output(0)
    while tensor != second.input.seen:
        node = graph.nodes[graph.consumers[tensor][0]]
        path.append(node)
        tensor = node.output(0)
    return path


def _behind(graph: Graph, layers: Layers, first: Weighted) -> Weighted | Refusal:
    """The layer with weights that alone reads the channels of the first."""
    name, tensor = first.layer.name, first.layer.core.output(0)
    for _ in range(MOST_BETWEEN + 1):
        readers = graph.consumers.get(tensor, ())
        if len(readers) != 1 or tensor in graph.output_set:
            return Refusal(
                f"{tensor!r} behind {name} is read by more than one layer, or is an output of the model"
            )
        node = graph.nodes[readers[0]]
        if node.standard and node.op in PASSES_FACTORS_ON and len(node.outputs) == 1:
            tensor = node.output(0)
            continue
        layer = layers.of_node.get(node.name)
        if layer is None or layer.weight is None or layer.input is None or layer.input.seen != tensor:
            return Refusal(f"{node.op} {node.name!r} stands behind {name}, which does not pass factors on")
        second = weighted_layer(graph, layers, layer.name, "equalized", transposed=False, qlinear=False)
        if isinstance(second, Weighted) and (
            second.in_channels != first.out_channels or second.input_axis != first.output_axis
        ):
            return Refusal(f"{second.layer.name} has its channels on another axis than {name}")
        return second
    return Refusal(f"more than {MOST_BETWEEN} operators stand between {name} and the next layer with weights")


def _in_float(weighted: Weighted) -> bool:
    if weighted.values.dtype.kind != "f" or weighted.layer.core.integer("transA", 0):
        return False
    bias = weighted.layer.bias
    return bias is None or bias.constant is None or bias.constant.dtype.startswith("float")


def _extent(values: Array, axis: int) -> Array:
    """The largest magnitude of each index of an axis."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    extent: Array = np.abs(values.astype(np.float64)).max(axis=others)
    return extent


def _powers(one: Array, other: Array) -> Array | None:
    """Exponents with which both layers' weights span ranges as equal as powers of two make them.

    0 for a channel of zeros, and for all where no exponents bring the ranges closer together.
    """
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return None
    both = (one > 0) & (other > 0)
    if not both.any():
        return np.zeros(len(one), np.int64)
    halves = np.log2(other[both] / one[both]) / 2
    # A factor for all channels changes nothing that counts: what is left over after rounding is least apart
    # where the roundings are cut at the widest gap between the fractions.
    fractions = np.sort(halves % 1)
    widest = int(np.argmax(np.diff(fractions, append=fractions[0] + 1)))
    powers = np.floor(halves - (fractions[widest] + 1e-9)) + 1
    powers = np.clip(powers - np.rint(np.median(powers)), -MOST_POWER, MOST_POWER)
    exponents = np.zeros(len(one), np.int64)
    if np.ptp(halves - powers) < np.ptp(halves) - 1e-6:
        exponents[both] = powers.astype(np.int64)
    return exponents


def _multiplied(values: Array, powers: Array, axis: int) -> Array:
    shape = tuple(-1 if index == axis else 1 for index in range(values.ndim))
    return np.ldexp(values, powers.reshape(shape).astype(np.int32)).astype(values.dtype)
