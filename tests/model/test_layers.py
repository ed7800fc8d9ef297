"""Folding: which nodes make a layer, and what the layer knows of its tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import DENOISER, SAMPLES, from_text

from npuscope.model.layers import Layer, Layers, fold
from npuscope.model.load import load

HEADER = '<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>\n'
CONSTANTS = "<float s = {0.1}, int8 z = {3}, float t = {0.2}, int8 v = {-128}>"


def folded(text: str, folder: Path) -> Layers:
    return fold(from_text(HEADER + text, folder).graph)


def shape_of(layers: Layers) -> list[tuple[str, int]]:
    return [(layer.op, len(layer.nodes)) for layer in layers.layers]


CASES = {
    "q/dq around an operator": (
        f"g (int8[1,8] x) => (int8[1,8] y) {CONSTANTS} {{ f = DequantizeLinear(x, s, z) r = Sigmoid(f) y = QuantizeLinear(r, t, v) }}",
        [("Sigmoid", 3)],
    ),
    "a shared DQ belongs to its first reader": (
        f"""g (int8[1,8] x) => (int8[1,8] y, int8[1,8] w) {CONSTANTS}
        {{ f = DequantizeLinear(x, s, z) r = Sigmoid(f) y = QuantizeLinear(r, t, v) q = Tanh(f) w = QuantizeLinear(q, t, v) }}""",
        [("Sigmoid", 3), ("Tanh", 2)],
    ),
    "borders are layers": (
        f"""g (float[1,8] x) => (float[1,8] y) {CONSTANTS}
        {{ a = QuantizeLinear(x, s, z) f = DequantizeLinear(a, s, z) r = Sigmoid(f) b = QuantizeLinear(r, t, v)
           y = DequantizeLinear(b, t, v) }}""",
        [("QuantizeLinear", 1), ("Sigmoid", 3), ("DequantizeLinear", 1)],
    ),
    "DQ and Q alone change the scale": (
        f"g (int8[1,8] x) => (int8[1,8] y) {CONSTANTS} {{ f = DequantizeLinear(x, s, z) y = QuantizeLinear(f, t, v) }}",
        [("QuantizeLinear", 2)],
    ),
    "Relu before the Q folds into its operator": (
        f"""g (int8[1,8] x) => (int8[1,8] y) {CONSTANTS}
        {{ f = DequantizeLinear(x, s, z) a = Sigmoid(f) r = Relu(a) y = QuantizeLinear(r, t, v) }}""",
        [("Sigmoid", 4)],
    ),
    "Relu read twice stays a layer": (
        f"""g (int8[1,8] x) => (int8[1,8] y, float[1,8] a) {CONSTANTS}
        {{ f = DequantizeLinear(x, s, z) a = Sigmoid(f) r = Relu(a) y = QuantizeLinear(r, t, v) }}""",
        [("Sigmoid", 2), ("Relu", 2)],
    ),
    "a QLinear operator is a layer by itself": (
        f"g (int8[1,8] x) => (int8[1,8] y) {CONSTANTS} {{ y = com.microsoft.QLinearSigmoid(x, s, z, t, v) }}",
        [("QLinearSigmoid", 1)],
    ),
    "constants go with their reader": (
        f"""g (int8[1,8] x) => (int8[2,4] y) {CONSTANTS}
        {{ f = DequantizeLinear(x, s, z) c = Constant <value = int64[2] {{2, 4}}> () r = Reshape(f, c) y = QuantizeLinear(r, s, z) }}""",
        [("Reshape", 4)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_layers(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    layers = folded(text, tmp_path)
    assert shape_of(layers) == expected
    assert not layers.unattached


def test_an_unread_constant_is_unattached(tmp_path: Path) -> None:
    layers = folded(
        "g (float[1,8] x) => (float[1,8] y) { c = Constant <value = float[1] {1}> () y = Sigmoid(x) }",
        tmp_path,
    )
    assert shape_of(layers) == [("Sigmoid", 1)]
    assert len(layers.unattached) == 1


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda p: p.stem)
def test_each_node_is_in_one_layer(path: Path) -> None:
    graph = load(path).graph
    layers = fold(graph)
    grouped = [node for layer in layers.layers for node in layer.nodes] + list(layers.unattached)
    assert sorted(grouped) == sorted(node.name for node in graph.nodes)


def layer(name: str) -> Layer:
    return fold(load(DENOISER).graph).by_name[name]


def test_a_gemm_knows_its_tensors() -> None:
    gemm = layer("Gemm_30")
    assert gemm.input is not None and gemm.input.quant is not None
    assert (gemm.input.dims, gemm.input.quant.zero) == ((1, 256), 5)
    assert gemm.weight is not None and gemm.weight.constant is not None and gemm.weight.quant is not None
    assert gemm.weight.constant.shape == (1024, 256)
    assert gemm.weight.quant.scale.size == 1024 and gemm.weight.quant.symmetric
    assert gemm.quantized


def test_the_scope_comes_from_the_namespace() -> None:
    assert layer("Gemm_30").scope == "lstm_0"


def test_a_reshape_passes_its_quantization_on(tmp_path: Path) -> None:
    layers = folded(
        """g (int8[1,8] x) => (int8[2,4] y) <float s = {0.1}, int8 z = {3}, int64[2] c = {2, 4}>
        { f = DequantizeLinear(x, s, z) r = Reshape(f, c) a = Sigmoid(r) y = QuantizeLinear(a, s, z) }""".replace(
            "{{", "{"
        ).replace("}}", "}"),
        tmp_path,
    )
    reshape, sigmoid = layers.layers
    assert reshape.quantized and sigmoid.quantized
    assert sigmoid.input is not None and sigmoid.input.quant is not None and sigmoid.input.quant.zero == 3


def test_what_is_passed_on_is_still_read_as_floats(tmp_path: Path) -> None:
    """A MaxPool of floats without a Q of its own is float, whether a mover stands before it or not."""
    before = "r = Reshape(f, n)"
    for line, read in (("", "f"), (before, "r")):
        made = folded(
            f"""g (int8[1,1,4,4] x) => (float[1,1,2,2] y) <float s = {{0.1}}, int8 z = {{3}}, int64[4] n = {{1, 1, 4, 4}}>
            {{ f = DequantizeLinear(x, s, z) {line} p = MaxPool <kernel_shape = [3, 3]> ({read}) y = Exp(p) }}""",
            tmp_path,
        )
        pool = next(layer for layer in made.layers if layer.kind == "MaxPool")
        assert (pool.inputs[0].quant is not None, pool.outputs[0].quant) == (True, None)


def test_a_float_reader_before_the_q_is_noted(tmp_path: Path) -> None:
    layers = folded(
        f"""g (int8[1,8] x) => (int8[1,8] y, float[1,8] a) {CONSTANTS}
        {{ f = DequantizeLinear(x, s, z) a = Sigmoid(f) y = QuantizeLinear(a, t, v) }}""",
        tmp_path,
    )
    assert layers.layers[0].float_reads == ("graph output",)


def test_a_concat_of_microsoft_reads_each_part_on_its_own_grid(tmp_path: Path) -> None:
    layers = folded(
        f"""g (int8[1,2] x, int8[1,3] w) => (int8[1,5] y) {CONSTANTS}
        {{ y = com.microsoft.QLinearConcat <axis = 1> (t, v, x, s, z, w, t, v) }}""",
        tmp_path,
    )
    (layer,) = layers.layers
    assert layer.kind == "Concat" and [operand.tensor for operand in layer.inputs] == ["x", "w"]
    grids = [operand.quant for operand in (*layer.inputs, *layer.outputs)]
    assert [(round(float(q.scale[0]), 6), q.zero) for q in grids if q is not None] == [
        (0.1, 3),
        (0.2, -128),
        (0.2, -128),
    ]


@pytest.mark.parametrize("bias", ["b", "c"])
def test_a_bias_is_one_whether_constant_or_computed(bias: str, tmp_path: Path) -> None:
    layers = folded(
        f"""g (float[1,2] x, float[2] n) => (float[1,2] y) <float[2,2] w = {{1, 2, 3, 4}}, float[2] b = {{1, 2}}>
        {{ c = Abs(n) y = Gemm(x, w, {bias}) }}""",
        tmp_path,
    )
    layer = next(layer for layer in layers.layers if layer.kind == "Gemm")
    assert layer.weight is not None and layer.weight.tensor == "w"
    assert layer.bias is not None and layer.bias.tensor == bias and len(layer.inputs) == 1
    assert (layer.bias.constant is not None) == (bias == "b")


def test_float_weights_behind_a_pair_are_constant(tmp_path: Path) -> None:
    layers = folded(
        f"""g (int8[1,2] x) => (int8[1,2] y) {CONSTANTS[:-1]}, float[2,2] w = {{1, 2, 3, 4}}>
        {{ f = DequantizeLinear(x, s, z) q = QuantizeLinear(w, s, z) d = DequantizeLinear(q, s, z)
           r = MatMul(f, d) y = QuantizeLinear(r, t, v) }}""",
        tmp_path,
    )
    (layer,) = layers.layers
    assert layer.weight is not None and layer.weight.constant is not None
    assert layer.weight.constant.shape == (2, 2) and len(layer.inputs) == 1


def test_a_matmul_of_a_constant_first_has_it_as_its_weight(tmp_path: Path) -> None:
    layers = folded(
        """g (float[2,2] x) => (float[2,2] y, float[2,2] n) <float[2,2] w = {1, 2, 3, 4}>
        { y = MatMul(w, x) n = Add(w, x) }""",
        tmp_path,
    )
    product, total = layers.layers
    assert product.weight is not None and product.weight.tensor == "w"
    assert [operand.tensor for operand in product.inputs] == ["x"]
    assert total.weight is None and [operand.tensor for operand in total.inputs] == ["w", "x"]


PER_CHANNEL = "float[2] ws = {0.01, 0.02}, int8[2] wz = {0, 0}"


@pytest.mark.parametrize(
    ("shapes", "weights", "call", "axis"),
    [
        ("int8[1,2,1,1]", "[2,2,1,1]", "QLinearConv(x, s, z, w, ws, wz, t, v)", 0),
        ("int8[1,2]", "[2,2]", "QLinearMatMul(x, s, z, w, ws, wz, t, v)", -1),
        ("int8[1,2]", "[2,2]", "com.microsoft.QGemm(x, s, z, w, ws, wz, , t, v)", -1),
    ],
)
def test_the_scales_of_qlinear_weights_lie_along_their_outputs(
    shapes: str, weights: str, call: str, axis: int, tmp_path: Path
) -> None:
    """A Conv has its kernels first, a matrix its columns last."""
    layers = folded(
        f"""g ({shapes} x) => ({shapes} y) {CONSTANTS[:-1]}, {PER_CHANNEL}, int8{weights} w = {{1, 2, 3, 4}}>
        {{ y = {call} }}""",
        tmp_path,
    )
    (layer,) = layers.layers
    assert layer.weight is not None and layer.weight.quant is not None
    assert layer.weight.quant.per_channel and layer.weight.quant.axis == axis
    assert layer.inputs[0].quant is not None and not layer.inputs[0].quant.per_channel


def test_scales_of_a_qlinear_input_do_not_lie_along_the_batch(tmp_path: Path) -> None:
    """Axis 0 is that of a Conv's kernels alone, whichever operand has several scales."""
    layers = folded(
        f"""g (int8[1,2,1,1] x) => (int8[1,2,1,1] y) {CONSTANTS[:-1]}, {PER_CHANNEL}, int8[2,2,1,1] w = {{1, 2, 3, 4}}>
        {{ y = QLinearConv(x, ws, wz, w, s, z, t, v) }}""",
        tmp_path,
    )
    (layer,) = layers.layers
    assert layer.inputs[0].quant is not None and layer.inputs[0].quant.axis == -1


@pytest.mark.parametrize("op", ["Conv", "elsewhere.Conv"])
def test_a_third_input_is_a_bias_of_onnx_own_operators_only(op: str, tmp_path: Path) -> None:
    layers = fold(
        from_text(
            f"""<ir_version: 8, opset_import: ["" : 13, "elsewhere" : 1]>
            g (float[1,1,2,2] x) => (float[1,1,2,2] y) <float[1,1,1,1] w = {{2}}, float[1] b = {{1}}>
            {{ y = {op}(x, w, b) }}""",
            tmp_path,
        ).graph
    )
    (layer,) = layers.layers
    assert layer.weight is not None and layer.weight.tensor == "w"
    if op == "Conv":
        assert layer.bias is not None and layer.bias.tensor == "b" and len(layer.inputs) == 1
    else:
        assert layer.bias is None and [operand.tensor for operand in layer.inputs] == ["x", "b"]


@pytest.mark.parametrize(("dtype", "runs"), [("float", True), ("int64", False)])
def test_constants_that_are_an_output_are_copied_and_sizes_are_not(
    dtype: str, runs: bool, tmp_path: Path
) -> None:
    layers = folded(
        f"""g (float[2] x) => (float[2] y, {dtype}[2] n) <{dtype}[2] w = {{1, 2}}> {{ y = Relu(x) n = Identity(w) }}""",
        tmp_path,
    )
    assert [layer.op for layer in layers.layers] == ["Relu", *["Identity"] * runs]
