"""The changes of type at the graph's ends: dropped where the input or output becomes int8, requantized where uint8, else run by the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer, is_transparent
from npuscope.neural_art.frontend.borders import becomes_unsigned, input_stays_float
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import quantizes_parts
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.type_borders import ends_in_integers, is_border, starts_in_integers, stays
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement


def borders(layer: Layer, context: Context) -> Iterator[Cause]:
    """A QuantizeLinear behind a float input, a DequantizeLinear before a float output."""
    if not is_border(layer, context):
        return
    if stays(layer, context):
        yield Cause(Why.BORDER_RUN, Placement.SW_FLOAT)
    elif becomes_unsigned(layer, context.graph, context.target.build):
        yield Cause(Why.BORDER_REQUANTIZED, Placement.HW)
    else:
        yield Cause(Why.BORDER_DROPPED, Placement.NONE)


def carried(layer: Layer, context: Context) -> Iterator[Cause]:
    """A mover between float and int8, or a Concat of both: the change of type that belongs to it runs on the CPU."""
    if quantizes_parts(layer, context.graph):
        if any(o.bare for o in layer.inputs):
            yield Cause(Why.QUANTIZES_PARTS, Placement.HW)
        return
    source, results = layer.input, {o.bare for o in layer.outputs}
    if source is None or not is_transparent(layer.core) or folded_away(layer) or results == {source.bare}:
        return
    if source.bare:
        first = starts_in_integers(layer, context)
        if not first or input_stays_float(source.seen, context.graph, context.target.build):
            yield Cause(Why.CARRIES_QUANTIZE, Placement.HW)
    elif len(results) == 1 and ends_in_integers(layer, context):
        yield Cause(Why.MOVES_INTEGERS, Placement.HW)
    else:
        yield Cause(Why.CARRIES_DEQUANTIZE, Placement.HW)
