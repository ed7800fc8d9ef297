"""Layers, epochs and findings of any network say the same, whatever it is built for."""

from __future__ import annotations

import onnx
import pytest
from builders.agreement import epochs_and_layers_agree, findings_name_causes
from builders.longer import suite_or_long
from builders.models import SAMPLES
from builders.networks.drawn_networks import networks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.machine.build import FLOAT32, Build
from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target_of
from npuscope.model.load import load
from npuscope.neural_art.kernels.choose import FORMATS
from npuscope.neural_art.kernels.datatypes import all_in_order
from npuscope.npu.rule import Context
from npuscope.session import Session
from npuscope.snapshot import analyse

ENDS = st.sampled_from([(), (FLOAT32,)])


@settings(max_examples=suite_or_long(15, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from(TOOLCHAINS), ENDS, ENDS, st.sampled_from(["", "0", "3"]))
def test_placement_follows_from_the_epochs(
    tmp_path_factory: pytest.TempPathFactory,
    proto: onnx.ModelProto,
    toolchain: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    level: str,
) -> None:
    onnx.checker.check_model(proto, full_check=True)
    path = tmp_path_factory.getbasetemp() / "drawn_network.onnx"
    onnx.save(proto, path)
    build = Build(toolchain=toolchain, input_data_types=inputs, output_data_types=outputs, optimization=level)
    snapshot = analyse(Session.open(load(path), target_of(build)))
    epochs_and_layers_agree(snapshot)
    findings_name_causes(snapshot)


@settings(max_examples=suite_or_long(15, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from(TOOLCHAINS))
def test_nothing_is_to_be_said_of_formats_in_order(
    tmp_path_factory: pytest.TempPathFactory, proto: onnx.ModelProto, toolchain: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "in_order.onnx"
    onnx.save(proto, path)
    session = Session.open(load(path), target_of(Build(toolchain=toolchain)))
    context = Context(session.graph, session.layers, session.target)
    for layer in session.layers.layers:
        if all_in_order(layer, context):
            assert [cause for choice in FORMATS for cause in choice(layer, context)] == [], layer.name


def test_most_layers_of_a_quantized_model_are_in_order() -> None:
    session = Session.open(load(SAMPLES / "denoiser_lstm_int8.onnx"), target_of(Build()))
    context = Context(session.graph, session.layers, session.target)
    assert sum(all_in_order(layer, context) for layer in session.layers.layers) > 16
