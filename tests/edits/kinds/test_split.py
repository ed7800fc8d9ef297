"""Splits: what they build, what they keep, what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.longer import suite_or_long
from builders.weighted_layers import NAME, Spec, model, saved, sizes, specs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.toolkit.sizes import equal_parts, parse_sizes
from npuscope.machine.machine import target
from npuscope.model.convolution import convolution
from npuscope.model.load import Source, load
from npuscope.model.serialize import stream, to_model
from npuscope.numbers.verify_models import verify
from npuscope.session import Session

MANY = settings(max_examples=suite_or_long(10, 625), suppress_health_check=[HealthCheck.too_slow])


def opened(source: Source) -> Session:
    return Session.open(source, target("2.1"))


def edited(session: Session, edit: SplitInput | SplitOutput) -> Session:
    outcome = session.edit(edit)
    assert isinstance(outcome, Session), outcome
    return outcome


def checked(session: Session) -> ModelProto:
    """The edited model, through the checker and strict inference."""
    made = to_model(session.source, session.graph)
    onnx.checker.check_model(made, full_check=True)
    assert ModelProto.FromString(b"".join(stream(session.source, session.graph))) == made
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split")


@MANY
@given(data=st.data())
def test_a_split_along_outputs_changes_no_number(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs())
    source = saved(model(spec), folder)
    session = edited(opened(source), SplitOutput(NAME, data.draw(sizes(spec.och))))
    checked(session)
    verification = verify(source, session, samples=2)
    assert verification.bit_exact and verification.sqnr_db_min is None


@MANY
@given(data=st.data())
def test_a_split_along_inputs_stays_within_the_rounding_of_its_sums(
    data: st.DataObject, folder: Path
) -> None:
    spec = data.draw(specs())
    source = saved(model(spec), folder)
    session = edited(opened(source), SplitInput(NAME, data.draw(sizes(spec.ich))))
    checked(session)
    scales = [
        float(constant.array())
        for name, constant in session.graph.constants.items()
        if name.startswith(NAME) and name.endswith("output_scale")
    ]
    step = float(source.graph.constants["y_scale"].array())
    verification = verify(source, session, samples=2)
    assert verification.outputs[0].max_steps <= sum(scales) / 2 / step + 1 + 1e-4


@MANY
@given(data=st.data())
def test_undo_brings_back_the_same_bytes(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs())
    session = opened(saved(model(spec), folder))
    written = [b"".join(stream(session.source, session.graph))]
    names = [NAME]
    for _ in range(3):
        name = data.draw(st.sampled_from(names))
        axis = data.draw(st.sampled_from((SplitInput, SplitOutput)))
        outcome = session.edit(axis(name, data.draw(sizes(spec.ich if axis is SplitInput else spec.och))))
        if isinstance(outcome, Session):
            session = outcome
            written.append(b"".join(stream(session.source, session.graph)))
            names += [layer.name for layer in session.layers.layers if layer.weight is not None]
    for expected in reversed(written):
        assert b"".join(stream(session.source, session.graph)) == expected
        session = session.undo()
    for expected in written:
        assert b"".join(stream(session.source, session.graph)) == expected
        session = session.redo()


@pytest.mark.parametrize("edit", [SplitInput(NAME, (7, 5)), SplitOutput(NAME, (3, 7))])
def test_parts_have_the_sizes_the_scope_and_the_names_of_the_layer(
    edit: SplitInput | SplitOutput, tmp_path: Path
) -> None:
    source = saved(model(Spec(kind="conv2", kernel=3, activation="Relu")), tmp_path)
    session = edited(opened(source), edit)
    parts = [session.layers.by_name[f"{NAME}_part{i}"] for i in range(2)]
    geometries = [convolution(part) for part in parts]
    inputs = edit.kind == "split-in"
    assert [g.in_channels if inputs else g.out_channels for g in geometries if g is not None] == list(
        edit.sizes
    )
    assert {part.scope for part in parts} == {"net/head"}
    assert NAME not in session.layers.by_name
    assert session.layers.unattached == ()
    assert all(layer.quantized for layer in session.layers.layers)
    last = session.layers.by_name[f"{NAME}_add" if inputs else f"{NAME}_concat"]
    assert last.outputs[0].tensor == "y"
    if inputs:
        assert [part.fused for part in parts] == [(), ()] and last.fused == ("Relu",)
    else:
        assert [part.fused for part in parts] == [("Relu",), ("Relu",)] and last.fused == ()


def test_new_nodes_carry_the_namespace_of_the_layer(tmp_path: Path) -> None:
    made = model(Spec())
    core = next(node for node in made.graph.node if node.name == NAME)
    core.metadata_props.add(key="namespace", value="a/b")
    core.metadata_props.add(key="other", value="stays where it is")
    session = edited(opened(saved(made, tmp_path)), SplitInput(NAME, (6, 6)))
    new = [node for node in session.graph.nodes if node.name not in session.source.graph.node_index]
    for node in new:
        assert [(entry.key, entry.value) for entry in node.proto.metadata_props] == [("namespace", "a/b")]


def test_untouched_nodes_and_weights_keep_their_bytes(tmp_path: Path) -> None:
    source = load(models.DENOISER)
    session = edited(opened(source), SplitInput("Gemm_28", (144, 113)))
    before = {node.name: node.SerializeToString() for node in source.proto.graph.node}
    after = {node.name: node.SerializeToString() for node in checked(session).graph.node}
    removed = before.keys() - after.keys()
    assert removed == {"Gemm_28", "Gemm_28_weight_DequantizeLinear"}
    assert all(after[name] == content for name, content in before.items() if name not in removed)
    old = {tensor.name: tensor for tensor in source.proto.graph.initializer}
    new = {tensor.name: tensor for tensor in to_model(source, session.graph).graph.initializer}
    assert old.keys() - new.keys() == {"Gemm_28_weight_quantized"}
    assert all(new[name] == tensor for name, tensor in old.items() if name in new)
    assert all(tensor.raw_data for name, tensor in new.items() if name not in old)
    info = {value.name for value in to_model(source, session.graph).graph.value_info}
    made = {name for node in session.graph.nodes for name in node.outputs}
    assert info <= made and "Gemm_28_part0_output_QuantizeLinear_Output" in info
    assert "Gemm_28_weight_DequantizeLinear_Output" not in info


def test_parts_of_a_part_can_be_split(tmp_path: Path) -> None:
    source = saved(model(Spec(ich=20, och=16)), tmp_path)
    session = edited(opened(source), SplitOutput(NAME, (9, 7)))
    session = edited(session, SplitOutput(f"{NAME}_part0", (4, 5)))
    session = edited(session, SplitOutput(f"{NAME}_part1", (1, 6)))
    checked(session)
    assert verify(source, session).bit_exact


def test_a_part_named_like_something_else_gets_another_name(tmp_path: Path) -> None:
    made = model(Spec())
    made.graph.initializer[0].name = f"{NAME}_part0"
    for node in made.graph.node:
        node.input[:] = [f"{NAME}_part0" if name == "x_scale" else name for name in node.input]
    session = edited(opened(saved(made, tmp_path)), SplitOutput(NAME, (4, 6)))
    checked(session)
    assert f"{NAME}_part0_2" in session.layers.by_name


def test_groups_are_split_between_groups_only(tmp_path: Path) -> None:
    source = saved(model(Spec(kind="conv2", ich=12, och=24, group=6, kernel=3, pad=1)), tmp_path)
    session = edited(opened(source), SplitOutput(NAME, (8, 16)))
    checked(session)
    assert verify(source, session).bit_exact
    geometry = convolution(session.layers.by_name[f"{NAME}_part0"])
    assert geometry is not None and (geometry.group, geometry.in_channels) == (2, 4)
    refused = opened(source).edit(SplitOutput(NAME, (9, 15)))
    assert isinstance(refused, Refusal) and "6 groups of 4 output channels" in str(refused)
    refused = opened(source).edit(SplitInput(NAME, (6, 6)))
    assert isinstance(refused, Refusal) and "sums 2 input channels in each of 6 groups" in str(refused)


def test_shared_weights_stay_for_the_other_reader(tmp_path: Path) -> None:
    made = model(Spec(ich=8, och=8, bias=""))
    made.graph.node.append(helper.make_node("Gemm", ["x_dq", "w_dq"], ["other"], name="Other", transB=1))
    made.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 8]))
    source = saved(made, tmp_path)
    session = edited(opened(source), SplitOutput(NAME, (3, 5)))
    assert {"w", "w_scale"} <= set(
        session.graph.constants
    ) and "w_DequantizeLinear" in session.graph.node_index
    checked(session)
    assert verify(source, session).bit_exact


def test_an_output_that_is_also_read_in_float_keeps_its_float_values(tmp_path: Path) -> None:
    made = model(Spec())
    made.graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 10]))
    for value in [value for value in made.graph.value_info if value.name == "sum"]:
        made.graph.value_info.remove(value)
    source = saved(made, tmp_path)
    session = edited(opened(source), SplitOutput(NAME, (3, 7)))
    checked(session)
    assert verify(source, session).bit_exact
    assert not any(node.op == "QuantizeLinear" and "part" in node.name for node in session.graph.nodes)


FLOAT_CONV = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,6,4,4] x) => (float[1,8,4,4] y) <float[8,6,1,1] w = {%s}> { [Conv_0] y = Conv(x, w) }
""" % ", ".join(str(round(np.sin(i), 3)) for i in range(48))  # noqa: UP031


def test_float_layers_get_no_quantization(tmp_path: Path) -> None:
    source = models.from_text(FLOAT_CONV, tmp_path)
    for edit in (SplitOutput("Conv_0", (3, 5)), SplitInput("Conv_0", (1, 2, 3))):
        session = edited(opened(source), edit)
        checked(session)
        assert not any("Quantize" in node.op for node in session.graph.nodes)
        verification = verify(source, session)
        assert verification.bit_exact or (verification.sqnr_db_min or 0) > 100
        assert verification.outputs[0].step_from == "range/255"
    refused = opened(source).edit(SplitInput("Conv_0", (3, 3), scales=((0.1, 0), (0.1, 0))))
    assert isinstance(refused, Refusal) and "not quantized" in str(refused)


def test_a_zero_point_that_is_left_out_is_a_zero_of_the_stored_type(tmp_path: Path) -> None:
    made = model(Spec(zero_point=0, out_zero_point=0))
    node = next(node for node in made.graph.node if node.name == "x_DequantizeLinear")
    del node.input[2:]
    source = saved(made, tmp_path)
    session = edited(opened(source), SplitInput(NAME, (5, 7)))
    checked(session)
    assert session.layers.by_name[f"{NAME}_part1"].inputs[0].type.dtype == "int8"
    assert verify(source, session).outputs[0].max_steps < 20


def test_a_scale_that_keeps_no_value_is_not_used_between_parts(tmp_path: Path) -> None:
    made = model(Spec())
    scale = next(tensor for tensor in made.graph.initializer if tensor.name == "y_scale")
    scale.CopyFrom(numpy_helper.from_array(np.float32(0), "y_scale"))
    source = saved(made, tmp_path)
    session = edited(opened(source), SplitOutput(NAME, (5, 5)))
    assert verify(source, session).bit_exact


def test_split_sizes_are_an_attribute_before_opset_13(tmp_path: Path) -> None:
    spec = Spec(per_channel=False, opset=11, bias="int32")
    source = saved(model(spec), tmp_path)
    session = edited(opened(source), SplitInput(NAME, (5, 7)))
    split = next(node for node in session.graph.nodes if node.op == "Split")
    assert split.integers("split") == (5, 7) and len(split.inputs) == 1
    checked(session)
    assert verify(source, session).outputs[0].max_steps < 20


def test_parts_of_an_old_gemm_keep_their_c(tmp_path: Path) -> None:
    source = saved(model(Spec(per_channel=False, opset=10, bias="int32")), tmp_path)
    session = edited(opened(source), SplitInput(NAME, (5, 7)))
    assert [len(node.inputs) for node in session.graph.nodes if node.op == "Gemm"] == [3, 3]
    checked(session)
    verify(source, session)


def test_a_gemm_without_bias_stays_without(tmp_path: Path) -> None:
    for edit in (SplitInput(NAME, (5, 7)), SplitOutput(NAME, (5, 5))):
        session = edited(opened(saved(model(Spec(bias="")), tmp_path)), edit)
        assert [len(node.inputs) for node in session.graph.nodes if node.op == "Gemm"] == [2, 2]


def test_given_scales_are_used_parts_first_then_sums(tmp_path: Path) -> None:
    scales = ((0.25, 1), (0.5, 2), (0.125, 3), (0.75, 4))
    session = edited(opened(saved(model(Spec()), tmp_path)), SplitInput(NAME, (4, 4, 4), scales))
    grids = {}
    for layer in session.layers.layers:
        quant = layer.outputs[0].quant
        assert quant is not None
        grids[layer.name.removeprefix(NAME)] = (float(quant.scale[0]), quant.zero)
    assert [grids[name] for name in ("_part0", "_part1", "_part2", "_add0")] == list(scales)


REFUSALS = [
    (SplitInput(NAME, (144, 100)), "sizes 144+100 sum to 244; /net/head/Layer has 12 input channels"),
    (SplitOutput(NAME, (4, 4)), "sizes 4+4 sum to 8; /net/head/Layer has 10 output channels"),
    (SplitInput(NAME, (12,)), "one part of 12 cuts nothing"),
    (SplitInput(NAME, ()), "cuts nothing"),
    (SplitInput(NAME, (0, 12)), "a part without channels"),
    (SplitInput(NAME, (-1, 13)), "a part without channels"),
    (SplitInput("nope", (6, 6)), "no layer 'nope'"),
    (SplitInput(NAME, (6, 6), ((0.1, 0),)), "1 scales given; /net/head/Layer in 2 parts takes 2"),
    (SplitInput(NAME, (6, 6), ((0.1, 0), (0.0, 0))), "not an int8 quantization"),
    (SplitInput(NAME, (6, 6), ((0.1, 0), (0.1, 200))), "not an int8 quantization"),
    (SplitInput(NAME, (6, 6), ((0.1, 0), (float("nan"), 0))), "not an int8 quantization"),
]


@pytest.mark.parametrize(("edit", "message"), REFUSALS)
def test_what_does_not_fit_is_refused_in_one_sentence(
    edit: SplitInput | SplitOutput, message: str, tmp_path: Path
) -> None:
    refused = opened(saved(model(Spec()), tmp_path)).edit(edit)
    assert isinstance(refused, Refusal) and message in str(refused) and "\n" not in str(refused)


UNFIT = {
    "two activations": (
        "g (float[2,3] x, float[3,4] z) => (float[2,4] y) { [L] y = MatMul(x, z) }",
        "no constant weights",
    ),
    "no weights at all": (
        "g (float[2,3] x) => (float[2,3] y) { [L] y = Relu(x) }",
        "only Conv, Gemm, MatMul and ConvTranspose",
    ),
    "a vector": (
        "g (float[2,3] x) => (float[2] y) <float[3] w = {1, 2, 3}> { [L] y = MatMul(x, w) }",
        "weights of 3",
    ),
    "a computed bias": (
        "g (float[2,3] x, float[2] c) => (float[2,2] y) <float[3,2] w = {1,2,3,4,5,6}> { [L] y = Gemm(x, w, c) }",
        "bias of L is computed",
    ),
    "computed scales": (
        """g (float[2,3] x, float s) => (float[2,2] y) <int8[3,2] w = {1,2,3,4,5,6}>
        { wf = DequantizeLinear(w, s) [L] y = MatMul(x, wf) }""",
        "scales of the weights of L are computed",
    ),
    "scales that are computed before they are stored": (
        """g (float[2,3] x, float s) => (float[2,2] y) <float[3,2] w = {1,2,3,4,5,6}, float t = {1}>
        { q = QuantizeLinear(w, s) wf = DequantizeLinear(q, t) [L] y = MatMul(x, wf) }""",
        "scales of the weights of L are computed",
    ),
    "a shape that is not known": (
        "g (float x) => (float y) <float[3,4] w = {1,2,3,4,5,6,7,8,9,1,2,3}> { z = Mystery(x) [L] y = MatMul(z, w) }",
        "shapes around L are not known",
    ),
    "weights in blocks": (
        """g (float[2,4] x) => (float[2,2] y) <int8[4,2] w = {1,2,3,4,5,6,7,8}, float[2,2] s = {1,1,1,1}>
        { wf = DequantizeLinear <axis = 0, block_size = 2> (w, s) [L] y = MatMul(x, wf) }""",
        "in blocks of 2",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_cut_is_refused(case: str, tmp_path: Path) -> None:
    text, message = UNFIT[case]
    source = models.from_text(f'<ir_version: 10, opset_import: ["" : 21]> {text}', tmp_path)
    for edit in (SplitInput("L", (1, 2)), SplitOutput("L", (1, 3))):
        refused = opened(source).edit(edit)
        assert isinstance(refused, Refusal) and message in str(refused), refused


def test_edits_are_values() -> None:
    assert SplitInput("a", (1, 2)) == SplitInput("a", (1, 2)) != SplitInput("a", (2, 1))
    assert len({SplitOutput("a", (1, 2)), SplitOutput("a", (1, 2))}) == 1
    assert SplitInput("Gemm_28", (144, 113)).describe() == "split inputs of Gemm_28 as 144+113"
    assert SplitOutput("c", (1,) * 20).describe() == "split outputs of c as 1+1+1+1+1+1+…+1 (20 parts)"
    assert SplitInput("a", (1, 2)).exactness is Exactness.APPROXIMATE
    assert SplitOutput("a", (1, 2)).exactness is Exactness.BIT_EXACT


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("144+113", (144, 113)),
        (" 144 , 113 ", (144, 113)),
        ("100 100 57", (100, 100, 57)),
        ("x3", (86, 86, 85)),
        ("3", (86, 86, 85)),
        ("2x", (129, 128)),
    ],
)
def test_sizes_can_be_typed_in_several_ways(text: str, parts: tuple[int, ...]) -> None:
    assert parse_sizes(text, 257) == parts


@pytest.mark.parametrize(
    "text", ["", "a", "1", "x1", "258", "144+100", "0+257", "144++113", "1.5+2", "-1", "9" * 30, "²"]
)
def test_sizes_that_give_no_split_are_refused(text: str) -> None:
    assert isinstance(parse_sizes(text, 257), Refusal)


@given(st.integers(1, 5000), st.integers(-2, 60), st.integers(1, 8))
def test_equal_parts_differ_by_one_multiple_at_most(units: int, parts: int, multiple: int) -> None:
    divided = equal_parts(units * multiple, parts, multiple)
    if isinstance(divided, Refusal):
        assert parts < 2 or parts > units
    else:
        assert sum(divided) == units * multiple and len(divided) == parts
        assert max(divided) - min(divided) in (0, multiple) and all(size % multiple == 0 for size in divided)
