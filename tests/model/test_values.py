"""Quantization parameters, convolution geometry, names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import from_text
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto

from npuscope.model.convolution import Convolution, convolution
from npuscope.model.graph import unique_names
from npuscope.model.inspection.extent import dtype_bits
from npuscope.model.layers import fold
from npuscope.model.names import printable, shortened
from npuscope.model.quant import Quant
from npuscope.model.tensors import dtype_name, dtype_number

HEADER = '<ir_version: 8, opset_import: ["" : 13]>\n'


def conv_of(body: str, folder: Path) -> Convolution | None:
    source = from_text(HEADER + body, folder)
    return next(convolution(layer) for layer in fold(source.graph).layers if layer.weight is not None)


def filled(shape: str) -> str:
    return f"<int64[{shape.count(',') + 1}] ws = {{{shape}}}> {{ w = ConstantOfShape <value: tensor = float[1] {{1}}> (ws) "


CONVOLUTIONS = {
    "2-D": (
        "g (float[1,3,32,32] x) => (float[1,8,16,16] y) "
        + filled("8,3,3,3")
        + "y = Conv <strides = [2,2], pads = [1,1,1,1]> (x, w) }",
        Convolution(3, 8, 1, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1), (32, 32), (16, 16)),
    ),
    "1-D is one column wide": (
        "g (float[1,257,40] x) => (float[1,512,40] y) " + filled("512,257,1") + "y = Conv (x, w) }",
        Convolution(257, 512, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (40, 1), (40, 1)),
    ),
    "depthwise": (
        "g (float[1,8,9,9] x) => (float[1,8,9,9] y) "
        + filled("8,1,3,3")
        + 'y = Conv <group = 8, auto_pad = "SAME_UPPER"> (x, w) }',
        Convolution(8, 8, 8, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (9, 9), (9, 9)),
    ),
    "Gemm": (
        "g (float[5,16] x) => (float[5,4] y) " + filled("4,16") + "y = Gemm <transB = 1> (x, w) }",
        Convolution(16, 4, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 5), (1, 5)),
    ),
    "MatMul over a batch": (
        "g (float[2,5,16] x) => (float[2,5,4] y) " + filled("16,4") + "y = MatMul (x, w) }",
        Convolution(16, 4, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 10), (1, 10)),
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name: str, tmp_path: Path) -> None:
    text, expected = CONVOLUTIONS[name]
    assert conv_of(text, tmp_path) == expected


def test_macs_of_a_convolution() -> None:
    conv = Convolution(8, 16, 2, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (10, 10), (10, 10))
    assert conv.macs == 16 * 100 * 4 * 9
    assert conv.weights == 16 * 4 * 9


@given(
    st.sampled_from(["int8", "uint8", "int16", "uint16"]),
    st.floats(1e-6, 10, allow_nan=False),
    st.integers(-100, 100),
    st.lists(st.integers(-100, 100), min_size=1, max_size=20),
)
@settings(deadline=None)
def test_the_range_holds_every_stored_value(dtype: str, scale: float, zero: int, stored: list[int]) -> None:
    quant = Quant(dtype, np.array([scale], np.float32), np.array([zero]))
    low, high = quant.range
    for value in np.clip(stored, *quant.limits):
        real = float(np.float64(quant.scale[0]) * (value - zero))
        assert low - 1e-9 <= real <= high + 1e-9


@pytest.mark.parametrize("name", ["int8", "uint8", "float32", "float64", "int4", "int64", "bool", "bfloat16"])
def test_dtype_names(name: str) -> None:
    assert dtype_name(dtype_number(name)) == name
    assert dtype_bits(name) > 0


@given(st.text(max_size=60))
def test_printable_holds_nothing_a_terminal_acts_on(name: str) -> None:
    assert printable(name).isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N"]), max_size=60), st.integers(1, 40))
def test_shortened_fits(name: str, width: int) -> None:
    assert len(shortened(name, width)) <= max(width, 0)
    assert shortened(name, 100) == name


@given(st.lists(st.sampled_from(["", "a", "a#2", "b"]), max_size=30))
def test_names_are_unique(names: list[str]) -> None:
    named = unique_names([NodeProto(name=name, op_type="Op") for name in names])
    assert len(set(named)) == len(names)


def test_many_equal_names_take_no_time() -> None:
    named = unique_names([NodeProto(name="same", op_type="Op")] * 50_000)
    assert len(set(named)) == 50_000
