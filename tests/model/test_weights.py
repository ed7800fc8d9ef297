"""Weights on their scales: what stands out, and what keeps few levels, as plain numpy counts it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.longer import suite_or_long
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.inspection.weights import FEW_STEPS, LEAST_WEIGHTS, OUTLIER, RUINOUS, Reach, reach
from npuscope.model.layers import fold
from npuscope.model.load import source_of


def reach_of(weights: np.ndarray, zeros: np.ndarray, op: str = "Conv") -> Reach | None:
    """Of a Conv or ConvTranspose with these weights, a scale a channel where `zeros` has one."""
    axis = 0 if op == "Conv" else 1
    inputs, outputs = weights.shape[1 - axis], weights.shape[axis]
    stored = {"w": weights, "z": zeros if zeros.size > 1 else zeros.reshape(()), "s": np.float32(0.1)}
    stored["ws"] = np.full(zeros.shape, 0.1, np.float32) if zeros.size > 1 else np.float32(0.1)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s"], ["f"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "z"], ["v"], axis=axis),
        helper.make_node(op, ["f", "v"], ["r"]),
        helper.make_node("QuantizeLinear", ["r", "s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, inputs, 4, 4))],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, (1, outputs, 4, 4))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    layers = fold(source_of(Path("m"), model).graph).layers
    return reach(next(layer for layer in layers if layer.kind == op))


@given(st.data())
@settings(max_examples=suite_or_long(20, 1500), deadline=None)
def test_reach_is_what_numpy_counts(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(("Conv", "ConvTranspose")))
    outputs, inputs = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 40))
    signed, per_channel = data.draw(st.booleans()), data.draw(st.booleans())
    kind = np.int8 if signed else np.uint8
    ends = np.iinfo(kind)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    centre = rng.integers(ends.min, ends.max + 1) if data.draw(st.booleans()) else (ends.min + 128)
    spread = data.draw(st.sampled_from((2, 6, 30, 200)))
    rows = np.clip(centre + rng.integers(-spread, spread + 1, (outputs, inputs)), ends.min, ends.max)
    if data.draw(st.booleans()):
        rows[rng.integers(outputs), rng.integers(inputs)] = data.draw(st.sampled_from((ends.min, ends.max)))
    zeros = np.full(outputs if per_channel else 1, centre, kind)
    weights = (rows if op == "Conv" else rows.T)[:, :, None, None].astype(kind)
    found = reach_of(np.ascontiguousarray(weights), zeros, op)
    assert found is not None

    steps = np.abs(rows.astype(int) - int(centre))
    expected = []
    for channel, group in enumerate(steps if per_channel else steps.reshape(1, -1)):
        *rest, second, peak = sorted(group.tolist()) if group.size > 1 else (0, *group.tolist())
        times = peak / max(second, 1)
        heavy = sum(one * one for one in (*rest, second)) >= peak * peak
        if group.size >= LEAST_WEIGHTS and (times >= RUINOUS or (times >= OUTLIER and heavy)):
            expected.append((channel, pytest.approx(times)))
    assert list(found.outliers) == expected
    low = [channel for channel, row in enumerate(steps) if 0 < row.max() < FEW_STEPS]
    assert list(found.low) == ([] if per_channel else low)


def test_weights_of_other_widths_and_too_many_are_left_alone() -> None:
    assert reach_of(np.ones((2, 3, 1, 1), np.int16), np.zeros(1, np.int16)) is None
    assert reach_of(np.ones((1025, 4097, 1, 1), np.int8), np.zeros(1, np.int8)) is None
