"""What several rules ask of a layer."""

from __future__ import annotations

from npuscope.model.convolution import Convolution, convolution
from npuscope.model.layers import DEQUANTIZE, FLOATS, QUANTIZE, Layer, is_transparent
from npuscope.model.quant import Quant
from npuscope.placement.rule import Context

ON_INTEGERS = frozenset({"int64", "int32", "bool", "string"})


def signed_zero_point(quant: Quant) -> int:
    """The zero point as int8 would hold it: uint8 data is the same data 128 higher."""
    return quant.zero - 128 if quant.dtype == "uint8" else quant.zero


def input_zero_point(layer: Layer) -> int | None:
    """Int8 zero point of the first activation, None where it is not quantized per tensor."""
    quant = layer.input.quant if layer.input is not None else None
    return None if quant is None or quant.per_channel else signed_zero_point(quant)


def folded_away(layer: Layer) -> bool:
    """Computes shapes or other constants, on integers: gone before the compiler places layers."""
    operands = [*layer.inputs, *layer.outputs]
    if layer.kind in ("Shape", "Size", "ConstantOfShape", "Range"):
        return True
    return bool(operands) and all(
        o.quant is None and (o.type.dtype in ON_INTEGERS or o.constant is not None) for o in operands
    )


def is_border(layer: Layer, context: Context) -> bool:
    """A Q straight behind a float graph input, or a DQ straight before a float graph output."""
    graph = context.graph
    if layer.kind == QUANTIZE and layer.input is not None:
        return layer.input.seen in graph.inputs and layer.input.quant is None
    if layer.kind == DEQUANTIZE and layer.output is not None:
        return layer.output.tensor in graph.output_set
    return False


def is_requantize(layer: Layer) -> bool:
    """A DQ and a Q with nothing between: one scale becomes another, in integers."""
    return layer.kind == QUANTIZE and layer.input is not None and layer.input.quant is not None


def is_float(layer: Layer, context: Context) -> bool:
    """Computes in float: an operand or the result has no quantization of its own."""
    if folded_away(layer) or is_border(layer, context) or is_requantize(layer):
        return False
    if is_transparent(layer.core):
        return False
    return not layer.quantized


def has_float_data(layer: Layer) -> bool:
    """Any operand is float and not quantized."""
    return any(o.quant is None and o.type.dtype in FLOATS for o in (*layer.inputs, *layer.outputs))


def geometry(layer: Layer) -> Convolution | None:
    """The layer as a convolution, None where it is none or a shape is not known."""
    return convolution(layer)
