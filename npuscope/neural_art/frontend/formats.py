"""Formats: which tensors the front end stores in integers, by the style the model is written in."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from npuscope.model.layer import QLINEAR, WEIGHTED, Layer, is_qdq, is_transparent, moves_integers

if TYPE_CHECKING:
    from npuscope.model.graph import Graph


class Style(Enum):
    """How a model says that a tensor is stored in integers."""

    QDQ = "qdq"
    """A QuantizeLinear and a DequantizeLinear on each tensor: an annotation for the front end, not an operator."""
    QOPERATOR = "qoperator"
    """Operators that read and write integers; each QuantizeLinear and DequantizeLinear is an operator to run."""
    INTERMEDIATE = "intermediate"
    """A float graph with a Q.json; the QuantizeLinear and DequantizeLinear that it has are operators to run."""
    FLOAT = "float"


_FACT, _BORDERS = "style", "real borders"


def style(graph: Graph) -> Style:
    """The style of a model. One with both kinds of quantization has that of most of its weighted operators."""
    known: Style | None = graph.facts.get(_FACT)
    if known is None:
        known = graph.facts[_FACT] = _style(graph)
    return known


def is_quantized(layers: Iterable[Layer]) -> bool:
    """Some layers have quantized weights and data: the model is one that was quantized."""
    return any(
        layer.weight is not None
        and layer.weight.quant is not None
        and layer.inputs
        and layer.inputs[0].quant is not None
        for layer in layers
    )


def _style(graph: Graph) -> Style:
    if graph.imported:
        return Style.INTERMEDIATE
    integer = sum(map(QLINEAR.__contains__, [node.op for node in graph.nodes]))
    if not integer:
        return Style.QDQ if any(map(is_qdq, graph.nodes)) else Style.FLOAT
    floating = sum(node.standard and node.op in WEIGHTED for node in graph.nodes)
    return Style.QOPERATOR if integer > floating else Style.QDQ


def has_real_borders(graph: Graph) -> bool:
    """There may be layers with `real_borders` in it."""
    known: bool | None = graph.facts.get(_BORDERS)
    if known is None:
        known = graph.facts[_BORDERS] = bool(graph.stored_floats) or style(graph) is Style.QOPERATOR
    return known


def real_borders(layer: Layer, graph: Graph) -> bool:
    """The Q and DQ around a layer are operators to run, so that what lies between them is float.

    1. An intermediate model's quantization calls the tensor behind such a DequantizeLinear float.
    2. A TFLite file has it as a float tensor between a DEQUANTIZE and a QUANTIZE of its own: the Div at the end of a
       MoveNet (2025-fin-graduate-project/Falling-Detection-STM32, 3.0) is a float epoch between two of each.
    3. onnxruntime's QOperator format leaves an operator between a DequantizeLinear and a QuantizeLinear where it has no
    integer form of it (mobilefacenet_qop: 33 PRelu, each a float kernel between a DQ and a Q). One whose constants
    have a DequantizeLinear as well is written in QDQ form, which that format never does; it counts as such.
    """
    if not has_real_borders(graph):
        return False
    if layer.qoperator or is_qdq(layer.core) or is_transparent(layer.core) or moves_integers(layer.core):
        return False
    if graph.stored_floats:
        return any(
            o.seen in graph.stored_floats for o in (*layer.inputs, *layer.outputs) if o.constant is None
        )
    constants = [o for o in (*layer.inputs, layer.weight) if o is not None and o.constant is not None]
    if constants and all(o.quant is not None for o in constants):
        return False
    return any(o.seen != o.tensor for o in (*layer.inputs, *layer.outputs) if o.constant is None)
