"""Networks in float: what is copied before and behind their kernels, as the reports of three public builds have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.small_nets import Net
from builders.public_builds import compiled
from builders.scheduled import on, ops


def steps(text: str, folder: Path, toolchain: str = "2.2") -> list[str]:
    return ops(on(text, folder, toolchain))


@pytest.mark.parametrize("toolchain", ("2.2", "4.0"))
@pytest.mark.parametrize(("channels", "copies"), ((3, ["hw Identity"]), (1, [])))
def test_input_of_a_convolution(toolchain: str, channels: int, copies: list[str], tmp_path: Path) -> None:
    """Channels last, as the kernel reads it; of one channel it lies so."""
    ones = ", ".join(["1"] * 4 * channels)
    text = f"(float[1,{channels},8,8] x) => (float[1,4,8,8] y) <float[4,{channels},1,1] w = {{{ones}}}> {{ y = Conv(x, w) }}"
    assert steps(text, tmp_path, toolchain) == [*copies, "sw_float Conv"]


@pytest.mark.parametrize(("channels", "copies"), ((3, ["hw Identity"]), (1, [])))
def test_input_that_stays_float_and_is_quantized(channels: int, copies: list[str], tmp_path: Path) -> None:
    """Epochs 1 and 2 of two mobilefacenets that take floats (2.1, 2.2); the convolution then reads what lies channels last."""
    net = Net((1, channels, 8, 8))
    made = net.weighted("Conv", "c", net.quantized("x", 0.02, 3), (8, channels, 1, 1), 5, relu=False)
    model = net.model(made, (1, 8, 8, 8)).SerializeToString()
    epochs = ops(compiled(model, tmp_path, "2.2", "0", input_data_types=("float32",)))
    assert epochs[: len(copies) + 2] == [*copies, "sw_float QuantizeLinear", "hw Conv"]


def test_input_of_other_kernels(tmp_path: Path) -> None:
    assert steps("(float[1,3,8,8] x) => (float[1,3,8,8] y) { y = Sigmoid(x) }", tmp_path) == [
        "sw_float Sigmoid"
    ]


def test_split_of_a_map(tmp_path: Path) -> None:
    """To planes, apart, and both parts back to channels last in one epoch."""
    text = """(float[1,16,8,8] x) => (float[1,8,8,8] y) {
      m = Sigmoid(x)
      a, b = Split <axis = 1> (m)
      c = Relu(a)
      y = Mul(c, b) }"""
    copies = ["hw Identity", "hw Split", "hw Identity"]
    assert steps(text, tmp_path) == ["sw_float Sigmoid", *copies, "sw_float Relu", "sw_float Mul"]


@pytest.mark.parametrize(("row", "split"), ((16, "hw Split"), (2100, "hybrid Split")))
def test_split_of_rows(row: int, split: str, tmp_path: Path) -> None:
    """Blocks of whole cache lines are one copy; 8,400 bytes are 262 lines and a half."""
    text = f"""(float[1,3,{row}] x) => (float[1,2,{row}] y, float[1,1,{row}] z) <int64[2] n = {{2, 1}}> {{
      m = Sigmoid(x)
      a, b = Split <axis = 1> (m, n)
      y = Relu(a)
      z = Relu(b) }}"""
    assert steps(text, tmp_path)[:2] == ["sw_float Sigmoid", split]
    assert "Split" not in " ".join(steps(text, tmp_path, "4.0"))


@pytest.mark.parametrize(
    ("first", "second", "result", "count"), ((1, 1, "1,6,8", 1), (2, 2, "1,2,24", 1), (1, 2, "1,4,16", 2))
)
def test_concat_of_a_concat(first: int, second: int, result: str, count: int, tmp_path: Path) -> None:
    """Along the same axis they are one."""
    other = "1,4,8" if first != second else "1,2,8"
    text = f"""(float[1,2,8] x, float[1,2,8] v, float[{other}] w) => (float[{result}] y) {{
      a = Sigmoid(x)
      b = Sigmoid(v)
      c = Sigmoid(w)
      m = Concat <axis = {first}> (a, b)
      y = Concat <axis = {second}> (m, c) }}"""
    assert sum("Concat" in step for step in steps(text, tmp_path)) == count


def test_concat_that_is_a_result(tmp_path: Path) -> None:
    text = """(float[1,2,8] x, float[1,2,8] v) => (float[1,4,8] m, float[1,6,8] y) {
      a = Sigmoid(x)
      b = Sigmoid(v)
      m = Concat <axis = 1> (a, b)
      y = Concat <axis = 1> (m, a) }"""
    assert sum("Concat" in step for step in steps(text, tmp_path)) == 2


def test_rows_exchanged(tmp_path: Path) -> None:
    """A routine exchanges rows, a copy turns columns; before a Softmax what was exchanged is laid out anew."""
    text = """(float[1,4,16,8] x) => (float[1,16,4,8] y) {
      m = Sigmoid(x)
      t = Transpose <perm = [0, 2, 1, 3]> (m)
      y = Softmax <axis = 1> (t) }"""
    assert steps(text, tmp_path) == [
        "sw_float Sigmoid",
        "hybrid Transpose",
        "hw Identity",
        "sw_float Softmax",
    ]
    turned = text.replace("0, 2, 1, 3", "0, 2, 3, 1").replace("[1,16,4,8] y", "[1,16,8,4] y")
    assert [step.split()[0] for step in steps(turned, tmp_path)] == ["sw_float", "hw", "sw_float"]


@pytest.mark.parametrize(("toolchain", "behind"), (("2.1", []), ("2.2", ["sw_float Add"])))
def test_gemm_with_a_bias(toolchain: str, behind: list[str], tmp_path: Path) -> None:
    text = """(float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 0, 0, 1}, float[2] b = {1, 1}> {
      m = Sigmoid(x)
      y = Gemm(m, w, b) }"""
    assert steps(text, tmp_path, toolchain) == ["sw_float Sigmoid", "sw_float Conv", *behind]
