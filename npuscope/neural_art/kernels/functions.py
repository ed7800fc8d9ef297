"""Elementwise operators and functions: units of the NPU by the operator table, under conditions of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.model.graph import CONTROL_FLOW
from npuscope.model.layers import Layer, Operand
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.functions import function_of, is_ambiguous
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import is_float, on_cpu
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.layout import axis_of, outermost
from npuscope.neural_art.mapping.operators import (
    DYNAMIC,
    LARGER_OR_LESS,
    LATER_ACTIVATION,
    LATER_IN_INTEGERS,
    NORMALIZATION,
    ON_NPU,
    RECURRENT,
    SOFTWARE,
)
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.neural_art.mapping.shapes import MAP_RANK
from npuscope.neural_art.mapping.type_borders import is_border
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

FLOAT, HW = Placement.SW_FLOAT, Placement.HW
OWN_CAUSE = frozenset({"Softmax", "LogSoftmax"}) | NORMALIZATION | RECURRENT | CONTROL_FLOW
"""Kinds with causes of their own."""


def foreign(layer: Layer, context: Context) -> Cause | None:
    """An operator of another domain, or what a function of the model may stand for: the front end refuses it."""
    graph = context.graph
    for name in layer.nodes if graph.functions else ():
        if is_ambiguous(graph, graph.nodes[graph.node_index[name]]):
            return Cause(Why.MODEL_FUNCTION, FLOAT, (("node", name),))
    if layer.qoperator or layer.domain == "com.microsoft":
        return None
    if layer.core.standard and foreign_quantizer(layer.core) is None:
        return None
    function = function_of(graph, layer.core) is not None
    return Cause(Why.MODEL_FUNCTION if function else Why.CUSTOM, FLOAT)


def table(layer: Layer, context: Context) -> Iterator[Cause]:
    """What the operator table maps to the CPU, or does not list."""
    if layer.kind in OWN_CAUSE or layer.kind in ON_NPU:
        return
    if folded_away(layer) or is_border(layer, context) or _does_nothing(layer):
        return
    if (taken := _single_part(layer, context)) is not None:
        yield taken
        return
    if layer.kind in LARGER_OR_LESS and _of_two_maps(layer, context):
        yield Cause(Why.LARGER_OF_MAPS, HW)
        return
    if layer.kind in LATER_ACTIVATION and context.target.toolchain.elu_unit and not is_float(layer, context):
        yield Cause(Why.ACTIVATION_UNIT, HW)
        return
    later = layer.kind in LATER_IN_INTEGERS and context.target.toolchain.gathers_in_integers
    placement = Placement.SW_INT if later else SOFTWARE.get(layer.kind, FLOAT)
    placement = FLOAT if is_float(layer, context) else placement
    if layer.kind in DYNAMIC:
        yield Cause(Why.COMPUTED_SCALES, placement)
    else:
        yield Cause(Why.NO_UNIT if layer.kind in SOFTWARE else Why.NOT_LISTED, placement)


def _of_two_maps(layer: Layer, context: Context) -> bool:
    """Two activations of one shape, stored as the result is: TFLite's MAXIMUM and MINIMUM.

    Three graphs of birdnet-team/birdnet-stm32 (2.2) have one of each and no epoch in software but at their ends. inferred: of other
    scales, and with a constant, nothing was seen.
    """
    operands = (*layer.inputs, *layer.outputs)
    if len(layer.inputs) != 2 or len(operands) != 3 or not context.target.toolchain.arith_functions:
        return False
    if is_float(layer, context) or any(o.constant is not None or o.dims is None for o in operands):
        return False
    known = all(operand.quant is not None and operand.quant.scale_known for operand in operands)
    alike = known and all(stored_alike(operand.quant, operands[-1].quant) for operand in layer.inputs)
    return alike and len({operand.dims for operand in operands}) == 1


def _single_part(layer: Layer, context: Context) -> Cause | None:
    """A Gather of one constant index is a Slice from 3.0 on: no epoch in 4.0 (10 of 10), float up to 2.2 (10 of 10).

    Compal-Project-TOM/NUCLEO-N657X0-Q-AI-TEST compiled one network with both; 3.0 has the front end of 4.0. Those are of three
    dimensions; of a map the index stays a Gather, of the CPU (3 of 3 of LiSenNet: LarocheC/eco8-neaixt, 4.0.1).
    """
    dims, axis = layer.input_dims, axis_of(layer)
    if layer.kind != "Gather" or dims is None or axis is None or len(layer.inputs) < 2:
        return None
    constant = layer.inputs[1].constant
    if constant is None or constant.size != 1 or is_float(layer, context):
        return None
    if not context.target.toolchain.gathers_in_integers or len(dims) == MAP_RANK:
        return None
    where = (("axis", axis), ("shape", dims))
    if outermost(dims, axis):
        return Cause(Why.GATHER_PART, HW, where)
    return Cause(Why.SPLIT_INTERLEAVES, Placement.HYBRID, where)


def _does_nothing(layer: Layer) -> bool:
    """An Expand to the shape its input has."""
    if layer.kind != "Expand":
        return False
    return layer.input_dims is not None and layer.input_dims == layer.output_dims


def softmax_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """In int8 where it is quantized on both sides."""
    if layer.kind == "LogSoftmax":
        yield Cause(Why.LOG_SOFTMAX, FLOAT)
    else:
        yield Cause(Why.SOFTMAX, on_cpu(layer, context))


def whole_operators(layer: Layer, context: Context) -> Iterator[Cause]:
    """Normalizations, recurrent operators and control flow have no kernel of integers."""
    if layer.kind in NORMALIZATION:
        yield Cause(Why.NORMALIZATION, FLOAT)
    elif layer.kind in RECURRENT:
        yield Cause(Why.RECURRENT, FLOAT)
    else:
        yield Cause(Why.CONTROL_FLOW, FLOAT)


def broadcast(layer: Layer, context: Context) -> Iterator[Cause]:
    """One operand is streamed, the other may be repeated; nothing repeats both."""
    result = layer.output_dims
    if result is None or len(layer.inputs) < 2 or folded_away(layer):
        return
    shapes = [o.dims for o in layer.inputs]
    full = tuple(d for d in result if d > 1)
    if not any(s is None or tuple(d for d in s if d > 1) == full for s in shapes):
        yield Cause(Why.BROADCAST_OF_BOTH, on_cpu(layer, context))


def division(layer: Layer, context: Context) -> Iterator[Cause]:
    """By a constant it is a multiplication."""
    if len(layer.inputs) < 2 or folded_away(layer) or layer.inputs[1].constant is not None:
        return
    yield Cause(Why.DIVISION, on_cpu(layer, context))


def subtraction(layer: Layer, context: Context) -> Iterator[Cause]:
    """What is subtracted from must be streamed: an activation, or an int8 constant of the full shape.

    A float constant makes it a float layer on either side (a plate detector of dahuangelululu/dahuange111, 2.2: 3 of 3
    `x - constant`), whereas a Div by one is a multiplication (the same build, 3 of 3).
    """
    if len(layer.inputs) != 2 or folded_away(layer):
        return
    first, second = layer.inputs
    if second.constant is not None:
        if first.constant is None and second.bare and not is_float(layer, context):
            yield Cause(Why.FLOAT_CONSTANT, FLOAT)
        return
    sizes = (first.dims, second.dims)
    smaller = None not in sizes and math.prod(sizes[0] or ()) < math.prod(sizes[1] or ())
    if first.constant is None:
        if smaller:
            yield Cause(Why.SMALLER_MINUS, on_cpu(layer, context))
        return
    if first.quant is not None and None not in sizes and without_ones(first) == without_ones(second):
        yield Cause(Why.FULL_CONSTANT_MINUS, HW)
        return
    yield Cause(Why.CONSTANT_MINUS, FLOAT if first.bare else on_cpu(layer, context))


def without_ones(operand: Operand) -> tuple[int, ...]:
    """The shape without the dimensions of 1 that broadcasting puts before it."""
    dims = operand.dims or ()
    first = next((axis for axis, size in enumerate(dims) if size > 1), len(dims))
    return dims[first:]


def prelu_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """With int8 slopes steps of ACTIV and ARITH; with float ones the int8 routine of the CPU."""
    if len(layer.inputs) < 2 or is_float(layer, context):
        return
    slopes = layer.inputs[1]
    count = math.prod(slopes.dims) if slopes.dims is not None else 0
    if slopes.bare:
        yield Cause(Why.PRELU_FLOAT_SLOPES, Placement.SW_INT, (("slopes", count),))
    else:
        yield Cause(Why.PRELU_INTEGER_SLOPES, HW, (("slopes", count),))


def absolute(layer: Layer, context: Context) -> Iterator[Cause]:
    """The unit takes the absolute value of the stored integers, from 2.2 on whatever these mean."""
    zero = input_zero_point(layer)
    where = HW if context.target.toolchain.arith_functions else FLOAT
    if zero is not None and zero != 0 and not folded_away(layer):
        yield Cause(Why.ABSOLUTE_OFF_CENTRE, where, (("zero", zero),))
    elif awaits_zero_point(layer):
        yield Cause(Why.ABSOLUTE_OFF_CENTRE, where)


def hard_sigmoid(layer: Layer, context: Context) -> Iterator[Cause]:
    """One whose whole slope lies below the stored 0 was seen in float (ocr_det_160), nine others were not."""
    zero = input_zero_point(layer)
    if zero is None or layer.input is None or layer.input.quant is None or not layer.input.quant.scale_known:
        return
    alpha, beta = _number(layer, "alpha", 0.2), _number(layer, "beta", 0.5)
    scale = float(layer.input.quant.scale.flat[0])
    if not alpha > 0 or not scale > 0:
        return
    knee = zero + (1 - beta) / alpha / scale
    if knee < -1:
        yield Cause(Why.HARD_SIGMOID_BELOW, FLOAT, (("knee", knee),))


def _number(layer: Layer, name: str, default: float) -> float:
    value = layer.core.attribute(name)
    return float(value) if isinstance(value, float) else default
