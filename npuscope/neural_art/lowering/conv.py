"""Lowering of convolutions, Gemm and MatMul with constant weights (FACTS 2.2, LESSONS A and B)."""

from __future__ import annotations

import math
from dataclasses import replace

from npuscope.model.convolution import Convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.lower import SUM_BYTES, Lowering, Placed, once, size
from npuscope.neural_art.lowering.pools import POOL_BATCH
from npuscope.neural_art.lowering.splits import side_by_side
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.lowering.units import cuts_nothing, fused_steps, zero_point
from npuscope.neural_art.mapping.operators import POOLING
from npuscope.neural_art.mapping.padding import convolution_with_pad
from npuscope.neural_art.mapping.sizes import spread_elements
from npuscope.neural_art.mapping.tiling import FULL_RANGE_LOW, largest_divisor, work
from npuscope.npu.cost import Tiling
from npuscope.npu.verdict import Placement

BUS_BYTES = 8
"""Bytes of a transfer: fewer channels at a time are copied into a layout of their own first."""

SHORT_ROW = 48
"""Elements of a row (width x channels at a time) below which a depthwise input is copied. inferred: 32 are, 56 are not."""

MANY_PASSES = 16
"""Passes from which features are copied into the convolution's own layout, however wide a row is."""

NARROW_ROW = 100
"""Elements of a row (width x channels at a time) up to which they are.

inferred with the passes: 212 of 221 convolutions in 16x8 that are not depthwise, up to 2.2; against it seven 64->64 of
3x3 on 16x16 (2.0).
"""


FLATTEN = frozenset({"Flatten", "Reshape", "Squeeze"})
VIEWS_FOLLOWED = 4
"""Views between a map and the Gemm that takes it as a row."""


def conv(low: Lowering, item: Placed) -> None:
    """The steps of a convolution on the NPU."""
    layer, tiling = item.layer, item.cost.tiling if item.cost is not None else None
    shape = convolution_with_pad(layer, low.layers, low.target)
    if layer.input is None:
        return
    source = side_by_side(low, layer, low.name(layer.input.tensor))
    turned = layer.kind != "Conv" and shape is not None and math.prod(shape.output_size) > 1
    source = turned_features(low, layer, source) if turned else first_copy(low, layer, source, shape)
    source = as_position(low, layer, source)
    if zero_point(layer.input) == FULL_RANGE_LOW:
        source = without_offset(low, layer, source, tiling.batch_depth if tiling is not None else 0)
    elif turned:
        source = once(low, f"{source}#turned", layer, source)
    dilated = item.because(Why.CONV_DILATED)
    if dilated or item.because(Why.CONV_BLOCKS):
        source = rearranged(low, layer, source, "SpaceToDepth")
    if shape is not None and max(shape.pads) > low.target.limits.conv_pad:
        source = padded(low, layer, source)
    if not turned and shape is not None and tiling is not None and wants_copy(low, source, shape, tiling):
        source = once(low, f"{source}#batch{tiling.batch_depth}", layer, source, tiling.batch_depth)
    summed = sums(low, layer, source, shape, tiling)
    if dilated:
        summed = rearranged(low, layer, summed, "DepthToSpace")
    if ends_in_rows(low, layer):
        in_rows(low, layer, summed, tiling)
        return
    scaled(low, layer, summed, tiling)
    if turned and layer.output is not None:
        low.unchained.add(layer.output.tensor)  # written transposed


def in_rows(low: Lowering, layer: Layer, summed: str, tiling: Tiling | None) -> None:
    """A Conv1d at the end of a network: one more copy puts its result in rows, a byte at a time (tcn_calculator, 4.0)."""
    result = low.result(layer)
    scaled(low, layer, summed, tiling, f"{layer.name}#columns")
    low.copy(layer.name, f"{layer.name}#columns", result, size(layer.output), op="Reshape")


def ends_in_rows(low: Lowering, layer: Layer) -> bool:
    """The layer makes an output of the network that has three dimensions, more than one channel and position."""
    dims = layer.output.dims if layer.output is not None else None
    if layer.kind != "Conv" or dims is None or len(dims) != 3 or min(dims[1:]) < 2 or layer.output is None:
        return False
    readers = [
        r for name in (layer.output.tensor, layer.output.seen) for r in low.layers.readers.get(name, ())
    ]
    return all(
        reader.kind == "DequantizeLinear"  # the border of the network
        and not any(low.layers.readers.get(operand.tensor) for operand in reader.outputs)
        for reader in readers
    )


def first_copy(low: Lowering, layer: Layer, source: str, shape: Convolution | None) -> str:
    """An input of the network lies channels first; it is copied to channels last before a convolution reads it.

    So is a map that a Gemm takes as one row: the row has the positions of a channel side by side.
    """
    if flattened(low, layer, source):
        return once(low, f"{source}#row", layer, source, op="Reshape")
    if source in low.written or source in low.channels_last or shape is None:
        return source
    if shape.in_channels == 1 or math.prod(shape.input_size) == 1:
        return source
    return once(low, f"{source}#input", layer, source, op="Identity", owner="")


def flattened(low: Lowering, layer: Layer, source: str) -> bool:
    """A Gemm reads a view of a map of several channels and positions, which a unit wrote channels last.

    Gemm_18_reshape_x of toy_sound_classifier (sijiaohanshusin/NECCS_N647, Core 4.0.0): 32 channels of 4x8 as 1,024.
    """
    if layer.kind not in ("Gemm", "MatMul") or layer.input is None or source not in low.written:
        return False
    if source in low.planar or source in low.planes or source in low.unchained:
        return False
    writer = low.layers.writers.get(layer.input.tensor)
    for _ in range(VIEWS_FOLLOWED):
        if writer is None or writer.input is None or writer.kind not in FLATTEN:
            return False
        dims = writer.input.dims
        if dims is not None and len(dims) == 4:
            return dims[1] > 1 and dims[2] * dims[3] > 1
        writer = low.layers.writers.get(writer.input.tensor)
    return False


def as_position(low: Lowering, layer: Layer, source: str) -> str:
    """A row that a Gemm takes for the channels of one position: a view, of which several readers have one."""
    operand = layer.input
    dims = operand.dims if operand is not None else None
    if (
        operand is None
        or dims is None
        or len(dims) != 2
        or dims[0] != 1
        or layer.kind not in ("Gemm", "MatMul")
    ):
        return source
    writer = low.layers.writers.get(operand.tensor)
    if low.streamed(source) or not low.target.toolchain.counts_views or (writer and low.undone(writer)):
        return source
    viewed = f"{source}#position"
    return viewed if viewed in low.written else low.viewed(layer, source, viewed)


def turned_features(low: Lowering, layer: Layer, source: str) -> str:
    """The rows of a matrix become positions, its columns channels: one transposing copy for all readers."""
    return once(low, f"{source}#columns", layer, source, op="Identity")


def without_offset(low: Lowering, layer: Layer, source: str, depth: int = 0) -> str:
    """Features with zero point -128 are stored unsigned: a Sub that the producer's epoch takes along where it can.

    Of a stream that comes in planes it keeps them for a convolution that reads planes, and goes on to it in the same epoch
    (blazeface_front_128, 2.1: three depthwise ones of 28, 36 and 42 channels); for others it lays the features out itself.
    """
    step = Step(
        "Sub",
        layer.name,
        Placement.HW,
        (low.read(source),),
        (f"{layer.name}#suboff",),
        arith=1,
        elements=low.count(source, layer),
    )
    batch = low.batches.get(source, 0)
    return low.add(step, 0 if source in low.planar and batch != depth else batch)


def rearranged(low: Lowering, layer: Layer, source: str, op: str) -> str:
    """A hybrid SpaceToDepth or DepthToSpace."""
    step = Step(
        op,
        layer.name,
        Placement.HYBRID,
        (Read(source, False),),
        (f"{layer.name}#{op}",),
        elements=size(layer.input),
        held=SUM_BYTES * size(layer.output) if op == "DepthToSpace" else 0,
    )
    return low.add(step)


def padded(low: Lowering, layer: Layer, source: str, count: int | None = None) -> str:
    """A Pad as a 1x1 depthwise convolution."""
    step = Step(
        "Conv", layer.name, Placement.HW, (low.read(source, False),), (f"{layer.name}#pad",), conv=1, extra_streams=1,
        elements=size(layer.input) if count is None else count,
    )  # fmt: skip
    return low.add(step, 1)


def wants_copy(low: Lowering, source: str, shape: Convolution, tiling: Tiling) -> bool:
    """The features are copied into batches of the convolution's depth first (-O3 builds up to 2.2).

    1. Never where they are written in such batches already, nor for maps of one position. Software writes as it is asked.
    2. Depthwise: where a batch is less than a bus transfer, where rows are short, and behind a hybrid routine.
    3. Others in 16x8: where there are many passes, or rows are short.
    """
    if not low.target.copies_features or low.batches.get(source, 0) == tiling.batch_depth:
        return False
    if math.prod(shape.input_size) == 1 or shape.in_channels == 1 or source.endswith("#input"):
        return False
    if source in low.software and source not in low.rearranged:
        return False
    if shape.depthwise:
        narrow = tiling.batch_depth < BUS_BYTES and tiling.simd == "16x8"
        return narrow or shape.input_size[1] * tiling.batch_depth < SHORT_ROW or source in low.rearranged
    if source in low.channels_last:
        return False  # an input of the network that lies channels last: any depth can be read (single layers, 2.2)
    short = shape.input_size[1] * tiling.batch_depth <= NARROW_ROW
    return tiling.simd == "16x8" and (tiling.passes >= MANY_PASSES or short)


def sums(low: Lowering, layer: Layer, source: str, shape: Convolution | None, tiling: Tiling | None) -> str:
    """The multiplications: CONV accelerators in series, sub-masks of a large kernel two at a time."""
    series = tiling.accelerators if tiling is not None else 1
    once_only = tiling is not None and (tiling.passes == 1 or tiling.group > 1) and series == 1
    batch = written_batch(low, layer, shape, tiling)
    depth = tiling.batch_depth if tiling is not None else 0
    single = shape is not None and shape.in_channels == 1  # one channel lies the same at every depth
    chained = once_only and (single or low.batches.get(source, 0) == depth)
    accumulates = tiling is not None and tiling.iterations > 1
    parts = len(tiling.parts) if tiling is not None else 1
    count = size(layer.output)
    total = ""
    for begin in range(0, max(parts, 1), 2):
        pair = min(2, max(parts, 1) - begin)
        units = max(1, min(low.target.units.conv, series * pair))
        # The sum so far comes from memory: the epoch before wrote it.
        before = (Read(total, False),) if total else ()
        step = Step(
            "Conv",
            layer.name,
            Placement.HW,
            (low.read(source, chained and pair == 1, units), *before),
            (f"{layer.name}#sum{begin}",),
            conv=units,
            arith=pair - 1 + len(before),
            lead=True,
            extra_streams=pair + (2 if accumulates else 0),
            portioned=writes_little(low, shape, tiling),
            elements=count,
            width=SUM_BYTES,
            share=pair / max(parts, 1),
        )
        total = low.add(step, batch)
    return total


def written_batch(low: Lowering, layer: Layer, shape: Convolution | None, tiling: Tiling | None) -> int:
    """Channels a convolution writes at a time: its kernels per pass.

    Up to 2.2 they are as few as a pooling takes where that alone reads them and more passes cost nothing: the board
    runs Conv and AveragePool of conv2d_1x1 in one epoch with 2.2, in two with 4.0. Deep1x1 is not seen to do so.
    """
    if tiling is None:
        return 0
    batch = tiling.kernels_per_pass
    if shape is None or tiling.deep1x1 or not low.target.toolchain.fewest_accelerators:
        return batch
    fewer = largest_divisor(batch, POOL_BATCH)
    more = replace(tiling, kernels_per_pass=fewer, passes=tiling.passes * (batch // fewer))
    if fewer < batch and pooled_alone(low, layer) and work(more, shape).cycles <= work(tiling, shape).cycles:
        return fewer
    return batch


def pooled_alone(low: Lowering, layer: Layer) -> bool:
    """A pooling is all that reads a layer, but for activations that vanish."""
    operand = layer.output
    seen: set[str] = set()
    while operand is not None and operand.tensor not in seen:
        seen.add(operand.tensor)  # in a damaged model a tensor may depend on itself
        readers = low.layers.readers.get(operand.tensor, ())
        if len(readers) != 1:
            return False
        if readers[0].kind not in ("Relu", "Clip") or not cuts_nothing(readers[0]):
            return readers[0].kind in POOLING
        operand = readers[0].output
    return False


def writes_little(low: Lowering, shape: Convolution | None, tiling: Tiling | None) -> bool:
    """Chains behind a convolution may meet again in its epoch: partial sums come out little by little.

    In 4.0 they meet behind any that is not depthwise: yolov11n_micro_224 could not hold x and sigmoid(x) of its first
    layers in the 457,856 bytes it takes, and has fewer epochs in its last blob than there would be.
    """
    if tiling is None:
        return False
    if tiling.iterations > 1:
        return True
    return low.target.toolchain.at_least("4.0") and shape is not None and not shape.depthwise


def scaled(low: Lowering, layer: Layer, source: str, tiling: Tiling | None, result: str = "") -> None:
    """Requantization and bias on ARITH units, and an activation that does not vanish; `result` names what they write."""
    batch = written_batch(low, layer, convolution_with_pad(layer, low.layers, low.target), tiling)
    count = size(layer.output)
    extra = list(fused_steps(layer))
    result = result or low.result(layer)
    ops = ["Mul"] if low.target.toolchain.separate_scale else []
    ops.append("Add")
    for k, op in enumerate((*ops, *extra)):
        last = k == len(ops) + len(extra) - 1
        on_arith = k < len(ops)
        written = result if last else f"{layer.name}#tail{k}"
        step = Step(op, layer.name, Placement.HW, (low.read(source),), (written,), elements=count)
        step.arith, step.activ = (1, 0) if on_arith else (0, 1)
        step.width = SUM_BYTES if k < len(ops) - 1 else 1
        source = low.add(step, batch)


def transposed_conv(low: Lowering, item: Placed) -> None:
    """Zeros between the values by a hybrid Concat and DepthToSpace, a crop, and a plain convolution."""
    layer = item.layer
    if layer.input is None:
        return
    source = low.name(layer.input.tensor)
    spread = spread_elements(layer) or size(layer.output)
    for op in ("Concat", "DepthToSpace"):
        step = Step(
            op, layer.name, Placement.HYBRID, (Read(source, False),), (f"{layer.name}#{op}",), lead=op == "DepthToSpace",
            elements=spread, constant_bytes=spread - size(layer.input) if op == "Concat" else 0,
        )  # fmt: skip
        source = low.add(step)
    if low.target.copies_features:
        source = low.copy(layer.name, source, f"{layer.name}#copy", spread, batch=1)
    source = padded(low, layer, source, spread)
    if zero_point(layer.input) == FULL_RANGE_LOW:
        source = without_offset(low, layer, source)
    made = low.add(
        Step("Conv", layer.name, Placement.HW, (low.read(source, False, 3),), (f"{layer.name}#sum",), conv=3, extra_streams=1,
             elements=max(size(layer.output), spread // 3), held=SUM_BYTES * size(layer.output)),
        0,
    )  # fmt: skip
    scaled(low, layer, made, None)
