"""Quantizing a float layer: integers around it, and outputs within the steps of its grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.float_layers import LAYER, WEIGHTED, Float, constant_of, float_model, floats
from builders.networks.compiled import network
from builders.weighted_layers import saved
from hypothesis import given

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.model.layers import fold
from npuscope.neural_art.mapping.operators import ARITHMETIC
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.session import Session
from npuscope.snapshot import analyse

KEPT = {*WEIGHTED, *ARITHMETIC}
"""Kinds of which only a constant may be float: the compiler quantizes that of an ARITH operator itself."""

SLOPES = {"Sigmoid": 0.25, "HardSigmoid": 0.2, "HardSwish": 1.5}
"""Steepest slope of a function, 1 for the others."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quantize")


@FEW
@given(spec=floats())
def test_a_calibrated_layer_stays_within_the_steps_of_its_grids(spec: Float, folder: Path) -> None:
    source = saved(float_model(spec), folder)
    session = opened(source)
    samples = random_samples(source, 3, spec.seed)
    edit = calibrated(source, session.graph, QuantizeLayer(LAYER), samples, layers=session.layers)
    assert isinstance(edit, QuantizeLayer) and edit.exactness is Exactness.APPROXIMATE
    minus = spec.op == "Sub" and spec.constant_first
    if not (spec.op in KEPT and spec.quantized_in and spec.quantized_out) or minus:
        assert report(session, LAYER).placement.on_cpu
    after = edited(session, edit)
    if spec.op != "HardSigmoid":  # N308 depends on where the calibrated zero point lies
        assert report(after, LAYER).placement is (Placement.SW_INT if minus else Placement.HW)
    assert all(layer.quantized or layer.kind.endswith("Linear") for layer in after.layers.layers)
    result = verify(source, after, inputs=samples).outputs[0]
    largest = max(float(np.abs(sample["x"]).max()) for sample in samples)
    assert result.max_steps * result.step <= bound(spec, after, largest)


def bound(spec: Float, session: Session, largest: float) -> float:
    """The sum of half a step of each tensor that was rounded, times how far it moves the output."""
    layer = session.layers.by_name[LAYER]
    out = layer.outputs[0].quant
    source = layer.inputs[-1 if spec.constant_first and layer.weight is None else 0].quant
    assert out is not None and source is not None
    input_step = 0.0 if spec.quantized_in else float(source.scale[0])
    output_step = float(out.scale[0])
    total = output_step * 1.01 + input_step / 2 * SLOPES.get(spec.op, 1.0)
    weight_operand = layer.weight or next((o for o in layer.inputs if o.constant is not None), None)
    if weight_operand is None:
        return total
    assert weight_operand.quant is not None
    values = np.abs(constant_of(spec))
    step, taps = float(weight_operand.quant.scale.max()), 1
    if layer.weight is not None:
        taps = {"Conv": 54, "Gemm": 6, "MatMul": 4}[spec.op]
    reach = taps * (largest + input_step) * step / 2
    if spec.op == "Div":
        low = float(values.min()) - step / 2
        return total + input_step / 2 / low + (largest + input_step) * step / 2 / low**2
    return (
        total
        + taps * input_step / 2 * float(values.max())
        + reach
        + (step / 2 if spec.op in ("Sub", "Add") else 0)
    )


@pytest.mark.parametrize("op", ["PRelu", "Sub", "Div", "Sigmoid", "Tanh", "HardSigmoid", "GlobalAveragePool"])
def test_ranges_that_follow_from_the_operator_need_no_samples(op: str, tmp_path: Path) -> None:
    source = saved(float_model(Float(op, quantized_out=False)), tmp_path)
    after = edited(opened(source), QuantizeLayer(LAYER))
    assert report(after, LAYER).placement is Placement.HW
    result = verify(source, after, samples=4).outputs[0]
    assert result.sqnr_db is not None and result.sqnr_db > 25


def test_an_activation_stays_between_the_operator_and_its_quantization(tmp_path: Path) -> None:
    source = saved(float_model(Float("Conv", activation="Relu", quantized_out=False)), tmp_path)
    session = opened(source)
    edit = calibrated(
        source, session.graph, QuantizeLayer(LAYER), random_samples(source, 2), layers=session.layers
    )
    assert isinstance(edit, QuantizeLayer)
    layer = edited(session, edit).layers.by_name[LAYER]
    assert layer.fused == ("Relu",) and layer.quantized
    assert layer.weight is not None and layer.weight.quant is not None and layer.weight.quant.per_channel
    assert layer.bias is not None and layer.bias.type.dtype == "int32"


def test_what_cannot_be_quantized_is_refused_with_its_reason(tmp_path: Path) -> None:
    session = opened(saved(float_model(Float("Conv", quantized_in=False, quantized_out=False)), tmp_path))
    assert "calibrate" in refused(session, QuantizeLayer(LAYER))
    session = opened(saved(float_model(Float("Conv", quantized_out=False)), tmp_path))
    assert "no layer 'nothing'" in refused(session, QuantizeLayer("nothing"))
    assert "not a tensor" in refused(session, QuantizeLayer(LAYER, (("other", 0.1, 0),)))
    assert "not an int8 quantization" in refused(session, QuantizeLayer(LAYER, (("y", -1.0, 0),)))
    assert "changes the data type" in refused(session, QuantizeLayer("x_QuantizeLinear"))
    session = opened(models.from_text(_ODD, tmp_path))
    assert "no integer form" in refused(session, QuantizeLayer("log"))
    assert "float16" in refused(session, QuantizeLayer("half"))
    assert "quantized already" in refused(session, QuantizeLayer("done"))
    assert "cannot be quantized; make a Conv" in refused(session, QuantizeLayer("norm"))
    assert "QLinearMatMul" in refused(opened(models.from_text(_QLINEAR, tmp_path)), QuantizeLayer("q"))


_ODD = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x, float16[1,8] h) => (float[1,8] a, float16[1,8] b, int8[1,8] c, float[1,8] d)
<float s = {0.1}, int8 z = {0}, float[8] k = {1,1,1,1,1,1,1,1}>
{ f = DequantizeLinear(x, s, z)
  [log] a = Log(f)
  [half] b = Relu(h)
  [r] r = Sigmoid(f)
  c = QuantizeLinear(r, s, z)
  [done] d0 = Tanh(f)
  d1 = QuantizeLinear(d0, s, z)
  d2 = DequantizeLinear(d1, s, z)
  [norm] d = BatchNormalization(d2, k, k, k, k) }"""

_QLINEAR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8[8,8] w = {1}>
{ [q] y = QLinearMatMul(x, s, z, x, s, z, s, z) }"""


@pytest.mark.parametrize(
    ("case", "off"),
    [("mobilefacenet_qop", (36, 3)), ("yolov11n_micro_224", (6, 6)), ("speech_tcnn_257", (7, 6))],
)
def test_float_islands_of_real_models_come_onto_the_npu(case: str, off: tuple[int, int]) -> None:
    session = opened(network(case))
    before = analyse(session)
    islands = [report.name for report in before.off_npu if report.placement is Placement.SW_FLOAT]
    for name in islands:
        outcome = session.edit(QuantizeLayer(name))
        session = outcome if isinstance(outcome, Session) else session
    assert before.summary.off_npu - analyse(session).summary.off_npu >= off[0] - off[1]


def test_a_layer_of_eight_bit_floats_is_refused(tmp_path: Path) -> None:
    text = """<ir_version: 9, opset_import: ["" : 19]>
    g (float8e4m3fn[1,8] x) => (float[1,8] y) <float s = {0.1}> {
      f = DequantizeLinear (x, s)
      y = Relu (f) }"""
    source = models.from_text(text, tmp_path)
    refusal = QuantizeLayer("Relu_1").apply(source.graph, fold(source.graph))
    assert isinstance(refusal, Refusal) and "float8e4m3fn" in refusal.reason


@pytest.mark.parametrize("op", ["Log", "Reciprocal"])
def test_what_must_not_be_zero_stays_float(op: str, tmp_path: Path) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,3,3] x) => (float[1,4,3,3] y)
    <float s = {{0.02}}, int8 z = {{-128}}> {{
      q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) [gate] a = Sigmoid(d) [end] y = {op}(a) }}"""
    session = opened(models.from_text(text, tmp_path))
    assert "would become infinite" in refused(session, QuantizeLayer("gate"))
