"""Random inputs for two models: drawn in the range that either of them quantizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.model.load import Source, source_of
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.verify_models import samples_for_both, verify

RANGE = 0.02


def small_range() -> tuple[Source, Source]:
    """A float Conv, and its int8 model whose input keeps values up to 0.02 only."""
    rng = np.random.default_rng(4)
    weights = numpy_helper.from_array(rng.standard_normal((4, 4, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 8, 8])],
        [weights],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    source = source_of(Path("float.onnx"), model)
    samples = [{"x": rng.uniform(-RANGE, RANGE, (1, 4, 8, 8)).astype(np.float32)} for _ in range(4)]
    return source, quantize(source, samples, Settings())


@pytest.mark.parametrize("float_first", [True, False])
def test_the_order_of_a_float_and_an_int8_model_does_not_change_the_figure(float_first: bool) -> None:
    pair = small_range()
    a, b = pair if float_first else pair[::-1]
    samples = samples_for_both(a, b, 8)
    assert max(float(np.abs(sample["x"]).max()) for sample in samples) <= RANGE * 1.02
    result = verify(a, b)
    assert result.sqnr_db_min is not None
    assert result.sqnr_db_min > 30
