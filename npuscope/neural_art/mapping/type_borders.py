"""Where types change: at the inputs and outputs of the network, in Casts, between two scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.model.layer import DEQUANTIZE, FLOATS, QUANTIZE, Layer, is_transparent
from npuscope.neural_art.frontend.borders import input_stays_float, output_stays_float
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context

if TYPE_CHECKING:
    from npuscope.model.layers import Layers


def is_border(layer: Layer, context: Context) -> bool:
    """A Q straight behind a float graph input, or a DQ straight before a float graph output."""
    if layer.kind == QUANTIZE and layer.input is not None:
        return layer.input.quant is None and layer.input.seen in context.graph.input_set
    if layer.kind == DEQUANTIZE and layer.output is not None:
        return layer.output.tensor in context.graph.output_set
    return False


def stays(layer: Layer, context: Context) -> bool:
    """A border that is run: the float input or output it stands at keeps its type."""
    build = context.target.build
    if layer.kind == QUANTIZE and layer.input is not None:
        return input_stays_float(layer.input.seen, context.graph, build)
    return layer.output is not None and output_stays_float(layer.output.tensor, context.graph, build)


def starts_in_integers(layer: Layer, context: Context) -> bool:
    """Moves the values of a float graph input before the Q: the input becomes int8 and so does the layer."""
    if not is_transparent(layer.core) or layer.input is None or layer.output is None:
        return False
    name = layer.input.seen
    if layer.input.quant is not None or layer.output.quant is None or name not in context.graph.input_set:
        return False
    return not read_as_floats(name, context.layers)


def read_as_floats(name: str, layers: Layers) -> bool:
    """An input of the network that stays float, for one that reads floats of it or for parts with a Q of their own each.

    LarocheC/eco8-neaixt (4.0.1): six of six inputs of a ConvFSENet that a Gather reads beside a Slice are float; of two block-diagonal
    NSNet2 the 18 and 30 epochs in software are a QuantizeLinear for each Slice of three inputs, four or eight a piece, and six more.
    """
    readers = layers.readers.get(name, ())
    if any(reader.kind == QUANTIZE for reader in readers):
        return any(r.kind != QUANTIZE and not is_transparent(r.core) for r in readers)
    return len(readers) > 1 or any(not is_transparent(reader.core) for reader in readers)


def divides_float_input(layer: Layer, context: Context) -> bool:
    """A Split or Slice of an input that stays float: a routine takes the parts, each Slice alone (4.0.1).

    The two hybrid epochs of a DNSMOS are two Slices of its waveform (LarocheC/dnsmos_exported); 12 of 17 and 24 of 28 of two
    block-diagonal NSNet2 (LarocheC/eco8-neaixt) are most likely those of their three inputs. Their compiler names no kinds.
    """
    source = layer.input
    if source is None or not context.target.toolchain.divides_float_inputs or not source.bare:
        return False
    return source.seen in context.graph.input_set and read_as_floats(source.seen, context.layers)


def ends_in_integers(layer: Layer, context: Context) -> bool:
    """Moves values between the DQ and a float graph output that becomes int8: the layer moves integers.

    Movers before the last one have the scale of what they move.
    """
    result = layer.output
    if (
        result is None
        or layer.input is None
        or not is_transparent(layer.core)
        or result.quant is not None
        or result.type.dtype not in FLOATS
    ):
        return False
    if result.tensor not in context.graph.output_set or context.layers.readers.get(result.tensor):
        return False
    return not output_stays_float(result.tensor, context.graph, context.target.build)


CASTS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "bool"})
"""Integers that a routine makes floats of, or of floats; shapes are counted in others."""


def changed_types(layer: Layer, context: Context) -> tuple[str, str] | None:
    """What a Cast of data makes of what: integers of floats or floats of integers. None for shapes and other layers."""
    if layer.kind != "Cast" or folded_away(layer):
        return None
    source, result = (context.graph.type(name).dtype for name in (layer.core.input(0), layer.core.output(0)))
    if (source in FLOATS and result in CASTS) or (source in CASTS and result in FLOATS):
        return source, result
    return None


def is_requantize(layer: Layer) -> bool:
    """A DQ and a Q with nothing between: one scale becomes another, in integers."""
    return layer.kind == QUANTIZE and layer.input is not None and layer.input.quant is not None
