"""Seconds on the board of what runs inside one epoch: convolutions, copies, software. Set-up is in latency.py."""

from __future__ import annotations

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.convolution import Convolution
from npuscope.npu.cost import Tiling

DEEP1X1_WEIGHTS = 3
"""Weights that Deep1x1 takes a cycle; other modes take one."""


def convolution_seconds(
    compute_cycles: int, weights_bytes: int, tiling: Tiling, conv: Convolution, target: Target, pool: PoolSpec
) -> float:
    """A convolution whose weights come from `pool`.

    1. Weights are fetched while the kernels before them work: the first ones are waited for, or the last pass is.
    2. Each pass costs the time to change kernels.
    3. Above the coefficients ARITH holds, offsets are streamed beside the weights.
    """
    latency, npu_hz = target.latency, target.clocks.npu_hz
    passes = tiling.passes * tiling.group * tiling.steps
    compute = compute_cycles / npu_hz
    # What memory gives beyond that waits at the accelerators' port for kernels.
    port = npu_hz * (DEEP1X1_WEIGHTS if tiling.deep1x1 else 1)
    fetch = weights_bytes / min(target.bytes_per_second(pool), port)
    core = max(fetch / passes + compute, fetch + compute / passes)
    core += (latency.fill_cycles + latency.pass_cycles * passes) / npu_hz
    return core + streamed_seconds(conv, target, pool)


def streamed_seconds(conv: Convolution, target: Target, pool: PoolSpec) -> float:
    """Time for the offsets of a convolution with more output channels than ARITH has coefficients for."""
    if conv.out_channels <= target.limits.broadcast_elements:
        return 0.0
    latency = target.latency
    outputs = conv.batch * conv.out_channels * conv.output_size[0] * conv.output_size[1]
    rate = target.bytes_per_second(pool)
    if pool.external:  # read again for each position: the cache answers
        rate = latency.cache_width_bytes * target.clocks.noc_hz
    return outputs * latency.streamed_coefficient_bytes / rate


def stream_seconds(cycles: int, target: Target) -> float:
    """ARITH, ACTIV, POOL: one element a cycle."""
    return (cycles + target.latency.fill_cycles) / target.clocks.npu_hz


def hybrid_seconds(kind: str, elements: int, last_axis: bool, target: Target) -> float:
    """A runtime routine that drives the DMAs; a Concat along the last axis moves element by element."""
    latency = target.latency
    rate = (
        latency.concat_cycles_per_element
        if kind == "Concat" and last_axis
        else latency.hybrid_cycles_per_element
    )
    return elements * rate / target.clocks.cpu_hz


def product_seconds(macs: int, outputs: int, target: Target) -> float:
    """A kernel on the Cortex-M55 that multiplies."""
    rates = target.latency.software
    cycles = macs * rates.conv_cycles_per_mac + outputs * rates.conv_cycles_per_output
    return (cycles + rates.start_cycles) / target.clocks.cpu_hz


def software_seconds(kind: str, elements: int, target: Target) -> float:
    """Any other kernel on the Cortex-M55."""
    rates = target.latency.software
    per_element = {
        "Softmax": rates.softmax_cycles_per_element,
        "QuantizeLinear": rates.quantize_cycles_per_element,
        "DequantizeLinear": rates.quantize_cycles_per_element,
        "GlobalAveragePool": rates.pool_cycles_per_element,
        "AveragePool": rates.pool_cycles_per_element,
        "MaxPool": rates.pool_cycles_per_element,
        "ReduceMean": rates.pool_cycles_per_element,
        **dict.fromkeys(("Add", "Sub", "Mul", "Div"), rates.float_cycles_per_element),
    }.get(kind, rates.other_cycles_per_element)
    return (elements * per_element + rates.start_cycles) / target.clocks.cpu_hz
