"""What the formats around a layer decide: integers have kernels of the NPU, floats those of the Cortex-M55."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.graph import CONTROL_FLOW
from npuscope.model.inspection.extent import dtype_bits
from npuscope.model.inspection.weights import output_axis
from npuscope.model.layers import (
    DEQUANTIZE,
    QLINEAR,
    QUANTIZE,
    WEIGHTED,
    Layer,
    Operand,
    is_qdq,
    moves_integers,
)
from npuscope.model.validity.faults import invalid_node
from npuscope.model.validity.foreign import unfolded
from npuscope.neural_art.frontend.formats import real_borders
from npuscope.neural_art.kernels.fields import beyond_fields
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import (
    is_float,
    moves_bare_floats,
    on_cpu,
    takes_float_constants,
)
from npuscope.neural_art.mapping.folded import folded_away, known_when_compiling
from npuscope.neural_art.mapping.form import EIGHT_BITS
from npuscope.neural_art.mapping.operators import (
    ACTIVATION,
    ARITHMETIC,
    CONVOLUTION,
    DYNAMIC,
    LATER_IN_INTEGERS,
    NORMALIZATION,
    ON_NPU,
    PACKED,
    POOLING,
    RECURRENT,
    SOFTWARE,
)
from npuscope.neural_art.mapping.type_borders import changed_types
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

NO_INTEGER_FORM = DYNAMIC | RECURRENT | CONTROL_FLOW | PACKED
"""Kinds that are float whatever stands around them; causes of their own say so."""


def floats(layer: Layer, context: Context) -> Iterator[Cause]:
    """A float kernel, with Dequantize and Quantize around it, where a tensor of the layer is float."""
    if layer.kind in NO_INTEGER_FORM or not is_float(layer, context) or changed_types(layer, context):
        return
    if moves_bare_floats(layer, context.layers):
        return
    kept = takes_float_constants(layer)
    inputs = [o for o in layer.inputs if o.bare and not (kept and o.constant is not None)]
    bare_weight = layer.weight is not None and layer.weight.bare
    if not inputs and not bare_weight:
        between = real_borders(layer, context.graph)
        why = Why.FLOAT_BETWEEN_BORDERS if between else Why.FLOAT_OUTPUT
    elif any(o.constant is not None for o in inputs):
        why = Why.FLOAT_CONSTANT
        if float_at_any_rate(layer.kind):  # its scale, its bounds and thresholds are not why
            if all(o.constant is not None for o in inputs):
                return
            why = Why.FLOAT_INPUT
    elif bare_weight and not inputs:
        why = Why.FLOAT_WEIGHTS
    else:
        why = Why.FLOAT_INPUT
    yield Cause(why, Placement.SW_FLOAT)


def float_at_any_rate(kind: str) -> bool:
    """The operator has a float kernel and no other, which a cause of its own says."""
    if kind in NORMALIZATION:
        return True
    listed = kind in ON_NPU or kind in MOVES_NOTHING or kind in LATER_IN_INTEGERS
    return not listed and SOFTWARE.get(kind, Placement.SW_FLOAT) is Placement.SW_FLOAT


MOVES_NOTHING = frozenset({"Expand", "Softmax", "LogSoftmax"})
"""Kinds beside the table, which at times have no cause of their own."""

NO_NUMBERS = frozenset({"string", "complex64", "complex128"})
PLAIN_INTEGERS = frozenset({"int32", "uint32", "int64", "uint64"})
"""Element types that stand for themselves: counts, sizes and indices."""


def plain(layer: Layer, context: Context) -> Iterator[Cause]:
    """What is computed when the model runs on integers that are not quantized, or is no number at all, has no kernel."""
    operands = [("input", o) for o in layer.inputs if o.constant is None]
    for role, operand in (*operands, *(("output", o) for o in layer.outputs)):
        dtype = operand.type.dtype if operand.quant is None else ""
        if dtype not in NO_NUMBERS and not (dtype in PLAIN_INTEGERS and layer.kind in COMPUTES):
            continue
        if not known_when_compiling(layer, context):
            yield Cause(Why.PLAIN_DATA, Placement.SW_FLOAT, (("role", role), ("dtype", dtype)))
        return


def all_in_order(layer: Layer, context: Context) -> bool:
    """All tensors are of eight bits with one scale, known sizes and few dimensions, weights besides centred.

    Then nothing below has a cause to name: most layers of most models are left with one look at their operands.
    """
    limits = context.target.limits
    for operand in (*layer.inputs, *layer.outputs):
        quant, dims = operand.quant, operand.dims
        if quant is None or quant.axis is not None or quant.dtype not in EIGHT_BITS or dims is None:
            return False
        if not quant.divides:
            return False
        if operand.constant is not None or len(dims) > limits.rank or (dims and max(dims) > limits.dimension):
            return False
    if layer.weight is None:
        return True
    quant = layer.weight.quant
    if quant is None or quant.dtype not in EIGHT_BITS or quant.block_size or scale_axes(layer) is not None:
        return False
    bias = layer.bias.quant if layer.bias is not None else None
    if not quant.divides or (bias is not None and not bias.divides):
        return False
    middle = MIDDLES.get(quant.dtype, 0)
    return not (quant.zero_point != middle).any() if middle else quant.symmetric


WIDE = frozenset({"int16", "uint16", "int32"})
MIDDLES = {"uint8": 128, "uint4": 8, "uint16": 1 << 15}
TAKES_NARROW_WEIGHTS = frozenset({"Conv", "Gemm", "MatMul"})


def widths(layer: Layer, context: Context) -> Iterator[Cause]:
    """Integers other than int8 have no kernel on the NPU, but for 4-bit weights."""
    if folded_away(layer):
        return
    # A constant of 32 bits is a bias: onnxruntime writes that of a LayerNormalization so.
    constants = [
        o for o in layer.inputs if o.constant is not None and o.quant is not None and o.quant.dtype != "int32"
    ]
    operands = [("input", o) for o in layer.inputs if o.constant is None]
    operands += [("output", o) for o in layer.outputs] + [("constant", o) for o in constants]
    if layer.weight is not None:
        operands.append(("weight", layer.weight))
    for role, operand in operands:
        dtype = operand.quant.dtype if operand.quant is not None else ""
        if dtype in WIDE or dtype.startswith("float"):
            yield Cause(Why.WIDE_INTEGERS, Placement.SW_FLOAT, (("role", role), ("dtype", dtype)))
            break
    for part in (layer.weight, *layer.inputs, *layer.outputs):
        quant = part.quant if part is not None else None
        if quant is None or (bits := dtype_bits(quant.dtype)) >= 8:
            continue
        weights = part is layer.weight and layer.kind in TAKES_NARROW_WEIGHTS and bits == 4
        if not weights:
            yield Cause(Why.NARROW_TENSOR, Placement.SW_FLOAT, (("bits", bits),))
        elif not context.target.toolchain.weights_4bit:
            yield Cause(Why.NARROW_WEIGHTS, Placement.SW_FLOAT, (("bits", bits),))
        break


def scales(layer: Layer, context: Context) -> Iterator[Cause]:
    """Activations have one scale, weights one for each output channel and no zero point."""
    weight = layer.weight.quant if layer.weight is not None else None
    if weight is not None and layer.kind in WEIGHTED:
        off = weight.zero_point != MIDDLES.get(weight.dtype, 0)
        if off.any():
            value = int(weight.zero_point.reshape(-1)[off.reshape(-1)][0]) - MIDDLES.get(weight.dtype, 0)
            numbers = (("zero", value), ("channels", int(off.sum())), ("of", int(weight.zero_point.size)))
            yield Cause(Why.WEIGHTS_OFF_CENTRE, on_cpu(layer, context), numbers)
    if folded_away(layer):
        return
    if weight is not None and weight.block_size:
        yield Cause(Why.BLOCKS_OF_WEIGHTS, Placement.SW_FLOAT, (("block", weight.block_size),))
        return
    if (axes := scale_axes(layer)) is not None:
        yield Cause(Why.SCALES_ELSEWHERE, Placement.SW_FLOAT, (("axis", axes[0]), ("wanted", axes[1])))
        return
    for operand in (*layer.inputs, *layer.outputs):
        if operand.constant is None and operand.quant is not None and operand.quant.per_channel:
            if unfolded(context.graph, operand.tensor) is not None:
                continue
            size = int(operand.quant.scale.size)
            yield Cause(Why.SCALES_OF_CHANNELS, Placement.SW_FLOAT, (("scales", size),))
            return


def unusable_scales(layer: Layer, context: Context) -> Iterator[Cause]:
    """A scale that is zero, negative or no number: no requantization can be computed, for the lack of a quotient of scales.

    Two cases leave the layer where it is. Weights and biases of scale 0 are 0 whatever is stored, as in a channel that
    pruning emptied; and what only moves or orders integers does not ask what they stand for.
    """
    if folded_away(layer):
        return
    operands = [*(("input", o) for o in layer.inputs), *(("output", o) for o in layer.outputs)]
    operands += [("weight", layer.weight)] if layer.weight is not None else []
    operands += [("bias", layer.bias)] if layer.bias is not None else []
    for role, operand in operands:
        if operand.quant is None or operand.quant.divides:
            continue
        scale = operand.quant.scale.reshape(-1)
        unusable = scale[~(np.isfinite(scale) & (scale > 0))]
        worst = next((value for value in unusable if value != 0), unusable[0])
        computed = layer.kind in NEEDS_SCALES and not (worst == 0 and role in ("weight", "bias"))
        numbers = (("role", role), ("scale", f"{worst:g}"), ("channels", unusable.size), ("of", scale.size))
        yield Cause(Why.SCALE_UNUSABLE, Placement.SW_FLOAT if computed else Placement.HW, numbers)
        return


def scale_axes(layer: Layer) -> tuple[int, int] | None:
    """(axis of the weights' scales, axis of the output channels) where those are two; None where all is well."""
    weight = layer.weight
    if weight is None or weight.quant is None or weight.quant.axis is None or weight.constant is None:
        return None
    if layer.qoperator:  # its definition says where the scales lie, no attribute does
        return None
    rank, axis = len(weight.constant.shape), weight.quant.axis
    if rank < 2 or not -rank <= axis < rank or weight.quant.scale.size == 1:
        return None
    wanted = output_axis(layer, rank)
    return None if axis % rank == wanted else (axis % rank, wanted)


def shapes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Every size is known when compiling, fits its field, and there are four of them, for other than windows and products beside a batch of 1.

    In two dimensions more than a map has, all 48 Sigmoids, Adds and Muls of [1, 3, 52, 52, n] ran on the NPU (a plate
    detector of dahuangelululu/dahuange111, 2.2); the documentation sends a Mul of more than four dimensions to the CPU.
    """
    if folded_away(layer):
        return
    limits = context.target.limits
    operands = (*layer.inputs, *layer.outputs)
    for index, operand in enumerate(operands):
        shape = operand.type.shape
        if operand.type.empty and operand.seen:
            yield Cause(Why.FREE_SIZE, Placement.SW_FLOAT, (("operand", index),))
            break
        if operand.constant is not None or operand.dims is not None or not operand.seen:
            continue
        if shape is None:
            yield Cause(Why.UNKNOWN_SHAPE, Placement.SW_FLOAT, (("operand", index),))
            break
        yield Cause(Why.FREE_SIZE, Placement.SW_FLOAT, (("operand", index),))
        break
    known = [o.type.shape for o in operands if o.type.shape is not None]
    yield from beyond_fields(layer.kind, known, limits, lambda: on_cpu(layer, context))


NEEDS_SCALES = ACTIVATION | ARITHMETIC | CONVOLUTION | POOLING | {"Softmax", QUANTIZE, DEQUANTIZE}
NEEDS_SCALES -= {"And", "Or", "Not", "Equal", "MaxPool", "GlobalMaxPool", "Clip"}
"""Kinds that compute with the real numbers behind integers; others only move, compare or count them."""

COMPUTES = NEEDS_SCALES - {"Softmax", QUANTIZE, DEQUANTIZE}
"""Kinds that may compute on integers that are not quantized."""

ORDERS = frozenset({"MaxPool", "GlobalMaxPool", "Clip", "Concat", "DepthToSpace", "SpaceToDepth"})
"""Kinds whose integers need no scale of their own, but one that is stated where they come from or go to."""

SMALL_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int4", "uint4", "int2", "uint2"})
"""Element types that stand for real numbers where they are quantized."""


def without_scale(layer: Layer, context: Context) -> Iterator[Cause]:
    """Integers whose scale is not known when compiling: nothing can be requantized."""
    if layer.kind not in NEEDS_SCALES | ORDERS or folded_away(layer):
        return
    operands = [*layer.inputs, *((layer.weight,) if layer.weight is not None else ()), *layer.outputs]
    for index, operand in enumerate(operands):
        if unscaled(operand):
            if layer.kind in NEEDS_SCALES or not _stated_elsewhere(operand.seen, context):
                yield Cause(Why.NO_SCALE, Placement.SW_FLOAT, (("operand", index),))
            return


def unscaled(operand: Operand) -> bool:
    """Integers that stand for real numbers, without a scale beside them."""
    return operand.quant is None and operand.type.dtype in SMALL_INTEGERS


MOST_FOLLOWED = 64


def _stated_elsewhere(tensor: str, context: Context) -> bool:
    """Behind or before operators that only move or order values, a scale is stated."""
    graph, pending, seen = context.graph, [tensor], {tensor}
    while pending and len(seen) < MOST_FOLLOWED:
        name = pending.pop()
        around = [graph.producer(name), *(graph.nodes[i] for i in graph.consumers.get(name, ()))]
        for node in around:
            if node is None:
                continue
            if is_qdq(node) or node.op in QLINEAR or node.op == "QLinearConcat":
                return True
            if moves_integers(node):
                new = [t for t in (*node.inputs[:1], *node.outputs) if t and t not in seen]
                new += [t for t in node.inputs[1:] if node.op == "Concat" and t not in seen]
                seen.update(new)
                pending += new
    return False


def invalid(layer: Layer, context: Context) -> Cause | None:
    """A node that ONNX does not allow."""
    name = invalid_node(context.graph, layer.nodes)
    return Cause(Why.INVALID_NODE, Placement.SW_FLOAT, (("node", name),)) if name else None
