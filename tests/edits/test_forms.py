"""Models in the less usual forms of an operator: the edit is made of them too, and the numbers stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import edited, opened
from builders.models import from_text

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.bias_to_add import BiasToAdd
from npuscope.edits.kinds.compiler_form import CompilerForm
from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.to_hard_swish import ToHardSwish
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.kinds.transposed_to_conv import TransposedToConv
from npuscope.numbers.verify_models import verify

HEAD = """g (float[1,4,4,4] x) => (float[a,b,c,d] y) <float s = {0.1}, int8 z = {0}, int8 z5 = {5}, float[2] k = {2, 2},
float[4,4,1,1] w = {1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, 4, 3, 2, 1}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1},
float[4,4,1,1] big = {99, 2, 300, 4, 5, 6, 7, 8, -1, -2, -3, -4, 4, 3, 2, 1}, float three = {3}, float six = {6}, float nought = {0}> { """
CASES: dict[str, tuple[int, str, Edit, float]] = {
    "a Resize of two axes": (18, "[op] y = Resize <axes = [2, 3]> (x, , k)", ResizeFloor("op"), 0),
    "a Resize against aliases": (
        18, '[op] y = Resize <axes = [2, 3], mode = "linear", antialias = 1> (x, , k)', ResizeNearest("op"), 256,
    ),
    "a Pad with nothing at its end": (18, "[op] y = Pad(x, p, , )", CompilerForm("op"), 0),
    "a bias that is computed in float": (17, "m = ReduceMax <axes = [0, 2, 3], keepdims = 0> (x) [op] y = Conv(x, w, m)", BiasToAdd("op"), 1e-2),
    "HardSwish before opset 14": (
        13, "a = Add(x, three) b = Clip(a, nought, six) c = Mul(x, b) [op] y = Div(c, six)", ToHardSwish("op"), 1e-2,
    ),
    "a QLinearConcat": (
        17, "q = QuantizeLinear(x, s, z) [op] c = com.microsoft.QLinearConcat <axis = 1> (s, z5, q, s, z, q, s, z) y = DequantizeLinear(c, s, z5)",
        ToQdq("op"), 1,
    ),
    "float kernels of a ConvTranspose": (17, "[op] y = ConvTranspose <strides = [2, 2], kernel_shape = [1, 1], output_padding = [1, 1]> (x, w)", TransposedToConv("op"), 1e-2),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_edit_is_made(name: str, tmp_path: Path) -> None:
    opset, nodes, edit, steps = CASES[name]
    source = from_text(
        f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]> {HEAD}{nodes} }}', tmp_path
    )
    after = edited(opened(source), edit)
    assert verify(source, after, samples=1).outputs[0].max_steps <= steps


def test_names_inside_bodies_are_not_given_again(tmp_path: Path) -> None:
    body = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x, bool c) => (float[1,4] y)
    <float[4,4] w = {1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, 4, 3, 2, 1}> { [op] m = MatMul(x, w)
    b = If (c) <then_branch = t () => (float[1,4] i) { i = If (c)
      <then_branch = tt () => (float[1,4] op_part0) { op_part0 = Relu(m) },
       else_branch = te () => (float[1,4] j) { [op_part1] j = Neg(m) }> },
      else_branch = e () => (float[1,4] o) { o = Identity(m) }> y = Add(m, b) }"""
    source = from_text(body, tmp_path)
    after = edited(opened(source), SplitOutput("op", (1, 3)))
    assert {"op_part0", "op_part1"}.isdisjoint(after.graph.node_index)
    assert {"op_part0_2", "op_part1_2"} <= after.graph.node_index.keys()
    assert verify(source, after, samples=1).outputs[0].max_steps <= 1e-2
