"""A float model judged as if quantized: the same verdicts as after quantizing it, and nothing that leaves the program."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.command_line import run
from builders.networks.float_networks import NETWORKS
from onnx import TensorProto, helper, numpy_helper

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.files.onnx_file import write
from npuscope.machine.build import Build
from npuscope.machine.machine import Target, target_of
from npuscope.model.as_int8.signs import never_negative
from npuscope.model.as_int8.symbolic import as_int8
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load, source_of
from npuscope.model.serialize import to_model
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.planning.candidates import propose_padding
from npuscope.services.zero_points import zero_point_range
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"
DENOISER = "denoiser_lstm_float"
MODELS = (*NETWORKS, DENOISER)

TARGET: Target = target_of(Build())


def opened(name: str) -> Source:
    if name == DENOISER:
        return load(SAMPLES / f"{name}.onnx")
    return source_of(Path(f"{name}.onnx"), NETWORKS[name]())


@cache
def pair(name: str, symmetric: bool) -> tuple[Snapshot, Snapshot]:
    """Judged after quantizing, and as if quantized."""
    source = opened(name)
    real = quantize(source, random_samples(source, 2, 0), Settings(symmetric=symmetric))
    return analyse(Session.open(real, TARGET)), analyse(Session.open(as_int8(source, symmetric), TARGET))


BOTH = [(name, symmetric) for name in MODELS for symmetric in (False, True)]


def test_verdicts_are_those_of_the_quantized_model() -> None:
    differing: list[str] = []
    layers = 0
    for name, symmetric in BOTH:
        real, assumed = pair(name, symmetric)
        layers += len(real.layers)
        for layer in {*real.by_name, *assumed.by_name}:
            one, other = real.by_name.get(layer), assumed.by_name.get(layer)
            if one is None or other is None or one.placement is not other.placement:
                differing.append(f"{name} {layer}: {one and one.placement} {other and other.placement}")
    assert layers > 350
    assert len(differing) <= layers // 100, differing


OF_VALUES = frozenset({"N117", "N118", "N704", "N905"})
"""Findings on scales and biases, which calibration makes: nothing is known of them before."""


@pytest.mark.parametrize(("name", "symmetric"), BOTH)
def test_findings_and_cycles_are_those_of_the_quantized_model(name: str, symmetric: bool) -> None:
    real, assumed = pair(name, symmetric)
    for layer, one in real.by_name.items():
        other = assumed.by_name[layer]
        lucky = (
            one.layer.input is not None
            and one.layer.input.quant is not None
            and one.layer.input.quant.zero in (0, -128)
        )
        awaits = (
            other.layer.input is not None
            and other.layer.input.quant is not None
            and not other.layer.input.quant.zero_known
        )
        if lucky and awaits:
            continue  # the zero point fell on 0 or -128 by chance
        known = {f.code for f in one.findings} - OF_VALUES
        assert known == {f.code for f in other.findings}, layer
        assert (one.cost and one.cost.compute_cycles) == (other.cost and other.cost.compute_cycles), layer
    # A Concat may have the scale of its widest part, which is known with the values alone.
    assert assumed.summary.milliseconds == pytest.approx(real.summary.milliseconds, rel=0.02, abs=0.0025)


def test_zero_points_follow_from_operators() -> None:
    graph = opened("norms").graph
    tensors = never_negative(graph)
    by_kind = {node.op: node.output(0) in tensors for node in graph.nodes}
    assert by_kind == {
        "Conv": False, "Clip": False, "Pow": True, "ReduceMean": True, "Add": True, "Sqrt": True, "Div": False,
        "Abs": True, "Exp": True, "Max": True, "Transpose": True,
    }  # fmt: skip
    for name, symmetric in BOTH:
        real, assumed = pair(name, symmetric)
        for layer, report in assumed.by_name.items():
            for known, made in zip(report.layer.outputs, real.by_name[layer].layer.outputs, strict=True):
                if known.quant is not None and known.quant.zero_known:
                    assert made.quant is not None
                    assert known.quant.zero == made.quant.zero, (name, layer)


def test_what_zero_points_decide_is_a_range() -> None:
    session = Session.open(as_int8(opened(DENOISER)), TARGET)
    span = zero_point_range(session, analyse(session))
    assert span is not None
    assert {layer.name for layer in span.layers} >= {"Gemm_30", "Gemm_51", "Gemm_53"}
    assert all(
        layer.simd == ("8x8", "16x8") and layer.cycles[0] * 2 <= layer.cycles[1] for layer in span.layers
    )
    assert span.compute_cycles[0] < span.compute_cycles[1]
    assert span.milliseconds[0] <= span.milliseconds[1]
    assert "quantize --symmetric" in span.words
    symmetric = Session.open(as_int8(opened(DENOISER), symmetric=True), TARGET)
    assert zero_point_range(symmetric, analyse(symmetric)) is None


def test_the_best_padding_is_proposed_before_any_zero_point_is_known() -> None:
    session = Session.open(as_int8(opened(DENOISER)), TARGET)
    proposed = [one.edit for one in propose_padding(session, analyse(session), "Gemm_28")]
    assert proposed[0] == PadChannels("Gemm_28", 258)


def test_it_can_be_neither_run_nor_written(tmp_path: Path) -> None:
    session = Session.open(as_int8(opened(DENOISER)), TARGET)
    for attempt in (
        lambda: to_model(session.source, session.graph),
        lambda: write(session, tmp_path / "out.onnx"),
        lambda: quantize(session.source, (), Settings()),
    ):
        with pytest.raises(ModelError):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_no_weights_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source = load(SAMPLES / f"{DENOISER}.onnx")
    monkeypatch.setattr("npuscope.model.tensors.ModelFile.read", lambda *_: pytest.fail("weights were read"))
    assert len(analyse(Session.open(as_int8(source), TARGET)).layers) == 38


FLOAT = SAMPLES / f"{DENOISER}.onnx"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", FLOAT, "--as-int8"), "(if quantized)"),
        (("check", FLOAT, "--as-int8", "--markdown"), "(if quantized)"),
        (("check", FLOAT, "--as-int8", "--csv"), ",as_int8"),
        (("check", FLOAT, "--as-int8", "--github"), "(if quantized)"),
        (("check", FLOAT, "--as-int8", "--sarif"), "(if quantized)"),
        (("plan", FLOAT, "--as-int8"), "(if quantized)"),
        (("plan", FLOAT, "--as-int8", "--markdown"), "(if quantized)"),
        (("plan", FLOAT, "--as-int8", "--json"), '"as_int8": true'),
        (("fix", FLOAT, "--as-int8", "--layer", "Gemm_28"), "(if quantized)"),
        (("fix", FLOAT, "--as-int8", "split-in", "layer=Gemm_28", "sizes=144+113"), "(if quantized)"),
        (("fix", FLOAT, "--as-int8", "--json"), '"as_int8": true'),
    ],
)
def test_every_form_is_marked(
    capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], words: str
) -> None:
    status, text, error = run(capsys, *arguments)
    assert (status, error) == (0, "")
    assert words in text


def test_the_json_has_no_scale(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = run(capsys, "check", FLOAT, "--as-int8", "--json")
    data = json.loads(text)
    assert data["as_int8"] is True
    assert data["zero_points_decide"]["setting"] == "quantize --symmetric"
    quants = [quant for layer in data["layers"] for quant in layer["quant"].values() if quant]
    assert {quant.get("scale") for quant in quants} == {quant.get("scale_min") for quant in quants} == {None}
    assert {quant["zero_point"] for quant in quants if "zero_point" in quant} == {None, -128}
    assert json.loads(run(capsys, "check", FLOAT, "--json")[1])["as_int8"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", SAMPLES / "denoiser_lstm_int8.onnx", "--as-int8"), "holds Q/DQ already"),
        (("check", FLOAT, "--symmetric"), "--as-int8"),
        (("check", FLOAT, "--as-int8", "--sweep"), "--sweep"),
        (("plan", FLOAT, "--as-int8", "--apply", "-o", "OUT"), "npuscope quantize"),
        (("plan", FLOAT, "--as-int8", "--recipe", "OUT"), "npuscope quantize"),
        (("plan", FLOAT, "--as-int8", "--loss", "30"), "to measure dB"),
        (("fix", FLOAT, "--as-int8", "int8-borders", "-o", "OUT"), "npuscope quantize"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    out = tmp_path / "out.onnx"
    status, text, error = run(capsys, *(out if a == "OUT" else a for a in arguments))
    assert (status, text, error.count("\n")) == (2, "", 1)
    assert words in error
    assert not out.exists()


def test_several_models_are_judged_as_if_quantized(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("residual", "gates"):
        onnx.save(NETWORKS[name](), tmp_path / f"{name}.onnx")
    status, text, _ = run(capsys, "check", tmp_path, "--as-int8", "--json")
    assert status == 0
    assert [entry["as_int8"] for entry in json.loads(text)] == [True, True]


def test_names_that_are_taken_are_stepped_around() -> None:
    weights = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["w_quantized"], name="w_DequantizeLinear"),
            helper.make_node("Sigmoid", ["w_quantized"], ["x_scale"], name="x_QuantizeLinear"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("x_scale", TensorProto.FLOAT, [1, 2, 4, 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    snapshot = analyse(Session.open(as_int8(source_of(Path("m.onnx"), model)), TARGET))
    assert {name: r.placement.value for name, r in snapshot.by_name.items()}["w_DequantizeLinear"] == "hw"
