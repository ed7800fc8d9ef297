"""A Pad that the convolution after it does itself: the compiler folds it in (seen in mobilenet_v2_128, Core 3.0)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.neural_art.mapping.gathering import block, gathered

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Layers


def convolution_with_pad(layer: Layer, layers: Layers | None, target: Target) -> Convolution | None:
    """A layer's geometry as it reaches the accelerators: the Pad before it folded in, blocks turned into channels."""
    conv = convolution(layer)
    if conv is None or layer.kind != "Conv" or layer.input is None:
        return conv
    if block(conv):
        return gathered(conv)
    if layers is None:
        return conv
    pad = layers.writers.get(layer.input.tensor)
    added = absorbed(pad, layers, target) if pad is not None and pad.kind == "Pad" else None
    if added is None:
        return conv
    top, left, bottom, right = added
    height, width = conv.input_size
    pads = tuple(own + more for own, more in zip(conv.pads, added, strict=True))
    assert len(pads) == 4
    return replace(conv, pads=pads, input_size=(height - top - bottom, width - left - right))


def absorbed(pad: Layer, layers: Layers, target: Target) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) of a Pad that its one reader, a Conv, takes over; None where it stays.

    The amounts must be known, around the map alone, and fit the accelerator's pads; the value must be zero.
    """
    if pad.kind != "Pad" or pad.input is None or pad.output is None:
        return None
    source, result = pad.input.dims, pad.output.dims
    readers = layers.readers.get(pad.output.tensor, ())
    if source is None or result is None or len(source) not in (3, 4) or len(source) != len(result):
        return None
    if len(readers) != 1 or readers[0].kind != "Conv" or source[:2] != result[:2]:
        return None
    if pad.core.text("mode", "constant") != "constant":
        return None
    amounts = _amounts(pad, len(source))
    if amounts is None:
        return None
    conv = convolution(readers[0])
    fits = conv is not None and all(
        more >= 0 and own + more <= target.limits.conv_pad
        for own, more in zip(conv.pads, amounts, strict=True)
    )
    return amounts if fits else None


def _amounts(pad: Layer, rank: int) -> tuple[int, int, int, int] | None:
    listed: list[int] | None = list(pad.core.integers("pads") or ()) or None
    if pad.parameters and pad.parameters[0].constant is not None:
        constant = pad.parameters[0].constant
        listed = [int(v) for v in constant.array().reshape(-1)] if constant.size == 2 * rank else None
    value = pad.parameters[1] if len(pad.parameters) > 1 else None
    if listed is None or len(listed) != 2 * rank:
        return None
    if value is not None:
        zero = pad.input.quant.zero if pad.input is not None and pad.input.quant is not None else 0
        fill = value.constant
        if fill is None or fill.size != 1 or float(fill.array().reshape(-1)[0]) not in (0.0, float(zero)):
            return None
    begin, end = listed[2:rank], listed[rank + 2 :]
    return (begin[0], 0, end[0], 0) if rank == 3 else (begin[0], begin[1], end[0], end[1])
