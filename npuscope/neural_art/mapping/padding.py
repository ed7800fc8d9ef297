"""A Pad that the convolution after it does itself: the compiler folds it in (seen in mobilenet_v2_128, Core 3.0)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.neural_art.mapping.gathering import block, gathered
from npuscope.neural_art.mapping.layout import stated_pads
from npuscope.neural_art.mapping.shapes import has_rank

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


def absorbed(pad: Layer, layers: Layers, target: Target | None) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) of a Pad that its readers, all of them Convs, take over; None where it stays.

    The amounts must be known, around the map alone, and fit the accelerator's pads; the value must stand for zero. What is
    an output of the model too has to be written. Without a target only float convolutions take one over.
    """
    if pad.kind != "Pad" or pad.input is None or pad.output is None:
        return None
    source, result = pad.input_dims, pad.output_dims
    readers = layers.readers.get(pad.output.tensor, ())
    if not has_rank(source, 3, 4) or result is None or len(source) != len(result):
        return None
    if not readers or any(r.kind != "Conv" for r in readers) or source[:2] != result[:2]:
        return None
    if not layers.results.isdisjoint((pad.output.tensor, pad.output.seen)):
        return None
    if pad.core.text("mode", "constant") != "constant" or not all(_pads_with_zero(pad, r) for r in readers):
        return None
    amounts = _amounts(pad, len(source))
    return amounts if amounts is not None and all(_fits(r, amounts, target) for r in readers) else None


def _fits(reader: Layer, amounts: tuple[int, int, int, int], target: Target | None) -> bool:
    conv = convolution(reader)
    if conv is not None and in_float(reader):
        return min(amounts) >= 0  # a kernel of the CPU takes any
    return (
        conv is not None
        and target is not None
        and all(
            more >= 0 and own + more <= target.limits.conv_pad
            for own, more in zip(conv.pads, amounts, strict=True)
        )
    )


def in_float(conv: Layer) -> bool:
    """A convolution of floats by floats: all eight of a TCN take their Pad over, of 2 to 16 positions on one side (3.0).

    2025-fin-graduate-project/Falling-Detection-STM32, fall_detection_tcn. inferred: other versions are taken to do so as well.
    """
    return all(o is not None and o.quant is None for o in (conv.input, conv.weight))


def _pads_with_zero(pad: Layer, reader: Layer) -> bool:
    """What is added stands for 0: of stored integers that is their zero point. Unless given it is 0 as it stands."""
    name, stated = pad.core.input(2), pad.core.attribute("value")  # an attribute up to opset 10
    value = next((o for o in pad.parameters if name and o.seen == name), None)
    fill = value.constant if value is not None else None
    if name and (fill is None or fill.size != 1):
        return False
    number = float(stated) if isinstance(stated, float) else 0.0
    number = float(fill.array().reshape(-1)[0]) if fill is not None else number
    source, padded = pad.input, reader.input
    quant = value.quant if value is not None else None
    if (
        quant is None
        and source is not None
        and source.seen == source.tensor
        and source.type.dtype.startswith(("int", "uint"))
    ):
        quant = source.quant or (padded.quant if padded is not None else None)
    return number == (quant.zero if quant is not None else 0)


def _amounts(pad: Layer, rank: int) -> tuple[int, int, int, int] | None:
    listed = stated_pads(pad, rank)
    if listed is None:
        return None
    begin, end = listed[2:rank], listed[rank + 2 :]
    return (begin[0], 0, end[0], 0) if rank == 3 else (begin[0], begin[1], end[0], end[1])
