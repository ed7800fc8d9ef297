"""The form of a layer: all that a verdict and a price rest on which ask for no scale, no value and no neighbour.

Only layers have one with nothing out of the ordinary about them, as most layers of most models are: data of eight bits with
one scale and known sizes, centred weights. A model repeats them, so what is found out of a form holds for many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.neural_art.mapping.operators import ACTIVATION
from npuscope.npu.cause import Cause
from npuscope.npu.cost import Cost

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Operand

MULTIPLIED = frozenset({"Conv", "Gemm"})
KINDS = MULTIPLIED | {"Add", "Mul", "Sub"} | (ACTIVATION - {"HardSigmoid", "PRelu", "Clip", "Abs"})
"""Kinds whose kernel and price are chosen without a look at other layers, and without one at scales or zero points but that of
the first input."""

EIGHT_BITS = frozenset({"int8", "uint8"})

LONG = 64
"""Bytes of an attribute above which a layer has no form: those of these kinds are short."""


class Form:
    """What was found out of a form, for each target."""

    __slots__ = ("causes", "costs", "silent")

    def __init__(self) -> None:
        self.causes: dict[Target, tuple[Cause, ...]] = {}
        """What the choice of its kernel rests on."""
        self.costs: dict[Target, Cost | None] = {}
        """Its price on the NPU."""
        self.silent: set[Target] = set()
        """Rules that ask for no more than a form say nothing of it."""


MOST_KNOWN = 1 << 14
"""Forms that are remembered before all are forgotten: a plan tries thousands of edits."""

_KNOWN: dict[tuple[object, ...], Form] = {}
_FACT = "form"


def form_of(layer: Layer) -> Form | None:
    """The form of a layer, which it shares with all that are alike; None for one that has something of its own."""
    known: dict[str, Form | None] = layer.facts
    if _FACT not in known:
        stated = _stated(layer)
        form = _KNOWN.get(stated) if stated is not None else None
        if form is None and stated is not None:
            if len(_KNOWN) >= MOST_KNOWN:
                _KNOWN.clear()
            form = _KNOWN[stated] = Form()
        known[_FACT] = form
    return known[_FACT]


def _stated(layer: Layer) -> tuple[object, ...] | None:
    """What tells one form from another."""
    weight, core = layer.weight, layer.core
    if layer.kind not in KINDS or layer.parameters or (weight is not None) is not (layer.kind in MULTIPLIED):
        return None
    stated: list[object] = [layer.kind, layer.op, layer.domain, layer.fused, len(layer.inputs)]
    for operand in (*layer.inputs, *layer.outputs):
        quant, dims = operand.quant, operand.dims
        if quant is None or dims is None or operand.constant is not None or len(dims) < 2:
            return None
        if quant.axis is not None or quant.dtype not in EIGHT_BITS or not quant.divides:
            return None
        stated += (operand.type.dtype, dims, quant.form)
    if weight is not None:
        weights = _weights(layer, weight)
        if weights is None:
            return None
        stated += weights
    if not core.bare:
        attributes = core.plain_attributes
        if attributes is None or max(map(len, attributes), default=0) > LONG:
            return None
        stated += attributes
    return tuple(stated)


def _weights(layer: Layer, weight: Operand) -> tuple[object, ...] | None:
    """The same of weights and a bias; None where there is something about them."""
    quant, constant, bias = weight.quant, weight.constant, layer.bias
    if quant is None or constant is None or quant.dtype not in EIGHT_BITS or quant.block_size:
        return None
    if not (quant.divides and quant.symmetric) or len(layer.inputs) != 1:
        return None
    stated = (constant.dtype, constant.shape, quant.form)
    if bias is None:
        return stated
    if bias.constant is None:
        return None
    form = bias.quant.form if bias.quant is not None else None
    return (*stated, bias.type.dtype, bias.constant.dtype, bias.constant.shape, form)
