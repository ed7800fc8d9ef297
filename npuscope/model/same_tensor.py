"""Layers that name a tensor anew, as a compiler sees them that leaves these out: all that read the new name read the tensor."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.model.layer import Layer, Operand

if TYPE_CHECKING:
    from npuscope.model.layers import Layers

SAME_TENSOR = frozenset({"Identity", "Dropout"})
"""Operators whose result is what they read, under another name."""


def through(layers: Layers) -> Layers:
    """The layers with what they read behind such operators; themselves where there are none.

    The operators stay among them, but nothing is read of what they write, and they read nothing that counts.
    """
    naming = {
        layer.name: layer for layer in layers.layers if layer.kind in SAME_TENSOR and _names_anew(layer)
    }
    before = {
        name: layer.inputs[0]
        for layer in naming.values()
        for name in (layer.outputs[0].tensor, layer.outputs[0].seen)
    }
    if not before:
        return layers
    other = copy(layers)
    tables = vars(other)
    for table in ("by_name", "of_node", "writers", "readers", "origin"):
        tables.pop(table, None)
    tables["layers"] = tuple([_past(layer, before) for layer in layers.layers])
    tables["readers"] = {
        tensor: tuple([one for one in readers if one.name not in naming])
        for tensor, readers in other.readers.items()
    }
    ends = [
        name
        for layer in naming.values()
        if not layers.results.isdisjoint((layer.outputs[0].tensor, layer.outputs[0].seen))
        for source in (_source(layer.inputs[0], before),)
        for name in (source.tensor, source.seen)
    ]
    tables["results"] = layers.results.union(ends)
    tables["through"] = other
    return other


def _names_anew(layer: Layer) -> bool:
    """Its result is stored as what it reads is; a Dropout in training mode drops values."""
    if not layer.inputs or not layer.outputs or layer.core.input(2) or not layer.core.standard:
        return False
    source, result = layer.inputs[0], layer.outputs[0]
    if source.constant is not None:
        return False
    if source.quant is None or result.quant is None:
        return source.quant is result.quant
    return source.quant.same_as(result.quant)


def _past(layer: Layer, before: Mapping[str, Operand]) -> Layer:
    """A layer with the tensors it reads under the names that their writers gave them."""
    if not any(operand.tensor in before for operand in layer.inputs):
        return layer
    return replace(layer, inputs=tuple([_source(operand, before) for operand in layer.inputs]))


def _source(operand: Operand, before: Mapping[str, Operand]) -> Operand:
    """An operand as it is called where it is written; one behind a DQ of its own keeps what the operator calls it."""
    source = operand
    for _ in range(len(before)):  # a damaged model runs in circles
        if source.tensor not in before:
            break
        source = before[source.tensor]
    seen = source.seen if operand.seen == operand.tensor else operand.seen
    return Operand(source.tensor, seen, operand.type, operand.quant, operand.constant)
