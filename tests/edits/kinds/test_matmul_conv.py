"""A Gemm or MatMul as a 1x1 Conv, and a 1x1 Conv as a Gemm: the same numbers, and no more layers than needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.layer_chains import Chain, ChainSpec
from builders.weighted_layers import NAME, Array, Spec, model, saved, specs
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Edit, Exactness
from npuscope.edits.kinds.conv_to_gemm import ConvToGemm
from npuscope.edits.kinds.matmul_to_conv import MatMulToConv
from npuscope.numbers.verify_models import verify
from npuscope.planning.placement_fixes import propose_answers
from npuscope.planning.planner import plan
from npuscope.planning.rewrites import propose_forms
from npuscope.snapshot import analyse

WAYS_IN = ("Transpose", "Reshape Transpose", "shared Transpose", "")
"""How channels-first data becomes rows."""

WAYS_OUT = ("Transpose", "Transpose Reshape", "two readers", "")
"""How rows become channels-first data."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forms")


def plain(spec: Spec) -> Spec:
    """Without what a Conv has no place for."""
    batch = 0 if spec.kind == "matmul_left" or spec.batch == 2 else spec.batch
    return replace(spec, alpha=1.0, beta=1.0, batch=batch, group=1)


@FEW
@given(spec=specs(("gemm", "matmul", "matmul_left")))
@example(spec=Spec(rows=10, och=10, bias_shape="M,1"))
def test_a_product_is_a_conv(spec: Spec, folder: Path) -> None:
    spec = plain(spec)
    source = saved(model(spec), folder)
    if spec.kind == "gemm" and spec.bias and spec.bias_shape == "M,1" and spec.rows > 1:
        assert "another bias to each row" in refused(opened(source), MatMulToConv(NAME))
        return
    after = edited(opened(source), MatMulToConv(NAME))
    assert MatMulToConv(NAME).exactness is Exactness.BIT_EXACT
    assert verify(source, after, samples=3).bit_exact
    layer = after.layers.by_name[f"{NAME}_Conv"]
    assert layer.kind == "Conv" and layer.quantized
    assert layer.fused == ((spec.activation,) if spec.activation else ())


@FEW
@given(spec=specs(("conv1", "conv2")))
def test_a_conv_is_a_product(spec: Spec, folder: Path) -> None:
    spec = replace(spec, kernel=1, stride=1, pad=0, dilation=1)
    source = saved(model(spec), folder)
    after = edited(opened(source), ConvToGemm(NAME))
    assert ConvToGemm(NAME).exactness is Exactness.BIT_EXACT
    assert verify(source, after, samples=3).bit_exact
    layer = after.layers.by_name[f"{NAME}_Gemm"]
    assert layer.kind == "Gemm" and layer.quantized


def between(way_in: str, way_out: str, op: str, size: tuple[int, int], spec: ChainSpec) -> onnx.ModelProto:
    """x -> movers -> op -> movers -> y, each mover behind a Q/DQ on its own grid, as the quantizer sets them.

    MatMul has its map channels first before and behind the movers, Conv channels last.
    """
    build = Chain(spec)
    count, height, width = spec.channels, *size
    product = op == "MatMul"
    shape = [1, count, height, width] if product else [1, height, width, count]
    turn, back = ([0, 2, 3, 1], [0, 3, 1, 2]) if product else ([0, 3, 1, 2], [0, 2, 3, 1])
    names = build.grid("x", 0.03, spec.zero_point)
    at = build.node("DequantizeLinear", "x_DequantizeLinear", ["x", *names], "x_dq")
    build.grids[at] = (0.03, spec.zero_point)
    outputs = ["y"]
    if way_in.endswith("Transpose"):
        if way_in.startswith("Reshape") and product:
            flat = build.constant("flat", _ints(1, count, height * width))
            build.node("Reshape", "in_r", [at, flat], "in_r_o")
            at = build.moved("in_r_o", at)
            turn = [0, 2, 1]
        build.node("Transpose", "in_t", [at], "in_t_o", perm=turn)
        at = build.moved("in_t_o", at)
        if way_in.startswith("shared"):
            outputs.append("also")
            build.node("Relu", "also_r", [at], "also_f")
            build.node("QuantizeLinear", "also_q", ["also_f", *build.grid("also", 0.02, -128)], "also")
    ich = count if way_in.endswith("Transpose") else (width if product else height)
    rank = 3 if way_in.startswith("Reshape") and product else 4
    if product:
        weight = build.weights("B_w", (ich, spec.last), 1)
        build.node("MatMul", "B", [at, weight], "B_o")
    else:
        weight = build.weights("B_w", (spec.last, ich, 1, 1), 0)
        build.node("Conv", "B", [at, weight, build.bias("B_b", spec.last)], "B_o")
    last = "B_o"
    if spec.kernel == 3:
        last = build.node("Relu", "B_r", ["B_o"], "B_a")
    if way_out:
        at = build.pair(last, 0.05, 2)
        if way_out == "two readers":
            outputs.append("more")
            build.node("Sigmoid", "more_s", [at], "more_f")
            build.node("QuantizeLinear", "more_q", ["more_f", *build.grid("more", 0.004, -128)], "more")
        perm = back if rank == 4 else [0, 2, 1]
        last = build.node("Transpose", "out_t", [at], "out_t_o", perm=perm)
        if way_out == "Transpose Reshape":
            at = build.moved("out_t_o", at)
            rest = build.constant("rest", _ints(1, -1))
            last = build.node("Reshape", "out_r", [at, rest], "out_r_o")
    ends = build.grid("y", 0.05, 2)
    build.node("QuantizeLinear", "y_QuantizeLinear", [last, *ends], "y")
    graph = helper.make_graph(
        build.nodes,
        "form",
        [helper.make_tensor_value_info("x", TensorProto.INT8, shape)],
        [helper.make_tensor_value_info(name, TensorProto.INT8, None) for name in outputs],
        build.initializers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", spec.opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


@FEW
@given(
    way_in=st.sampled_from(WAYS_IN),
    way_out=st.sampled_from(WAYS_OUT),
    op=st.sampled_from(("MatMul", "Conv")),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    channels=st.integers(2, 9),
    last=st.integers(1, 9),
    activated=st.booleans(),
    per_channel=st.booleans(),
    zero_point=st.sampled_from((-128, 0, 5)),
    seed=st.integers(0, 99),
)
def test_movers_around_it_are_taken_over(
    way_in: str,
    way_out: str,
    op: str,
    size: tuple[int, int],
    channels: int,
    last: int,
    activated: bool,
    per_channel: bool,
    zero_point: int,
    seed: int,
    folder: Path,
) -> None:
    spec = ChainSpec(
        channels=channels, last=last, kernel=3 if activated else 1, per_channel=per_channel,
        zero_point=zero_point, seed=seed,
    )  # fmt: skip
    source = saved(between(way_in, way_out, op, size, spec), folder)
    edit: Edit = MatMulToConv("B") if op == "MatMul" else ConvToGemm("B")
    after = edited(opened(source), edit)
    assert verify(source, after, samples=2).bit_exact
    left = [layer.name for layer in after.layers.layers]
    if way_in in ("Transpose", "Reshape Transpose"):
        assert "in_t" not in left
    if way_out in ("Transpose", "Transpose Reshape") and min(*size, last) > 1:
        assert "out_t" not in left
    if way_in == "shared Transpose":
        assert "in_t" in left
    if op == "MatMul" and way_in == way_out == "Transpose" and min(*size, last) > 1:
        assert left == ["B_Conv"]


REFUSED = [
    (Spec(kind="gemm", alpha=0.5), MatMulToConv(NAME), "an alpha or a beta"),
    (Spec(kind="matmul", batch=2), MatMulToConv(NAME), "by 2 matrices"),
    (Spec(kind="matmul_left", batch=1), MatMulToConv(NAME), "takes a batch of 1"),
    (Spec(kind="conv2"), MatMulToConv(NAME), "only Gemm and MatMul are"),
    (Spec(kind="conv2", kernel=3), ConvToGemm(NAME), "a larger kernel"),
    (Spec(kind="conv2", ich=4, och=4, group=2), ConvToGemm(NAME), "groups"),
    (Spec(kind="gemm"), ConvToGemm(NAME), "only a Conv becomes"),
]


@pytest.mark.parametrize(("spec", "edit", "message"), REFUSED)
def test_what_the_other_operator_does_not_do_is_refused(
    spec: Spec, edit: Edit, message: str, tmp_path: Path
) -> None:
    assert message in refused(opened(saved(model(spec), tmp_path)), edit)


@pytest.mark.parametrize("toolchain", ["2.1", "4.0"])
def test_a_product_between_transposes_is_proposed_as_a_conv(toolchain: str, tmp_path: Path) -> None:
    spec = ChainSpec(channels=64, last=64, zero_point=-128)
    session = opened(saved(between("Transpose", "Transpose", "MatMul", (16, 16), spec), tmp_path), toolchain)
    snapshot = analyse(session)
    assert [one.edit for one in propose_forms(session, snapshot, "B")] == [MatMulToConv("B")]
    made = plan(session, snapshot)
    assert [step.edit for step in made.steps] == [MatMulToConv("B")]
    assert made.after.milliseconds < made.before.milliseconds


def test_where_the_other_form_saves_nothing_it_is_not_proposed(tmp_path: Path) -> None:
    for made, layer in (
        (model(Spec(kind="gemm", ich=64, och=64, rows=20)), NAME),
        (model(Spec(kind="conv2", ich=64, och=64)), NAME),
        (between("Transpose", "Transpose", "Conv", (16, 16), ChainSpec(channels=64, last=64)), "B"),
    ):
        session = opened(saved(made, tmp_path))
        assert not list(propose_forms(session, analyse(session), layer))
        assert not list(propose_forms(session, analyse(session), "no such layer"))


def test_a_batch_of_single_positions_is_answered_by_a_gemm(tmp_path: Path) -> None:
    made = model(Spec(kind="conv2", ich=16, och=16, size=1))
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    del made.graph.value_info[:]
    made.graph.output[0].type.tensor_type.ClearField("shape")
    source = saved(onnx.shape_inference.infer_shapes(made, strict_mode=True), tmp_path)
    session = opened(source)
    assert "N110" in {finding.code for finding in report(session, NAME).findings}
    listed = [answer.edit for answer in propose_answers(session, analyse(session), NAME)]
    assert listed == [ConvToGemm(NAME)]
    after = edited(session, listed[0])
    assert "N110" not in {finding.code for r in analyse(after).layers for finding in r.findings}
    assert verify(source, after, samples=3).bit_exact
