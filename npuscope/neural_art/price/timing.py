"""Seconds on the board of what runs inside one epoch: convolutions, copies, software. Set-up is in latency.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.sizes import WIDE_COEFFICIENT_BYTES
from npuscope.neural_art.mapping.tiling import weights_a_cycle
from npuscope.neural_art.price.traffic import Flow
from npuscope.npu.cost import Tiling
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.layers import Layer


GROUPS_WAIT = 0.5
"""The part of the streamed coefficients that comes to all else where the channels are worked on group by group.

inferred: the six depthwise epochs of mobilenet_v2_224 above 512 channels (2.2) are within 6 % with it.
"""


def convolution_seconds(
    busy_cycles: int,
    weights_bytes: int,
    tiling: Tiling,
    conv: Convolution,
    vectors: int,
    target: Target,
    pool: PoolSpec,
) -> float:
    """A convolution whose weights come from `pool`.

    1. Weights are fetched while the kernels before them work: the first ones are waited for, or the last pass is.
    2. Each pass costs the time to change kernels.
    3. Above the coefficients ARITH holds, scales and offsets are streamed beside the weights, a value for each output: the
       three dense epochs of mobilenet_v2_224 to 576 channels wait for them (2.2), the four whose weights take longer do not.
    """
    latency, npu_hz = target.latency, target.clocks.npu_hz
    passes = tiling.passes * tiling.group * tiling.steps
    compute = busy_cycles / npu_hz
    # What memory gives beyond that waits at the accelerators' port for kernels.
    port = npu_hz * weights_a_cycle(tiling.deep1x1)
    fetch = weights_bytes / min(target.bytes_per_second(pool), port)
    changes = (latency.fill_cycles + latency.pass_cycles * passes) / npu_hz
    streamed = streamed_seconds(conv, vectors, target, pool)
    if tiling.group > 1:
        return max(fetch / passes + compute, fetch + compute / passes) + changes + streamed * GROUPS_WAIT
    working = max(compute, streamed)
    return max(fetch / passes + working, fetch + working / passes) + changes


def external_ram_seconds(flow: Flow, bytes_per_second: float, byte_width: int, target: Target) -> float:
    """What a flow of activations takes of the external RAM.

    1. Sums of three bytes move a byte at a time, in as many transfers.
    2. What does not lie together moves in accesses of their own, each of which takes so long at least.
    """
    if flow.by_byte:
        return flow.bytes * byte_width / bytes_per_second
    if not flow.run:
        return flow.bytes / bytes_per_second
    latency = target.latency
    least = latency.external_ram_write_clocks if flow.write else latency.external_ram_read_clocks
    return flow.bytes / flow.run * max(least / target.clocks.flash_hz, flow.run / bytes_per_second)


def streamed_seconds(conv: Convolution, vectors: int, target: Target, pool: PoolSpec) -> float:
    """Time for the scales and offsets of a convolution with more output channels than ARITH has coefficients for."""
    if conv.out_channels <= target.limits.broadcast_elements:
        return 0.0
    values = vectors * conv.batch * conv.out_channels * conv.output_size[0] * conv.output_size[1]
    if pool.external:  # read again for each row: the cache answers, a value at a time
        return values / target.clocks.noc_hz
    return values * WIDE_COEFFICIENT_BYTES / target.bytes_per_second(pool)


def stream_seconds(cycles: int, target: Target) -> float:
    """ARITH, ACTIV, POOL: one element a cycle."""
    return (cycles + target.latency.fill_cycles) / target.clocks.npu_hz


MOST_TURNED = 4
"""Dimensions that `LL_ATON_LIB_DMA_Transpose` of ST's runtime takes (documented, ll_aton_lib.c); more are turned on the CPU."""


def hybrid_seconds(layer: Layer, elements: int, target: Target) -> float:
    """A runtime routine that drives the DMAs, or copies on the CPU: a Concat along the last axis, a Transpose of many dimensions."""
    latency, rate = target.latency, target.latency.hybrid_cycles_per_element
    rank = len(layer.output_dims) if layer.output_dims is not None else 0
    if layer.kind == "Concat" and rank and layer.core.integer("axis", 0) in (-1, rank - 1):
        rate = latency.concat_cycles_per_element
    elif layer.kind == "Transpose" and rank > MOST_TURNED:
        rate = latency.transpose_cycles_per_element
    return elements * rate / target.clocks.cpu_hz


def product_seconds(
    macs: int, outputs: int, taps: int, constants: int, placement: Placement, target: Target
) -> float:
    """A kernel on the Cortex-M55 that multiplies, by `constants` bytes; `taps`: positions of its window, 1 where it has none."""
    rates = target.latency.software
    if placement is Placement.SW_FLOAT:
        per_mac, per_output = rates.float_cycles_per_mac, rates.float_cycles_per_tap * taps
    elif taps > 1 and constants <= rates.cache_bytes:
        per_mac, per_output = rates.cached_cycles_per_mac, rates.cached_cycles_per_output
    else:
        per_mac, per_output = rates.conv_cycles_per_mac, rates.conv_cycles_per_output
    cycles = macs * per_mac + outputs * per_output
    return (cycles + rates.start_cycles) / target.clocks.cpu_hz


def gather_seconds(outputs: int, target: Target) -> float:
    """The runtime's Gather of int8 takes each value by its index, however many it chooses from."""
    rates = target.latency.software
    return (outputs * rates.gather_cycles_per_output + rates.start_cycles) / target.clocks.cpu_hz


def software_seconds(kind: str, elements: int, target: Target, channels: int = 1) -> float:
    """Any other kernel on the Cortex-M55; one that resizes works out anew for each position where it lies."""
    rates = target.latency.software
    per_element = {
        "Softmax": rates.softmax_cycles_per_element,
        "QuantizeLinear": rates.quantize_cycles_per_element,
        "DequantizeLinear": rates.quantize_cycles_per_element,
        "GlobalAveragePool": rates.pool_cycles_per_element,
        "AveragePool": rates.pool_cycles_per_element,
        "MaxPool": rates.pool_cycles_per_element,
        "ReduceMean": rates.pool_cycles_per_element,
        "Clip": rates.clip_cycles_per_element,
        "Relu": rates.clip_cycles_per_element,
        **dict.fromkeys(("Add", "Sub", "Mul", "Div"), rates.float_cycles_per_element),
    }.get(kind, rates.other_cycles_per_element)
    cycles = elements * per_element + rates.start_cycles
    if kind in ("Resize", "Upsample"):
        cycles += elements / max(channels, 1) * rates.resize_cycles_per_position
    return cycles / target.clocks.cpu_hz
