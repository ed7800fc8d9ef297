"""Swish and its relatives in the forms the NPU has: near to the function, and on the NPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import Array, Builder, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from npuscope.edits.edit import Edit, Exactness
from npuscope.edits.kinds.hard_sigmoid_to_clip import HardSigmoidToClip
from npuscope.edits.kinds.swish_scale import SwishScale
from npuscope.edits.kinds.swish_to_mul import SwishToMul
from npuscope.edits.kinds.to_hard_swish import ToHardSwish
from npuscope.model.load import Source
from npuscope.npu.verdict import Placement
from npuscope.numbers.runner import Runner
from npuscope.numbers.verify_models import verify
from npuscope.planning.placement_fixes import propose_answers, propose_fixes
from npuscope.planning.planner import plan
from npuscope.planning.rewrites import propose_forms
from npuscope.session import Session
from npuscope.snapshot import analyse

FORMS = ("gate Mul", "Clip Mul Div", "Clip Mul Mul", "Clip Div Mul", "Mul Clip Mul", "Relu Min Mul Div")
"""Operators HardSwish is written in; the last is named N."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("swish")


LARGE = (1, 32, 40, 40)
"""So large that the NPU is faster than the CPU, its set-up included."""


class Quantized:
    """x -> operators, each with a pair of a scale of its own -> y."""

    def __init__(self, scale: float, zero: int, quantized: bool = True) -> None:
        self.build, self.quantized = Builder(), quantized
        self.at = self.pair("x", scale, zero) if quantized else "x"

    def pair(self, tensor: str, scale: float, zero: int) -> str:
        build = self.build
        grid = [
            build.constant(f"{tensor}_s", np.float32(scale)),
            build.constant(f"{tensor}_z", np.int8(zero)),
        ]
        build.node("QuantizeLinear", f"{tensor}_Q", [tensor, *grid], f"{tensor}_q")
        return build.node("DequantizeLinear", f"{tensor}_D", [f"{tensor}_q", *grid], f"{tensor}_d")

    def number(self, name: str, value: float) -> str:
        return self.build.constant(name, np.float32(value))

    def step(
        self, op: str, name: str, inputs: list[str], low: float, high: float, **attributes: float | str
    ) -> str:
        """An operator; its result behind a pair that holds a range."""
        self.build.node(op, name, inputs, f"{name}_o", **attributes)
        if not self.quantized:
            return f"{name}_o"
        scale = (high - low) / 255
        return self.pair(f"{name}_o", scale, min(max(round(-128 - low / scale), -128), 127))

    def model(self, result: str, opset: int, shape: tuple[int, ...] = (1, 4, 5, 6)) -> onnx.ModelProto:
        return self.build.model(shape, TensorProto.FLOAT, opset, result)


def hard_swish(form: str, scale: float, zero: int, opset: int, quantized: bool = True) -> onnx.ModelProto:
    """A model of HardSwish in a form."""
    steps = Quantized(scale, zero, quantized)
    x, high = steps.at, max(scale * (127 - zero), 0.5)
    low, top = -0.375, max(high, 1.0)
    if form == "gate Mul":
        gate = steps.step("HardSigmoid", "G", [x], 0, 1, alpha=1 / 6, beta=0.5)
        return steps.model(steps.step("Mul", "N", [x, gate], low, top), opset)
    if form.startswith("Mul Clip"):
        sixth = steps.step("Mul", "S", [x, steps.number("c6", 1 / 6)], scale * (-128 - zero) / 6, high / 6)
        gate = steps.step("Add", "A", [sixth, steps.number("c2", 0.5)], 0, 1)
        bounds = [steps.number("b0", 0), steps.number("b1", 1)]
        gate = steps.step("Clip", "K", [gate, *bounds], 0, 1)
        return steps.model(steps.step("Mul", "N", [gate, x], low, top), opset)
    shifted = steps.step("Add", "A", [x, steps.number("c3", 3)], scale * (-128 - zero) + 3, high + 3)
    if form.startswith("Relu"):
        gate = steps.step("Relu", "R", [shifted], 0, high + 3)
        gate = steps.step("Min", "I", [gate, steps.number("c6", 6)], 0, 6)
    else:
        gate = steps.step("Clip", "K", [shifted, steps.number("b0", 0), steps.number("b1", 6)], 0, 6)
    if form == "Clip Div Mul":
        gate = steps.step("Div", "D", [gate, steps.number("c6", 6)], 0, 1)
        return steps.model(steps.step("Mul", "N", [x, gate], low, top), opset)
    product = steps.step("Mul", "M", [x, gate], low * 6, top * 6)
    last = ("Mul", 1 / 6) if form == "Clip Mul Mul" else ("Div", 6)
    return steps.model(steps.step(last[0], "N", [product, steps.number("last", last[1])], low, top), opset)


def truth(session: Source | Session, values: Array) -> Array:
    """What a model makes of values."""
    source = session if isinstance(session, Source) else session.source
    return Runner(source, session.graph).run({"x": values})[0]


@FEW
@given(
    form=st.sampled_from(FORMS),
    reach=st.floats(3, 9),
    zero=st.integers(-100, 60),
    opset=st.sampled_from((13, 14, 17)),
    seed=st.integers(0, 99),
)
def test_hard_swish_in_any_form_is_one_operator(
    form: str, reach: float, zero: int, opset: int, seed: int, folder: Path
) -> None:
    scale = reach / 128
    source = saved(hard_swish(form, scale, zero, opset), folder)
    session = opened(source)
    if opset < 14 and form == "gate Mul":
        assert "has no HardSwish" in refused(session, ToHardSwish("N"))
        return
    after = edited(session, ToHardSwish("N"))
    assert ToHardSwish("N").exactness is Exactness.APPROXIMATE
    names = [
        layer.name
        for layer in after.layers.layers
        if layer.kind not in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert names == (["N_HardSwish"] if opset >= 14 else ["N_HardSigmoid", "N_Mul"])
    assert all(report(after, name).placement is Placement.HW for name in names if name != "N_HardSigmoid")
    # Near to the function itself: half a step of the output, and before opset 14 of the gate.
    rng = np.random.default_rng(seed)
    values = rng.uniform(scale * (-128 - zero), scale * (127 - zero), (1, 4, 5, 6)).astype(np.float32)
    x = (np.clip(np.rint(values / np.float32(scale)) + zero, -128, 127) - zero) * scale
    wanted = x * np.clip(x / 6 + 0.5, 0, 1)
    top = max(scale * (127 - zero), 0.5, 1.0)
    step = (top + 0.375) / 255
    bound = step / 2 * 1.01 + (0 if opset >= 14 else np.abs(x).max() / 510 * 1.01)
    assert np.abs(truth(after, values) - np.clip(wanted, -0.375 - step, top)).max() <= bound + step / 2


@pytest.mark.parametrize("bounds", [(-20, 8), (-8, 100)])
def test_a_product_that_is_cut_off_far_from_0_is_no_hard_swish(
    bounds: tuple[float, float], tmp_path: Path
) -> None:
    def capped(scale: float, quantized: bool) -> Session:
        steps = Quantized(scale, 0, quantized)
        ends = [steps.number("low", bounds[0]), steps.number("high", bounds[1])]
        low, high = -128 * scale, 127 * scale
        cut = steps.step("Clip", "K", [steps.at, *ends], low, high)
        gate = steps.step("HardSigmoid", "G", [steps.at], 0, 1, alpha=1 / 6, beta=0.5)
        return opened(saved(steps.model(steps.step("Mul", "N", [cut, gate], low, high), 17), tmp_path))

    changes = bounds[1] < 100
    for scale, quantized, wrong in ((0.05, True, False), (0.3, True, changes), (0.05, False, True)):
        session = capped(scale, quantized)
        if wrong:
            assert "does not end operators" in refused(session, ToHardSwish("N"))
        else:
            edited(session, ToHardSwish("N"))


def test_what_others_read_stays(tmp_path: Path) -> None:
    made = hard_swish("Clip Mul Div", 0.05, 0, 17)
    made.graph.output.append(
        onnx.helper.make_tensor_value_info("K_o_d", onnx.TensorProto.FLOAT, (1, 4, 5, 6))
    )
    after = edited(opened(saved(made, tmp_path)), ToHardSwish("N"))
    assert {"A", "K", "N_HardSwish"} <= {layer.name for layer in after.layers.layers}
    assert "M" not in after.layers.by_name


def test_other_functions_are_refused(tmp_path: Path) -> None:
    made = hard_swish("gate Mul", 0.05, 0, 17)
    next(node for node in made.graph.node if node.name == "G").attribute[0].f = 0.2
    assert "does not end operators" in refused(opened(saved(made, tmp_path)), ToHardSwish("N"))
    assert "does not end operators" in refused(opened(saved(made, tmp_path)), ToHardSwish("G"))


def test_hard_swish_is_proposed_where_it_saves_time(tmp_path: Path) -> None:
    session = opened(saved(hard_swish("Clip Mul Div", 0.05, 0, 17), tmp_path))
    snapshot = analyse(session)
    assert [one.edit for one in propose_forms(session, snapshot, "N")] == [ToHardSwish("N")]
    assert not list(propose_forms(session, snapshot, "M"))


@FEW
@given(
    alpha=st.floats(0.1, 0.6),
    beta=st.sampled_from((0.5, 0.3, 0.0, 0.8)),
    zero=st.integers(-128, 120),
    reach=st.floats(2, 12),
    out_zero=st.sampled_from((-128, 0, -40)),
    opset=st.sampled_from((10, 13, 17)),
)
def test_a_hard_sigmoid_is_a_sum_a_clip_and_a_product(
    alpha: float, beta: float, zero: int, reach: float, out_zero: int, opset: int, folder: Path
) -> None:
    steps = Quantized(reach / 128, zero)
    steps.build.node("HardSigmoid", "N", [steps.at], "N_o", alpha=alpha, beta=beta)
    source = saved(steps.model(steps.pair("N_o", 1 / (127 - out_zero), out_zero), opset), folder)
    session = opened(source)
    after = edited(session, HardSigmoidToClip("N"))
    assert HardSigmoidToClip("N").exactness is Exactness.ROUNDING
    assert verify(source, after, samples=3).outputs[0].max_steps <= 1.01
    for name in ("N_Add", "N_Clip", "N_Mul"):
        if name in after.layers.by_name:
            assert after.layers.by_name[name].quantized and report(after, name).placement is Placement.HW


def test_a_hard_sigmoid_in_software_comes_back(tmp_path: Path) -> None:
    steps = Quantized(0.1, -34)
    steps.build.node("HardSigmoid", "N", [steps.at], "N_o", alpha=0.2, beta=0.5)
    session = opened(saved(steps.model(steps.pair("N_o", 1 / 255, -128), 13, LARGE), tmp_path))
    snapshot = analyse(session)
    assert snapshot.by_name["N"].placement is Placement.SW_FLOAT
    assert HardSigmoidToClip("N") in [one.edit for one in propose_fixes(session, snapshot, "N")]
    made = plan(session, snapshot)
    assert [step.edit for step in made.steps] == [
        HardSigmoidToClip("N")
    ] and made.after.off_npu < made.before.off_npu
    off = opened(saved(steps.model("N_o_d", 13), tmp_path))
    assert "not a HardSigmoid" in refused(off, HardSigmoidToClip("x_Q"))


def swish(
    op: str, scale: float, zero: int, alpha: float | None, shape: tuple[int, ...] = (1, 4, 5, 6)
) -> onnx.ModelProto:
    steps = Quantized(scale, zero)
    attributes: dict[str, float | str] = {} if alpha is None else {"alpha": alpha}
    domain = "com.microsoft" if op == "QuickGelu" else ""
    steps.build.node(op, "N", [steps.at], "N_o", domain=domain, **attributes)
    high = max(scale * (127 - zero), 0.5)
    out = (high + 0.3) / 255
    result = steps.pair("N_o", out, round(-128 + 0.3 / out))
    graph = onnx.helper.make_graph(
        steps.build.nodes,
        "swish",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, shape)],
        steps.build.initializers,
    )
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)


@FEW
@given(
    op=st.sampled_from(("QuickGelu", "Gelu")),
    alpha=st.sampled_from((None, 1.0, 0.7)),
    zero=st.integers(-100, 100),
    reach=st.floats(2, 9),
    seed=st.integers(0, 99),
)
def test_a_swish_is_a_product_with_its_gate(
    op: str, alpha: float | None, zero: int, reach: float, seed: int, folder: Path
) -> None:
    scale = reach / 128
    source = saved(swish(op, scale, zero, alpha if op == "QuickGelu" else None), folder)
    session = opened(source)
    after = edited(session, SwishToMul("N"))
    assert SwishToMul("N").exactness is Exactness.APPROXIMATE
    for layer in after.layers.layers:
        if layer.name.startswith("N_") and layer.kind not in ("QuantizeLinear", "DequantizeLinear"):
            assert layer.quantized and report(after, layer.name).placement is Placement.HW
    # The gate is off by half of its step; Erf by half of its own, halved.
    high = max(scale * (127 - zero), 0.5)
    step = (high + 0.3) / 255
    largest = max(abs(scale * (-128 - zero)), scale * (127 - zero))
    off = largest * (1 / 510 + (0.25 / 127 if op == "Gelu" else 0))
    values = np.random.default_rng(seed).uniform(-largest, largest, (1, 4, 5, 6)).astype(np.float32)
    assert np.abs(truth(after, values) - truth(source, values)).max() <= (off + step) * 1.01


@pytest.mark.parametrize("op", ["QuickGelu", "Gelu"])
def test_a_swish_in_software_comes_back(op: str, tmp_path: Path) -> None:
    session = opened(saved(swish(op, 0.05, -20, None, LARGE), tmp_path))
    snapshot = analyse(session)
    assert snapshot.by_name["N"].placement is Placement.SW_FLOAT
    edits: list[Edit] = [one.edit for one in propose_fixes(session, snapshot, "N")]
    assert edits == [SwishToMul("N")]
    made = plan(session, snapshot)
    assert [step.edit for step in made.steps] == [
        SwishToMul("N")
    ] and made.after.off_npu < made.before.off_npu


@pytest.mark.parametrize("opset", [13, 17])
def test_a_float_island_that_is_hard_swish_becomes_one_layer(opset: int, tmp_path: Path) -> None:
    """Between a DQ and a Q nothing is quantized: the four operators run in float, HardSwish on the NPU."""
    steps = Quantized(0.05, 0)
    steps.quantized = False
    shifted = steps.step("Add", "A", [steps.at, steps.number("c3", 3)], 0, 0)
    gate = steps.step("Clip", "K", [shifted, steps.number("b0", 0), steps.number("b1", 6)], 0, 0)
    product = steps.step("Mul", "M", [steps.at, gate], 0, 0)
    steps.step("Div", "N", [product, steps.number("c6", 6)], 0, 0)
    session = opened(saved(steps.model(steps.pair("N_o", 0.03, -115), opset), tmp_path))
    before = analyse(session)
    assert before.summary.sw_float > 1
    made = plan(session, before)
    assert ToHardSwish("N") in [step.edit for step in made.steps]
    assert made.after.off_npu == 0


# -- swish-scale


def gate(scale: float, zero: int, dtype: str = "int8", more: str = "") -> str:
    """x * Sigmoid(x), the Sigmoid on that grid."""
    text = SwishScale.declaration.example.replace("t = {0.003}", f"t = {{{scale!r}}}")
    text = text.replace("int8 low = {-128}", f"{dtype} low = {{{zero}}}")
    return text.replace("y = Quant", f"{more}\n  y = Quant")


@FEW
@given(
    scale=st.floats(0.001, 0.02),
    place=st.sampled_from((("int8", -128), ("int8", -3), ("int8", 0), ("uint8", 0), ("uint8", 77))),
    seed=st.integers(0, 999),
)
def test_a_gate_in_steps_of_1_256(scale: float, place: tuple[str, int], seed: int, folder: Path) -> None:
    source = models.from_text(gate(scale, place[1], place[0]), folder)
    session = opened(source)
    after = edited(session, SwishScale("op"))
    output = after.layers.by_name["op"].output
    assert output is not None and output.quant is not None
    assert (float(output.quant.scale[0]), output.quant.zero) == (
        1 / 256,
        {"int8": -128, "uint8": 0}[place[0]],
    )
    x = np.random.default_rng(seed).integers(-128, 128, (1, 4, 4, 4)).astype(np.int8)
    factor = next(o for o in after.layers.by_name["m"].inputs if o.tensor == output.tensor)
    (seen,) = Runner(source, replace(after.graph, outputs=(factor.seen,))).run({"x": x})
    real = 1 / (1 + np.exp(-0.1 * (x.astype(np.float64) - 5)))
    assert np.abs(seen - np.minimum(real, 255 / 256)).max() <= 1 / 512 * 1.0001
    shown = verify(source, after, samples=2).outputs
    assert shown and not any("N905" in {f.code for f in r.findings} for r in analyse(after).layers)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (gate(1 / 256, -128), "already"),
        (gate(0.003, -128).replace("Sigmoid(f)", "Tanh(f)"), "is a Tanh"),
        (gate(0.003, -128).replace("Mul(f, d)", "Mul(d, d)"), "is not read by a Mul alone"),
    ],
)
def test_a_gate_that_keeps_its_scale(text: str, words: str, folder: Path) -> None:
    assert words in refused(opened(models.from_text(text, folder)), SwishScale("op"))


def test_a_swish_in_two_steps_becomes_one(tmp_path: Path) -> None:
    """Of 2.2 the Mul is an epoch of its own; the plan takes the edit only where approximate ones are allowed."""
    text = gate(0.003, -128).replace("1,4,4,4", "1,32,40,40")
    session = opened(models.from_text(text, tmp_path), "2.2")
    snapshot = analyse(session)
    for propose in (propose_answers, propose_forms):
        assert [one.edit for one in propose(session, snapshot, "op")] == [SwishScale("op")]
    after = analyse(edited(session, SwishScale("op")))
    assert len(after.epochs) < len(snapshot.epochs)
    assert after.summary.milliseconds < snapshot.summary.milliseconds
