"""Which layers an edit may have changed the verdict of: rules look at neighbours, but not far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers, changed_layers, is_transparent
from npuscope.model.validity.foreign import hindrance
from npuscope.neural_art.dependencies import Dependencies, changed
from npuscope.neural_art.frontend.formats import is_quantized, style
from npuscope.neural_art.kernels.datatypes import ORDERS, unscaled
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.rules.n101_float_layer import PREPARES

HOPS = 5
"""Layers a rule looks past, at most: a Concat looks through four views for a Transpose."""

FAR = frozenset({"Transpose", "Pad", "Concat", "Slice", "Split"})
"""Kinds whose kernel depends on where a stream begins and on who laid out what they read, however far that is."""


_FAR = "looks far"


def looks_far(layer: Layer) -> bool:
    """The verdict on a layer may depend on others further away than `HOPS`: it is judged again each time.

    Beside `FAR` that is integers whose scale may be stated anywhere behind operators that only move them, values that are
    computed of shapes alone, floats that normalise the input of the network, and what moves floats before a Q: an input of the
    network stays float for others that read it.
    """
    known: bool | None = layer.facts.get(_FAR)
    if known is None:
        known = layer.facts[_FAR] = (
            layer.kind in FAR
            or folded_away(layer)
            or (layer.kind in ORDERS and any(unscaled(o) for o in (*layer.inputs, *layer.outputs)))
            or (layer.core.op in PREPARES and any(o.bare for o in layer.inputs))
            or (is_transparent(layer.core) and any(o.bare for o in layer.inputs))
        )
    return known


def of_the_whole(graph: Graph, layers: Iterable[Layer], worded: bool) -> tuple[object, ...]:
    """What verdicts ask of the model as a whole, and with `worded` what their words do: all are others where it is."""
    if not worded:
        return (style(graph),)
    quantized = is_quantized(layers)
    return style(graph), quantized, None if quantized else hindrance(graph)


def outdated(now: Dependencies, was: Dependencies, worded: bool) -> set[str] | None:
    """Names of layers whose verdict or price an edit may have changed; None where any may have.

    Those are the new ones, and of those near and those that look far the ones that looked at something that changed.
    """
    layers = was.layers.layers
    if was.target is not now.target:
        return None
    if of_the_whole(was.graph, layers, worded) != of_the_whole(now.graph, now.layers.layers, worded):
        return None
    before, after = was.layers.by_name, now.layers.by_name
    names = touched(now.layers, was.layers)
    far = [(layer, layer.facts.get(_FAR)) for layer in layers]
    names.update([layer.name for layer, looks in far if looks or (looks is None and looks_far(layer))])
    differs = changed(now, was)
    if differs is None:
        return names
    return {
        name
        for name in names
        if (layer := before.get(name)) is None
        or after.get(name) is not layer
        or (looks := was.of(layer)) is None
        or looks.meet(differs)
    }


def touched(layers: Layers, before: Layers) -> set[str]:
    """Names of layers that are new, other objects than before, or near such ones or near a removed one."""
    by_name = layers.by_name
    names = changed_layers(layers, before)
    gone = names - by_name.keys()
    names -= gone
    edge = [by_name[name] for name in names]
    for name in gone:
        edge += _neighbours(before.by_name[name], layers)
    names.update(layer.name for layer in edge)
    for _ in range(HOPS):
        edge = [near for layer in edge for near in _neighbours(layer, layers) if near.name not in names]
        names.update(layer.name for layer in edge)
    return names


def _neighbours(layer: Layer, layers: Layers) -> Iterator[Layer]:
    operands = (*layer.inputs, *layer.parameters, *((layer.bias,) if layer.bias is not None else ()))
    for operand in operands:
        for tensor in (operand.tensor, operand.seen):
            if tensor in layers.writers:
                yield layers.writers[tensor]
    for operand in layer.outputs:
        for tensor in (operand.tensor, operand.seen):
            yield from layers.readers.get(tensor, ())
