"""Sums: the multiplications of a convolution, with the sub-masks of a large kernel and the sums of their results."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from npuscope.model.convolution import Convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.lowering.along_rows import read_alone
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.lowering.operands import apart_in_rows
from npuscope.neural_art.lowering.pools import POOL_BATCH
from npuscope.neural_art.lowering.steps import PART, SUM, Read, Step
from npuscope.neural_art.mapping.bounds import vanishes
from npuscope.neural_art.mapping.capacity import kernels_of_parts, largest_divisor
from npuscope.neural_art.mapping.operators import POOLING
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.neural_art.mapping.shapes import has_rank, of_rows, positions
from npuscope.neural_art.mapping.sizes import SUM_BYTES, size
from npuscope.neural_art.mapping.tiling import work
from npuscope.neural_art.price.traffic import WIDE_SUM_BYTES
from npuscope.npu.cost import Tiling
from npuscope.npu.verdict import Placement


def sums(
    lowering: Lowering, layer: Layer, source: str, shape: Convolution | None, tiling: Tiling | None
) -> str:
    """The multiplications: CONV accelerators in series, as many sub-masks of a large kernel beside each other as there are.

    1. Three of 7x6 in one epoch (mobilefacenet_qdq, 2.1), four and four of 11x11 in gg-cnn (2.2), each four with the tree
       of their sums. The sums of two groups are added behind both, from memory.
    2. Where a sub-mask takes all accelerators in series, each adds the sum before it (5x5 of 16 channels, gg-cnn).
    """
    count = size(layer.output)
    if tiling is None:
        step = Step(
            "Conv", layer.name, Placement.HW, (lowering.read(source, False),), (f"{layer.name}{SUM}0",), conv=1, lead=True,
            extra_streams=1, elements=count, width=SUM_BYTES,
        )  # fmt: skip
        return lowering.add(step)
    once_only = (tiling.passes == 1 or tiling.group > 1) and tiling.accelerators == 1
    single = shape is not None and shape.in_channels == 1  # one channel lies the same at every depth
    chained = once_only and (single or lowering.batches.get(source, 0) == tiling.batch_depth)
    accumulates = tiling.iterations > 1
    parts, at_once = len(tiling.parts), tiling.side_by_side
    beside = at_once > 1 and parts > 1 and summed_apart(lowering, layer, shape)
    if at_once == 1 or parts < 2:
        groups = [Group(1, 0, (f"{layer.name}{SUM}{k}",)) for k in range(max(parts, 1))]
        joins: list[Join] = []
    else:
        masks = sub_masks(lowering, layer, shape, tiling, beside)
        groups, joins = tree(masks, at_once, lowering.target.units.stream)
    in_step = chained and (parts < 2 or (beside and in_one_step(lowering, layer, tiling.batch_depth, groups)))
    batch, width = written_batch(lowering, layer, shape, tiling), sum_bytes(lowering, tiling)
    total = ""
    for group in groups:
        # Where a sub-mask takes all accelerators, the sum so far comes from memory: the epoch before wrote it.
        before = (Read(total, False),) if total and at_once == 1 else ()
        units = max(1, min(lowering.target.units.conv, tiling.accelerators * group.leaves))
        step = Step(
            "Conv", layer.name, Placement.HW, (lowering.read(source, in_step, 1 if beside else units), *before), group.writes,
            conv=units, arith=group.adds + len(before), lead=True, extra_streams=group.leaves + len(group.writes) - 1 + accumulates,
            loops=accumulates, portioned=writes_little(lowering, tiling), elements=count, width=width,
            share=group.leaves / max(parts, 1),
        )  # fmt: skip
        total = lowering.add(step, batch)
    for join in joins:
        reads = tuple(lowering.read(name, name in join.chained) for name in join.reads)
        step = Step(
            "Add", layer.name, Placement.HW, reads, (join.write,), arith=1, elements=count, width=width
        )  # fmt: skip
        total = lowering.add(step, batch)
    return total


def batch_without_offset(lowering: Lowering, layer: Layer, source: str, depth: int) -> int:
    """Channels that the Sub before a convolution which reads `depth` of them writes at a time.

    1. Of a stream that comes in planes it keeps them for a convolution that reads planes, and goes on to it in the same epoch
       (blazeface_front_128, 2.1: three depthwise ones of 28, 36 and 42 channels); for others it lays the features out itself.
    2. So it does with the rows that a routine joined: the 30 epochs of the NPU of a ConvFSENet (LarocheC/eco8-neaixt, 4.0.1) are
       three for each of nine blocks, of which the depthwise Conv1d has one.
    3. What the CPU wrote comes with all its channels; from 4.0 on it goes on to a convolution that reads all of them at a time.
       The boards of yolov8n_micro_224 and yolov11n_micro_224 run one epoch behind the Softmax, yolov8_face (2.2) two.
    """
    dims = layer.input_dims
    whole = has_rank(dims, 4) and 1 < depth == dims[1]
    if whole and lowering.toolchain.streams_all_channels and source in lowering.software:
        return depth
    joined = source in lowering.rearranged and of_rows(layer.input_dims)
    batch = 1 if joined and depth == 1 else lowering.batches.get(source, 0)
    return 0 if source in lowering.planar and batch != depth else batch


def all_channels(lowering: Lowering, layer: Layer, source: str) -> int:
    """Channels of a map whose sums a routine wrote, as behind a dilated kernel; 0 where it did not.

    From 4.0 on the bias is added to all of them at a time, so that a 1x1 which reads all goes on in the same epoch: six of six of
    LiSenNet, by what their set-up takes (LarocheC/eco8-neaixt, prof_base_fixed.log, 4.0.1), and 131 of the 131 epochs with 24 channels.
    """
    dims = layer.output_dims
    streamed = lowering.toolchain.streams_all_channels and source in lowering.software
    return dims[1] if has_rank(dims, 4) and streamed else 0


def sum_bytes(lowering: Lowering, tiling: Tiling) -> int:
    """Bytes of the sum of a sub-mask in memory: 24 bits of products with features of 16 bits.

    ST's tables (3.0) have two such sums of the 7x7 of SqueezeNet and two SqueezeNext in external RAM, to the byte. inferred: that
    8x8, depthwise kernels and versions before keep 16 bits, as c_info files of these have them.
    """
    wide = len(tiling.parts) > 1 and tiling.simd == "16x8" and tiling.group == 1
    return WIDE_SUM_BYTES if wide and lowering.toolchain.wide_sums else SUM_BYTES


def in_one_step(lowering: Lowering, layer: Layer, depth: int, groups: list[Group]) -> bool:
    """All sub-masks take a stream that comes in planes as it comes."""
    return depth == 1 and len(groups) == 1 and read_alone(lowering, layer)


def summed_apart(lowering: Lowering, layer: Layer, shape: Convolution | None) -> bool:
    """The sub-masks of a depthwise kernel of one row are written and added an epoch later, two at a time from memory.

    All 46 of citrinet_256, of 7, 9 and 11 taps, and the 7 to 15 taps of LarocheC/stm32n6-stt, a single channel excepted (4.0.1);
    both 1x7 of LiSenNet (LarocheC/eco8-neaixt, 4.0.1). Where all run at once they take a stream that comes in planes as it comes.
    """
    dims = layer.output_dims
    if not lowering.toolchain.adds_row_sums_apart or shape is None or not shape.depthwise or dims is None:
        return False
    return shape.in_channels > 1 and positions(dims) > 1 and along_rows(shape).kernel[0] == 1


class Group(NamedTuple):
    """Sub-masks that run beside each other, and the sums that are made there."""

    leaves: int
    adds: int
    writes: tuple[str, ...]


class Join(NamedTuple):
    """A sum of what different groups wrote."""

    reads: tuple[str, str]
    write: str
    chained: frozenset[str]
    """Those of its operands that other joins make."""


class SubMasks(NamedTuple):
    """The sub-masks of a kernel, and how their results lie."""

    layer: str
    batches: tuple[int, ...]
    """Channels that each writes at a time; 0 where that is not known."""
    of_one_row: tuple[bool, ...]
    apart: bool
    """Each sum reads memory."""
    shared: bool
    """One stream engine fetches the features for all."""


def sub_masks(
    lowering: Lowering, layer: Layer, shape: Convolution | None, tiling: Tiling, shared: bool
) -> SubMasks:
    """Those of a convolution; what is `shared` is also summed apart."""
    parts = tiling.parts
    widths = kernels_of_parts(shape, tiling, lowering.target) if shape is not None else ()
    apart = shared or (len(set(widths)) > 1 and apart_in_rows(lowering.target, layer.output))
    batches = widths if len(widths) == len(parts) else (0,) * len(parts)
    return SubMasks(layer.name, batches, tuple(part[0] == 1 for part in parts), apart, shared)


def tree(masks: SubMasks, at_once: int, most_streams: int) -> tuple[list[Group], list[Join]]:
    """The sums of neighbours, then of those; the last sub-masks come first, as many as there are accelerators.

    1. What two groups wrote is added behind both, from memory: the last sum of gg-cnn's eight sub-masks, the last two of the
       six of conv2d_32f_7x7, whose board report has three epochs of full length and a fourth for what then finds no ARITH unit.
    2. So is a sum and what comes in other batches: 1x7 beside two 3x7 (sgarper3/stm32n657-audio-edge-ai, 2.2), and 1x4 beside
       3x4, whose one row is worked on by more kernels (two DS-CNN of AbhiMalappa/tinybench, 2.2). 3x6 and 3x1 of
       conv2d_32f_7x7 are added as they come.
    3. What is left without a neighbour comes first in the next round: the nine sub-masks of TC-ResNet8 (2.2).
    4. There are stream engines for the features, weights and results of three; four need two of their results added beside
       them (the DS-CNN: three of 10x4, then the fourth).
    5. Each sum may read memory: nine of the ten of two 8x9 that make a single row, their sub-masks in several batches
       (FRIENDA256/stm32N6_AI, 2.2), and those of depthwise kernels of one row (`summed_apart`), whose features one stream
       engine fetches for all sub-masks (a depthwise 7 of LarocheC/stm32n6-stt, 4.0.1, nine for four).
    """
    groups, joins = joined(masks, at_once)
    if any((1 if masks.shared else g.leaves) + g.leaves + len(g.writes) > most_streams for g in groups):
        return joined(masks, at_once - 1)
    return groups, joins


def joined(masks: SubMasks, at_once: int) -> tuple[list[Group], list[Join]]:
    """The tree for that many sub-masks at a time."""
    batches, apart, parts = masks.batches, masks.apart, len(masks.batches)
    names = [f"{masks.layer}{PART}{k}" for k in range(parts)]
    single = {name for name, one in zip(names, masks.of_one_row, strict=True) if one}
    level: list[tuple[str, int | None, int]] = [
        (names[k], (k if masks.shared else parts - 1 - k) // at_once, batches[k]) for k in range(parts)
    ]
    leaves = [min(at_once, parts - begin) for begin in range(0, parts, at_once)]
    adds, joins, read = [0] * len(leaves), list[Join](), set[str]()
    made, leaf_names = list(level), set(names)
    while len(level) > 1:
        above: list[tuple[str, int | None, int]] = []
        for (one, first, width), (other, second, beside) in zip(level[::2], level[1::2], strict=False):
            written = f"{masks.layer}{SUM}{len(made)}"
            beginning = {one, other} <= leaf_names and (one in single) == (other in single)
            alike = not apart and (width == beside or beginning)
            if first is not None and first == second and alike:
                adds[first] += 1
                read |= {one, other}
                above.append((written, first, min(width, beside)))
            else:
                made_here = () if apart else ((one, first), (other, second))
                own = frozenset(t for t, group in made_here if group is None)
                joins.append(Join((one, other), written, own))
                above.append((written, None, beside))
            made.append(above[-1])
        level = level[len(level) // 2 * 2 :] + above
    writes = [tuple(t for t, group, _ in made if group == g and t not in read) for g in range(len(leaves))]
    return [Group(*parts) for parts in zip(leaves, adds, writes, strict=True)], joins


def written_batch(lowering: Lowering, layer: Layer, shape: Convolution | None, tiling: Tiling | None) -> int:
    """Channels a convolution writes at a time: its kernels per pass.

    Up to 2.2 they are as few as a pooling takes where that alone reads them and more passes cost nothing: the board
    runs Conv and AveragePool of conv2d_1x1 in one epoch with 2.2, in two with 4.0. Deep1x1 is not seen to do so.
    """
    if tiling is None:
        return 0
    batch = tiling.kernels_per_pass
    if shape is None or tiling.deep1x1 or not lowering.toolchain.fits_poolings:
        return batch
    fewer = largest_divisor(batch, POOL_BATCH)
    more = replace(tiling, kernels_per_pass=fewer, passes=tiling.passes * (batch // fewer))
    if (
        fewer < batch
        and pooled_alone(lowering, layer)
        and work(more, shape).cycles <= work(tiling, shape).cycles
    ):
        return fewer
    return batch


def pooled_alone(lowering: Lowering, layer: Layer) -> bool:
    """A pooling is all that reads a layer, but for activations that vanish."""
    operand = layer.output
    seen: set[str] = set()
    while operand is not None and operand.tensor not in seen:
        seen.add(operand.tensor)  # in a damaged model a tensor may depend on itself
        readers = lowering.readers(operand.tensor)
        if len(readers) != 1:
            return False
        if not vanishes(readers[0]):
            return readers[0].kind in POOLING
        operand = readers[0].output
    return False


def writes_little(lowering: Lowering, tiling: Tiling) -> bool:
    """Chains behind a convolution may meet again in its epoch: partial sums come out little by little.

    In 4.0 they meet behind any: yolov11n_micro_224 could not hold x and sigmoid(x) of its first layers in the 457,856 bytes it
    takes, and has fewer epochs in its last blob than there would be; the buffers of an EfficientNetV2-B1 (4.0.0, andre1012345/
    STM32N6-digits-recognition) have a depthwise convolution, its Swish and the pooling of it in one.
    """
    return tiling.iterations > 1 or lowering.toolchain.rejoins_chains
