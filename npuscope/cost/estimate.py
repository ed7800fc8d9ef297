"""The price of one layer, wherever it runs."""

from __future__ import annotations

from npuscope.cost.tiling import choose, simd_mode, work
from npuscope.cost.values import Cost, Tiling
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.layers import Layer, Operand
from npuscope.model.tensors import dtype_bits, elements
from npuscope.placement.facts import input_zero_point
from npuscope.placement.verdict import Placement
from npuscope.target.machine import Target

FREE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size"})
"""Kinds that change the view of a tensor, not its bytes."""


def layer_cost(layer: Layer, placement: Placement, target: Target) -> Cost | None:
    """Cycles and milliseconds of a layer; None where a shape is not known."""
    if placement is Placement.NONE:
        return Cost(0, 0, 0, 0.0, "nothing")
    conv = convolution(layer)
    if placement is Placement.HW:
        if conv is not None and layer.quantized:
            return _convolution_cost(layer, conv, target)
        return _stream_cost(layer, target)
    if placement is Placement.HYBRID:
        return _hybrid_cost(layer, target)
    return _software_cost(layer, conv, placement, target)


def conv_tiling(layer: Layer, conv: Convolution, target: Target) -> Tiling | None:
    """The tiling of a convolution layer."""
    return choose(conv, simd_mode(input_zero_point(layer)), target)


def _convolution_cost(layer: Layer, conv: Convolution, target: Target) -> Cost | None:
    tiling = conv_tiling(layer, conv, target)
    if tiling is None:
        return None
    done = work(tiling, conv)
    weights = weight_bytes(layer) * conv.group // tiling.group
    traffic = sum(_bytes(o) for o in (*layer.inputs, *layer.outputs))
    cycles, bound_by = with_memory(done.cycles, done.choked[0], weights, traffic, target)
    return Cost(
        macs=conv.macs,
        compute_cycles=done.cycles,
        cycles=cycles,
        milliseconds=cycles / target.clocks.npu_hz * 1e3,
        bound_by=bound_by,
        choked_ports=done.choked,
        tiling=tiling,
        weights_bytes=weights,
    )


def with_memory(
    compute: int, choked: str, weights_bytes: int, activation_bytes: int, target: Target
) -> tuple[int, str]:
    """(cycles with memory, what sets them): the slowest of the accelerators and each pool (FACTS 7.3)."""
    cycles, bound = compute, choked
    weights = next(pool for pool in target.pools if pool.weights)
    activations = next(pool for pool in target.pools if pool.activations)
    for pool, moved in ((weights, weights_bytes), (activations, activation_bytes)):
        needed = round(moved / pool.byte_width * pool.freq_ratio)
        if needed > cycles:
            cycles, bound = needed, pool.name
    return cycles, bound


def weight_bytes(layer: Layer) -> int:
    """Bytes of the layer's constants as they lie in memory, before any inflation."""
    held = [layer.weight, layer.bias, *(o for o in layer.inputs if o.constant is not None)]
    return sum(_stored_bytes(o) for o in held if o is not None)


def _stored_bytes(operand: Operand) -> int:
    if operand.constant is None:
        return 0
    bits = dtype_bits(operand.quant.dtype if operand.quant is not None else operand.constant.dtype)
    return (operand.constant.size * bits + 7) // 8


def _bytes(operand: Operand) -> int:
    if operand.constant is not None or operand.dims is None:
        return 0
    dtype = operand.quant.dtype if operand.quant is not None else operand.type.dtype
    return (elements(operand.dims) * dtype_bits(dtype) + 7) // 8


def largest_tensor(layer: Layer) -> int | None:
    """Elements of the largest operand, None where one is not known."""
    sizes = [o.dims for o in (*layer.inputs, *layer.outputs) if o.constant is None]
    known = [elements(s) for s in sizes if s is not None]
    return max(known) if known and len(known) == len(sizes) else None


def _stream_cost(layer: Layer, target: Target) -> Cost | None:
    """ARITH, ACTIV, POOL and copies: one element a cycle (FACTS 7.2)."""
    count = largest_tensor(layer)
    if count is None:
        return None
    if layer.kind in FREE:
        return Cost(0, 0, 0, 0.0, "nothing")
    traffic = sum(_bytes(o) for o in (*layer.inputs, *layer.outputs))
    constants = weight_bytes(layer)
    cycles, bound = with_memory(count, "elements", constants, traffic, target)
    return Cost(
        macs=0,
        compute_cycles=count,
        cycles=cycles,
        milliseconds=cycles / target.clocks.npu_hz * 1e3,
        bound_by=bound,
        weights_bytes=constants,
    )


def _hybrid_cost(layer: Layer, target: Target) -> Cost | None:
    count = largest_tensor(layer)
    if count is None:
        return None
    cycles = round(count * target.software.hybrid_cycles_per_element)
    return Cost(0, cycles, cycles, cycles / target.clocks.npu_hz * 1e3, "dma", certain=False)


def _software_cost(
    layer: Layer, conv: Convolution | None, placement: Placement, target: Target
) -> Cost | None:
    """Estimates of the compiler for the Cortex-M55, optimistic by a factor (FACTS 7.4)."""
    software = target.software
    macs = conv.macs if conv is not None else _product_macs(layer)
    if macs:
        rate = software.conv_macs_per_cycle
        if placement is Placement.SW_FLOAT:
            rate /= 4  # four int8 multiplies fit where one float does
        cycles = round(macs / rate) + software.conv_constant_cycles
    else:
        count = largest_tensor(layer)
        if count is None:
            return None
        per_element = {
            "Softmax": software.softmax_cycles_per_element,
            "QuantizeLinear": software.quantize_cycles_per_element,
            "DequantizeLinear": software.quantize_cycles_per_element,
        }.get(layer.kind, software.elements_per_cycle)
        if placement is Placement.SW_FLOAT:
            per_element = max(per_element, software.float_cycles_per_element)
        cycles = round(count * per_element)
    return Cost(
        macs=macs,
        compute_cycles=cycles,
        cycles=cycles,
        milliseconds=cycles / target.clocks.cpu_hz * 1e3,
        bound_by="cpu",
        weights_bytes=weight_bytes(layer),
        certain=False,
    )


def _product_macs(layer: Layer) -> int:
    """MACs of a MatMul, Gemm or Conv of two activations."""
    if layer.kind not in ("MatMul", "Gemm") or len(layer.inputs) < 2 or layer.output is None:
        return 0
    left, result = layer.inputs[0].dims, layer.output.dims
    return elements(result) * left[-1] if left and result else 0
