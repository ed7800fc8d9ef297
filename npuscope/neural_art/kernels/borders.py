"""The changes of type at the graph's ends: dropped where the input or output becomes int8, else run by the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.facts import ends_in_integers, is_border, stays
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement


def borders(layer: Layer, context: Context) -> Iterator[Cause]:
    """A QuantizeLinear behind a float input, a DequantizeLinear before a float output."""
    if not is_border(layer, context):
        return
    if stays(layer, context):
        yield Cause(Why.BORDER_RUN, Placement.SW_FLOAT)
    else:
        yield Cause(Why.BORDER_DROPPED, Placement.NONE)


def at_the_end(layer: Layer, context: Context) -> Iterator[Cause]:
    """A mover between the last DequantizeLinear and an output that becomes int8."""
    source = layer.input
    if source is not None and source.quant is not None and ends_in_integers(layer, context):
        yield Cause(Why.MOVES_INTEGERS, Placement.HW)
