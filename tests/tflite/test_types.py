"""Element types as converters of different years and options write them: uint8, one scale, 4 bits, weights alone."""

from typing import Any

import numpy as np
import pytest
from builders.tflite.operators import SAME, Case, strides
from builders.tflite.reference import distances

from npuscope.tflite import read

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
