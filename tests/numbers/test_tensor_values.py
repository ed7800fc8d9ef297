"""Values on their grids: every one is counted once, where plain arithmetic has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders.networks.float_networks import NETWORKS
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.load import source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.tensor_values import BINS, activations_on_grid, weights_on_grid
from npuscope.session import Session

TARGET = target_of(Build())


def int8(name: str, shrunk: str = "") -> tuple[Session, ModelProto]:
    """A quantized network; the scale of one tensor an eighth of what it should be."""
    source = source_of(Path(f"{name}.onnx"), NETWORKS[name]())
    model = ModelProto.FromString(
        quantize(source, random_samples(source, 3), Settings()).proto.SerializeToString()
    )
    for entry in model.graph.initializer:
        if shrunk and entry.name == f"{shrunk}_scale":
            entry.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(entry) / np.float32(8), entry.name))
    return Session.open(source_of(Path("q.onnx"), model), TARGET), model


def test_weights_are_counted_where_they_are_stored() -> None:
    session, _ = int8("residual")
    layer = session.layers.by_name["Conv_3"]
    grid = weights_on_grid(layer)
    assert grid is not None
    assert layer.weight is not None
    assert layer.weight.constant is not None
    stored = layer.weight.constant.array()
    assert grid.channels == stored.shape[0]
    for channel, row in enumerate(stored.reshape(stored.shape[0], -1)):
        wanted, _ = np.histogram(row, BINS, (-128, 128))
        assert (grid.counts[channel] == wanted).all()
        step = float(grid.scales[channel])
        assert grid.least[channel] == pytest.approx(step * row.min())
        assert grid.most[channel] == pytest.approx(step * row.max())
        assert grid.used(channel) == pytest.approx((int(row.max()) - int(row.min()) + 1) / 256)
    assert grid.clipped() == 0


def test_activations_are_counted_before_they_are_rounded() -> None:
    tensor = "Relu_4_out"
    session, model = int8("residual", tensor)
    samples = random_samples(session.source, 3)
    layer = next(one for one in session.layers.layers if any(tensor in o.tensor for o in one.outputs))
    grid = next(one for one in activations_on_grid(session, layer, samples) if one.label == "output")
    quantizer = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == tensor)
    initializers = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    scale, zero = float(initializers[quantizer.input[1]]), int(initializers[quantizer.input[2]])
    watched = ModelProto.FromString(model.SerializeToString())
    watched.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    runtime = onnxruntime.InferenceSession(watched.SerializeToString(), options)
    values = np.concatenate([runtime.run([tensor], dict(sample))[0] for sample in samples])
    levels = values.astype(np.float64) / scale + zero
    assert grid.counts.sum() + grid.below.sum() + grid.above.sum() == values.size
    assert grid.below.sum() == (levels < -128.5).sum()
    assert grid.above.sum() == (levels >= 127.5).sum()
    assert grid.clipped() > 0.05
    assert grid.used() == 1
    for channel in range(grid.channels):
        assert grid.least[channel] == pytest.approx(values[:, channel].min(), rel=1e-5)
        assert grid.most[channel] == pytest.approx(values[:, channel].max(), rel=1e-5)
    assert grid.samples == 3


def test_a_weight_that_stands_out_is_found() -> None:
    model = NETWORKS["residual"]()
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    for entry in model.graph.initializer:
        if entry.name == name:
            values = numpy_helper.to_array(entry).copy()
            values[3, 0, 0, 0] = 20 * np.abs(values[3]).max()
            entry.CopyFrom(numpy_helper.from_array(values, name))
    source = source_of(Path("f.onnx"), model)
    session = Session.open(quantize(source, random_samples(source, 2), Settings()), TARGET)
    grid = weights_on_grid(session.layers.by_name["Conv_0"])
    assert grid is not None
    assert list(grid.outliers) == [3]
    assert grid.outliers[3] == pytest.approx(20, rel=0.2)


def test_float_tensors_have_no_grid() -> None:
    source = source_of(Path("f.onnx"), NETWORKS["residual"]())
    session = Session.open(source, TARGET)
    assert isinstance(source.proto, onnx.ModelProto)
    for layer in session.layers.layers:
        assert weights_on_grid(layer) is None
        assert activations_on_grid(session, layer, random_samples(source, 1)) == ()
