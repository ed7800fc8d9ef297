"""What the formats around a layer decide: integers have kernels of the NPU, floats those of the Cortex-M55."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.frontend.formats import real_borders
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.facts import bare, is_float, takes_float_constants
from npuscope.neural_art.mapping.operators import CONTROL_FLOW, DYNAMIC, RECURRENT
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

NO_INTEGER_FORM = DYNAMIC | RECURRENT | CONTROL_FLOW
"""Kinds that are float whatever stands around them; causes of their own say so."""


def floats(layer: Layer, context: Context) -> Iterator[Cause]:
    """A float kernel, with Dequantize and Quantize around it, where a tensor of the layer is float."""
    if layer.kind in NO_INTEGER_FORM or not is_float(layer, context):
        return
    kept = takes_float_constants(layer)
    inputs = [o for o in layer.inputs if bare(o) and not (kept and o.constant is not None)]
    bare_weight = layer.weight is not None and bare(layer.weight)
    if not inputs and not bare_weight:
        between = real_borders(layer, context.graph)
        why = Why.FLOAT_BETWEEN_BORDERS if between else Why.FLOAT_OUTPUT
    elif any(o.constant is not None for o in inputs):
        why = Why.FLOAT_CONSTANT
    elif bare_weight and not inputs:
        why = Why.FLOAT_WEIGHTS
    else:
        why = Why.FLOAT_INPUT
    yield Cause(why, Placement.SW_FLOAT)
