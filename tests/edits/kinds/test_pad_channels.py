"""Padded channels: no number changes, wherever the zeros have to go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report, written
from builders.layer_chains import ChainSpec, chain, chains
from builders.weighted_layers import NAME, Spec, model, saved, specs
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.edits.toolkit.channel_region import AddedChannels, NotClosedError, reshaped
from npuscope.model.convolution import convolution
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pad")


def added(session: Session) -> list[str]:
    """Operators the edits added, Q and DQ left out."""
    before = session.source.graph.node_index
    return [n.op for n in session.graph.nodes if n.name not in before and not n.op.endswith("Linear")]


@FEW
@given(data=st.data())
def test_a_padded_layer_gives_the_same_numbers(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs())
    source = saved(model(spec), folder)
    extra = data.draw(st.integers(1, 9))
    inputs = data.draw(st.booleans())
    edit = PadChannels(NAME, spec.ich + extra) if inputs else PadOutputs(NAME, spec.och + extra)
    session = edited(opened(source), edit)
    assert added(session) == (["Pad"] if inputs else ["Slice"])
    geometry = convolution(session.layers.by_name[NAME])
    assert geometry is not None
    assert (geometry.in_channels if inputs else geometry.out_channels) == edit.channels
    assert all(layer.quantized for layer in session.layers.layers)
    assert verify(source, session, samples=2).bit_exact


@FEW
@given(data=st.data())
def test_zeros_travel_from_the_layer_that_makes_the_channels_to_the_one_that_reads_them(
    data: st.DataObject, folder: Path
) -> None:
    spec = data.draw(chains())
    source = saved(chain(spec), folder)
    opening = opened(source)
    read = convolution(opening.layers.by_name["B"])
    assert read is not None
    each = read.in_channels // spec.channels
    extra = data.draw(st.integers(1, 7)) * (each if data.draw(st.booleans()) else 1)
    inputs = data.draw(st.booleans())
    if inputs:
        session = edited(opening, PadChannels("B", read.in_channels + extra))
        assert added(session) == ([] if extra % each == 0 else ["Pad"])
    else:
        session = edited(opening, PadOutputs("A", spec.channels + extra))
        assert added(session) == []
    assert session.graph.node_index.keys() >= {
        n.name for n in source.graph.nodes if n.op not in ("DequantizeLinear",)
    }
    assert verify(source, session, samples=2).bit_exact


@FEW
@given(data=st.data())
def test_edits_of_padded_layers_combine(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(chains())
    source = saved(chain(spec), folder)
    session = opened(source)
    states = [written(session)]
    for _ in range(3):
        name = data.draw(st.sampled_from(("A", "B")))
        size = convolution(session.layers.by_name[name])
        assert size is not None
        extra = data.draw(st.integers(1, 5))
        inputs = data.draw(st.booleans())
        edit = (
            PadChannels(name, size.in_channels + extra)
            if inputs
            else PadOutputs(name, size.out_channels + extra)
        )
        session = edited(session, edit)
        states.append(written(session))
    assert verify(source, session, samples=2).bit_exact
    for state in reversed(states):
        assert written(session) == state
        session = session.undo()


@pytest.mark.parametrize("channels", [258, 264, 272, 288])
def test_the_seed_case_runs_on_the_npu_once_its_channels_divide(channels: int) -> None:
    source = load(models.DENOISER)
    session = opened(source)
    for name in ("Gemm_28", "Conv2D_79", "Conv2D_23"):
        assert report(session, name).placement is Placement.SW_INT
        session = edited(session, PadChannels(name, channels))
        assert report(session, name).placement is Placement.HW
    assert added(session) == ["Pad"], "only the model's own input cannot be made wider"
    assert session.graph.inputs == source.graph.inputs
    assert verify(source, session, samples=4).bit_exact


def test_new_channels_hold_zero(tmp_path: Path) -> None:
    source = saved(chain(ChainSpec(between=("Relu",))), tmp_path)
    session = edited(opened(source), PadOutputs("A", 9))
    weights = session.layers.by_name["A"].weight
    bias = session.layers.by_name["A"].bias
    assert weights is not None and weights.constant is not None and weights.quant is not None
    assert bias is not None and bias.constant is not None and bias.quant is not None
    assert not weights.constant.array()[5:].any() and not bias.constant.array()[5:].any()
    assert weights.quant.scale.shape == bias.quant.scale.shape == (9,)
    assert weights.quant.scale[5:].tolist() == [weights.quant.scale[4]] * 4
    other = session.layers.by_name["B"].weight
    assert other is not None and other.constant is not None
    assert other.constant.shape == (4, 9, 1, 1) and not other.constant.array()[:, 5:].any()


def test_weights_shared_with_another_layer_stay_as_they_are(tmp_path: Path) -> None:
    made = model(Spec(ich=8, och=8, bias=""))
    made.graph.node.append(helper.make_node("Gemm", ["x_dq", "w_dq"], ["other"], name="Other", transB=1))
    made.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 8]))
    source = saved(made, tmp_path)
    session = edited(opened(source), PadChannels(NAME, 12))
    assert {"w", "w_scale"} <= set(
        session.graph.constants
    ) and "w_DequantizeLinear" in session.graph.node_index
    assert verify(source, session).bit_exact


@pytest.mark.parametrize("op", ["Softmax", "ReduceSum", "Div"])
def test_channels_that_something_needs_as_they_are_get_a_node_instead(op: str, tmp_path: Path) -> None:
    made = chain(ChainSpec())
    inputs = {"Softmax": ["A_o_dq"], "ReduceSum": ["A_o_dq"], "Div": ["A_o_dq", "A_o_dq"]}[op]
    reader = helper.make_node(op, inputs, ["z"], name="Z")
    if op == "Softmax":
        reader.attribute.append(helper.make_attribute("axis", 1))
    made.graph.node.append(reader)
    made.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    source = saved(onnx.shape_inference.infer_shapes(made), tmp_path)
    for edit, node in ((PadChannels("B", 8), "Pad"), (PadOutputs("A", 8), "Slice")):
        session = edited(opened(source), edit)
        assert added(session) == [node]
        assert verify(source, session).bit_exact


def test_a_free_batch_stays_free(tmp_path: Path) -> None:
    made = chain(ChainSpec(head="Conv"))
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        if len(value.type.tensor_type.shape.dim) == 4 and not value.name.startswith(("A_w", "B_w")):
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    source = saved(made, tmp_path)
    session = edited(opened(source), PadChannels("B", 8))
    again = saved(onnx.load_from_string(written(session)), tmp_path, "again.onnx")
    assert again.free_batch == ("x",)
    assert {value.name for value in again.proto.graph.value_info} >= {"A_o", "A_o_q", "A_o_dq"}


CASES = [
    (PadChannels(NAME, 12), "has 12 input channels, which cannot be padded to 12; give 13 to 65535"),
    (PadChannels(NAME, 3), "has 12 input channels"),
    (PadChannels(NAME, 70000), "give 13 to 65535"),
    (PadOutputs(NAME, 10), "has 10 output channels, which cannot be padded to 10; give 11 to 65535"),
    (PadChannels("nope", 3), "no layer 'nope'"),
]


@pytest.mark.parametrize(("edit", "message"), CASES)
def test_what_cannot_be_padded_is_refused(
    edit: PadChannels | PadOutputs, message: str, tmp_path: Path
) -> None:
    assert message in refused(opened(saved(model(Spec()), tmp_path)), edit)


def test_groups_and_other_operators_are_refused(tmp_path: Path) -> None:
    grouped = opened(saved(model(Spec(kind="conv2", ich=12, och=24, group=6, kernel=3)), tmp_path))
    assert "6 groups of 2 input channels" in refused(grouped, PadChannels(NAME, 16))
    assert "6 groups of 4 output channels" in refused(grouped, PadOutputs(NAME, 32))
    chained = opened(saved(chain(ChainSpec(between=("Relu",))), tmp_path))
    assert "only Conv, Gemm, MatMul and ConvTranspose can be padded" in refused(
        chained, PadChannels("M0", 16)
    )
    session = opened(load(models.SAMPLES / "convnet_qoperator.onnx"))
    outcome = session.edit(PadChannels("/block/conv1/Conv_quant", 24))
    assert isinstance(outcome, Refusal) and "QDQ" in outcome.hint


def test_edits_are_values() -> None:
    assert PadChannels("Gemm_28", 264).describe() == "pad inputs of Gemm_28 to 264 channels"
    assert PadOutputs("Gemm_28", 264).describe() == "pad outputs of Gemm_28 to 264 channels"
    assert PadChannels("a", 3).exactness is PadOutputs("a", 3).exactness is Exactness.BIT_EXACT
    assert len({PadChannels("a", 3), PadChannels("a", 3), PadChannels("a", 4)}) == 2


@FEW
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_channels_lie_at_the_end_of_one_axis_after_a_reshape(before: list[int], data: st.DataObject) -> None:
    axis = data.draw(st.integers(0, len(before) - 1))
    extra = data.draw(st.integers(1, 4))
    cuts = data.draw(st.permutations([*before, 1]))
    try:
        shape = reshaped(tuple(before), AddedChannels(axis, extra), tuple(cuts), "R")
    except NotClosedError:
        return
    count = int(np.prod(before))
    plain = np.arange(1, count + 1).reshape(before)
    wide = np.pad(plain, [(0, extra if i == axis else 0) for i in range(len(before))])
    target = list(cuts)
    target[shape.axis] += shape.extra
    expected = np.pad(
        plain.reshape(cuts), [(0, shape.extra if i == shape.axis else 0) for i in range(len(cuts))]
    )
    assert (wide.reshape(target) == expected).all()


def test_a_gate_of_one_channel_gets_a_second(tmp_path: Path) -> None:
    """A 1x1 Conv that reads a single value runs in software (N202); the layer before it makes one more."""
    source = saved(chain(ChainSpec(first=4, channels=1, last=16, size=1)), tmp_path)
    session = opened(source)
    before = analyse(session)
    assert before.by_name["B"].off_npu
    made = plan(session, before)
    assert [step.edit for step in made.steps] == [PadChannels("B", 2)] and made.after.off_npu == 0
    after = edited(session, made.steps[0].edit)
    assert [layer.name for layer in after.layers.layers] == [layer.name for layer in session.layers.layers]
    assert verify(source, after, samples=3).bit_exact
