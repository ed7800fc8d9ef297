"""The price of one layer, wherever it runs: as if it were an epoch of its own, set-up left out."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.convolution import Convolution, constant_first
from npuscope.model.inspection.extent import elements
from npuscope.neural_art.mapping.form import form_of
from npuscope.neural_art.mapping.layout import VIEWS
from npuscope.neural_art.mapping.padding import absorbed, convolution_with_pad
from npuscope.neural_art.mapping.sizes import (
    COEFFICIENT_BYTES,
    coefficient_bytes,
    coefficient_vectors,
    constant_bytes,
    inflated_bytes,
    largest_tensor,
    operand_bytes,
    spread_elements,
    too_large_to_compute,
    weight_bits,
)
from npuscope.neural_art.mapping.tiling import choose, multiplied_cycles, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.neural_art.price.explain import explain
from npuscope.neural_art.price.timing import (
    convolution_seconds,
    gather_seconds,
    hybrid_seconds,
    product_seconds,
    software_seconds,
    stream_seconds,
)
from npuscope.neural_art.price.traffic import (
    Flow,
    Streams,
    convolution_flows,
    pool_cycles,
    stream_flows,
    streams,
)
from npuscope.npu.cost import NOTHING, Cost
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Layers

FREE = VIEWS | {"Shape", "Size"}
"""Kinds that change the view of a tensor, not its bytes, or ask only for its shape."""

COPIES = frozenset(
    {
        "Concat",
        "Split",
        "Slice",
        "Transpose",
        "DepthToSpace",
        "SpaceToDepth",
        "Pad",
        "Gather",
        "Expand",
        "Tile",
    }
)
"""Kinds that only move elements: the compiler counts one cycle for each where the CPU is at work."""


MOVED_BY_DMA = COPIES - {"Pad"}
"""Copies that need no accelerator: the compiler counts no compute cycles for them. A Pad is run as a convolution."""


def layer_cost(
    layer: Layer,
    placement: Placement,
    target: Target,
    layers: Layers | None = None,
) -> Cost | None:
    """Cycles and milliseconds of a layer; None where a shape is not known.

    With `layers`, the layers of the graph, a Pad that the Conv after it takes over costs nothing.
    """
    form = form_of(layer) if placement is Placement.HW and not _behind_pad(layer, layers) else None
    if form is None:
        return _cost(layer, placement, target, layers)
    if target not in form.costs:
        form.costs[target] = _cost(layer, placement, target, layers)
    return form.costs[target]


def _behind_pad(layer: Layer, layers: Layers | None) -> bool:
    """A convolution that may take over what lies before it."""
    if layer.kind != "Conv" or layers is None or not layer.inputs:
        return False
    writer = layers.writers.get(layer.inputs[0].tensor)
    return writer is not None and writer.kind == "Pad"


def _cost(layer: Layer, placement: Placement, target: Target, layers: Layers | None) -> Cost | None:
    if too_large_to_compute(layer):
        return None
    if placement is Placement.NONE or (layer.kind in FREE and not placement.on_cpu):
        return _shared(Cost(0, 0, 0, 0.0, NOTHING, weights_bytes=constant_bytes(layer)))
    conv = convolution_with_pad(layer, layers, target)
    if placement is Placement.HW and layers is not None and absorbed(layer, layers, target) is not None:
        return _shared(Cost(0, 0, 0, 0.0, NOTHING))
    if placement is Placement.HW:
        if conv is not None and layer.quantized:
            return _convolution_cost(layer, conv, target)
        return _stream_cost(layer, target)
    if placement is Placement.HYBRID:
        cost = _hybrid_cost(layer, target)
    else:
        cost = _software_cost(layer, conv, placement, target)
    return None if cost is None else _shared(cost)


@lru_cache(maxsize=1 << 14)
def _shared(cost: Cost) -> Cost:
    """Equal prices as one object, by which the figures of epochs are found again."""
    return cost


def _convolution_cost(layer: Layer, conv: Convolution, target: Target) -> Cost | None:
    weight = layer.weight.constant if layer.weight is not None else None
    stored = (weight.size if weight is not None else 0, weight_bits(layer), coefficient_vectors(layer))
    return _convolved(conv, input_zero_point(layer), stored, streams(layer, conv), target)


def convolution_cost(
    conv: Convolution,
    zero_point: int | None,
    stored: tuple[int, int, int],
    moved: Streams,
    target: Target,
    notes: bool = True,
) -> Cost | None:
    """The price of a convolution that the accelerators run. `stored` has the number of weights, the bits of one, and vectors of scales.

    Without `notes` its tiling has none, where thousands of shapes are priced.
    """
    tiling = choose(conv, simd_mode(zero_point), target)
    if tiling is None:
        return None
    done = work(tiling, conv)
    compute, choked = done.cycles, done.choked
    count, bits, vectors = stored
    set_up, streamed = coefficient_bytes(conv, vectors, target)
    weights = inflated_bytes(count, bits, conv.group // tiling.group) + streamed
    flows = convolution_flows(moved, tiling, conv)
    cycles, bound_by = _with_flows(compute, choked[0], weights, flows, target)
    multiplied = multiplied_cycles(tiling, conv) if tiling.stationary else 0
    busy = max(compute, multiplied)
    seconds = convolution_seconds(busy, weights, tiling, conv, vectors, target, target.weight_pools[0])
    return Cost(
        macs=conv.macs,
        compute_cycles=compute,
        cycles=cycles,
        milliseconds=seconds * 1e3,
        bound_by=bound_by,
        choked_ports=choked,
        tiling=explain(tiling, conv, zero_point, target) if notes else tiling,
        weights_bytes=weights + set_up,
        coefficient_bytes=set_up,
        multiplied_cycles=multiplied,
    )


_convolved = lru_cache(maxsize=1 << 14)(convolution_cost)
"""A model repeats its shapes, an edit leaves most as they are."""


def with_memory(
    compute: int, choked: str, weights_bytes: int, activation_bytes: int, target: Target
) -> tuple[int, str]:
    """(cycles with memory, what sets them): weights and activations in the pools the target prefers."""
    return _with_flows(compute, choked, weights_bytes, (Flow("", activation_bytes, 0, False),), target)


def _with_flows(
    compute: int, choked: str, constant_bytes: int, flows: tuple[Flow, ...], target: Target
) -> tuple[int, str]:
    cycles, bound = compute, choked
    weights, activations = target.weight_pools[0], target.activation_pools[0]
    loads: tuple[tuple[PoolSpec, tuple[Flow, ...], int], ...] = (
        ((weights, (), constant_bytes), (activations, flows, 0))
        if weights is not activations
        else ((weights, flows, constant_bytes),)
    )
    for pool, moved, constants in loads:
        needed = pool_cycles(pool, moved, constants, target).needed
        if needed > cycles:
            cycles, bound = needed, pool.name
    return cycles, bound


def _stream_cost(layer: Layer, target: Target) -> Cost | None:
    """ARITH, ACTIV and POOL take one element a cycle (FACTS 7.2); in a copy no accelerator works."""
    count = largest_tensor(layer)
    if count is None:
        return None
    return _streamed(layer.kind, count, constant_bytes(layer), streams(layer, None), target)


@lru_cache(maxsize=1 << 14)
def _streamed(kind: str, count: int, constants: int, moved: Streams, target: Target) -> Cost:
    kept = constants if constants <= COEFFICIENT_BYTES * target.limits.broadcast_elements else 0
    count, by = (0, "dma") if kind in MOVED_BY_DMA else (count, "elements")
    cycles, bound = _with_flows(count, by, constants - kept, stream_flows(kind, moved), target)
    return Cost(
        macs=0,
        compute_cycles=count,
        cycles=cycles,
        milliseconds=stream_seconds(count, target) * 1e3,
        bound_by=bound,
        weights_bytes=constants,
        coefficient_bytes=kept,
    )


def _hybrid_cost(layer: Layer, target: Target) -> Cost | None:
    count = spread_elements(layer) if layer.kind == "ConvTranspose" else largest_tensor(layer)
    if count is None:
        return None
    cycles = round(count * target.compiler.copy_cycles_per_element)
    seconds = hybrid_seconds(layer, count, target)
    constants = constant_bytes(layer)
    if layer.kind == "ConvTranspose" and layer.input is not None:
        # A tensor of zeros lies beside the weights, to be put between the values (ocr_det_160)
        constants += operand_bytes(layer.input)
    return Cost(
        0,
        cycles,
        cycles,
        seconds * 1e3,
        "dma",
        weights_bytes=constants,
        certain=False,
        coefficient_bytes=constants,
    )


def _software_cost(
    layer: Layer, conv: Convolution | None, placement: Placement, target: Target
) -> Cost | None:
    """The Cortex-M55: cycles as the compiler estimates them (FACTS 7.4), milliseconds as boards show them."""
    rates = target.compiler
    macs = conv.macs if conv is not None else _product_macs(layer)
    count = largest_tensor(layer)
    if count is None and not macs:
        return None
    outputs = elements(layer.output_dims) if layer.output_dims else 0
    constants = constant_bytes(layer)
    if macs:
        beside = _beside_tensors(layer, conv, macs, placement)
        taps = math.prod(conv.kernel) if conv is not None else 1
        return software_product_cost(
            macs, _touched(layer), outputs, taps, constants, beside, placement, target
        )
    if layer.kind in COPIES:
        cycles = round((count or 0) * rates.copy_cycles_per_element)
    elif layer.kind in ("Resize", "Upsample"):
        cycles = round((count or 0) * rates.resize_cycles_per_element) + rates.resize_constant_cycles
    else:
        cycles = round((count or 0) * rates.function_cycles_per_element)
        if layer.kind == "Softmax":
            cycles += rates.softmax_constant_cycles + (SOFTMAX_SCALES if placement is Placement.SW_INT else 0)
        else:
            cycles += _parameters(layer)
        if layer.kind == "BatchNormalization":  # a Mul and an Add, each with a vector
            cycles = 2 * (cycles + channels(layer))
    gathers = layer.kind == "Gather" and placement is Placement.SW_INT
    seconds = (
        gather_seconds(outputs, target)
        if gathers
        else software_seconds(layer.kind, count or 0, target, channels(layer))
    )
    return _on_cpu(0, cycles, seconds, constants, target)


def software_product_cost(
    macs: int, touched: int, outputs: int, taps: int, constants: int, beside: int, placement: Placement, target: Target,
) -> Cost:  # fmt: skip
    """The price of what multiplies on the CPU with a window of so many taps, 1 where it has none.

    `touched` counts the elements of all tensors, `beside` what else is read.
    """
    cycles = round(touched * target.compiler.conv_cycles_per_element) + beside
    seconds = product_seconds(macs, outputs, taps, constants, placement, target)
    return _on_cpu(macs, cycles, seconds, constants, target)


def _on_cpu(macs: int, cycles: int, seconds: float, constants: int, target: Target) -> Cost:
    # An in-order core waits for the cache lines of weights it reads once; no measurement tells this part apart.
    seconds += constants / target.bytes_per_second(target.weight_pools[0])
    return Cost(
        macs=macs,
        compute_cycles=cycles,
        cycles=cycles,
        milliseconds=seconds * 1e3,
        bound_by="cpu",
        weights_bytes=constants,
        certain=False,
    )


SOFTMAX_SCALES = 4
"""Two scales and two zero points."""

CONV_SCALES = 6
"""Three scales and three zero points."""


def _beside_tensors(layer: Layer, conv: Convolution | None, macs: int, placement: Placement) -> int:
    """What the compiler counts of a software convolution beside its tensors: the bias (a float one of a YamNet-1024, 4.0.1).

    An integer kernel has scales, and room for 4 K + 3 values, K of them in a window, which is written and read: 48 of 48 of
    transformer_128 (2.2), each a head of a product of two activations, with a bias of zeros.
    """
    bias = layer.bias.constant.size if layer.bias is not None and layer.bias.constant is not None else 0
    heads, window = 1, math.prod(conv.kernel) * (conv.in_channels // conv.group) if conv is not None else 0
    result = layer.output_dims
    if conv is None and result is not None and len(result) > 1:
        heads, window = math.prod(result[:-2]), macs // max(1, elements(result))
        bias = bias or result[-2]
    return beside_product(heads, window, bias, placement)


def beside_product(heads: int, window: int, bias: int, placement: Placement) -> int:
    """The same by the values in a window, and those of the bias."""
    return heads * (bias + (CONV_SCALES + 2 * (4 * window + 3) if placement is Placement.SW_INT else 0))


def _parameters(layer: Layer) -> int:
    """Constants of a function: slopes, and the scale and zero point of a Q or DQ."""
    if layer.kind in ("QuantizeLinear", "DequantizeLinear"):
        return 2
    if layer.kind == "PRelu":  # one more than its slopes: 33 of mobilefacenet_qop
        return 1 + sum(o.constant.size for o in layer.inputs if o.constant is not None)
    return sum(o.constant.size for o in layer.inputs if o.constant is not None)


def channels(layer: Layer) -> int:
    """Channels of a layer's result, 0 where they are not known."""
    dims = layer.output_dims
    return dims[1] if dims is not None and len(dims) > 1 else 0


def _touched(layer: Layer) -> int:
    """Elements of all operands: activations, weights and results."""
    weights = (
        layer.weight.constant.size if layer.weight is not None and layer.weight.constant is not None else 0
    )
    return weights + sum(elements(o.dims) for o in (*layer.inputs, *layer.outputs) if o.dims is not None)


_PRODUCTS = frozenset(
    {
        "MatMul",
        "Gemm",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "FusedMatMul",
        "FusedGemm",
    }
)
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})


def _product_macs(layer: Layer) -> int:
    """MACs of what is not a convolution for an accelerator: two activations, three dimensions, integers as such."""
    operands = (*layer.inputs, *((layer.weight,) if layer.weight is not None else ()))
    if len(operands) < 2 or not layer.output_dims or not operands[0].dims:
        return 0
    left, right, result = operands[0].dims, operands[1].dims, layer.output_dims
    macs = 0
    if layer.kind in _PRODUCTS:
        first = right if right and constant_first(layer) else left
        depth = first[-1]
        if layer.core.integer("transA", 0):
            depth = first[0 if layer.core.integer("transBatchA", 0) else -2]
        macs = elements(result) * depth
    elif layer.kind in ("Conv", "ConvInteger", "FusedConv"):
        macs = elements(result) * elements(right[1:]) if right else 0
    elif layer.kind == "ConvTranspose":
        macs = elements(left) * elements(right[1:]) if right else 0
    elif layer.kind in _RECURRENT and len(operands) > 2:  # each step multiplies by both matrices
        macs = elements(left[:-1]) * sum(elements(o.dims) for o in operands[1:3] if o.dims)
    return macs
