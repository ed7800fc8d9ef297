"""An LSTM in integers beside the reference interpreter, and what says of an operator that it is not converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.tflite.operators import Case
from builders.tflite.reference import distances

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.verdict import Confidence
from npuscope.session import Session
from npuscope.snapshot import analyse

pytest.importorskip("ai_edge_litert.interpreter")

STATE = {"scale": 1 / 128, "zero": 0}


def integer_lstm(seed: int, gain: float, time_major: bool, steps: int = 6, units: int = 8) -> bytes:
    """As TFLite's converter writes it: int8 weights and state, int32 biases on the scale of the products, an int16 cell."""
    case, random, source = Case("int8"), np.random.default_rng(seed), 0.03
    shape = (steps, 1, 5) if time_major else (1, steps, 5)
    source_tensor = case.tensor("in", shape, "int8", source, 5)
    scales = [float(random.uniform(0.004, 0.01)) * gain for _ in range(8)]
    constants = {"w": 5, "r": units}
    kernels = [
        case.constant(
            f"{kind}{i}", random.integers(-127, 128, (units, size)).astype(np.int8), scale=scales[4 * at + i]
        )
        for at, (kind, size) in enumerate(constants.items())
        for i in range(4)
    ]
    biases = [
        case.constant(f"b{i}", random.integers(-800, 800, units).astype(np.int32), scale=source * scales[i])
        for i in range(4)
    ]
    states = [
        case.tensor("state", (1, units), "int8", **STATE),
        case.tensor("cell", (1, units), "int16", 2**-11),
    ]
    for number in states:
        case.graph.tensors[number].isVariable = True
    result = case.tensor("out", (*shape[:2], units), "int8", **STATE)
    between = [case.tensor(f"between{i}", (), "int16", 2**-12) for i in range(4)]
    between.append(case.tensor("hidden", (), "int8", **STATE))
    inputs = [source_tensor, *kernels, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1]
    case.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [result], "UnidirectionalSequenceLSTMOptions",
        fusedActivationFunction=4, cellClip=0.0, timeMajor=time_major,
    )  # fmt: skip
    case.graph.operators[-1].intermediates = between
    return case.bytes([source_tensor], [result])


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_an_integer_lstm_equals_the_reference(gain: float, time_major: bool) -> None:
    """The reference rounds the state in each step; what that feeds back grows with the weights."""
    for seed in range(4):
        for one in distances(integer_lstm(seed, gain, time_major)):
            assert one.steps <= (1 if gain <= 1 else 2), one
            assert one.equal >= 0.85, one


def test_rounding_does_not_add_up_over_many_steps() -> None:
    for one in distances(integer_lstm(3, 1.0, False, steps=60, units=24)):
        assert one.steps <= 1 and one.equal >= 0.85, one


def test_an_operator_without_a_form_in_onnx_is_no_custom_one(tmp_path: Path) -> None:
    case = Case("int8")
    source, answer = case.entry("in", (1, 8)), case.tensor("condition", (), "bool")
    result = case.act("out", (1, 8))
    case.operator("IF", [answer, source], [result], "IfOptions", thenSubgraphIndex=0, elseSubgraphIndex=0)
    path = tmp_path / "m.tflite"
    path.write_bytes(case.bytes([*case.entries, answer], [result]))
    (layer,) = (
        report
        for report in analyse(Session.open(load(path), target("2.1"))).layers
        if report.layer.op == "IF"
    )
    (finding,) = (each for each in layer.forced_by if each.code == "N313")
    assert finding.message == (
        "IF of the TFLite file has no ONNX form in npuscope: it decides between branches that are not in the file, or read "
        "something else"
    )
    assert finding.confidence is Confidence.UNKNOWN and "custom" not in finding.why
