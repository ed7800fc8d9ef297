"""Element types as converters of different years and options write them: uint8, one scale, 4 bits, weights alone."""

from typing import Any

import numpy as np
import pytest
from builders.tflite.operators import SAME, Case, strides
from builders.tflite.reference import distances

from npuscope.tflite import read
from npuscope.tflite.convert import DOMAIN, REASON_KEY

RNG = np.random.default_rng(5)
GRIDS: dict[str, dict[str, Any]] = {
    "float32": {}, "int8": {"scale": 0.05, "zero": 3}, "uint8": {"scale": 0.05, "zero": 120}, "int16": {"scale": 0.05}
}  # fmt: skip


def file(kind: str, data: str, weights: str, zero: int = 0) -> bytes:
    """A convolution or dense layer of one scale for all its weights."""
    case = Case(data)
    depthwise, dense = kind == "DEPTHWISE_CONV_2D", kind == "FULLY_CONNECTED"
    shape = (5, 12) if dense else (1, 3, 3, 4) if depthwise else (6, 3, 3, 4)
    dims, outs = ((2, 12), 5) if dense else ((1, 8, 8, 4), 4 if depthwise else 6)
    source = case.tensor("in", dims, data, **GRIDS[data])
    if weights == "int4":
        flat = RNG.integers(-7, 8, shape).reshape(-1)
        packed = (flat[::2] & 15 | (flat[1::2] & 15) << 4).astype(np.uint8)
        kernel = case.tensor("w", shape, "int4", 0.02, 0, data=packed)
    else:
        limits = (0, 255) if weights == "uint8" else (-127, 128)
        kernel = case.constant("w", RNG.integers(*limits, shape).astype(weights), scale=0.02, zero=zero)
    if data == "float32":
        bias = case.constant("b", RNG.normal(size=outs).astype(np.float32))
    else:
        wide = np.int64 if data == "int16" else np.int32
        bias = case.constant("b", RNG.integers(-500, 500, outs).astype(wide), scale=0.05 * 0.02)
    grid = {**GRIDS[data], "scale": 0.1} if data != "float32" else {}
    result = case.tensor("out", (2, outs) if dense else (1, 8, 8, outs), data, **grid)
    fields: dict[str, Any] = {} if dense else strides(1, SAME)
    if depthwise:
        fields["depthMultiplier"] = 1
    options = {"CONV_2D": "Conv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}
    case.operator(
        kind, [source, kernel, bias], [result], options.get(kind, "DepthwiseConv2DOptions"), **fields
    )
    return case.bytes([source], [result])


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize(
    ("data", "weights", "zero"), [("int8", "int8", 0), ("uint8", "uint8", 131), ("int16", "int8", 0)]
)
def test_one_scale_for_all_weights(kind: str, data: str, weights: str, zero: int) -> None:
    least = 0.7 if data == "int16" else 0.9  # 65,536 steps: the rounding of the multiplier shows
    for one in distances(file(kind, data, weights, zero)):
        assert one.steps <= 1 and one.equal >= least, one


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_weights_of_four_bits(kind: str) -> None:
    for one in distances(file(kind, "int8", "int4")):
        assert one.steps <= 1 and one.equal >= 0.9, one


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_weights_alone_are_quantized(kind: str) -> None:
    """The reference quantizes the data as it runs (dynamic range); the graph says what the file states, no more."""
    data = file(kind, "float32", "int8")
    assert not any(node.op_type == "QuantizeLinear" for node in read(data).graph.node)
    for one in distances(data):
        assert one.steps < 0.02, one


@pytest.mark.parametrize("zero", [0, 128])
def test_uint8_weights_beside_floats_are_int8(zero: int) -> None:
    """Old converters wrote dynamic range so; the kernels take the bytes as int8 and no zero point."""
    for one in distances(file("FULLY_CONNECTED", "float32", "uint8", zero)):
        assert one.steps < 0.02, one


def test_weights_of_two_bits() -> None:
    case = Case("int8")
    drawn = case.random.integers(-2, 2, (5, 7))
    flat = np.concatenate([drawn.reshape(-1), [0]]).reshape(-1, 4) & 3
    packed = (flat << np.array([0, 2, 4, 6])).sum(axis=1).astype(np.uint8)
    source = case.tensor("in", (2, 7), "int8", 0.05, 3)
    kernel = case.tensor("w", (5, 7), "int2", [0.1, 0.2, 0.3, 0.1, 0.1], data=packed)
    result = case.tensor("out", (2, 5), "int8", 0.1)
    case.operator("FULLY_CONNECTED", [source, kernel, -1], [result], "FullyConnectedOptions")
    for one in distances(case.bytes([source], [result])):
        assert one.steps <= 1 and one.equal >= 0.9, one


def one(kind: str, source: dict[str, Any], result: dict[str, Any], options: str = "", **fields: Any) -> bytes:
    """An operator from one tensor of six values to another."""
    case = Case("int8")
    x, y = case.tensor("x", (1, 6), **source), case.tensor("y", (1, 6), **result)
    case.operator(kind, [x], [y], options, **fields)
    return case.bytes([x], [y])


INT8 = {"dtype": "int8", "scale": 0.05, "zero": 3}
INT32 = {"dtype": "int32", "scale": 0.25}
FLOAT = {"dtype": "float32"}
OF_TYPES = {
    "a cast of quantized integers": one("CAST", INT8, FLOAT),
    "a cast of quantized integers to others": one("CAST", INT8, {"dtype": "int32"}),
    "a cast to quantized integers": one("CAST", {"dtype": "int32"}, INT8),
    "sums quantized again": one("QUANTIZE", INT32, INT8),
    "trained quantization": one("FAKE_QUANT", FLOAT, FLOAT, "FakeQuantOptions", min=-0.7, max=0.5, numBits=8),
}


@pytest.mark.parametrize("name", OF_TYPES)
def test_what_is_read_as_it_is_stored(name: str) -> None:
    for one_ in distances(OF_TYPES[name]):
        assert one_.steps < 1e-5, one_


def test_sums_are_dequantized_with_their_scale() -> None:
    """The interpreter has no such kernel."""
    kinds = [node.op_type for node in read(one("DEQUANTIZE", INT32, FLOAT)).graph.node]
    assert kinds == ["DequantizeLinear"]


def reason(data: bytes) -> str:
    (kept,) = (node for node in read(data).graph.node if node.domain == DOMAIN)
    return next(entry.value for entry in kept.metadata_props if entry.key == REASON_KEY)


KEPT = {
    "other than 256 steps": one("FAKE_QUANT", FLOAT, FLOAT, "FakeQuantOptions", min=-1, max=1, numBits=4),
    "int32 with a zero point": one("QUANTIZE", INT32 | {"zero": 3}, INT8),
    "a tensor without a scale": one("QUANTIZE", FLOAT, {"dtype": "int8"}),
    "works on resource": one("CAST", FLOAT, {"dtype": "resource"}),
    "works on uint4": one("CAST", FLOAT, {"dtype": "uint4"}),
    "int8 without a scale": one("LOGISTIC", {"dtype": "int8"}, INT8),
}


@pytest.mark.parametrize("words", KEPT)
def test_what_has_no_form_says_why(words: str) -> None:
    assert words in reason(KEPT[words])


@pytest.mark.parametrize(("number", "words"), [(1, "as a tool"), (2, "in blocks"), (3, "along several axes")])
def test_scales_of_another_kind_are_named(number: int, words: str) -> None:
    case = Case("int8")
    source, kernel = case.tensor("in", (2, 4), "float32"), case.constant("w", np.zeros((3, 4), np.int8))
    quantization = case.schema.QuantizationParametersT()
    quantization.detailsType = number
    kind = case.schema.QuantizationDetails
    table = next(key for key, value in vars(kind).items() if value == number)
    quantization.details = getattr(case.schema, f"{table}T")()
    case.graph.tensors[kernel].quantization = quantization
    result = case.tensor("out", (2, 3), "float32")
    case.operator("FULLY_CONNECTED", [source, kernel, -1], [result], "FullyConnectedOptions")
    assert f"'w', which is quantized {words}" in reason(case.bytes([source], [result]))


@pytest.mark.parametrize("activation", [4, 5])
def test_an_activation_that_no_kernel_computes_is_named(activation: int) -> None:
    case = Case("int8")
    x, w = case.entry("x", (1, 4, 4, 2)), case.weights("w", (3, 1, 1, 2), 0)
    y = case.act("y", (1, 4, 4, 3))
    case.operator("CONV_2D", [x, w, -1], [y], "Conv2DOptions", **strides(1, SAME, activation))
    assert "fused activation" in reason(case.bytes([x], [y]))
