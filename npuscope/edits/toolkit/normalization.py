"""A BatchNormalization as what it computes: a gain and a shift for each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.model.graph import Graph, Node
from npuscope.model.names import with_article
from npuscope.model.tensors import Array

PARAMETERS = ("scale", "bias", "mean", "variance")


@dataclass(frozen=True, eq=False)
class Affine:
    """y = gain * x + shift, with one of each per channel (axis 1), as float64."""

    node: Node
    gain: Array
    shift: Array


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
    root = np.sqrt(variance + (float(epsilon) if isinstance(epsilon, float) else 1e-5))
    if len({value.size for value in values}) > 1 or not np.all(root > 0):
        return Refusal(f"the parameters of {name} do not fit each other")
    gain = scale / root
    return Affine(node, gain, bias - mean * gain)
