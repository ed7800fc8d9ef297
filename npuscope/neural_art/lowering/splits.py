"""Lowering of a Split on channels: the accelerators write channels side by side, its parts are planes.

1. Up to 2.2 (builds with -O3) it takes three epochs: a copy to planes, the Split as a copy of its own (several Slices of
   one tensor are one Split), and copies of the parts that a convolution reads, back to channels side by side; it reads
   those without a copy of its own (16 of 16, yolov8_face of 2.2 and a yolov8n of 2.1).
2. A Concat behind takes planes where all its parts come so; else the parts of the Split are copied for it, too.
3. In 4.0 one copy is all that is seen, but for what was written in whole batches: that is divided as it lies, and its parts
   are copied, or requantized for a Concat, in one epoch (five of five Splits of a YOLOv8n, Ping-Hsueh-Hsieh/stm32n6-camera,
   4.0.1). inferred: in 3.0 as well; no Split was seen there.

Source: 16 Splits of yolov8_face (2.2) and of a network compiled with 2.0; yolov8n_micro_224 and yolov11n_micro_224 (4.0).
"""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import Lowering, laid_last
from npuscope.neural_art.lowering.planes import planes_of
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.layout import axis_of, sliced_axes
from npuscope.neural_art.mapping.operators import ARITHMETIC
from npuscope.neural_art.mapping.shapes import MAP_RANK, has_rank, positions
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, size
from npuscope.npu.verdict import Placement

CHANNELS = 1
"""The axis of the channels, of three or four."""

SIDE_BY_SIDE = "#last"
"""What a part of a Split is called behind its name once a copy has laid its channels side by side."""


def divides_channels(layer: Layer) -> bool:
    """The layer takes some of a feature map's channels; a map of one row may have three dimensions (inferred: none was seen)."""
    dims = layer.input_dims
    if not has_rank(dims, 3, MAP_RANK) or positions(dims) == 1 or dims[0] != 1:
        return False
    if layer.kind == "Split":
        return len(layer.outputs) > 1 and axis_of(layer) == CHANNELS
    return layer.kind == "Slice" and sliced_axes(layer) == (CHANNELS,)


def split(lowering: Lowering, layer: Layer, source: str) -> None:
    """The steps of a Split on channels; the first of several Slices of a tensor stands for all."""
    if all(lowering.name(operand.tensor) in lowering.planes for operand in layer.outputs):
        return
    parts = list(_parts(lowering, layer))
    if source in lowering.floats:
        split_floats(lowering, layer, source, parts)
        return
    writes = tuple(operand.tensor for operand in parts)
    planes = source
    as_it_lies = layer.kind == "Split" and whole_batches(lowering, source, parts)
    if as_it_lies and not lowering.toolchain.copies_splits:
        in_batches(lowering, layer, source, parts)
        return
    if source not in lowering.planes and not as_it_lies and not of_one_channel(lowering, source):
        planes = planes_of(lowering, layer, source)
    copied = lowering.toolchain.copies_splits
    lowering.add(
        Step(
            "Split", layer.name, Placement.HW, (Read(planes, False, 1 if copied else 0),), writes, lead=True,
            copy=copied, free=not copied, elements=sum(map(size, parts)),
        ),
        1,
    )  # fmt: skip
    if not as_it_lies:
        lowering.planes.add(planes)
    lowering.planes.update(writes)
    lowering.stored(parts)


def split_floats(lowering: Lowering, layer: Layer, source: str, parts: list[Operand]) -> None:
    """Up to 2.2 a copy to planes, the Split as a copy, and one epoch that copies all parts back, as float kernels want them.

    Eight of eight in a float YOLOv8n (s1f102300638/stm32n6570-2-, 2.2). Rows of three dimensions lie as their dimensions say, so
    that the Split is all (one of one, ibid.).
    """
    writes = tuple(operand.tensor for operand in parts)
    rows = layer.input_dims is not None and len(layer.input_dims) < MAP_RANK
    planes = source if rows else planes_of(lowering, layer, source)
    step = Step(
        "Split", layer.name, Placement.HW, (Read(planes, False),), writes, lead=True, copy=True,
        elements=sum(map(size, parts)), width=FLOAT_BYTES,
    )  # fmt: skip
    lowering.add(step, 1)
    lowering.floats.update(writes)
    lowering.stored(parts)
    if rows:
        return
    for part in parts:
        if lowering.layers.readers.get(part.tensor):
            lowering.names[part.tensor] = laid_last(lowering, SIDE_BY_SIDE, layer, part.tensor)


def of_one_channel(lowering: Lowering, source: str) -> bool:
    """A map of one channel, whose rows became channels, lies in planes as it is (boxes of yolov8n_micro_224 and yolov11n_micro_224).

    In 4.0 their boards run nothing but the convolution there; up to 2.2 a Slice is a copy in any case.
    """
    writer = lowering.writer(source)
    dims = writer.output_dims if writer is not None else None
    return has_rank(dims, MAP_RANK) and dims[CHANNELS] == 1 and not lowering.toolchain.copies_splits


def in_batches(lowering: Lowering, layer: Layer, source: str, parts: list[Operand]) -> None:
    """From 3.0 on the parts are some of the batches; a convolution of more channels than one batch has reads a copy of its part."""
    batch = lowering.batches[source]
    writes = tuple(operand.tensor for operand in parts)
    lowering.add(
        Step("Split", layer.name, Placement.HW, (Read(source, False, 0),), writes, lead=True, free=True,
             elements=sum(map(size, parts))),
        batch,
    )  # fmt: skip
    lowering.stored(parts)
    for part in parts:
        readers = lowering.readers(part.tensor)
        dims = part.dims
        reader = next((r for r in readers if r.kind == "Conv"), None)
        if reader is not None and dims is not None and dims[CHANNELS] > batch:
            lowering.names[part.tensor] = laid_last(lowering, SIDE_BY_SIDE, reader, part.tensor)


def whole_batches(lowering: Lowering, source: str, parts: list[Operand]) -> bool:
    """Each part is some of the batches in which the tensor was written, up to 2.2 by a Swish (11 Splits of yolov8n_256_pose, 2.1).

    Not so for Slices: all eight pairs of a yolov8n of 2.1 are copied to planes (talgarph1/solar-node-ai-docs).
    """
    batch = lowering.batches.get(source, 0)
    sizes = [operand.dims[CHANNELS] for operand in parts if operand.dims is not None]
    grouped = source in lowering.grouped or not lowering.toolchain.copies_splits
    return grouped and batch > 0 and all(size % batch == 0 for size in sizes)


def _parts(lowering: Lowering, layer: Layer) -> Iterator[Operand]:
    """What the Split makes, or all Slices of the same tensor do."""
    yield from layer.outputs
    if layer.kind != "Slice" or layer.input is None:
        return
    for reader in lowering.readers(layer.input.tensor):
        if reader.name != layer.name and reader.kind == "Slice" and divides_channels(reader):
            yield from reader.outputs


def side_by_side(lowering: Lowering, layer: Layer, source: str) -> str:
    """A tensor with its channels side by side: itself, or a copy that all who want it so share."""
    if source not in lowering.planes or not lowering.toolchain.copies_splits:
        return source
    return laid_last(lowering, SIDE_BY_SIDE, layer, source)


def part_of_batches(lowering: Lowering, tensor: str) -> bool:
    """Some batches of what a Split on channels divides as it lies, from 3.0 on."""
    writer = lowering.writer(tensor)
    if writer is None or writer.kind != "Split" or lowering.toolchain.copies_splits:
        return False
    return divides_channels(writer) and tensor not in lowering.planes and lowering.batches.get(tensor, 0) > 1


def joins_planes(lowering: Lowering, concat: Layer) -> bool:
    """All parts of a Concat come in planes: parts of a Split, and sums with one that nobody else reads."""
    operands = lowering.activations(concat)
    return all(
        lowering.name(o.tensor) in lowering.planes or _sum_with_a_plane(lowering, o, concat) for o in operands
    )


def _sum_with_a_plane(lowering: Lowering, operand: Operand, concat: Layer) -> bool:
    writer = lowering.writer(operand.tensor)
    if writer is None or writer.kind not in ARITHMETIC:
        return False
    alone = all(reader.name == concat.name for reader in lowering.readers(operand.tensor))
    return alone and any(lowering.name(o.tensor) in lowering.planes for o in lowering.activations(writer))
