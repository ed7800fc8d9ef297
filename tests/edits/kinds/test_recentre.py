"""Re-centred activations: the fast zero points, with no value further off than half a step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report, written
from builders.layer_chains import MOVERS, ChainSpec, chain
from builders.weighted_layers import NAME, Array, Spec, model, saved, specs
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.registry import from_data, to_data
from npuscope.edits.toolkit.ranges import dequantized
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.files.onnx_file import write
from npuscope.model.load import load
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Runner
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recentre")


def zero_point(session: Session, layer: str) -> int | None:
    return input_zero_point(session.layers.by_name[layer])


def scale(session: Session, layer: str) -> float:
    source = session.layers.by_name[layer].input
    assert source is not None and source.quant is not None
    return float(source.quant.scale[0])


def ends(session: Session, layer: str) -> tuple[float, float]:
    source = session.layers.by_name[layer].input
    assert source is not None and source.quant is not None
    return source.quant.range


def weight_sum(session: Session, layer: str) -> float:
    """By how much a layer's output moves at most where each input moves by one."""
    weighted_op = weighted_layer(session.graph, session.layers, layer)
    assert isinstance(weighted_op, Weighted)
    weights = np.abs(dequantized(weighted_op.weight, weighted_op.values)).astype(np.float64)
    summed = tuple(axis for axis in range(weights.ndim) if axis != weighted_op.weight_out)
    gain = weighted_op.layer.core.attribute("alpha")
    return float(weights.sum(summed).max()) * abs(gain if isinstance(gain, float) else 1.0)


def bias_steps(session: Session, layer: str) -> float:
    """Half a step of the bias."""
    bias = session.layers.by_name[layer].bias
    return float(bias.quant.scale.max()) / 2 if bias is not None and bias.quant is not None else 0.0


@FEW
@given(data=st.data())
def test_an_input_of_the_model_is_requantized_and_moves_by_half_a_step(
    data: st.DataObject, folder: Path
) -> None:
    spec = data.draw(specs())
    present = spec.zero_point - (0 if spec.dtype == "int8" else 128)
    source = saved(model(spec), folder)
    session = opened(source)
    if present in (0, -128):
        assert f"zero point {present} already" in refused(session, Recentre(NAME))
        return
    wanted = 0
    after = edited(session, Recentre(NAME, wanted))
    assert zero_point(after, NAME) == wanted
    assert all(layer.quantized for layer in after.layers.layers)
    step = float(source.graph.constants["y_scale"].array())
    bound = scale(after, NAME) / 2 * weight_sum(session, NAME) + bias_steps(after, NAME)
    assert verify(source, after, samples=2).outputs[0].max_steps <= bound / step + 1 + 1e-3


@FEW
@given(data=st.data())
def test_all_that_is_tied_changes_together(data: st.DataObject, folder: Path) -> None:
    spec = ChainSpec(
        channels=data.draw(st.integers(2, 6)),
        size=data.draw(st.integers(2, 4)),
        between=tuple(data.draw(st.lists(st.sampled_from(MOVERS), max_size=3))),
        head=data.draw(st.sampled_from(("Conv", "Flatten Gemm", "Reshape MatMul"))),
        per_channel=data.draw(st.booleans()),
        seed=data.draw(st.integers(0, 99)),
    )
    source = saved(chain(spec), folder)
    session = opened(source)
    after = edited(session, Recentre("B", 0))
    quantizers = [n for n in after.graph.nodes if n.op == "QuantizeLinear" and n.name != "y_QuantizeLinear"]
    grids = {after.graph.constants[name].array().item() for n in quantizers for name in n.inputs[1:]}
    assert len(grids) == 2 and 0 in grids and zero_point(after, "B") == 0
    assert len(after.graph.nodes) - len(source.graph.nodes) == 0
    # Where A saturated, its values now go on to the end of the new range.
    (low, high), (new_low, new_high) = ends(session, "B"), ends(after, "B")
    moved = max(low - new_low, new_high - high, 0) + (scale(session, "B") + scale(after, "B")) / 2
    bound = moved * weight_sum(session, "B") + bias_steps(after, "B")
    assert verify(source, after, samples=2).outputs[0].max_steps <= bound / 0.05 + 1 + 1e-3


def test_the_recurrent_gemms_of_the_seed_case_take_a_third_of_the_cycles() -> None:
    source = load(models.DENOISER)
    session = opened(source)
    for name in ("Gemm_30", "Gemm_53"):
        before = report(session, name).cost
        session = edited(session, Recentre(name))
        after = report(session, name).cost
        assert before is not None and after is not None and after.tiling is not None
        assert (before.compute_cycles, after.compute_cycles) == (262144, 87382)
        assert after.tiling.deep1x1
    assert written(session) != written(opened(source))
    verification = verify(source, session, samples=8)
    assert (
        not verification.bit_exact and verification.sqnr_db_min is not None and verification.sqnr_db_min > 30
    )
    assert session.graph.inputs == source.graph.inputs


def test_an_int32_bias_keeps_the_scale_of_its_sums(tmp_path: Path) -> None:
    source = saved(model(Spec()), tmp_path)
    layer = edited(opened(source), Recentre(NAME)).layers.by_name[NAME]
    bias, weight, read = layer.bias, layer.weight, layer.input
    assert bias is not None and bias.quant is not None and bias.constant is not None
    assert weight is not None and weight.quant is not None and read is not None and read.quant is not None
    assert np.allclose(bias.quant.scale, weight.quant.scale * read.quant.scale[0], rtol=1e-5)
    old = opened(source).layers.by_name[NAME].bias
    assert old is not None and old.constant is not None and old.quant is not None
    was: Array = old.constant.array() * old.quant.scale
    assert np.abs(bias.constant.array() * bias.quant.scale - was).max() <= bias.quant.scale.max() * 0.51


def test_a_bias_of_one_value_without_dimensions_keeps_its_shape(tmp_path: Path) -> None:
    source = saved(model(Spec(bias_shape="", per_channel=False)), tmp_path)
    (bias,) = [layer.bias for layer in edited(opened(source), Recentre(NAME)).layers.layers if layer.bias]
    assert bias.constant is not None and bias.constant.array().shape == ()


def test_borders_change_only_where_that_is_asked_for(tmp_path: Path) -> None:
    source = saved(model(Spec()), tmp_path)
    session = opened(source)
    kept = edited(session, Recentre(NAME))
    assert [n.op for n in kept.graph.nodes].count("QuantizeLinear") == 2
    asked = Recentre(NAME, borders=True)
    assert "inputs and outputs" in asked.describe()
    changed = edited(session, asked)
    assert [n.op for n in changed.graph.nodes].count("QuantizeLinear") == 1
    assert zero_point(changed, NAME) == 0 and changed.graph.inputs == source.graph.inputs
    sample = random_samples(source, 1)[0]
    real = (sample["x"].astype(np.float64) - 5) * scale(session, NAME)
    again = np.rint(real / scale(changed, NAME)).astype(np.int8)
    first = Runner(source, session.graph).run(sample)[0]
    second = Runner(source, changed.graph).run({"x": again})[0]
    assert np.abs(first.astype(int) - second.astype(int)).max() <= 3


def test_a_measured_range_lets_a_tensor_without_negative_values_be_unsigned(tmp_path: Path) -> None:
    spec = ChainSpec(between=("Relu",))
    source = saved(chain(spec), tmp_path)
    session = opened(source)
    assert "cannot represent values below 0; use zero point 0" in refused(session, Recentre("B", -128))
    samples = random_samples(source, 4)
    asked = 0
    edit = calibrated(source, session.graph, Recentre("B", -128), samples, layers=session.layers)
    assert isinstance(edit, Recentre) and edit.ends is not None and edit.ends[0] == asked < edit.ends[1]
    after = edited(session, edit)
    assert zero_point(after, "B") == -128
    assert scale(after, "B") == pytest.approx(edit.ends[1] / 255)


def test_a_concat_and_a_split_tie_their_tensors(tmp_path: Path) -> None:
    source = models.from_text(TIED, tmp_path)
    session = edited(opened(source), Recentre("Last"))
    changed = {n.name for n in session.graph.nodes if "s_2" in n.inputs}
    assert changed == {"qa", "qb", "qc", "qd", "qe", "da", "db", "dc", "dd", "de"}
    assert zero_point(session, "Last") == 0 and zero_point(session, "Other") == 0
    assert zero_point(session, "Elsewhere") == 3


TIED = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4] x, float[1,4] y) => (float[1,2] u, float[1,2] v, float[1,4] w)
<float s = {0.05}, int8 z = {5}, float t = {0.1}, int8 k = {3}, float ws = {0.1}, int8 wz = {0},
 int8[4,2] m = {1,2,3,4,5,6,7,8}, int64[2] cut = {4, 4}>
{
  [tanh] a = Tanh(x) [qa] aq = QuantizeLinear(a, s, z) [da] af = DequantizeLinear(aq, s, z)
  [sig] b = Tanh(y) [qb] bq = QuantizeLinear(b, s, z) [db] bf = DequantizeLinear(bq, s, z)
  [concat] c = Concat <axis = 1> (af, bf) [qc] cq = QuantizeLinear(c, s, z) [dc] cf = DequantizeLinear(cq, s, z)
  [split] d, e = Split <axis = 1> (cf, cut)
  [qd] dq = QuantizeLinear(d, s, z) [dd] df = DequantizeLinear(dq, s, z)
  [qe] eq = QuantizeLinear(e, s, z) [de] ef = DequantizeLinear(eq, s, z)
  [qk] kq = QuantizeLinear(af, t, k) [dk] kf = DequantizeLinear(kq, t, k)
  [wd] mf = DequantizeLinear(m, ws, wz)
  [Last] u = MatMul(df, mf) [Other] v = MatMul(ef, mf) [Elsewhere] w = Sigmoid(kf)
}"""


def test_a_tensor_that_is_also_an_output_of_the_model_keeps_its_grid() -> None:
    source = load(models.DENOISER)
    session = edited(opened(source), Recentre("Gemm_74"))
    by_name = {output.name: output.bit_exact for output in verify(source, session, samples=2).outputs}
    assert [name for name, exact in by_name.items() if not exact] == ["Quantize_84_out_0"]


def test_the_price_of_changed_borders_is_measured_in_real_numbers() -> None:
    source = load(models.DENOISER)
    for layer in ("Gemm_30", "Gemm_74"):
        session = edited(opened(source), Recentre(layer, borders=True))
        verification = verify(source, session, samples=4)
        assert (
            not verification.bit_exact
            and verification.sqnr_db_min is not None
            and verification.sqnr_db_min > 30
        )
        assert max(output.max_steps for output in verification.outputs) <= 5


BEHIND = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,2] x) => (float[1,3] y, float[1,2,2] z) <float s = {0.05}, int8 k = {5}, int64[2] flat = {1, 4},
 float ws = {0.1}, int8 wz = {0}, int8[4,3] m = {1,2,3,4,5,6,7,8,9,10,11,12}> {
  [dx] xf = DequantizeLinear(x, s, k) [flat] r = Reshape(xf, flat) [dm] mf = DequantizeLinear(m, ws, wz)
  [L] y = MatMul(r, mf) [other] z = Sigmoid(xf)
}"""


def test_only_layers_with_weights_read_the_requantized_tensor(tmp_path: Path) -> None:
    source = models.from_text(BEHIND, tmp_path)
    session = edited(opened(source), Recentre("L"))
    assert zero_point(session, "L") == 0 and zero_point(session, "other") == 5
    by_name = {output.name: output for output in verify(source, session).outputs}
    assert by_name["z"].bit_exact and not by_name["y"].bit_exact


HELD = """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
g (float[1,4] x) => (float[1,3] y, int8[1,4] v) <float s = {0.05}, int8 k = {5}, float t = {0.0039}, int8 low = {-128},
 float ws = {0.1}, int8 wz = {0}, int8[4,3] m = {1,2,3,4,5,6,7,8,9,10,11,12}> {
  [t] a = Tanh(x) [q] aq = QuantizeLinear(a, s, k) [d] af = DequantizeLinear(aq, s, k)
  [dm] mf = DequantizeLinear(m, ws, wz) [L] y = MatMul(af, mf)
  [held] v = com.microsoft.QLinearSigmoid(aq, s, k, t, low)
}"""


def test_integers_that_a_qlinear_operator_reads_stay_as_they_are(tmp_path: Path) -> None:
    source = models.from_text(HELD, tmp_path)
    session = edited(opened(source), Recentre("L"))
    assert zero_point(session, "L") == 0 and zero_point(session, "held") == 5
    assert {output.name: output.bit_exact for output in verify(source, session).outputs}["v"]


def test_edits_after_a_recentring_still_fit(tmp_path: Path) -> None:
    source = saved(model(Spec()), tmp_path)
    session = opened(source)
    for edit in (Recentre(NAME), PadChannels(NAME, 16), SplitInput(NAME, (8, 8))):
        session = edited(session, edit)
    assert verify(source, session, samples=2).outputs[0].max_steps < 30
    assert zero_point(session, f"{NAME}_part0") == 0


def test_an_exported_model_passes_all_checks_and_computes_what_was_verified(tmp_path: Path) -> None:
    session = opened(load(models.DENOISER))
    for edit in (
        PadChannels("Gemm_28", 258),
        Recentre("Gemm_28"),
        Recentre("Gemm_30"),
        PadChannels("Gemm_30", 264),
    ):
        session = edited(session, edit)
    result = write(session, tmp_path / "fixed.onnx")
    assert result.checks == ("ONNX checker", "shape inference", "onnxruntime") and not result.complaints
    assert verify(session, load(result.path), samples=2).bit_exact


def test_a_bias_that_would_not_fit_in_32_bits_is_refused(tmp_path: Path) -> None:
    session = opened(saved(model(Spec()), tmp_path))
    assert "does not fit in 32 bits" in refused(session, Recentre(NAME, 0, (-1e-12, 1e-12)))


CASES = [
    (Recentre(NAME, 3), "zero point 3 rules out the fast modes as well; take 0 or -128"),
    (Recentre(NAME, 0, (1.0, -1.0)), "1 to -1 is not a range"),
    (Recentre(NAME, 0, (float("nan"), 1.0)), "is not a range"),
    (Recentre(NAME, 0, (0.0, 0.0)), "leaves no scale"),
    (
        Recentre(NAME, -128, (-0.5, 1.0)),
        "goes down to -0.5, and zero point -128 cannot represent values below 0",
    ),
    (Recentre("nope"), "no layer 'nope'"),
]


@pytest.mark.parametrize(("edit", "message"), CASES)
def test_what_cannot_be_re_centred_is_refused(edit: Recentre, message: str, tmp_path: Path) -> None:
    assert message in refused(opened(saved(model(Spec()), tmp_path)), edit)


def test_float_inputs_and_qoperators_are_refused(tmp_path: Path) -> None:
    source = models.from_text(
        '<ir_version: 8, opset_import: ["" : 13]> g (float[2,3] x) => (float[2,3] y) { [L] y = Relu(x) }',
        tmp_path,
    )
    assert "the input of L is not quantized" in refused(opened(source), Recentre("L"))
    session = opened(load(models.SAMPLES / "convnet_qoperator.onnx"))
    assert "QDQ form" in refused(session, Recentre("/block/conv1/Conv_quant"))


def test_edits_are_values() -> None:
    assert Recentre("Gemm_30").describe() == "re-centre input of Gemm_30 to zero point 0"
    assert Recentre("a").exactness is Exactness.APPROXIMATE
    assert replace(Recentre("a"), ends=(0.0, 1.0)) != Recentre("a")


def test_samples_of_the_user_give_the_range_too() -> None:
    session = opened(load(models.DENOISER))
    samples = random_samples(session.source, 3)
    halved = [{name: (value // 2).astype(value.dtype) for name, value in one.items()} for one in samples]
    random = calibrate_all(session, [Recentre("Gemm_30")], halved)
    own = calibrate_all(session, [Recentre("Gemm_30")], halved, user_supplied=True)
    assert isinstance(random, Session) and isinstance(own, Session)
    assert random.done == (Recentre("Gemm_30"),)
    (edit,) = own.done
    assert isinstance(edit, Recentre) and edit.ends is not None and edit.ends[0] < 0 < edit.ends[1]
    assert from_data(to_data(edit)) == edit, "the recipe keeps the range"
    errors = [verify(session, changed, inputs=halved).sqnr_db_min for changed in (own, random)]
    assert errors[0] is not None and errors[1] is not None and errors[0] > errors[1]


def test_samples_of_zeros_say_nothing_of_the_range() -> None:
    session = opened(load(models.DENOISER))
    zero = [
        {name: np.zeros_like(value) for name, value in one.items()}
        for one in random_samples(session.source, 1)
    ]
    edit = Recentre("Gemm_30")
    operand = session.layers.by_name["Gemm_30"].input
    assert operand is not None and operand.quant is not None
    for one in zero:  # the stored value that stands for 0
        for name, value in one.items():
            quant = next((o.quant for o in [operand] if o.tensor == name), None)
            value += np.asarray(0 if quant is None else quant.zero, value.dtype)
    made = calibrate_all(session, [edit], zero, user_supplied=True)
    assert isinstance(made, Session)
    assert edit.with_ends([(0.0, 0.0)]) == edit == edit.with_ends([(0.0, float("inf"))])
