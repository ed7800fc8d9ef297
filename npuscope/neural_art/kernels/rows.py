"""Rows of a map that lie one after another in memory, and what takes or joins them without a routine.

The networks of LarocheC/eco8-neaixt that mask a stream frame by frame (4.0.1) keep the frames before as inputs: a Concat of
rows joins them with the map of this frame, a Slice of rows makes the output that the next frame gets. Of the 17 of LiSenNet:

1. Fourteen Concats are written in place. The other three are routines: one of their parts is columns of another map in the
   Concat's own scale, which no unit writes anew.
2. The fourteen Slices of those are routines: the border wants channels first. The three others are not.
3. Of maps of one row, columns are such blocks: the six Slices of what a unit wrote are none, the six of a Concat of channels are.
"""

from __future__ import annotations

from npuscope.model.layers import QUANTIZE, Layer, Layers, Operand
from npuscope.neural_art.mapping.layout import axis_of, lies_channels_last, sliced_axes
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.npu.rule import Context

ROWS, COLUMNS = 2, 3
"""The axes of the rows and columns of a map."""


def joins_rows(concat: Layer, context: Context) -> bool:
    """A Concat of rows whose parts are written, or copied, one after another."""
    if axis_of(concat) != ROWS:
        return False
    parts = [part for part in concat.inputs if part.constant is None]
    lying = [lies_channels_last(part.tensor, context.layers, context.target) for part in parts]
    if not context.target.toolchain.joins_inputs:
        return all(lying)
    if any(_is_part(part, concat, context) for part in parts) or not any(lying):
        return False
    return all(lies or is_given(part.tensor, context) for part, lies in zip(parts, lying, strict=True))


def _is_part(part: Operand, concat: Layer, context: Context) -> bool:
    """Columns of another map, which nothing writes anew: a unit that requantizes them does."""
    writer = context.layers.writers.get(part.tensor)
    if writer is None or writer.kind not in ("Slice", "Split") or writer.input is None:
        return False
    axes = (axis_of(writer),) if writer.kind == "Split" else sliced_axes(writer)
    same = concat.output is not None and stored_alike(part.quant, concat.output.quant)
    return axes == (COLUMNS,) and same


def is_given(tensor: str, context: Context) -> bool:
    """An input of the network, or what its QuantizeLinear makes of it."""
    writer = context.layers.writers.get(tensor)
    if writer is not None and writer.kind == QUANTIZE and writer.input is not None:
        tensor = writer.input.tensor
    return tensor in context.graph.inputs


def takes_blocks(layer: Layer, axis: int, context: Context) -> bool:
    """The parts a Slice or Split takes along that axis lie one after another, or are written so."""
    source = layer.input
    if source is None or source.dims is None:
        return False
    writer = context.layers.writers.get(source.tensor)
    if axis == COLUMNS:
        beside = writer is not None and writer.kind == "Concat"
        one = len(source.dims) == 4 and source.dims[ROWS] == 1
        return one and not beside and lies_channels_last(source.tensor, context.layers, context.target)
    if axis != ROWS:
        return False
    if (
        writer is not None
        and writer.kind == "Concat"
        and _leaves(layer, context)
        and _of_stream(writer, context)
    ):
        return not joins_rows(writer, context)
    return lies_channels_last(source.tensor, context.layers, context.target)


def _of_stream(concat: Layer, context: Context) -> bool:
    """A Concat of rows with an input of the network."""
    given = any(is_given(part.tensor, context) for part in concat.inputs)
    return axis_of(concat) == ROWS and given and context.target.toolchain.joins_inputs


def _leaves(layer: Layer, context: Context) -> bool:
    """The result is an output of the network and read by nothing."""
    return all(leaves(context.layers, operand) for operand in layer.outputs)


def leaves(layers: Layers, operand: Operand) -> bool:
    """An output of the network that nothing reads but the DequantizeLinear of the border."""
    return all(
        reader.kind == "DequantizeLinear" and not any(layers.readers.get(o.tensor) for o in reader.outputs)
        for name in (operand.tensor, operand.seen)
        for reader in layers.readers.get(name, ())
    )
