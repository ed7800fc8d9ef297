"""Lowering of what only moves data: copies, views, and routines in which the CPU drives the DMAs."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.kernels.rows import leaves
from npuscope.neural_art.kernels.streams import laid_in_planes
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.lower import INPUT, Lowering, Placed, laid_last
from npuscope.neural_art.lowering.planes import padded_map, planes_of
from npuscope.neural_art.lowering.splits import (
    SIDE_BY_SIDE,
    divides_channels,
    joins_planes,
    part_of_batches,
    side_by_side,
    split,
)
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.lowering.type_changes import is_float_input, parts_of_floats
from npuscope.neural_art.lowering.units import printed
from npuscope.neural_art.mapping.layout import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    RESHAPING,
    VIEWS,
    laid_anew,
    pad_amounts,
    permutation,
    sliced_axes,
)
from npuscope.neural_art.mapping.operators import POOLING
from npuscope.neural_art.mapping.padding import absorbed
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.neural_art.mapping.shapes import MAP_RANK, has_rank, of_map
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, operand_bytes, size
from npuscope.npu.verdict import Placement


def hybrid(lowering: Lowering, item: Placed) -> None:
    """One routine that reads and writes memory."""
    layer = item.layer
    lowering.stored(layer.outputs)
    if layer.kind == "Concat":
        reads = tuple(Read(name, False) for name in rescaled(lowering, layer))
    else:
        names = [lowering.name(o.tensor) for o in lowering.activations(layer)]
        if names:
            names[0] = lowering.source(layer)  # quantized or dequantized before it is moved
        reads = tuple(Read(name, False) for name in names)
    together = slices_together(lowering, layer)
    if together and together[0].name != layer.name:
        return  # the first of them stands for all
    writes = tuple(o.tensor for one in together or (layer,) for o in one.outputs)
    step = Step(
        "Split" if together else printed(layer.kind), layer.name, Placement.HYBRID, reads, writes, lead=True,
        beside=tuple(one.name for one in together[1:]), elements=sum(size(o) for one in together or (layer,) for o in one.outputs),
    )  # fmt: skip
    lowering.add(step, 1 if not lowering.planar.isdisjoint(writes) else 0)
    stay_floats(lowering, (read.tensor for read in reads), writes)
    parts_of_floats(lowering, layer, writes)
    for one in together or (layer,):
        laid_for_border(lowering, one)


def slices_together(lowering: Lowering, layer: Layer) -> list[Layer]:
    """From 4.0 Slices of what no routine wrote are one Split: 17 epochs of LiSenNet, three of two Slices (eco8-neaixt, 4.0.1).

    Behind a routine they stay Slices (three behind the Concats of N6Net, ibid.), and so do those of a float input, which may
    overlap (two of two of a DNSMOS, LarocheC/dnsmos_exported, 4.0.1).
    """
    if layer.kind != "Slice" or layer.input is None or not lowering.toolchain.joins_slices:
        return []
    if lowering.name(layer.input.tensor) in lowering.software or is_float_input(lowering, layer.input):
        return []
    readers = lowering.readers(layer.input.tensor)
    return [
        reader for reader in readers if reader.kind == "Slice" and sliced_axes(reader) == sliced_axes(layer)
    ]


def stay_floats(lowering: Lowering, reads: Iterable[str], writes: Iterable[str]) -> None:
    """What is moved stays as wide as it is: of floats, floats."""
    names = tuple(reads)
    if names and all(name in lowering.floats for name in names):
        lowering.floats.update(writes)


def resize(lowering: Lowering, item: Placed) -> None:
    """Nearest by whole factors: the values are copied into more channels, then a hybrid DepthToSpace."""
    layer = item.layer
    if layer.input is None:
        return
    source = lowering.source(layer)
    copied = lowering.copy(layer.name, source, f"{layer.name}#copies", size(layer.output), op="Concat")
    step = Step(
        "DepthToSpace", layer.name, Placement.HYBRID, (Read(copied, False),), (lowering.result(layer),), lead=True,
        elements=size(layer.output),
    )  # fmt: skip
    stay_floats(lowering, (source,), (lowering.add(step),))


def view(lowering: Lowering, item: Placed) -> None:
    """Another name for the same values."""
    layer = item.layer
    source = lowering.source(layer)
    if not source:
        constant_output(lowering, layer)
        return
    if layer.kind in RESHAPING and laid_anew(layer, lowering.layers, lowering.target):
        made = lowering.result(layer)
        channels = layer.output_dims[1] if layer.output_dims is not None else 0
        lowering.copy(layer.name, source, made, size(layer.output), op="Reshape", batch=channels)
        return
    if layer.kind not in ("Split", "Slice", "Gather"):
        (lowering.results_are if item.placement is Placement.NONE else lowering.renamed)(layer, source)
        return
    divided = lowering.toolchain.copies_splits or source not in lowering.floats
    if divides_channels(layer) and source in lowering.written and divided:
        split(lowering, layer, source)
        return
    # No unit streams a part of what it makes: the parts are read from memory.
    writes = tuple(operand.tensor for operand in layer.outputs)
    lowering.add(
        Step(layer.kind, layer.name, Placement.HW, (Read(source, False, 0),), writes, lead=True, free=True),
        lowering.batches.get(source, 0),
    )
    lowering.stored(layer.outputs)
    stay_floats(lowering, (source,), writes)
    parts_of_floats(lowering, layer, writes)
    laid_for_border(lowering, layer)


def laid_for_border(lowering: Lowering, layer: Layer) -> None:
    """Parts of a map that leave the network are copied to channels first."""
    if layer.kind not in ("Slice", "Split") or not lowering.toolchain.copies_at_borders:
        return
    for operand in layer.outputs:
        if of_map(operand.dims) and leaves(lowering.layers, operand):
            lowering.copy(layer.name, operand.tensor, f"{operand.tensor}#border", size(operand), batch=1)


def constant_output(lowering: Lowering, layer: Layer) -> None:
    """An output of the network that is a constant is copied from where the weights lie (ssd_mobilenet_v1_256)."""
    result = layer.output
    if (
        result is None
        or lowering.layers.readers.get(result.tensor)
        or not any(o.constant for o in layer.inputs)
    ):
        return
    step = Step(
        "Identity", layer.name, Placement.HW, (), (result.tensor,), copy=True, elements=size(result),
        constant_bytes=operand_bytes(result),
    )  # fmt: skip
    lowering.add(step)


def transpose(lowering: Lowering, item: Placed) -> None:
    """Channels last or first: the producer writes in that order, or one copy does; nothing is chained behind it."""
    layer = item.layer
    source, perm = lowering.source(layer), permutation(layer)
    if not source:
        return
    if perm == (0, 1, 2, 3):
        lowering.renamed(layer, source)
        return
    if source not in lowering.written:  # an input of the network
        lowering.renamed(layer, source)
        if perm == CHANNELS_FIRST:
            lowering.channels_last.add(lowering.name(lowering.result(layer)))
        return
    if dequantized_as_it_lies(lowering, item, source):
        lowering.renamed(layer, source)
        return
    result = lowering.result(layer)
    rows = layer.input_dims is not None and len(layer.input_dims) < MAP_RANK
    if rows and source in lowering.software and lowering.toolchain.counts_views:
        source = lowering.viewed(
            layer, source, f"{layer.name}#four"
        )  # the compiler's tensors have four dimensions
    if source in lowering.unchained or source in lowering.software or source in lowering.floats:
        lowering.copy(layer.name, source, result, size(layer.output))
    else:
        lowering.add(
            Step(
                "Transpose",
                layer.name,
                Placement.HW,
                (lowering.read(source),),
                (result,),
                lead=True,
                elements=size(layer.output),
            )
        )
    lowering.unchained.add(result)
    if source in lowering.floats:
        lowering.floats.add(result)


def dequantized_as_it_lies(lowering: Lowering, item: Placed, source: str) -> bool:
    """A DequantizeLinear leaves a map channels last, where it lies so before it: to read it so is a view.

    Both builds of movenet_192 (2.0, 2.1) and tiny_yolo_v2 with a float output (STMicroelectronics/x-cube-n6-ai-power-measurement,
    3.0) have the Transpose at the output in the memory of what is transposed, and centerface (PeleAB/STM32N6-FaceRecognition,
    4.0.0) has four from the epoch of the DequantizeLinear on; up to 2.2 it has an epoch that moves nothing. Rows of three
    dimensions lie as their dimensions say, and are copied (blazeface_front_128, 2.1).
    """
    layer = item.layer
    if not item.because(Why.CARRIES_DEQUANTIZE) or layer.input is None or source not in lowering.software:
        return False
    last = has_rank(layer.input_dims, MAP_RANK) and permutation(layer) == CHANNELS_LAST
    return last and not laid_in_planes(layer.input.tensor, lowering.layers)


def pad(lowering: Lowering, item: Placed) -> None:
    """Nothing where convolutions take it along, else a 1x1 depthwise convolution.

    A pooling takes none: in front of one it is a copy to planes and the CONV, whose stream the pooling reads (Pad_8 of a
    MiniResNet, sgarper3/stm32n657-audio-edge-ai, 2.2).
    """
    layer = item.layer
    if layer.input is None or layer.output is None:
        return
    readers = lowering.readers(layer.output.tensor)
    pooled = bool(readers) and all(r.kind in POOLING for r in readers)
    amounts = pad_amounts(layer)
    nothing = amounts is None or not any(map(any, amounts))
    if nothing or absorbed(layer, lowering.layers, lowering.target) is not None:
        lowering.results_are(layer, layer.input.tensor)
        return
    source = lowering.name(layer.input.tensor)
    if not pooled:
        source = in_planes(lowering, layer, source, layer.input.tensor)
    elif source not in lowering.planes:
        source = planes_of(lowering, layer, source)
    padded_map(lowering, layer, source, lowering.result(layer), size(layer.output), lead=True)


def in_planes(lowering: Lowering, layer: Layer, source: str, stream: str) -> str:
    """With -O3 what a routine wrote of a stream that does not come in planes is copied so for the Pad's own CONV.

    The first Pad of channels of blazeface_front_128 and of face_landmark_192, whose others come in planes; all eleven of
    blazeface where the planar operand of each Add is the second (roadtothewest/ProyectoIPD439, 2.2).
    """
    if source not in lowering.rearranged or stream in lowering.planar or not lowering.target.copies_features:
        return source
    return lowering.copy(layer.name, source, f"{layer.name}#planes", size(layer.input), batch=1)


def channel_pad(lowering: Lowering, item: Placed) -> None:
    """Channels are padded as a dimension of the map: exchanged with it before and back behind, by routines or as streamed."""
    layer = item.layer
    if layer.input is None:
        return
    rows = item.cause(Why.PAD_ROWS)
    routines = rows.count("routines") if rows is not None else 0 if item.because(Why.PAD_STREAMED) else 1
    streamed, share = routines < (2 if rows is not None else 1), 1 / (routines + 1)
    turned, padded = f"{layer.name}#turned", f"{layer.name}#padded"
    step = Step(
        "Transpose", layer.name, Placement.HW if streamed else Placement.HYBRID,
        (lowering.read(layer.input.tensor, streamed),), (turned,), lead=not streamed, elements=size(layer.input),
        share=share,
    )  # fmt: skip
    lowering.add(step)
    lowering.unchained.add(turned)
    if rows is not None:
        turned = in_planes(lowering, layer, turned, layer.input.tensor)
    padded_map(lowering, layer, turned, padded, size(layer.output), lead=True, share=share)
    # Behind the Pad's own CONV channels first is a way of writing; rows in another order are not.
    back = Step(
        "Transpose", layer.name, Placement.HW if rows is None else Placement.HYBRID,
        (lowering.read(padded, rows is None),), (lowering.result(layer),), lead=rows is not None, elements=size(layer.output),
        share=share if rows is not None else 1.0,
    )  # fmt: skip
    lowering.unchained.add(lowering.add(back, 1))


def concat(lowering: Lowering, item: Placed) -> None:
    """Producers write at their offset; an input of another scale is rescaled first.

    Up to 2.2 a Concat is an epoch that copies nothing but is counted; later reports leave it out. Parts written in the
    same batches leave the result in them: 16 channels at a time (Concat_215 and Concat_331 of a YOLOv5s, 2.2), which a
    convolution of that depth reads without a copy.
    """
    layer = item.layer
    if item.because(Why.FLOATS_COPIED) and layer.output is not None and layer.output.quant is not None:
        quantized_behind(lowering, layer)
        return
    result = lowering.result(layer)
    reads = tuple(Read(name, False, 0) for name in rescaled(lowering, layer))
    step = Step("Concat", layer.name, Placement.HW, reads, (result,), lead=True, elements=size(layer.output))
    if lowering.toolchain.copies_concat:
        step.copy, step.extra_streams = True, 1
    else:
        step.free = True
    batches = {lowering.batches.get(read.tensor, 0) for read in reads}
    lowering.add(step, batches.pop() if len(batches) == 1 else 0)
    lowering.unchained.add(result)
    stay_floats(lowering, (read.tensor for read in reads), (result,))


def quantized_behind(lowering: Lowering, layer: Layer) -> None:
    """Floats are copied beside each other by the stream engines, and the CPU quantizes them together.

    Two inputs of a metric predictor, stacked before its first Conv: 12 epochs of the NPU and 21 or 23 in software, in which the Concat
    has no place (LarocheC/dnsmos_exported, 4.0.1).
    """
    reads = tuple(Read(lowering.name(o.tensor), False, 0) for o in lowering.activations(layer))
    joined, count = f"{layer.name}#floats", size(layer.output)
    step = Step(
        "Concat", layer.name, Placement.HW, reads, (joined,), lead=True, elements=count, width=FLOAT_BYTES
    )
    step.copy, step.extra_streams = True, 1
    lowering.unchained.add(lowering.add(step))
    lowering.floats.add(joined)
    quantize = Step(
        "QuantizeLinear", layer.name, Placement.SW_FLOAT, (Read(joined, False),), (lowering.result(layer),), elements=count
    )  # fmt: skip
    lowering.add(quantize)


def rescaled(lowering: Lowering, layer: Layer) -> list[str]:
    """The parts of a Concat, those of another scale requantized and floats quantized: neither an offset nor a routine changes a value."""
    names: list[str] = []
    planes = joins_planes(lowering, layer)
    for k, operand in enumerate(lowering.activations(layer)):
        name = lowering.name(operand.tensor)
        if name in lowering.floats and operand.quant is None and layer.output and layer.output.quant:
            part = f"{layer.name}#part{k}"
            step = Step(
                "QuantizeLinear",
                layer.name,
                Placement.SW_FLOAT,
                (Read(name, False),),
                (part,),
                elements=size(operand),
            )
            names.append(lowering.add(step))
            continue
        name = name if planes else side_by_side(lowering, layer, name)
        rescales = (
            operand.quant is not None
            and layer.output is not None
            and not stored_alike(operand.quant, layer.output.quant)
        )
        if not rescales and given_planes(lowering, operand, name):
            name = laid_last(lowering, INPUT, layer, name, owner="")
        lies = part_of_batches(lowering, operand.tensor)
        if lies:
            stream = operand.tensor
            name = stream if rescales else laid_last(lowering, SIDE_BY_SIDE, layer, stream)
        if rescales:
            part = f"{layer.name}#part{k}"
            read = Read(name, False) if lies else lowering.read(name)
            step = Step("Add", layer.name, Placement.HW, (read,), (part,), arith=1, elements=size(operand))
            name = lowering.add(step, 0 if lies else lowering.batches.get(name, 0))
        names.append(name)
    return names


def given_planes(lowering: Lowering, operand: Operand, name: str) -> bool:
    """An input of the network that lies channels first, which a Concat joins with what lies channels last."""
    given = name not in lowering.written and name not in lowering.channels_last
    return given and of_map(operand.dims) and lowering.toolchain.copies_at_borders


def is_view(layer: Layer) -> bool:
    """Renames dimensions, or takes parts that are blocks of memory."""
    return layer.kind in VIEWS or layer.kind in ("Split", "Slice", "Gather", "Expand", "Cast")
