"""Q/DQ pairs moved, dropped, and taken off the graph's borders: every integer stays what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, checked, edited, opened, refused, report
from builders.float_layers import LAYER, Float, float_model
from builders.networks.compiled import network
from builders.weighted_layers import Builder, Spec, model, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


POOLS = ("GlobalAveragePool", "ReduceMean", "MaxPool", "Sigmoid")
MOVES = ("Reshape", "Flatten", "Squeeze", "Transpose", "Identity")


def pooled(pool: str, moves: tuple[str, ...], activation: str, dtype: str, seed: int) -> onnx.ModelProto:
    """x -> DQ -> pool [-> activation] -> movers -> Q -> y: the pool has no quantization of its own."""
    rng = np.random.default_rng(seed)
    build = Builder()
    zero = int(rng.integers(-128, 128)) + (128 if dtype == "uint8" else 0)
    grid = [
        build.constant("x_s", np.float32(rng.uniform(0.01, 0.1))),
        build.constant("x_z", np.array(zero, dtype)),
    ]
    last = build.node("DequantizeLinear", "dq", ["x", *grid], "xf")
    attributes = {"ReduceMean": {"axes": [2, 3]}, "MaxPool": {"kernel_shape": [4, 4]}}.get(pool, {})
    last = build.node(pool, LAYER, [last], "p", **attributes)
    if activation:
        last = build.node(activation, "act", [last], "a")
    for i, move in enumerate(moves):
        inputs = [last]
        if move == "Reshape":
            inputs.append(build.constant(f"shape{i}", np.array([1, -1, 1, 1], np.int64)))
        last = build.node(move, f"move{i}", inputs, f"m{i}")
        if move == "Squeeze":
            last = build.node(
                "Reshape", f"back{i}", [last, build.constant(f"b{i}", np.array([1, -1, 1, 1]))], f"n{i}"
            )
    out = [
        build.constant("y_s", np.float32(rng.uniform(0.01, 0.1))),
        build.constant("y_z", np.array(3, dtype)),
    ]
    build.node("QuantizeLinear", "q", [last, *out], "y")
    kind = TensorProto.INT8 if dtype == "int8" else TensorProto.UINT8
    return build.model([1, 6, 4, 4], kind)


@FEW
@given(
    pool=st.sampled_from(POOLS),
    moves=st.lists(st.sampled_from(MOVES), min_size=1, max_size=3).map(tuple),
    activation=st.sampled_from(("", "Relu")),
    dtype=st.sampled_from(("int8", "uint8")),
    seed=st.integers(0, 1000),
)
def test_a_layer_gets_the_quantization_that_stands_behind_its_reshape(
    pool: str, moves: tuple[str, ...], activation: str, dtype: str, seed: int, folder: Path
) -> None:
    source = saved(pooled(pool, moves, activation, dtype, seed), folder)
    session = opened(source)
    assert report(session, LAYER).placement is Placement.SW_FLOAT
    edit = MoveQuantize(LAYER)
    assert edit.exactness is Exactness.BIT_EXACT
    after = edited(session, edit)
    layer = after.layers.by_name[LAYER]
    assert report(after, LAYER).placement is Placement.HW
    assert layer.fused == ((activation,) if activation else ()) and layer.outputs[0].quant is not None
    assert verify(source, after, samples=3).bit_exact
    assert "quantized already" in refused(after, edit)


_READ_IN_FLOAT = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8] y, float[1,8] w, float[1,8,1,1] v, int8[1,8,4,4] u) <float s = {0.1}, int8 z = {0}, int64[2] k = {1, 8}>
{ f = DequantizeLinear(x, s, z)
  [pool] p = GlobalAveragePool(f)
  r = Reshape(p, k)
  y = QuantizeLinear(r, s, z)
  w = Sigmoid(r)
  [top] v = GlobalMaxPool(f)
  [own] t = Tanh(f)
  u = QuantizeLinear(t, s, z) }"""


def test_a_quantization_that_not_all_readers_share_stays(tmp_path: Path) -> None:
    session = opened(models.from_text(_READ_IN_FLOAT, tmp_path))
    assert "Sigmoid" in refused(session, MoveQuantize("pool"))
    assert "'v' is a graph output in float" in refused(session, MoveQuantize("top"))
    assert "quantized already" in refused(session, MoveQuantize("own"))
    assert "no layer" in refused(session, MoveQuantize("nothing"))


_PAIRS = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y, int8[1,8] o, float[1,8] w)
<float s = {0.1}, int8 z = {3}, float s2 = {0.1}, int8 z2 = {3}, float t = {0.2}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  b = QuantizeLinear(a, s, z)
  c = DequantizeLinear(b, s, z)
  [same] d = QuantizeLinear(c, s2, z2)
  e = DequantizeLinear(d, s, z)
  h = Tanh(e)
  y = QuantizeLinear(h, s, z)
  i = DequantizeLinear(b, s, z)
  [other] j = QuantizeLinear(i, t, z)
  k = DequantizeLinear(j, t, z)
  w = Relu(k)
  m = DequantizeLinear(y, s, z)
  [last] o = QuantizeLinear(m, s, z) }"""


def test_a_pair_on_one_grid_goes_and_one_that_changes_the_scale_stays(tmp_path: Path) -> None:
    source = models.from_text(_PAIRS, tmp_path)
    session = opened(source)
    after = edited(session, DropPair("same"))
    assert len(after.graph.nodes) == len(session.graph.nodes) - 2
    assert verify(source, after).bit_exact and DropPair("same").exactness is Exactness.BIT_EXACT
    assert "scale 0.1, zero point 3 to scale 0.2, zero point 3" in refused(session, DropPair("other"))
    assert "both tensors the model's user sees" in refused(session, DropPair("last"))
    assert "is not a DequantizeLinear with" in refused(session, DropPair(next(iter(session.layers.by_name))))


@FEW
@given(
    mantissa=st.floats(1, 9.99),
    exponent=st.integers(-36, 34),
    stored=st.sampled_from(("int8", "uint8")),
    zero=st.integers(0, 255),
)
def test_a_pair_that_does_nothing_goes_without_a_trace(
    mantissa: float, exponent: int, stored: str, zero: int, folder: Path
) -> None:
    zero -= 128 if stored == "int8" else 0
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g ({stored}[1,64] x) => ({stored}[1,64] y) <float s = {{{mantissa:.6f}e{exponent}}}, {stored} z = {{{zero}}}>
    {{ f = DequantizeLinear(x, s, z)
      r = Relu(f)
      a = QuantizeLinear(r, s, z)
      b = DequantizeLinear(a, s, z)
      [pair] c = QuantizeLinear(b, s, z)
      d = DequantizeLinear(c, s, z)
      e = Identity(d)
      y = QuantizeLinear(e, s, z) }}"""
    source = models.from_text(text, folder)
    after = edited(opened(source), DropPair("pair"))
    assert verify(source, after, samples=2).bit_exact


_OUTPUT_PAIR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y, float[1,8] v) <float s = {0.1}, int8 z = {3}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  b = QuantizeLinear(a, s, z)
  c = DequantizeLinear(b, s, z)
  [pair] y = QuantizeLinear(c, s, z)
  v = Relu(c) }"""


def test_a_pair_before_an_output_goes_and_the_output_keeps_its_name(tmp_path: Path) -> None:
    source = models.from_text(_OUTPUT_PAIR, tmp_path)
    after = edited(opened(source), DropPair("pair"))
    assert after.graph.outputs == ("y", "v")
    assert verify(source, after).bit_exact


@FEW
@given(data=st.data())
def test_integer_borders_change_no_integer(data: st.DataObject, folder: Path) -> None:
    spec = Float(
        data.draw(st.sampled_from(("Sigmoid", "Relu", "GlobalAveragePool", "PRelu"))),
        zero_point=data.draw(st.sampled_from((-128, 0, 7))),
        seed=data.draw(st.integers(0, 99)),
    )
    source = saved(float_model(spec), folder)
    after = edited(opened(source), Int8Borders())
    assert [after.graph.type(name).dtype for name in ("x", "y")] == ["int8", "int8"]
    made = checked(after).graph
    assert [v.type.tensor_type.elem_type for v in (*made.input, *made.output)] == [TensorProto.INT8] * 2
    assert not any(report.layer.kind.endswith("quantizeLinear") for report in analyse(after).layers)
    assert verify(source, after, samples=3).bit_exact
    one = edited(opened(source), Int8Borders("x_QuantizeLinear"))
    both = edited(one, Int8Borders("y_DequantizeLinear"))
    assert checked(both) == checked(after)
    assert "no float inputs or outputs" in refused(both, Int8Borders())


def test_other_edits_and_calibration_work_behind_integer_borders(tmp_path: Path) -> None:
    source = saved(float_model(Float("Conv")), tmp_path)
    session = edited(edited(opened(source), QuantizeLayer(LAYER)), Int8Borders())
    samples = random_samples(source, 2)
    split = calibrated(source, session.graph, SplitInput(LAYER, (4, 2)), samples)
    assert isinstance(split, SplitInput) and split.scales
    session = edited(edited(session, split), SplitOutput(f"{LAYER}_part0", (2, 3)))
    result = verify(source, session, samples=2).outputs[0]
    assert result.max_steps < 10


_FLOAT_BORDERS = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8] x, float[1,8] i) => (float[1,8] y, float[1,8] w) <float s = {0.1}, int8 z = {3}, float t = {0.2}>
{ [q] q = QuantizeLinear(x, s, z)
  a = DequantizeLinear(q, s, z)
  y = Sigmoid(a)
  [one] m = QuantizeLinear(i, s, z)
  n = DequantizeLinear(m, s, z)
  [two] k = QuantizeLinear(i, t, z)
  l = DequantizeLinear(k, t, z)
  o = Add(n, l)
  r = QuantizeLinear(o, s, z)
  [d] w = DequantizeLinear(r, s, z) }"""


def test_a_border_that_has_to_stay_float_says_why(tmp_path: Path) -> None:
    source = models.from_text(_FLOAT_BORDERS, tmp_path)
    session = opened(source)
    assert "2 different grids" in refused(session, Int8Borders("one"))
    assert "inside the graph" in refused(session, Int8Borders(session.layers.layers[1].name))
    after = edited(session, Int8Borders())
    assert {name: after.graph.type(name).dtype for name in "xiyw"} == {
        "x": "int8", "i": "float32", "y": "float32", "w": "int8"
    }  # fmt: skip
    assert verify(source, after).bit_exact


def test_a_border_of_half_floats_stays(tmp_path: Path) -> None:
    text = """<ir_version: 9, opset_import: ["" : 19]> g (float16[1,4] x) => (float16[1,4] y)
    <float16 s = {11878}, int8 z = {0}> {
      [first] q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) r = Relu(d)
      rq = QuantizeLinear(r, s, z) [last] y = DequantizeLinear(rq, s, z) }"""
    session = opened(models.from_text(text, tmp_path))
    names = [layer.name for layer in session.layers.layers if layer.kind != "Relu"]
    assert names and all("float16" in refused(session, Int8Borders(name)) for name in names)
    assert refused(session, Int8Borders())


def test_an_input_that_is_transposed_first_can_become_an_integer(tmp_path: Path) -> None:
    source = models.from_text(
        """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,4,3] x) => (float[1,3,4,4] y) <float s = {0.1}, int8 z = {3}>
{ [t] a = Transpose <perm = [0,3,1,2]> (x)
  b = QuantizeLinear(a, s, z)
  c = DequantizeLinear(b, s, z)
  d = Sigmoid(c)
  e = QuantizeLinear(d, s, z)
  y = DequantizeLinear(e, s, z) }""",
        tmp_path,
    )
    session = opened(source)
    assert "not quantized: Transpose t reads it" in refused(
        edited(session, Int8Borders("y") if "y" in session.layers.by_name else Int8Borders()), Int8Borders()
    )
    after = edited(edited(session, MoveQuantize("t")), Int8Borders())
    assert after.graph.type("x").dtype == "int8" and verify(source, after).bit_exact


def test_borders_of_operators_that_carry_their_scales(tmp_path: Path) -> None:
    source = load(models.SAMPLES / "convnet_qoperator.onnx")
    session = opened(source)
    after = edited(session, Int8Borders())
    assert after.graph.type(after.graph.inputs[0]).dtype in ("int8", "uint8")
    assert verify(source, after, samples=2).bit_exact


def test_mobilenet_reads_its_mean_as_integers() -> None:
    source = network("mobilenet_v2_224")
    session = opened(source, "2.2")
    mean = next(report.name for report in analyse(session).off_npu if report.layer.kind == "ReduceMean")
    after = edited(session, MoveQuantize(mean))
    assert analyse(after).summary.off_npu == 0
    assert verify(source, after, samples=1).bit_exact


def test_a_model_of_one_layer_with_integer_borders_already(tmp_path: Path) -> None:
    assert "no float inputs" in refused(opened(saved(model(Spec()), tmp_path)), Int8Borders())
