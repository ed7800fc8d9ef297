"""Why a convolution is tiled as it is: one sentence for each choice, with the layer's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.capacity import kernel_depth, line_columns, most_kernels
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.neural_art.mapping.tiling import best_deep1x1, deep1x1_refusal, dss2_refusal, tile_bytes, work
from npuscope.npu.cost import Tiling
from npuscope.npu.figures import thousands


def explain(tiling: Tiling, conv: Convolution, zero_point: int | None, target: Target) -> Tiling:
    """The tiling with its notes."""
    conv = along_rows(conv)
    return replace(tiling, notes=tuple(_notes(tiling, conv, zero_point, target)))


def _notes(tiling: Tiling, conv: Convolution, zero_point: int | None, target: Target) -> Iterator[str]:
    yield from _simd(tiling, zero_point)
    yield from _deep1x1(tiling, conv, zero_point, target)
    yield from _dss2(tiling, conv, target)
    yield from _kernels(tiling, conv, target)
    yield from _channels(tiling, conv, target)
    yield from _features(tiling, conv, target)
    yield from _depthwise(tiling, conv)
    yield from _shape(tiling, conv, target)


def _simd(tiling: Tiling, zero_point: int | None) -> Iterator[str]:
    if tiling.simd == "8x8":
        how = "is stored unsigned" if zero_point == -128 else "needs no subtraction"
        yield f"8x8: input zero point {zero_point} {how}"
    elif zero_point is None:
        yield "16x8: the input's zero point is not known"
    else:
        yield f"16x8: input zero point {zero_point} needs FSUB, which widens features to 16 bits"


def _deep1x1(tiling: Tiling, conv: Convolution, zero_point: int | None, target: Target) -> Iterator[str]:
    if tiling.deep1x1:
        yield "Deep1x1: three channels and three weights a cycle"
    elif conv.kernel == (1, 1):
        refusal = deep1x1_refusal(conv, tiling.simd, zero_point, target)
        if refusal:
            yield f"Deep1x1 not available: {refusal}"
            return
        deep = best_deep1x1(conv, tiling.simd, target)
        if deep is not None:
            yield f"Deep1x1 would take {thousands(work(deep, conv).cycles)} cycles, plain {thousands(work(tiling, conv).cycles)}"


def _dss2(tiling: Tiling, conv: Convolution, target: Target) -> Iterator[str]:
    if tiling.dss2:
        yield "DSS2: depthwise with stride 2 takes two features a cycle"
    elif conv.depthwise and conv.stride != (1, 1):
        refusal = dss2_refusal(conv, tiling.simd, target)
        if refusal:
            yield f"DSS2 not available: {refusal}"


def _kernels(tiling: Tiling, conv: Convolution, target: Target) -> Iterator[str]:
    most = most_kernels(conv, tiling.simd, target)
    channels = conv.out_channels // tiling.group
    if tiling.passes == 1 or tiling.group > 1:
        return
    if tiling.kernels_per_pass == most:
        yield f"{thousands(channels)} output channels: {tiling.passes} passes of {most} kernels"
    else:
        yield (
            f"{thousands(tiling.passes)} passes of {tiling.kernels_per_pass}: "
            f"{most} kernels per pass would need OCH divisible by {most}, it is {thousands(channels)}"
        )


def _channels(tiling: Tiling, conv: Convolution, target: Target) -> Iterator[str]:
    channels = conv.in_channels // tiling.group
    series, depth = tiling.accelerators, tiling.batch_depth
    if series > 1 or tiling.iterations > 1:
        cut = f"{series} × {depth}" if tiling.iterations == 1 else f"{series} × {tiling.iterations} × {depth}"
        yield f"{thousands(channels)} input channels = {cut}: {_series(series)}{_iterations(tiling.iterations)}"
    deepest = kernel_depth(conv, tiling.simd, target)
    if conv.kernel[0] > 1 and deepest < target.tiling.depth_kernel:
        yield (
            f"at most {deepest} channels at a time: {conv.input_size[1]} columns x channels "
            f"must fit {line_columns(tiling.simd, target)}"
        )


def _series(count: int) -> str:
    return f"{count} CAs in series" if count > 1 else "one CA"


def _iterations(count: int) -> str:
    if count == 1:
        return ""
    return f", partial sums through memory {'once' if count == 2 else f'{count - 1} times'}"


def _features(tiling: Tiling, conv: Convolution, target: Target) -> Iterator[str]:
    if tiling.passes == 1 or tiling.group > 1:
        return
    size, room = tile_bytes(conv, tiling.batch_depth, tiling.simd), target.limits.stationary_bytes
    if tiling.stationary:
        yield f"features are read once: {thousands(size)} B in each CA"
    elif tiling.deep1x1:
        yield f"features are read {tiling.passes} times: Deep1x1 keeps none"
    else:
        yield f"features are read {tiling.passes} times: {thousands(size)} B in each CA, {thousands(room)} would stay"


def _depthwise(tiling: Tiling, conv: Convolution) -> Iterator[str]:
    if tiling.group < conv.group:
        block = conv.group // tiling.group
        yield (
            f"depthwise weights are inflated to blocks of {block}: "
            f"{thousands(conv.weights * block)} weights instead of {thousands(conv.weights)}"
        )
    elif conv.depthwise:
        yield "depthwise: one channel at a time, weights as they are"


AT_ONCE = {1: "one after the other", 2: "two at a time", 3: "three at a time", 4: "four at a time"}
"""Sub-masks that run beside each other on the CAs."""


def _shape(tiling: Tiling, conv: Convolution, target: Target) -> Iterator[str]:
    if len(tiling.parts) > 1:
        parts = " + ".join(f"{rows}x{columns}" for rows, columns in tiling.parts)
        at_once = AT_ONCE[min(tiling.side_by_side, len(tiling.parts))]
        yield f"kernel {conv.kernel[0]}x{conv.kernel[1]} is run as {parts}, {at_once}"
    if tiling.stripes > 1:
        yield (
            f"{tiling.stripes} column stripes: a row of {conv.input_size[1]} is longer than the line buffer of "
            f"{line_columns(tiling.simd, target)}"
        )
    if conv.dilation != (1, 1):
        yield (
            f"dilation {conv.dilation[0]}x{conv.dilation[1]}: run without dilation on a map that SpaceToDepth has "
            "rearranged, DepthToSpace after it"
        )
    if max(conv.pads) > target.limits.conv_pad:
        yield f"padding {max(conv.pads)} is more than the CA's {target.limits.conv_pad}: a copy pads the map first"
