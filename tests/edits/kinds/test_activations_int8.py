"""uint8 activations as int8: other integers, the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused
from builders.weighted_layers import NAME, Spec, model, saved, specs
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.activations_int8 import ActivationsInt8
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int8")


def dtypes(session: Session) -> set[str]:
    """Element types of what layers read and write, those that only change the type at the border left out."""
    operands = [
        operand
        for layer in session.layers.layers
        if "_to_" not in layer.name
        for operand in (*layer.inputs, *layer.outputs)
    ]
    return {operand.quant.dtype for operand in operands if operand.quant is not None}


@FEW
@given(data=st.data())
def test_no_number_changes_and_the_application_sees_nothing(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs())
    offset = 0 if spec.dtype == "uint8" else 128
    unsigned = replace(
        spec,
        dtype="uint8",
        zero_point=spec.zero_point + offset,
        out_zero_point=spec.out_zero_point + offset,
    )
    source = saved(model(unsigned), folder)
    session = edited(opened(source), ActivationsInt8())
    assert dtypes(session) <= {"int8", "int32"}
    assert session.graph.type("x").dtype == session.graph.type("y").dtype == "uint8"
    assert verify(source, session, samples=2).bit_exact
    assert "no uint8 activations" in refused(session, ActivationsInt8())


TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,4,4] x) => (float[1,16] y)
<float s = {0.05}, uint8 z = {100}, float t = {0.02}, uint8[4,1,1] m = {0, 77, 200, 255}, int64[2] shape = {1, 16}>
{
  [q] xq = QuantizeLinear(x, s, z) [pool] p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (xq)
  [dq] pf = DequantizeLinear(p, s, z) [dm] mf = DequantizeLinear(m, t)
  [mul] a = Mul(pf, mf) [qa] aq = QuantizeLinear(a, s) [moved] r = Reshape(aq, shape) [da] y = DequantizeLinear(r, s)
}"""


def test_zero_points_left_out_constants_and_integers_on_the_way_are_shifted(tmp_path: Path) -> None:
    source = models.from_text(TEXT, tmp_path)
    session = edited(opened(source), ActivationsInt8())
    graph = session.graph
    assert (
        graph.type("xq").dtype
        == graph.type("p").dtype
        == graph.type("aq").dtype
        == graph.type("r").dtype
        == "int8"
    )
    constant = next(c for name, c in graph.constants.items() if name.startswith("m"))
    assert constant.array().ravel().tolist() == [-128, -51, 72, 127]
    assert verify(source, session).bit_exact


def test_an_input_read_twice_is_converted_once(tmp_path: Path) -> None:
    made = model(Spec(dtype="uint8", zero_point=120, out_zero_point=0, ich=8, och=8))
    made.graph.node.append(
        helper.make_node("DequantizeLinear", ["x", "x_scale", "x_zero_point"], ["again"], name="again")
    )
    made.graph.output.append(helper.make_tensor_value_info("again", TensorProto.FLOAT, [1, 8]))
    source = saved(made, tmp_path)
    session = edited(opened(source), ActivationsInt8())
    assert sum(node.op == "QuantizeLinear" for node in session.graph.nodes) == 3
    assert verify(source, session).bit_exact
    assert verify(source, edited(session, PadChannels(NAME, 12))).bit_exact


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[L] a = Cast <to = 6> (xq) [d] y = DequantizeLinear(xq, s, z)",
            "L (Cast) works on the uint8 tensor xq itself",
        ),
        ("[d] y = DequantizeLinear(xq, s, z) [L] a = MatMulInteger(xq, w)", "L (MatMulInteger) works on"),
    ],
)
def test_what_works_on_the_integers_is_refused(text: str, message: str, tmp_path: Path) -> None:
    source = models.from_text(
        '<ir_version: 8, opset_import: ["" : 13]> g (float[2,2] x) => (float[2,2] y, int32[2,2] a) '
        "<float s = {0.1}, uint8 z = {3}, int8[2,2] w = {1,2,3,4}> "
        "{ [q] xq = QuantizeLinear(x, s, z) TEXT }".replace("TEXT", text),
        tmp_path,
    )
    assert message in refused(opened(source), ActivationsInt8())


def test_models_without_uint8_are_refused() -> None:
    session = opened(load(models.DENOISER))
    assert "no uint8 activations" in refused(session, ActivationsInt8())
    assert ActivationsInt8().exactness is Exactness.BIT_EXACT and ActivationsInt8().layer == ""
