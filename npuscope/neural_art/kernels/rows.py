"""Rows of a map that lie one after another in memory, and what takes or joins them without a routine.

The networks of LarocheC/eco8-neaixt that mask a stream frame by frame (4.0.1) keep the frames before as inputs: a Concat of
rows joins them with the map of this frame, a Slice of rows makes the output that the next frame gets. Of the 17 of LiSenNet:

1. Fourteen Concats are written in place; the three that a convolution of the CPU reads are routines.
2. The fourteen Slices of those are routines: the border wants channels first. The three others are not.
3. Of maps of one row, columns are such blocks: the six Slices of what a unit wrote are none, the six of a Concat of channels are.
"""

from __future__ import annotations

from npuscope.model.layers import QUANTIZE, Layer
from npuscope.neural_art.kernels.convolutions import by_sizes
from npuscope.neural_art.mapping.facts import is_float
from npuscope.neural_art.mapping.layout import axis_of, lies_channels_last
from npuscope.npu.rule import Context

ROWS, COLUMNS = 2, 3
"""The axes of the rows and columns of a map."""

STREAMS_SINCE = "4.0"
"""Version from which inputs of the network are joined in place. inferred: older ones were not seen."""


def joins_rows(concat: Layer, context: Context) -> bool:
    """A Concat of rows whose parts are written, or copied, one after another."""
    if axis_of(concat) != ROWS:
        return False
    parts = [part.tensor for part in concat.inputs if part.constant is None]
    lying = [lies_channels_last(tensor, context.layers, context.target) for tensor in parts]
    if all(lying):
        return True
    if not context.target.toolchain.at_least(STREAMS_SINCE) or not any(lying):
        return False
    given = all(lies or is_given(tensor, context) for tensor, lies in zip(parts, lying, strict=True))
    return given and concat.output is not None and not _in_software(concat.output.tensor, context)


def is_given(tensor: str, context: Context) -> bool:
    """An input of the network, or what its QuantizeLinear makes of it."""
    writer = context.layers.writers.get(tensor)
    if writer is not None and writer.kind == QUANTIZE and writer.input is not None:
        tensor = writer.input.tensor
    return tensor in context.graph.inputs


def _in_software(tensor: str, context: Context) -> bool:
    """A convolution of the CPU reads it, at once or padded."""
    for reader in context.layers.readers.get(tensor, ()):
        if reader.kind == "Pad" and reader.output is not None and _in_software(reader.output.tensor, context):
            return True
        if reader.kind == "Conv" and (
            is_float(reader, context) or any(cause.placement.on_cpu for cause in by_sizes(reader, context))
        ):
            return True
    return False


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
    return axis_of(concat) == ROWS and given and context.target.toolchain.at_least(STREAMS_SINCE)


def _leaves(layer: Layer, context: Context) -> bool:
    """The result is an output of the network and read by nothing."""
    return all(
        reader.kind == "DequantizeLinear" and not any(context.layers.readers.get(o.tensor) for o in reader.outputs)
        for operand in layer.outputs
        for name in (operand.tensor, operand.seen)
        for reader in context.layers.readers.get(name, ())
    )  # fmt: skip
