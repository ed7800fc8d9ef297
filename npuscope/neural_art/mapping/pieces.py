"""How much of a tensor a convolution takes and writes at a time, and how often; channels are interleaved in memory."""

from __future__ import annotations

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.npu.cost import Tiling

ACCESS_BYTES = 8
"""Bytes that a pool on the chip moves at a time (ST's stm32n6.mpool)."""


def times_read(tiling: Tiling, conv: Convolution) -> int:
    """How often features are fetched: for each pass and sub-mask, once for all that run beside each other in planes."""
    parts = len(tiling.parts or (1,))
    if in_planes(tiling, conv):
        parts = -(-parts // tiling.side_by_side)
    return (1 if tiling.stationary else tiling.passes) * parts


def in_planes(tiling: Tiling, conv: Convolution) -> bool:
    """A depthwise Conv1d that takes a channel at a time: rows and the sums of its sub-masks lie channel after channel.

    46 of 46 of citrinet_256 (4.0.1) count whole accesses for both, and single bytes for what is then written in columns.
    """
    return tiling.group > 1 and tiling.batch_depth == 1 and along_rows(conv).turned


def run_in(tiling: Tiling, conv: Convolution) -> int:
    """Bytes that lie together in the features a CA takes at a time; channels are interleaved."""
    if in_planes(tiling, conv):
        return 0
    if tiling.dss2:  # half of the channels at a time, two rows of each
        return max(1, tiling.batch_depth // 2)
    return 0 if tiling.batch_depth == conv.in_channels else tiling.batch_depth


def run_out(tiling: Tiling, conv: Convolution) -> int:
    """Bytes that lie together in what a pass writes."""
    return 0 if tiling.kernels_per_pass == conv.out_channels else tiling.kernels_per_pass


def features_read(tiling: Tiling, conv: Convolution) -> int:
    """Bytes of int8 features that a convolution fetches in all."""
    height, width = conv.input_size
    return conv.batch * conv.in_channels * height * width * times_read(tiling, conv)


def narrow_accesses(size: int, tiling: Tiling, conv: Convolution) -> int:
    """How often CAs in series wait for features that they take in pieces of less than an access, `size` bytes in all.

    inferred: the pieces of all CAs for one position take the time of one access that waits for the one before. A 3x3 of twelve channels
    on two CAs (seven st_yoloxn, 3.0) took 45 to 55 ns more than its units need for each position and pass, one of 16 on four
    (tiny_yolo_v2 at 416 x 416, 2.2 and 4.0) 36: ST's tables. Fetched ahead are pieces of 8 bytes and more, those of a single CA, of a map
    that has more than one position in an access (three channels of that tiny_yolo_v2, one on each CA), and those that take
    several iterations (80 channels of yolov8n_micro_224, 4.0: what its blob took leaves at most a third of it).
    """
    run = run_in(tiling, conv)
    in_series = tiling.accelerators > 1 and tiling.iterations == 1
    if not in_series or not 0 < run < ACCESS_BYTES <= conv.in_channels:
        return 0
    return size // (run * tiling.accelerators)


def waiting_cycles(tiling: Tiling, conv: Convolution, target: Target) -> int:
    """NPU cycles that CAs in series wait for narrow pieces of int8 features that no copy has brought together."""
    waits = narrow_accesses(features_read(tiling, conv), tiling, conv)
    seconds = waits * target.latency.lone_access_cycles / target.clocks.npu_ram_hz
    return round(seconds * target.clocks.npu_hz)
