"""Every operator that is converted, beside the reference interpreter: at most one step apart, most equal."""

import numpy as np
import onnx
import pytest
from builders.tflite.cases import CASES, FLOAT_CASES
from builders.tflite.operators import Case
from builders.tflite.reference import distance, distances, interpreted, run

from npuscope.tflite.convert import DOMAIN, convert

pytest.importorskip("ai_edge_litert.interpreter")

# Shares of equal values below which a case is wrong; the kernels themselves round in two places in these.
MOST = 0.85
ROUNDED = {"hard swish": 0.4, "l2 normalization": 0.7, "resize_bilinear": 0.6, "mul": 0.8, "mean": 0.6}


# The reference kernel answers -1 whatever the input; the fast one sums.
FAST = {"sum"}


def share(name: str) -> float:
    return next((value for key, value in ROUNDED.items() if name.startswith(key)), MOST)


@pytest.mark.parametrize("name", sorted(CASES))
def test_quantized_operator_equals_the_reference(name: str) -> None:
    case = Case("int8")
    data = case.bytes(*CASES[name](case))
    for seed in (0, 1):
        for one in distances(data, seed, fast=name in FAST):
            assert one.steps <= 1, one
            assert one.equal >= share(name), one


@pytest.mark.parametrize("name", sorted({**CASES, **FLOAT_CASES}))
def test_float_operator_equals_the_reference(name: str) -> None:
    case = Case("float32")
    data = case.bytes(*{**CASES, **FLOAT_CASES}[name](case))
    for one in distances(data):
        assert one.steps < 1e-5, one


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_operator_on_maps_held_channels_first(name: str, dtype: str) -> None:
    case = Case(dtype, maps=True)
    data = case.bytes(*CASES[name](case))
    graph, values = interpreted(data, fast=name in FAST)
    model = convert(graph, len(data))
    onnx.checker.check_model(model, full_check=True)
    assert not any(node.domain == DOMAIN for node in model.graph.node)
    got = run(model, {graph.tensors[i].name: values[i] for i in graph.inputs})
    for number, result in zip(graph.outputs, got, strict=True):
        error = distance(name, result, values[number], dtype != "float32")
        assert error.steps <= (1 if result.dtype.kind != "f" else 1e-5), error


@pytest.mark.parametrize("name", ["conv 3x3", "depthwise 3x3", "dense", "add", "mul", "max pool"])
def test_operator_on_int16(name: str) -> None:
    case = Case("int16")
    data = case.bytes(*CASES[name](case))
    error = distances(data)[0]
    assert error.steps <= 2
    assert error.equal >= 0.7
    assert np.isfinite(error.equal)
