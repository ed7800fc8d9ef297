"""Quantized constants that a node picks from, joins, converts or scales are still integers with scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders.models import from_text
from onnx import helper, numpy_helper

from npuscope.edits.toolkit.ranges import dequantized
from npuscope.model.layers import fold
from npuscope.model.load import load

W, S, Z = np.int8, np.float32, np.int8
RNG = np.random.default_rng(3)


def _weights(channels: int, axis: int = 0) -> dict[str, np.ndarray]:
    shape = [8, 6, 3, 3]
    shape[axis] = channels
    return {
        "w": RNG.integers(-127, 128, shape).astype(W),
        "s": RNG.uniform(0.01, 0.1, channels).astype(S),
        "z": np.zeros(channels, Z),
        "one": np.array(0.02, S),
        "zero": np.array(0, Z),
    }


DQ = "d = DequantizeLinear <axis = 0> (w, s, z)"
CHAINS = {
    "Slice of rows": ("r = Slice(d, a, b, c)", {"a": [2], "b": [8], "c": [0]}),
    "Slice of columns": ("r = Slice(d, a, b, c)", {"a": [1], "b": [5], "c": [1]}),
    "Slice backwards": ("r = Slice(d, a, b, c, e)", {"a": [-1], "b": [-100], "c": [0], "e": [-1]}),
    "Gather": ("r = Gather <axis = 0> (d, a)", {"a": [3, 1, 1]}),
    "Split": ("q, r = Split <axis = 0> (d, a)", {"a": [3, 5]}),
    "Pad of channels": ("r = Pad(d, a)", {"a": [1, 0, 0, 0, 2, 0, 0, 0]}),
    "Pad of windows": ("r = Pad(d, a, f)", {"a": [0, 0, 1, 1, 0, 0, 0, 1], "f": np.float32(0)}),
    "Concat of channels": ("r = Concat <axis = 0> (d, d)", {}),
    "Concat of inputs": ("r = Concat <axis = 1> (d, d)", {}),
    "Cast there and back": ("h = Cast <to = 10> (d)  r = Cast <to = 1> (h)", {}),
    "Mul by a number": ("r = Mul(d, f)", {"f": np.float32(0.5)}),
    "Mul by channel": ("r = Mul(f, d)", {"f": RNG.uniform(1, 2, (8, 1, 1, 1)).astype(S)}),
    "Div by a number": ("r = Div(d, f)", {"f": np.float32(0.7)}),
    "Concat of one scale and of many": ("e = DequantizeLinear(w, one, zero)  r = Concat <axis = 0> (d, e)", {}),
    "Concat of two scales": ("e = DequantizeLinear(w, one, zero)  g = DequantizeLinear(w, f, zero)  r = Concat <axis = 0> (e, g)", {"f": np.float32(0.5)}),
    "Identity, then Reshape to the same": ("h = Identity(d)  r = Reshape(h, a)", {"a": [8, 6, 3, 3]}),
    "Reshape there and back": ("h = Reshape(d, a)  r = Reshape(h, b)", {"a": [8, 54], "b": [8, 6, 3, 3]}),
    "Slice, then Transpose": ("h = Slice(d, a, b, c)  r = Transpose <perm = [1, 0, 2, 3]> (h)", {"a": [2], "b": [8], "c": [0]}),
}  # fmt: skip
LOST = {
    "Pad with ones": ("r = Pad(d, a, f)", {"a": [1, 0, 0, 0, 2, 0, 0, 0], "f": np.float32(1)}),
    "Pad that reflects": ('r = Pad <mode = "reflect"> (d, a)', {"a": [1, 0, 0, 0, 2, 0, 0, 0]}),
    "Pad that cuts": ("r = Pad(d, a)", {"a": [-1, 0, 0, 0, 0, 0, 0, 0]}),
    "Pad around another zero point": ("e = DequantizeLinear(w, one, f)  r = Pad(e, a)", {"a": [1, 0, 0, 0, 0, 0, 0, 0], "f": np.int8(3)}),
    "Mul by 0": ("r = Mul(d, f)", {"f": np.float32(0)}),
    "Div of a number": ("r = Div(f, d)", {"f": np.float32(3)}),
    "Mul of two weights": ("r = Mul(d, d)", {}),
    "Concat with floats": ("r = Concat <axis = 0> (d, f)", {"f": np.ones((1, 6, 3, 3), S)}),
    "Concat of other integers": ("e = DequantizeLinear(v, one)  r = Concat <axis = 0> (d, e)", {"v": np.ones((1, 6, 3, 3), np.uint8)}),
    "Reshape of channels": ("h = Reshape(d, a)  r = Reshape(h, b)", {"a": [4, 108], "b": [8, 6, 3, 3]}),
    "Mul by a negative number": ("r = Mul(d, f)", {"f": np.float32(-0.5)}),
    "Mul along another axis": ("r = Mul(d, f)", {"f": np.ones((1, 6, 1, 1), S)}),
    "Mul by every value": ("r = Mul(d, f)", {"f": np.ones((8, 6, 3, 3), S)}),
    "Gather of one": ("h = Gather <axis = 0> (d, a)  r = Unsqueeze(h, c)", {"a": 3, "c": [0]}),
    "Concat of other scales": ("e = DequantizeLinear <axis = 0> (w, f, z)  r = Concat <axis = 1> (d, e)", {"f": np.ones(8, S)}),
}  # fmt: skip


def _model(body: str, more: dict[str, object]) -> onnx.ModelProto:
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
        g (float[1,N,16,16] x) => (float[1,M,A,B] y) {{
        {DQ}  {body}
        xq = QuantizeLinear(x, one, zero)  xf = DequantizeLinear(xq, one, zero)
        k = Conv(xf, r)  kq = QuantizeLinear(k, one, zero)  y = DequantizeLinear(kq, one, zero) }}"""
    model = onnx.parser.parse_model(text)
    constants = {**_weights(8), **{k: np.asarray(v) for k, v in more.items()}}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def _real(model: onnx.ModelProto) -> np.ndarray:
    """The weights as onnxruntime computes them."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    asked.graph.output.append(helper.make_empty_tensor_value_info("r"))
    session = onnxruntime.InferenceSession(
        onnx.utils.Extractor(onnx.shape_inference.infer_shapes(asked))
        .extract_model([], ["r"])
        .SerializeToString()
    )
    return np.asarray(session.run(["r"], {})[0])


@pytest.mark.parametrize("name", CHAINS)
def test_folded_into_integers_and_scales(name: str, tmp_path: Path) -> None:
    model = _model(*CHAINS[name])
    onnx.save(model, tmp_path / "m.onnx")
    layer = next(layer for layer in fold(load(tmp_path / "m.onnx").graph).layers if layer.op == "Conv")
    assert layer.weight is not None and layer.weight.constant is not None and layer.weight.quant is not None
    assert layer.weight.constant.array().dtype == np.int8
    real = dequantized(layer.weight, layer.weight.constant.array())
    tolerance = 1e-3 if "Cast" in name else 1e-6
    assert np.allclose(real, _real(model), rtol=tolerance)


@pytest.mark.parametrize("name", LOST)
def test_left_in_float_where_the_scales_are_lost(name: str, tmp_path: Path) -> None:
    onnx.save(_model(*LOST[name]), tmp_path / "m.onnx")
    layer = next(layer for layer in fold(load(tmp_path / "m.onnx").graph).layers if layer.op == "Conv")
    assert layer.weight is None or layer.weight.quant is None


STEPS = {
    "joined with itself": "Concat <axis = 0> ({0}, {0})",
    "joined": "Concat <axis = 0> ({0})",
    "converted": "Cast <to = 1> ({0})",
    "moved and converted": "Transpose <perm = [0, 1]> ({0})|Cast <to = 1> ({0})",
    "picked from": "Slice ({0}, a, b)",
    "scaled": "Mul ({0}, one)",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("steps", [5, 24, 3_000])
def test_however_many_nodes_a_constant_comes_through(tmp_path: Path, step: str, steps: int) -> None:
    """A few keep its scales; what comes through more than is sensible is a float constant like any other."""
    steps = min(steps, 24) if "itself" in step else steps
    forms = STEPS[step].split("|")
    size = 1 << steps if "itself" in step else 1
    body = "\n".join(f"c{n + 1} = " + forms[n % len(forms)].format(f"c{n}") for n in range(steps))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[{size}, 4] x) => (float[{size}, 4] y)
    <int8[1, 4] q = {{1, 2, 3, 4}}, float s = {{0.5}}, int8 z = {{0}}, int64[1] a = {{0}}, int64[1] b = {{4}}, float one = {{1.0}}>
    {{ c0 = DequantizeLinear(q, s, z)
       {body}
       y = Add(x, c{steps}) }}"""
    layers = fold(from_text(text, tmp_path).graph)
    (layer,) = (layer for layer in layers.layers if layer.op == "Add")
    constant = layer.inputs[1]
    if steps == 5:
        assert constant.quant is not None and constant.constant is not None
        assert np.array_equal(dequantized(constant, constant.constant.array())[:1], [[0.5, 1, 1.5, 2]])
    assert (constant.quant is None) == (steps == 3_000)


def test_paths_that_part_and_meet_again_are_gone_once(tmp_path: Path) -> None:
    """Each Slice of a Concat with itself doubles the paths: there are 2^30 to these weights."""
    steps = "\n".join(
        f"a{n} = Concat <axis = 0> (c{n}, c{n})  c{n + 1} = Slice (a{n}, a, b)" for n in range(30)
    )
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1, 2] x) => (float[1, 2] y)
    <int8[2, 2] q = {{1, 2, 3, 4}}, float s = {{0.5}}, int8 z = {{0}}, int64[1] a = {{0}}, int64[1] b = {{2}}>
    {{ c0 = DequantizeLinear(q, s, z)
       {steps}
       y = MatMul(x, c30) }}"""
    (layer,) = fold(from_text(text, tmp_path).graph).layers
    assert layer.weight is not None and layer.weight.constant is not None and layer.weight.quant is not None
    assert layer.weight.constant.array().tolist() == [[1, 2], [3, 4]]
