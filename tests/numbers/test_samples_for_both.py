"""Random inputs for two models: drawn in the range that either of them quantizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.networks.float_networks import NETWORKS
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.machine.machine import target
from npuscope.model.load import Source, load, source_of
from npuscope.numbers.inputs import kept_range, random_samples
from npuscope.numbers.quantize import RANDOM, Settings, quantize
from npuscope.numbers.verify_models import samples_for_both, verify
from npuscope.services.quantizing import quantize_for

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


def test_what_random_samples_calibrated_is_verified_on_samples_drawn_alike(tmp_path: Path) -> None:
    """What `quantize` says of the model it makes and what `verify` says of both files is one figure."""
    onnx.save(NETWORKS["residual"](), tmp_path / "float.onnx")
    source = load(tmp_path / "float.onnx")
    made = quantize_for(source, target(), random_samples(source, 8), Settings(), f"{RANDOM}0")
    assert made.sqnr_db == pytest.approx(verify(source, made.session.source).sqnr_db_min)
    others = quantize_for(source, target(), random_samples(source, 8), Settings(), "from files")
    ends = kept_range(others.session.source.graph, "x")
    assert ends is not None
    drawn = samples_for_both(source, others.session.source, 8)
    assert max(float(np.abs(sample["x"]).max()) for sample in drawn) <= max(map(abs, ends)) + 1e-6


SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def test_a_model_of_floats_compares_with_one_of_integers_in_either_order() -> None:
    """The float denoiser, and an int8 one whose inputs and outputs are integers."""
    floats = load(SAMPLES / "denoiser_lstm_float.onnx")
    integers = load(SAMPLES / "denoiser_lstm_int8.onnx")
    assert {integers.graph.type(name).dtype for name in integers.graph.outputs} == {"int8"}
    assert {integers.graph.type(name).dtype for name in integers.graph.inputs} == {"int8"}
    samples = samples_for_both(floats, integers, 4)
    there, back = verify(floats, integers, inputs=samples), verify(integers, floats, inputs=samples)
    assert there.sqnr_db_min is not None
    assert back.sqnr_db_min is not None
    assert there.sqnr_db_min > 20
    # The order decides which of the two is the signal, and no more where inputs are the same.
    assert there.sqnr_db_min == pytest.approx(back.sqnr_db_min, abs=3)
    own = samples_for_both(integers, floats, 4)
    assert {value.dtype.name for value in own[0].values()} == {"int8"}
    drawn = verify(integers, floats, inputs=own).sqnr_db_min
    assert drawn is not None
    assert drawn > 20
