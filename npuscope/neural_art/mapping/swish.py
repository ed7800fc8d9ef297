"""x * Sigmoid(x), which is one function of an ACTIV unit where the compiler recognises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Layers, Operand

SCALE = 1 / 256
"""0 to 1 in 256 steps: what TFLite stores every Sigmoid in."""


def gated_by(layer: Layer, layers: Layers) -> Layer | None:
    """The Mul of x and a Sigmoid of x, given the Sigmoid, which nobody else wants: an output of the network is written."""
    if layer.kind != "Sigmoid" or not layer.quantized or layer.input is None or layer.output is None:
        return None
    if not layers.results.isdisjoint((layer.output.tensor, layer.output.seen)):
        return None
    readers = layers.readers.get(layer.output.tensor, ())
    if len(readers) != 1:
        return None
    reader = readers[0]
    if reader.kind != "Mul" or len(reader.inputs) != 2 or not reader.quantized:
        return None
    return reader if {o.tensor for o in reader.inputs} == {layer.input.tensor, layer.output.tensor} else None


def fills_its_range(operand: Operand | None) -> bool:
    """A Sigmoid stored in steps of 1/256: its scale is no factor of its own."""
    quant = operand.quant if operand is not None else None
    return (
        quant is not None
        and quant.scale_known
        and quant.scale.size == 1
        and float(quant.scale.flat[0]) == SCALE
    )
