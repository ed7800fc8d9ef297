"""Streams that arrive plane by plane (in batch 1), and what follows from it for a Transpose.

An elementwise step works in the batch of its first operand [104 of 104, 2.0 to 2.2]. What a Pad of channels leaves lies in
planes, so all that follows it in a chain of elementwise, activation and pooling steps comes plane by plane as well, up to
the next convolution. A DMA can write such a stream with rows exchanged, other streams it cannot.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from npuscope.model.layers import Layer, Layers
from npuscope.neural_art.mapping.bounds import vanishes
from npuscope.neural_art.mapping.layout import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    MOST_FOLLOWED,
    RESHAPING,
    VIEWS,
    pad_amounts,
    permutation,
)
from npuscope.neural_art.mapping.operators import ACTIVATION, ARITHMETIC, POOLING
from npuscope.neural_art.mapping.sizes import size

_CHAINED = ACTIVATION | ARITHMETIC | POOLING | {"QuantizeLinear"}
"""Kinds whose units take a stream as it comes."""

_PLANAR: WeakKeyDictionary[Layers, frozenset[str]] = WeakKeyDictionary()


def planar(layers: Layers) -> frozenset[str]:
    """Tensors that lie, or are streamed, plane by plane."""
    known = _PLANAR.get(layers)
    if known is None:
        known = _PLANAR[layers] = _planar(layers)
    return known


def _planar(layers: Layers) -> frozenset[str]:
    planar: set[str] = set()
    for layer in layers.layers:
        begins = layer.kind == "Pad" and (pads_channels(layer) or between_rows(layer, layers))
        if begins or (planar and _keeps_planes(layer) and _first(layer) in planar):
            planar.update(name for o in layer.outputs for name in (o.tensor, o.seen))
    return frozenset(planar)


def _keeps_planes(layer: Layer) -> bool:
    if layer.kind == "Transpose":
        return rows_stay(permutation(layer))
    return layer.kind in _CHAINED or layer.kind in VIEWS


def _first(layer: Layer) -> str:
    """The operand whose batch a layer works in: the first that is not constant and not repeated."""
    activations = [o for o in layer.inputs if o.constant is None]
    total = size(layer.output)
    if layer.kind in ARITHMETIC:
        activations = [o for o in activations if size(o) == total]
    return activations[0].tensor if activations else ""


def rows_stay(perm: tuple[int, ...] | None) -> bool:
    """Whole rows change places: the last dimension stays the last."""
    return perm is not None and len(perm) == 4 and perm[-1] == 3


def pads_channels(layer: Layer) -> bool:
    """A Pad of channels."""
    amounts = pad_amounts(layer)
    return amounts is not None and len(amounts) > 1 and any(amounts[1])


def between_rows(layer: Layer, layers: Layers) -> bool:
    """A Pad of what a Transpose left in the place of the height: from TFLite, channels are padded so."""
    writer = layers.writers.get(layer.input.tensor) if layer.input is not None else None
    if writer is None or writer.kind != "Transpose" or not rows_stay(permutation(writer)):
        return False
    amounts = pad_amounts(layer)
    return amounts is not None and len(amounts) == 4 and any(amounts[2]) and not any(amounts[3])


def laid_in_planes(tensor: str, layers: Layers) -> bool:
    """A map whose channels follow one another: what a Reshape made lies as its dimensions say.

    From TFLite a Transpose behind the Reshape puts its channels first; elementwise steps, activations and parts keep that.
    """
    for _ in range(MOST_FOLLOWED):
        writer = layers.writers.get(tensor)
        if tensor in planar(layers):
            return True
        if writer is None or writer.input is None:
            return False
        if writer.kind == "Transpose":
            before = layers.writers.get(writer.input.tensor)
            return permutation(writer) == CHANNELS_FIRST and before is not None and before.kind in RESHAPING
        if writer.kind in ("Slice", "Split"):
            tensor = writer.input.tensor
        elif writer.kind in _CHAINED and writer.kind not in POOLING:
            tensor = _first(writer)
        else:
            return False
    return False


def streams_rows(layer: Layer, layers: Layers) -> bool:
    """A Transpose of rows that the step before it writes in the new order as it goes.

    The step must come plane by plane from a unit other than CONV, and nothing else may read it: its stream has one reader.
    """
    source = layer.input
    return source is not None and rows_stay(permutation(layer)) and hands_planes(source.tensor, layers)


def hands_planes(source: str, layers: Layers) -> bool:
    """A tensor that a unit other than CONV streams plane by plane to one reader."""
    writer = layers.writers.get(source)
    alone = len(layers.readers.get(source, ())) == 1
    return source in planar(layers) and alone and writer is not None and writer.kind in _CHAINED


def turns_channels(source: str, perm: tuple[int, ...], layers: Layers) -> bool:
    """A change between channels first and last beside a Pad of channels that needs no routine.

    The stream comes plane by plane, or straight from a CONV.
    """
    if perm not in (CHANNELS_FIRST, CHANNELS_LAST):
        return False
    return comes_from_conv(source, layers) or hands_planes(source, layers)


def comes_from_conv(source: str, layers: Layers) -> bool:
    """A convolution wrote it; a Relu or Clip behind it that cuts nothing is no step between."""
    for _ in range(MOST_FOLLOWED):
        writer = layers.writers.get(source)
        if writer is None or writer.input is None:
            return False
        if not vanishes(writer):
            return writer.kind in ("Conv", "ConvTranspose")
        source = writer.input.tensor
    return False
