"""Forms: what is found out of one layer holds for all that are alike, whatever their scales, values and neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.seen_figures import opened

from npuscope.machine.machine import target
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers, Operand
from npuscope.neural_art.kernels.choose import _chosen, choose
from npuscope.neural_art.mapping.form import Form, form_of
from npuscope.neural_art.price.estimate import _cost, layer_cost
from npuscope.neural_art.rules import RULES
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

SAMPLES = ("attention_block_int8", "convnet_qoperator", "denoiser_lstm_int8", "mobilenet_mini_int8")


def formed(name: str) -> list[Layer]:
    return [layer for layer in opened(name)[0].layers.layers if form_of(layer) is not None]


@pytest.mark.parametrize("version", ["2.0", "2.1", "4.0"])
@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_known_of_a_form_is_what_each_layer_would_say(name: str, version: str) -> None:
    session, machine = opened(name)[0], target(version)
    context = Context(session.graph, session.layers, machine)
    for layer in formed(name):
        assert choose(layer, context) == _chosen(layer, context)
        afresh = _cost(layer, Placement.HW, machine, session.layers)
        assert layer_cost(layer, Placement.HW, machine, session.layers) == afresh


@pytest.mark.parametrize("name", SAMPLES)
def test_a_form_asks_for_no_scale_no_value_and_no_neighbour(name: str) -> None:
    session = opened(name)[0]
    alone = Context(Graph((), {}, {}, (), (), {}), Layers((), ()), target())
    around = Context(session.graph, session.layers, target())
    for layer in formed(name):
        alike = another(layer)
        assert form_of(alike) is form_of(layer)
        assert _chosen(alike, alone) == _chosen(layer, around)
        assert _cost(alike, Placement.HW, target(), None) == _cost(layer, Placement.HW, target(), None)
        for rule in RULES:
            if rule.by_form and (rule.kinds is None or layer.kind in rule.kinds):
                assert list(rule.check(alike, alone)) == list(rule.check(layer, around))


def test_layers_alike_share_a_form_and_others_do_not() -> None:
    convolution = next(layer for layer in formed("mobilenet_mini_int8") if layer.kind == "Conv")
    source = convolution.inputs[0]
    assert source.quant is not None
    for other in (
        replace(
            convolution, inputs=(replace(source, quant=replace(source.quant, zero_point=np.array([7]))),)
        ),
        replace(convolution, fused=("Clip", *convolution.fused)),
        replace(convolution, bias=None, outputs=(replace(convolution.outputs[0], quant=None),)),
    ):
        assert form_of(other) is not form_of(convolution)
    assert (
        sum(isinstance(form_of(layer), Form) for layer in opened("mobilenet_mini_int8")[0].layers.layers) > 5
    )


def another(layer: Layer) -> Layer:
    """One like it of another name, between other tensors, with other scales and other weights."""
    weight = layer.weight
    if weight is not None and weight.constant is not None:
        weight = replace(
            other(weight, "w"), constant=replace(weight.constant, name="w", proto=None, value=None)
        )
    return replace(
        layer,
        name="other",
        core=replace(layer.core, name="other"),
        nodes=("other",),
        inputs=tuple(other(operand, f"i{place}") for place, operand in enumerate(layer.inputs)),
        outputs=tuple(other(operand, f"o{place}") for place, operand in enumerate(layer.outputs)),
        weight=weight,
    )


def other(operand: Operand, name: str) -> Operand:
    assert operand.quant is not None
    quant = replace(operand.quant, scale=operand.quant.scale * np.float32(2))
    return replace(operand, tensor=name, seen=f"{name}_seen", quant=quant)
