"""Lowering of convolutions, Gemm and MatMul with constant weights (FACTS 2.2, LESSONS A and B)."""

from __future__ import annotations

import math

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.along_rows import (
    ends_in_rows,
    laid_in_columns,
    laid_in_rows,
    reads_planes,
)
from npuscope.neural_art.lowering.copies import wants_copy
from npuscope.neural_art.lowering.lower import INPUT, Lowering, Placed, copied_once, laid_last
from npuscope.neural_art.lowering.operands import zero_point
from npuscope.neural_art.lowering.planes import padded_map
from npuscope.neural_art.lowering.software import float_sums
from npuscope.neural_art.lowering.splits import side_by_side
from npuscope.neural_art.lowering.steps import BATCH, SUM, Read, Step
from npuscope.neural_art.lowering.sums import all_channels, batch_without_offset, sums, written_batch
from npuscope.neural_art.lowering.units import fused_steps
from npuscope.neural_art.mapping.gathering import blocks, fills_blocks
from npuscope.neural_art.mapping.operators import MATRICES
from npuscope.neural_art.mapping.padding import convolution_with_pad
from npuscope.neural_art.mapping.shapes import MAP_RANK, has_rank, of_map, of_rows
from npuscope.neural_art.mapping.sizes import SUM_BYTES, size, spread_elements
from npuscope.neural_art.mapping.tiling import FULL_RANGE_LOW
from npuscope.npu.cost import Tiling
from npuscope.npu.verdict import Placement

FLATTEN = frozenset({"Flatten", "Reshape", "Squeeze"})
VIEWS_FOLLOWED = 4
"""Views between a map and the Gemm that takes it as a row."""


def conv(lowering: Lowering, item: Placed) -> None:
    """The steps of a convolution on the NPU."""
    layer, tiling = item.layer, item.cost.tiling if item.cost is not None else None
    shape = convolution_with_pad(layer, lowering.layers, lowering.target)
    if layer.input is None:
        return
    turned = layer.kind != "Conv" and shape is not None and math.prod(shape.output_size) > 1
    dilated, shares = item.because(Why.CONV_DILATED), shares_weights(lowering, item)
    parts = len(tiling.parts) if tiling is not None else 1
    source = features(lowering, layer, shape, tiling, turned)
    if dilated and shape is not None and not fills_blocks(shape):
        source = padded(lowering, layer, source, planes=True)
    if dilated or item.because(Why.CONV_BLOCKS):
        source = rearranged(lowering, layer, source, "SpaceToDepth")
    if shares:
        source = lowering.copy(layer.name, source, f"{layer.name}#groups", size(layer.input))
    if shape is not None and not pads_itself(shape, lowering.target) and not dilated and parts < 2:
        source = padded(lowering, layer, source)
    if not turned and shape is not None and tiling is not None:
        source = in_own_batches(lowering, layer, source, shape, tiling)
    summed = sums(lowering, layer, source, shape, tiling)
    if shares:
        copied = f"{layer.name}#blocks"
        summed = lowering.copy(layer.name, summed, copied, size(layer.output), width=SUM_BYTES)
    if dilated:
        summed = spread_again(lowering, layer, summed, shape)
    if ends_in_rows(lowering, layer, tiling):
        result, columns = lowering.result(layer), f"{layer.name}#columns"
        scaled(lowering, layer, summed, tiling, columns)
        laid_in_rows(lowering, layer, columns, result)
        return
    scaled(lowering, layer, summed, tiling)
    if parts > 1 and layer.output is not None:
        lowering.summed.add(layer.output.tensor)
    if turned and layer.output is not None:
        lowering.unchained.add(layer.output.tensor)  # written transposed


def features(
    lowering: Lowering, layer: Layer, shape: Convolution | None, tiling: Tiling | None, turned: bool
) -> str:
    """What a convolution reads, as it is to lie and to be stored; `turned`: the rows of a matrix."""
    if layer.input is None:
        return ""
    source = side_by_side(lowering, layer, lowering.name(layer.input.tensor))
    if turned:
        source = turned_features(lowering, layer, source)
    else:
        source = laid_in_columns(lowering, layer, first_copy(lowering, layer, source, shape, tiling), tiling)
    source = as_position(lowering, layer, source)
    if zero_point(layer.input) == FULL_RANGE_LOW:
        return without_offset(lowering, layer, source, tiling.batch_depth if tiling is not None else 0)
    return copied_once(lowering, f"{source}#turned", layer, source) if turned else source


def in_own_batches(lowering: Lowering, layer: Layer, source: str, shape: Convolution, tiling: Tiling) -> str:
    """The features in batches of the convolution's depth, copied where it wants a copy."""
    if not wants_copy(lowering, source, shape, tiling):
        return source
    return copied_once(lowering, f"{source}{BATCH}{tiling.batch_depth}", layer, source, tiling.batch_depth)


def shares_weights(lowering: Lowering, item: Placed) -> bool:
    """The blocks of a dilated kernel of several channels are groups that share their weights: copied apart, and together again.

    inferred: two epochs for each of twenty, from how many a streaming TCN has on the NPU, 120 of 208 (mikekss/tymbal, 4.0).
    """
    dilated = item.cause(Why.CONV_DILATED)
    return dilated is not None and dilated["shared"] == 1 and lowering.toolchain.takes_shared_groups


def first_copy(
    lowering: Lowering, layer: Layer, source: str, shape: Convolution | None, tiling: Tiling | None = None
) -> str:
    """An input of the network lies channels first; it is copied to channels last before a convolution reads it.

    So is a map that a Gemm takes as one row: the row has the positions of a channel side by side. Rows that are read a channel
    at a time are not (a depthwise 7 of 256 channels of LarocheC/stm32n6-stt, 4.0.1).
    """
    if flattened(lowering, layer, source):
        return copied_once(lowering, f"{source}#row", layer, source, op="Reshape")
    if source in lowering.written or source in lowering.channels_last or shape is None:
        return source
    if shape.in_channels == 1 or math.prod(shape.input_size) == 1:
        return source
    if reads_planes(tiling) and of_rows(layer.input_dims):
        return source
    return laid_last(lowering, INPUT, layer, source, owner="")


def flattened(lowering: Lowering, layer: Layer, source: str) -> bool:
    """A Gemm reads a view of a map of several channels and positions, which a unit wrote channels last.

    Gemm_18_reshape_x of toy_sound_classifier (sijiaohanshusin/NECCS_N647, Core 4.0.0): 32 channels of 4x8 as 1,024.
    """
    if layer.kind not in MATRICES or layer.input is None or source not in lowering.written:
        return False
    if source in lowering.planar or source in lowering.planes or source in lowering.unchained:
        return False
    writer = lowering.writer(layer.input.tensor)
    for _ in range(VIEWS_FOLLOWED):
        if writer is None or writer.input is None or writer.kind not in FLATTEN:
            return False
        if has_rank(writer.input_dims, MAP_RANK):
            return of_map(writer.input_dims)
        writer = lowering.writer(writer.input.tensor)
    return False


def as_position(lowering: Lowering, layer: Layer, source: str) -> str:
    """A row that a Gemm takes for the channels of one position: a view, of which several readers have one."""
    operand = layer.input
    if operand is None or not has_rank(operand.dims, 2) or operand.dims[0] != 1 or layer.kind not in MATRICES:
        return source
    writer = lowering.writer(operand.tensor)
    undone = writer is not None and lowering.undone(writer)
    if undone or lowering.streamed(source) or not lowering.toolchain.counts_views:
        return source
    viewed = f"{source}#position"
    return viewed if viewed in lowering.written else lowering.viewed(layer, source, viewed)


def turned_features(lowering: Lowering, layer: Layer, source: str) -> str:
    """The rows of a matrix become positions, its columns channels: one transposing copy for all readers."""
    return copied_once(lowering, f"{source}#columns", layer, source, op="Identity")


def without_offset(
    lowering: Lowering, layer: Layer, source: str, depth: int = 0, count: int | None = None
) -> str:
    """Features with zero point -128 are stored unsigned: a Sub that the producer's epoch takes along where it can."""
    step = Step(
        "Sub",
        layer.name,
        Placement.HW,
        (lowering.read(source),),
        (f"{layer.name}#suboff",),
        arith=1,
        elements=lowering.count(source, layer) if count is None else count,
    )
    return lowering.add(step, batch_without_offset(lowering, layer, source, depth))


def rearranged(lowering: Lowering, layer: Layer, source: str, op: str) -> str:
    """A hybrid SpaceToDepth or DepthToSpace."""
    step = Step(
        op,
        layer.name,
        Placement.HYBRID,
        (Read(source, False),),
        (f"{layer.name}#{op}",),
        elements=size(layer.input),
        stored_bytes=SUM_BYTES * size(layer.output) if op == "DepthToSpace" else 0,
    )
    return lowering.add(step)


def padded(
    lowering: Lowering,
    layer: Layer,
    source: str,
    count: int | None = None,
    result: str = "pad",
    planes: bool = False,
) -> str:
    """A Pad, or a crop, as a 1x1 depthwise convolution; with -O3 what does not lie in `planes` is copied so before."""
    in_planes = lowering.batches.get(source, 0) == 1
    if planes and not in_planes and lowering.target.copies_features:
        source = lowering.copy(
            layer.name, source, f"{layer.name}#{result}_planes", size(layer.input), batch=1
        )
    elements = size(layer.input) if count is None else count
    return padded_map(lowering, layer, source, f"{layer.name}#{result}", elements, planes and in_planes)


def spread_again(lowering: Lowering, layer: Layer, summed: str, shape: Convolution | None) -> str:
    """DepthToSpace behind a dilated convolution, and a crop where its map was padded to whole blocks."""
    summed = rearranged(lowering, layer, summed, "DepthToSpace")
    if shape is None or fills_blocks(shape):
        return summed
    if lowering.toolchain.crops_by_routine and min(blocks(shape)) == 1:
        crop = Step(
            "Pad", layer.name, Placement.HYBRID, (Read(summed, False),), (f"{layer.name}#crop",), elements=size(layer.output),
            stored_bytes=SUM_BYTES * size(layer.output),
        )  # fmt: skip
        return lowering.add(crop, 1)
    return padded(lowering, layer, summed, size(layer.output), "crop", planes=True)


def grouped_in_software(lowering: Lowering, item: Placed) -> None:
    """A convolution of groups, between accelerators: DequantizeLinear, a float Conv and a Cast to sums; scale and bias follow.

    The graph of gg-cnn (TitoNicolaDrugman/Advanced-Computer-Architectures-Project, 2.2) has two dilated ones of 5x5, whose
    blocks become groups: the integer kernel knows none.
    """
    layer = item.layer
    shape = convolution_with_pad(layer, lowering.layers, lowering.target)
    if layer.input is None or shape is None:
        return
    source = first_copy(lowering, layer, lowering.name(layer.input.tensor), shape)
    if zero_point(layer.input):
        source = without_offset(lowering, layer, source)
    dilated = item.because(Why.CONV_DILATED)
    if dilated and not fills_blocks(shape):
        source = padded(lowering, layer, source, planes=True)
    if dilated:
        source = rearranged(lowering, layer, source, "SpaceToDepth")
    names = (f"{layer.name}#DequantizeLinear", f"{layer.name}#Conv", f"{layer.name}#Cast")
    source = float_sums(lowering, layer, source, names)
    scaled(lowering, layer, spread_again(lowering, layer, source, shape) if dilated else source, None)


def pads_itself(shape: Convolution, target: Target) -> bool:
    """The accelerator adds the borders: half of a wide kernel's, too, as 4 of the 9 taps of TC-ResNet8 (2.2, 3 of 3)."""
    halves = (shape.kernel[0] // 2, shape.kernel[1] // 2) * 2
    return not any(shape.pads) or all(
        pad <= max(target.limits.conv_pad, half) for pad, half in zip(shape.pads, halves, strict=True)
    )


def scaled(lowering: Lowering, layer: Layer, source: str, tiling: Tiling | None, result: str = "") -> None:
    """Requantization and bias on ARITH units, and an activation that does not vanish; `result` names what they write."""
    batch = all_channels(lowering, layer, source) or written_batch(
        lowering, layer, convolution_with_pad(layer, lowering.layers, lowering.target), tiling
    )
    count = size(layer.output)
    extra = list(fused_steps(layer))
    result = result or lowering.result(layer)
    ops = ["Mul"] if lowering.toolchain.separate_scale else []
    ops.append("Add")
    for k, op in enumerate((*ops, *extra)):
        last = k == len(ops) + len(extra) - 1
        on_arith = k < len(ops)
        written = result if last else f"{layer.name}#tail{k}"
        step = Step(op, layer.name, Placement.HW, (lowering.read(source),), (written,), elements=count)
        step.arith, step.activ = (1, 0) if on_arith else (0, 1)
        if on_arith and fetches_coefficients(lowering, layer):
            step.extra_streams = 1 + len(COEFFICIENTS) - len(ops)
        step.width = SUM_BYTES if k < len(ops) - 1 else 1
        source = lowering.add(step, batch)


COEFFICIENTS = ("scale", "bias")


def fetches_coefficients(lowering: Lowering, layer: Layer) -> bool:
    """Scales and biases of more channels than ARITH holds are fetched, each by a stream engine of its own.

    An EfficientNetV2-B1 (2.0: vox-haolin/992_PlantDoctor) has the epochs for it (`STEP_RULES` of evidence.py: coefficients_fetched):
    a convolution to 1,152 channels leaves its Sigmoid to the next epoch, one to 48 or 256 does not.
    """
    dims = layer.output_dims
    if dims is None or len(dims) < 2 or not lowering.toolchain.fetches_coefficients:
        return False
    return dims[1] > lowering.target.limits.broadcast_elements


def transposed_conv(lowering: Lowering, item: Placed) -> None:
    """Zeros between the values by a hybrid Concat and DepthToSpace, a crop, and a plain convolution."""
    layer = item.layer
    if layer.input is None:
        return
    source = lowering.name(layer.input.tensor)
    spread = spread_elements(layer) or size(layer.output)
    for op in ("Concat", "DepthToSpace"):
        step = Step(
            op, layer.name, Placement.HYBRID, (Read(source, False),), (f"{layer.name}#{op}",), lead=op == "DepthToSpace",
            elements=spread, constant_bytes=spread - size(layer.input) if op == "Concat" else 0,
        )  # fmt: skip
        source = lowering.add(step)
    if lowering.target.copies_features:
        source = lowering.copy(layer.name, source, f"{layer.name}#copy", spread, batch=1)
    source = padded(lowering, layer, source, spread)
    if zero_point(layer.input) == FULL_RANGE_LOW:
        source = without_offset(lowering, layer, source, count=spread)
    made = lowering.add(
        Step("Conv", layer.name, Placement.HW, (lowering.read(source, False, 3),), (layer.name + SUM,), conv=3, extra_streams=1,
             elements=max(size(layer.output), spread // 3), stored_bytes=SUM_BYTES * size(layer.output)),
        0,
    )  # fmt: skip
    scaled(lowering, layer, made, None)
