"""What a layer moves between memory and the accelerators, and what the compiler estimates for it (FACTS 7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.convolution import Convolution
from npuscope.model.inspection.extent import elements
from npuscope.neural_art.mapping.pieces import run_in, run_out, times_read
from npuscope.neural_art.mapping.sizes import operand_bytes
from npuscope.npu.cost import Tiling

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Layers, Operand

PARTIAL_BYTES = 2
"""Bytes of a partial sum between two accumulation iterations.

inferred: the c_info files of mobilefacenet_qop, ocr_det_160 and ssd_mobilenet_v1_256 count, for I iterations, 2 x I
bytes read and 2 x I + 1 written for each output, whatever I is (2, 4 and 8 were seen).
"""


WIDE_SUM_BYTES = 3
"""Bytes of a sum of 24 bits. They move one by one.

inferred: twelve of an output, written and read in external RAM, take SqueezeNet and six SqueezeNext 92 to 102 ns (ST's tables, 3.0),
which is what the memory gives for as many accesses.
"""


class Flow(NamedTuple):
    """Bytes of one tensor through one stream.

    1. `bytes` counts them as often as they move. `write`: towards the memory.
    2. `run`: bytes that lie together in what is taken at a time, 0 where all do.
    3. `lone`: accesses that each wait for the one before, of what is fetched anew for every position or in narrow pieces.
    """

    tensor: str
    bytes: int
    run: int
    write: bool
    lone: int = 0
    by_byte: bool = False
    """Sums of three bytes, which move a byte at a time."""

    def accesses(self, byte_width: int, count_short: bool) -> float:
        """Accesses of a pool `byte_width` wide."""
        width = min(byte_width, self.run) if self.run and count_short else byte_width
        return self.bytes / width


class Streams(NamedTuple):
    """Bytes of a layer's activations as they lie in memory: what the price of its traffic depends on.

    `features` are those that a convolution multiplies, None where nothing is convolved.
    """

    features: int | None
    reads: tuple[int, ...]
    writes: tuple[int, ...]


def streams(layer: Layer, conv: Convolution | None) -> Streams:
    """The streams of a layer; `conv` where the accelerators convolve."""
    features, reads = None, []
    for position, operand in enumerate(layer.inputs):
        if operand.constant is None:
            if position == 0 and conv is not None:
                features = _feature_bytes(operand, conv)
            else:
                reads.append(operand_bytes(operand))
    return Streams(features, tuple(reads), tuple([operand_bytes(o) for o in layer.outputs]))


def stream_flows(kind: str, moved: Streams) -> tuple[Flow, ...]:
    """What a layer that convolves nothing moves."""
    run = 1 if kind == "Transpose" else 0  # bytes that lay together are written apart
    return (
        *(Flow("", size, 0, False) for size in moved.reads),
        *(Flow("", size, run, True) for size in moved.writes),
    )


def convolution_flows(moved: Streams, tiling: Tiling, conv: Convolution) -> tuple[Flow, ...]:
    """What a convolution moves, partial sums included."""
    times = times_read(tiling, conv)
    run = run_in(tiling, conv)
    features = () if moved.features is None else (Flow("", moved.features * times, run, False),)
    return (
        *features,
        *(Flow("", size, run, False) for size in moved.reads),
        *(Flow("", size, run_out(tiling, conv), True) for size in moved.writes),
        *(partial_sums("", moved.writes[0], tiling) if moved.writes else ()),
    )


def lone_accesses(layer: Layer, size: int, batch: int, target: Target) -> int:
    """How often the values of the channels, `size` bytes that the network computes, are fetched to scale a map.

    Once for each position and batch of channels. An Add of such a vector is not seen to take longer for it
    (LarocheC/eco8-neaixt, full-band probes, 4.0.1).
    """
    made = layer.output_dims
    if layer.kind != "Mul" or made is None or len(made) < 3:
        return 0
    if len(made) > 3 and target.toolchain.fetches_scales_ahead:
        return 0
    vector = (made[1], *[1] * (len(made) - 2))
    if made[1:] == vector or not any(
        o.constant is None and o.dims is not None and o.dims[1:] == vector and operand_bytes(o) == size
        for o in layer.inputs
    ):
        return 0
    return elements(made) // min(batch or made[1], made[1])


LIES_AS_SHAPED = frozenset({"Concat", "Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Layers behind which the last dimension is the innermost; maps lie channels last."""


def pieces(layer: Layer, layers: Layers) -> int:
    """How many pieces a Slice of the last dimension takes, each a frame of its own for the stream engine that fetches it.

    documented: `LL_ATON_LIB_DMA_Outputs_Slice_SplitLike` of ST's runtime (ll_aton_lib.c). inferred: a frame waits for the one before,
    as what is fetched anew for every position; 79,800 of YOLOv8n pose at 320 x 320 (ST's table, 2.0) then take 2.9 of 5 ms missing.
    """
    source, result = layer.input, layer.output
    if source is None or result is None or source.dims is None or result.dims is None:
        return 0
    writer = layers.writers.get(source.tensor)
    if writer is None or writer.kind not in LIES_AS_SHAPED:
        return 0
    *leading, count = result.dims
    return elements(tuple(leading)) if leading == list(source.dims[:-1]) and count < source.dims[-1] else 0


def _feature_bytes(operand: Operand, conv: Convolution) -> int:
    """Bytes of the features as they lie in memory, without what the accelerator pads itself."""
    count = elements(operand.dims) if operand.dims is not None else 0
    return convolved_bytes(count, operand_bytes(operand), conv)


def convolved_bytes(count: int, size: int, conv: Convolution) -> int:
    """The same of a tensor of so many elements in so many bytes."""
    stored = conv.batch * conv.in_channels * conv.input_size[0] * conv.input_size[1]
    return size * min(stored, count) // count if count else 0


def partial_sums(tensor: str, size: int, tiling: Tiling) -> tuple[Flow, ...]:
    """The streams of what accumulation iterations leave in memory for the next one; `size` has the bytes of the result."""
    if tiling.iterations == 1:
        return ()
    read = size * PARTIAL_BYTES * tiling.iterations
    name = partial_name(tensor)
    return Flow(name, read, 0, False), Flow(name, read + size, 0, True)


def partial_name(tensor: str) -> str:
    """What the buffer of a tensor's partial sums is called."""
    return f"{tensor} (partial sums)"


class PoolCycles(NamedTuple):
    """NPU cycles the compiler estimates for the traffic of one pool."""

    total: float
    """All bytes, each access full."""
    reads: float
    writes: float

    @property
    def needed(self) -> int:
        """What the pool takes."""
        return round(max(self))


def pool_cycles(pool: PoolSpec, flows: Iterable[Flow], constant_bytes: int, target: Target) -> PoolCycles:
    """NPU cycles the compiler estimates for the traffic of one pool."""
    count_short, width = target.toolchain.counts_short_accesses, pool.byte_width
    total, reads, writes = float(constant_bytes), constant_bytes / width, 0.0
    for flow in flows:
        total += flow.bytes
        if flow.write:
            writes += flow.accesses(width, count_short)
        else:
            reads += flow.accesses(width, count_short)
    ratio = pool.freq_ratio
    return PoolCycles(total / width * ratio, reads * ratio, writes * ratio)
