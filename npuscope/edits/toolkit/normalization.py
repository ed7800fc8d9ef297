"""A BatchNormalization as what it computes: a gain and a shift for each channel."""

from __future__ import annotations

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.model.graph import Graph, Node
from npuscope.model.names import with_article
from npuscope.model.tensors import Array
from npuscope.record import dataclass

PARAMETERS = ("scale", "bias", "mean", "variance")


@dataclass(frozen=True, eq=False)
class Affine:
    """y = gain * x + shift, with one of each per channel (axis 1), as float64."""

    node: Node
    gain: Array
    shift: Array
    through: tuple[Node, ...] = ()
    """The Mul, Div, Add and Sub by constants before it that gain and shift hold as well, the last one first."""
    source: str = ""
    """The tensor it is computed of."""


def affine(graph: Graph, node: Node) -> Affine | Refusal:
    """Gain and shift of a BatchNormalization, or why they are not known."""
    name = node.name
    if node.op != "BatchNormalization" or not node.standard:
        return Refusal(f"{name} is {with_article(node.op)}, not a BatchNormalization")
    if node.integer("training_mode", 0) or len([o for o in node.outputs if o]) != 1:
        return Refusal(f"{name} is in training mode: its mean and variance come from the data")
    values = []
    for position, what in enumerate(PARAMETERS, start=1):
        constant = graph.constant(node.input(position))
        if constant is None:
            return Refusal(f"the {what} of {name} is computed by the model; only a constant one is taken")
        values.append(constant.array().astype(np.float64).reshape(-1))
    scale, bias, mean, variance = values
    epsilon = node.attribute("epsilon")
    spread = variance + (float(epsilon) if isinstance(epsilon, float) else 1e-5)
    if len({value.size for value in values}) > 1 or not np.all(spread > 0):
        return Refusal(f"the parameters of {name} do not fit each other")
    if not all(np.isfinite(value).all() for value in (*values, spread)):
        return Refusal(f"the parameters of {name} are not all finite")
    gain = scale / np.sqrt(spread)
    return Affine(node, gain, bias - mean * gain, (), node.input(0))


SCALED = frozenset({"Mul", "Div", "Add", "Sub"})


def with_scaling(graph: Graph, normalization: Affine) -> Affine:
    """With what multiplies and adds a constant to each channel before it, as trained quantization of PyTorch leaves it:
    a convolution with the weights it will have, divided by what they were multiplied by."""
    affine = normalization
    while (node := graph.producer(affine.source)) is not None and node.op in SCALED and node.standard:
        readers = graph.consumers.get(affine.source, ())
        if len(readers) != 1 or affine.source in graph.output_set:
            break
        source, by = node.input(0), _per_channel(graph, node.input(1), affine)
        if by is None and node.op in ("Mul", "Add"):
            source, by = node.input(1), _per_channel(graph, node.input(0), affine)
        if by is None or (node.op == "Div" and not by.all()):
            break
        gain, shift = affine.gain, affine.shift
        if node.op in ("Mul", "Div"):
            gain = gain * by if node.op == "Mul" else gain / by
        else:
            shift = shift + gain * by * (1 if node.op == "Add" else -1)
        affine = Affine(affine.node, gain, shift, (*affine.through, node), source)
    return affine


def _per_channel(graph: Graph, name: str, normalization: Affine) -> Array | None:
    """A constant with one number, or one for each channel, as float64; None for any other."""
    constant, shape = graph.constant(name), graph.type(normalization.source).shape
    if constant is None or shape is None or constant.size > normalization.gain.size:
        return None
    sizes = (1,) * (len(shape) - len(constant.shape)) + tuple(constant.shape)
    if len(sizes) != len(shape) or any(n != 1 for axis, n in enumerate(sizes) if axis != 1):
        return None
    values = constant.array()
    if values.dtype.kind != "f" or values.size not in (1, normalization.gain.size):
        return None
    wide = values.astype(np.float64).reshape(-1)
    return wide if np.isfinite(wide).all() else None
