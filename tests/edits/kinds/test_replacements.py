"""Operators written as others the NPU has: the same numbers, or within what the edit says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import NAME, Builder, Spec, model, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.div_to_mul import DivToMul
from npuscope.edits.kinds.pool_chain import PoolChain, stages
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.same_operator import SameOperator
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.edits.kinds.widen_kernel import WidenKernel
from npuscope.model.convolution import convolution
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.placement_fixes import propose_fixes
from npuscope.planning.planner import plan
from npuscope.planning.proposals import rank
from npuscope.snapshot import analyse

NORM = "/net/Norm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replacements")


def operator(
    op: str, constant: Any, first: bool = False, opset: int = 13, quantized: bool = True
) -> onnx.ModelProto:
    """x -> Q -> DQ -> op with a constant -> Q -> DQ -> y."""
    build = Builder()
    grid = [build.constant("x_scale", np.float32(0.03)), build.constant("x_zero", np.int8(4))]
    build.node("QuantizeLinear", "x_QuantizeLinear", ["x", *grid], "x_q")
    build.node("DequantizeLinear", "x_DequantizeLinear", ["x_q", *grid], "x_dq")
    operand = build.constant("c", np.asarray(constant, np.float32))
    inputs = [operand, "x_dq"] if first else ["x_dq", operand]
    last = build.node(op, "op", inputs, "n")
    grid = [build.constant("n_scale", np.float32(0.05)), build.constant("n_zero", np.int8(-9))]
    build.node("QuantizeLinear", "n_QuantizeLinear", [last, *grid], "n_q")
    build.node("DequantizeLinear", "n_DequantizeLinear", ["n_q", *grid], "y")
    return build.model((1, 3, 4, 4), TensorProto.FLOAT, opset)


SAME = [
    ("Max", 0.0, "Relu"),
    ("Max", -0.7, "Clip"),
    ("Min", 1.1, "Clip"),
    ("Pow", 2.0, "Mul"),
    ("Pow", 1.0, "Identity"),
    ("PRelu", [[[0.3]], [[0.3]], [[0.3]]], "LeakyRelu"),
]


@pytest.mark.parametrize(("op", "constant", "becomes"), SAME)
@pytest.mark.parametrize("opset", [10, 13])
def test_the_same_function_as_another_operator(
    op: str, constant: Any, becomes: str, opset: int, tmp_path: Path
) -> None:
    source = saved(
        operator(op, constant, first=op == "Max", opset=opset if op in ("Pow", "PRelu") else 13), tmp_path
    )
    session = opened(source)
    after = edited(session, SameOperator("op"))
    assert f"op_{becomes}" in after.layers.by_name
    assert report(after, f"op_{becomes}").placement is Placement.HW
    assert SameOperator("op").exactness is Exactness.BIT_EXACT
    assert verify(source, after, samples=3).bit_exact


@FEW
@given(
    case=st.sampled_from(SAME),
    value=st.floats(-3, 3, width=32, allow_subnormal=False),
    opset=st.sampled_from((11, 13, 17)),
)
def test_the_same_function_gives_the_same_numbers(
    case: tuple[str, Any, str], value: float, opset: int, folder: Path
) -> None:
    op, constant, becomes = case
    if op in ("Max", "Min"):
        constant, becomes = value, "Clip" if op == "Min" or value != 0 else "Relu"
    elif op == "PRelu":
        constant = [[[value]]] * 3
    source = saved(operator(op, constant, first=op == "Max" and value > 0, opset=opset), folder)
    after = edited(opened(source), SameOperator("op"))
    assert f"op_{becomes}" in after.layers.by_name
    assert verify(source, after, samples=2).bit_exact


def test_bounds_are_attributes_in_old_models(tmp_path: Path) -> None:
    source = saved(operator("Min", 1.5, opset=10), tmp_path)
    after = edited(opened(source), SameOperator("op"))
    assert verify(source, after).bit_exact


def test_functions_that_are_not_the_same_are_refused(tmp_path: Path) -> None:
    for op, constant, texts in (
        ("Pow", 3.0, "power of 3"),
        ("Pow", [1.0, 2.0, 1.0, 1.0], "different values"),
        ("PRelu", [[[0.1]], [[0.2]], [[0.3]]], "different values"),
        ("Max", np.zeros((2, 3, 4, 4)), "changes the shape"),
        ("Add", 1.0, "can be written otherwise"),
    ):
        assert texts in refused(opened(saved(operator(op, constant), tmp_path)), SameOperator("op"))
    assert "not with a constant" in refused(
        opened(saved(operator("Pow", 2.0, True), tmp_path)), SameOperator("op")
    )


@FEW
@given(divisor=st.floats(0.01, 1000), negative=st.booleans(), shape=st.sampled_from(((), (1, 1, 1))))
def test_a_division_becomes_a_multiplication(
    divisor: float, negative: bool, shape: tuple[int, ...], folder: Path
) -> None:
    source = saved(operator("Div", np.full(shape, -divisor if negative else divisor)), folder)
    after = edited(opened(source), DivToMul("op"))
    layer = after.layers.by_name["op_Mul"]
    assert layer.quantized and report(after, "op_Mul").placement is Placement.HW
    assert verify(source, after, samples=2).outputs[0].max_steps <= 1.01


def test_divisions_by_more_than_a_number_are_refused(tmp_path: Path) -> None:
    assert "4 different values" in refused(
        opened(saved(operator("Div", [1, 2, 3, 4]), tmp_path)), DivToMul("op")
    )
    assert "by 0" in refused(opened(saved(operator("Div", 0.0), tmp_path)), DivToMul("op"))
    assert "an activation" in refused(opened(saved(operator("Div", 1.0, True), tmp_path)), DivToMul("op"))
    assert "not a Div" in refused(opened(saved(operator("Add", 1.0), tmp_path)), DivToMul("op"))


def difference(first: str, dtype: str, zero: int, seed: int) -> onnx.ModelProto:
    """const - x, or a - x with a smaller a, both behind DQs; x is quantized or float."""
    rng = np.random.default_rng(seed)
    build = Builder()
    grid = [
        build.constant("x_s", np.float32(rng.uniform(0.01, 0.1))),
        build.constant("x_z", np.array(zero, dtype)),
    ]
    build.node("QuantizeLinear", "x_q", ["x", *grid], "xq")
    build.node("DequantizeLinear", "x_dq", ["xq", *grid], "xf")
    if first == "activation":
        build.node("GlobalMaxPool", "pool", ["xf"], "p")
        build.node("QuantizeLinear", "p_q", ["p", *grid], "pq")
        build.node("DequantizeLinear", "p_dq", ["pq", *grid], "a")
    else:
        build.constant("a", rng.uniform(-2, 9, (1, 3, 4, 4)).astype(np.float32))
    last = build.node("Sub", "op", ["a", "xf"], "n")
    out = [build.constant("n_s", np.float32(0.08)), build.constant("n_z", np.int8(4))]
    build.node("QuantizeLinear", "n_q", [last, *out], "nq")
    build.node("DequantizeLinear", "n_dq", ["nq", *out], "y")
    return build.model((1, 3, 4, 4), TensorProto.FLOAT)


@FEW
@given(
    first=st.sampled_from(("constant", "activation")),
    dtype=st.sampled_from(("int8", "uint8")),
    zero=st.integers(0, 255),
    seed=st.integers(0, 500),
)
def test_a_difference_is_the_sum_with_the_mirror_image(
    first: str, dtype: str, zero: int, seed: int, folder: Path
) -> None:
    source = saved(difference(first, dtype, zero - (128 if dtype == "int8" else 0), seed), folder)
    session = opened(source)
    after = edited(session, SubToAdd("op"))
    assert SubToAdd("op").exactness is Exactness.BIT_EXACT
    assert verify(source, after, samples=3).bit_exact
    assert after.layers.by_name["op_mul"].quantized
    if first == "constant":
        after = edited(after, QuantizeLayer("op_add"))
        assert verify(source, after, samples=3).outputs[0].max_steps <= 1 + 11 / 255 / 2 / 0.08
    for name in ("op_mul", "op_add"):
        assert after.layers.by_name[name].quantized and report(after, name).placement is Placement.HW


def test_differences_that_are_sums_already_are_refused(tmp_path: Path) -> None:
    assert "as a sum already" in refused(opened(saved(operator("Sub", 1.0), tmp_path)), SubToAdd("op"))
    assert "not a Sub" in refused(opened(saved(operator("Add", 1.0), tmp_path)), SubToAdd("op"))


def averaged(
    op: str, size: tuple[int, int], window: int, stride: int, quantized: bool, seed: int, channels: int = 3
) -> onnx.ModelProto:
    """x -> [Q -> DQ ->] average -> Q -> DQ -> y."""
    build = Builder()
    source = "x"
    if quantized:
        zero = int(np.random.default_rng(seed).integers(-128, 128))
        grid = [build.constant("x_s", np.float32(0.05)), build.constant("x_z", np.int8(zero))]
        build.node("QuantizeLinear", "x_q", ["x", *grid], "xq")
        source = build.node("DequantizeLinear", "x_dq", ["xq", *grid], "xf")
    attributes: dict[str, Any] = {}
    if op == "AveragePool":
        attributes = {"kernel_shape": [min(window, size[0]), min(window, size[1])], "strides": [stride] * 2}
    elif op == "ReduceMean":
        attributes = {"axes": [-1, 2], "keepdims": 1}
    last = build.node(op, "op", [source], "n", **attributes)
    out = [build.constant("n_s", np.float32(0.04)), build.constant("n_z", np.int8(4))]
    build.node("QuantizeLinear", "n_q", [last, *out], "nq")
    build.node("DequantizeLinear", "n_dq", ["nq", *out], "y")
    return build.model((1, channels, *size), TensorProto.FLOAT)


@FEW
@given(
    op=st.sampled_from(("AveragePool", "GlobalAveragePool", "ReduceMean")),
    size=st.tuples(st.integers(2, 20), st.integers(2, 26)),
    window=st.integers(2, 14),
    stride=st.integers(1, 3),
    quantized=st.booleans(),
    seed=st.integers(0, 500),
)
def test_an_average_is_a_conv_of_equal_weights(
    op: str, size: tuple[int, int], window: int, stride: int, quantized: bool, seed: int, folder: Path
) -> None:
    source = saved(averaged(op, size, window, stride, quantized, seed), folder)
    after = edited(opened(source), PoolToConv("op"))
    assert PoolToConv("op").exactness is Exactness.ROUNDING
    assert verify(source, after, samples=3).outputs[0].max_steps <= 1.01
    geometry = convolution(after.layers.by_name["op_conv"])
    assert (
        geometry is not None
        and geometry.depthwise
        and (geometry.kernel[1] <= 6 or geometry.kernel[1] % 6 != 1)
    )
    if quantized:
        assert after.layers.by_name["op_conv"].quantized
        assert report(after, "op_conv").placement is Placement.HW


@FEW
@given(
    op=st.sampled_from(("AveragePool", "GlobalAveragePool", "ReduceMean")),
    factors=st.tuples(*[st.lists(st.sampled_from((1, 2, 3, 4, 5, 7)), min_size=2, max_size=2)] * 2),
    more=st.integers(0, 3),
    quantized=st.booleans(),
    seed=st.integers(0, 500),
)
def test_an_average_is_a_chain_of_averages(
    op: str, factors: tuple[list[int], list[int]], more: int, quantized: bool, seed: int, folder: Path
) -> None:
    window = (math.prod(factors[0]), math.prod(factors[1]))
    chain = stages(window, window)
    assert tuple(math.prod(step[0][axis] for step in chain) for axis in (0, 1)) == window
    if op == "AveragePool":
        size = (window[0] * 2 + more, window[0] + more)
        made = averaged(op, size, window[0], window[0], quantized, seed)
        chain = stages((window[0],) * 2, (window[0],) * 2)
    else:
        made = averaged(op, window, 1, 1, quantized, seed)
    source = saved(made, folder)
    session = opened(source)
    if len(chain) < 2:
        assert "no factor" in refused(session, PoolChain("op"))
        return
    after = edited(session, PoolChain("op"))
    assert PoolChain("op").exactness is Exactness.APPROXIMATE
    # Half a step of the input's scale for each tensor between, and the rounding of the output.
    between = (len(chain) - 1) / 2 * 0.05 / 0.04 if quantized else 0
    assert verify(source, after, samples=3).outputs[0].max_steps <= between + 1.01
    steps = [layer for layer in after.layers.layers if layer.name.startswith("op_step")]
    assert len(steps) == len(chain)
    for layer in steps:
        assert layer.quantized == quantized and max(layer.core.integers("kernel_shape") or ()) <= 7


def test_the_better_of_chain_and_conv_is_planned(tmp_path: Path) -> None:
    """Wide strides fit no register: a chain has small ones, and is cheaper than a kernel of 32x32."""
    session = opened(saved(averaged("AveragePool", (64, 64), 32, 32, True, 0), tmp_path))
    before = analyse(session)
    assert before.by_name["op"].off_npu
    edits = {one.edit: one for one in propose_fixes(session, before, "op")}
    assert set(edits) >= {PoolChain("op"), PoolToConv("op")}
    assert rank(edits[PoolChain("op")]) < rank(edits[PoolToConv("op")])
    made = plan(session, before)
    assert [step.edit for step in made.steps] == [PoolChain("op")] and made.after.off_npu == 0
    # 13 is prime: only the Conv takes it.
    session = opened(saved(averaged("GlobalAveragePool", (13, 13), 1, 1, True, 0), tmp_path))
    kinds = {one.edit.kind for one in propose_fixes(session, analyse(session), "op")}
    assert "pool-to-conv" in kinds and "pool-chain" not in kinds


def test_averages_that_are_no_convs_are_refused(tmp_path: Path) -> None:
    assert "only averages are Convs" in refused(
        opened(saved(operator("Add", 1.0), tmp_path)), PoolToConv("op")
    )
    made = averaged("AveragePool", (6, 6), 3, 1, True, 0)
    node = next(node for node in made.graph.node if node.name == "op")
    node.attribute.append(helper.make_attribute("pads", [1, 1, 1, 1]))
    del made.graph.value_info[:]
    made.graph.output[0].type.tensor_type.ClearField("shape")
    made = onnx.shape_inference.infer_shapes(made, strict_mode=True)
    assert "windows at the border" in refused(opened(saved(made, tmp_path)), PoolToConv("op"))


@FEW
@given(
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    per_channel=st.booleans(),
    float_weights=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_wider_kernel_adds_zeros(
    stride: int, dilation: int, per_channel: bool, float_weights: bool, seed: int, folder: Path
) -> None:
    spec = Spec(
        kind="conv2", ich=6, och=6, group=6, kernel=7, size=15, stride=stride, dilation=dilation, pad=3,
        per_channel=per_channel, float_weights=float_weights, seed=seed,
    )  # fmt: skip
    source = saved(model(spec), folder)
    session = opened(source)
    if stride > 1:
        assert "taken apart in 12 columns" in refused(session, WidenKernel(NAME))
        return
    after = edited(session, WidenKernel(NAME))
    geometry = convolution(after.layers.by_name[NAME])
    assert geometry is not None and geometry.kernel == (7, 8)
    assert verify(source, after, samples=2).bit_exact
    assert report(after, NAME).placement is Placement.HW
