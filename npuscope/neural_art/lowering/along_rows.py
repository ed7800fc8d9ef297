"""Three dimensions as rows and as columns: what lies between a Conv1d and the operators of other kinds.

ST's front end puts a view on both sides of a Conv1d, which takes the positions of a channel for a column. What other units
work on lies in rows as its dimensions say, channel after channel. A copy, a byte at a time, makes one of the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import INPUT, Lowering, laid_last
from npuscope.neural_art.lowering.operands import zero_point
from npuscope.neural_art.mapping.bounds import vanishes
from npuscope.neural_art.mapping.operators import ACTIVATION, ARITHMETIC, POOLING
from npuscope.neural_art.mapping.shapes import of_rows
from npuscope.neural_art.mapping.sizes import size
from npuscope.neural_art.mapping.tiling import FULL_RANGE_LOW
from npuscope.npu.cost import Tiling

STREAMED = ACTIVATION | ARITHMETIC | POOLING
"""Kinds that work on rows: 128 of 128 results of a Conv1d that a Relu, a mean, a product or an Add reads (citrinet_256, 4.0.1)."""


def ends_in_rows(lowering: Lowering, layer: Layer, tiling: Tiling | None) -> bool:
    """Three dimensions, more than one channel and position, and a reader that takes them as they are.

    That is the border of the network (tcn_calculator, 4.0), an Add (six of TC-ResNet8, 2.2: AbhiMalappa/tinybench), and what
    other units work on (citrinet_256, 4.0.1). What is written a channel at a time lies in rows (none of six in speech_tcnn_257,
    2.0, and none of the same six in 4.0.0: 257 channels have no divisor to write by; none of the depthwise ones of citrinet_256
    that are cut in sub-masks). Of two convolutions in a row the view of one undoes that of the other.
    """
    if tiling is not None and tiling.kernels_per_pass == 1:
        return False
    if layer.kind != "Conv" or layer.output is None or not of_rows(layer.output_dims):
        return False
    readers = list(readers_of(lowering, layer.output))
    return any(reader.kind in STREAMED for reader in readers) or all(
        reader.kind == "DequantizeLinear"  # the border of the network
        and not any(lowering.layers.readers.get(operand.tensor) for operand in reader.outputs)
        for reader in readers
    )


def readers_of(lowering: Lowering, operand: Operand) -> Iterator[Layer]:
    """What reads a tensor, behind activations that vanish in its range."""
    seen = set[str]()
    pending = [operand]
    while pending:
        one = pending.pop()
        for name in dict.fromkeys((one.tensor, one.seen)):
            if name in seen:
                continue
            seen.add(name)
            for reader in lowering.readers(name):
                if vanishes(reader):
                    pending += reader.outputs
                else:
                    yield reader


def laid_in_rows(lowering: Lowering, layer: Layer, columns: str, result: str) -> None:
    """A Conv1d whose result is used as rows: a copy lays them out; other convolutions read the columns."""
    lowering.copy(layer.name, columns, result, size(layer.output), batch=1, op="Reshape")
    lowering.columns[result] = columns


def laid_in_columns(lowering: Lowering, layer: Layer, source: str, tiling: Tiling | None) -> str:
    """What a Conv1d reads of rows that another unit wrote: a copy, which all convolutions share that read them.

    1. Not where a convolution wrote the columns, and not for one that reads a channel at a time: depthwise in sub-masks (46 of
       46 of citrinet_256, 4.0.1).
    2. Not where the zero point is -128: the Sub before the convolution lays the rows out (six of TC-ResNet8, 2.2).
    """
    operand = layer.input
    if layer.kind != "Conv" or operand is None or not of_rows(operand.dims):
        return source
    if source in lowering.columns:
        return lowering.columns[source]
    writer = lowering.writer(operand.tensor)
    if writer is None or writer.kind not in STREAMED or reads_planes(tiling):
        return source
    if zero_point(operand) == FULL_RANGE_LOW:
        return source
    return laid_last(lowering, INPUT, layer, source, owner="")


def reads_planes(tiling: Tiling | None) -> bool:
    """A depthwise convolution that takes one channel at a time."""
    return tiling is not None and tiling.group > 1 and tiling.batch_depth == 1


def read_alone(lowering: Lowering, layer: Layer) -> bool:
    """Convolutions that take rows as they come are all that read a tensor of rows: no copy of it is made beside.

    A product, sum and Relu are an epoch of their own before a copy and a depthwise convolution in sub-masks, nine of nine blocks
    of citrinet_256 (4.0.1), where a Relu that the convolution alone reads shares its epoch, 36 of 36. inferred: the copy tells.
    """
    operand = layer.input
    return operand is not None and all(reader is layer for reader in readers_of(lowering, operand))
