"""Write the sample models: python sample_models/make_samples.py [OUTDIR] [--only NAME ...]."""

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat
from sample_network import Floats, Network, quantized, tidied, with_int8_borders, with_own_constants

# The input scales and zero points that the compiler printed for the forum case.
DENOISER_SPECTRUM = ("Input_18_out_0", 0.024541926, 2)
DENOISER_STATES = [(f"Input_{number}_out_0", 0.023921722, 5) for number in (13, 9, 4, 0)]


def denoiser_cell(
    net: Network,
    scope: str,
    first: int,
    source: tuple[str, int],
    states: Sequence[str],
    outputs: Sequence[str],
) -> str:
    """One LSTM step, its nodes numbered from `first`; reads and writes (h, c) and returns the new h.

    `source` is the step's input and its width.
    """
    hidden, cell = states
    gate = [f"Split_{first + 4}_out_{index}" for index in range(4)]
    weight = net.weight(f"Gemm_{first}_weight", (1024, source[1]))
    inner = net.add(
        "Gemm",
        f"Gemm_{first}",
        source[0],
        weight,
        net.bias(f"Gemm_{first}_bias", 1024),
        transB=1,
        scope=scope,
    )
    weight = net.weight(f"Gemm_{first + 2}_weight", (1024, 256))
    outer = net.add("Gemm", f"Gemm_{first + 2}", hidden, weight, transB=1, scope=scope)
    gates = net.add("Add", f"Add_{first + 3}", inner, outer, scope=scope)
    parts = net.constant(f"Split_{first + 4}_split", np.array([256] * 4, np.int64))
    net.add("Split", f"Split_{first + 4}", gates, parts, outputs=gate, axis=1, scope=scope)
    write = net.add("Sigmoid", f"Sigmoid_{first + 5}", gate[0], scope=scope)
    keep = net.add("Sigmoid", f"Sigmoid_{first + 6}", gate[1], scope=scope)
    value = net.add("Tanh", f"Tanh_{first + 7}", gate[2], scope=scope)
    show = net.add("Sigmoid", f"Sigmoid_{first + 8}", gate[3], scope=scope)
    kept = net.add("Mul", f"Mul_{first + 10}", keep, cell, scope=scope)
    new = net.add("Mul", f"Mul_{first + 11}", write, value, scope=scope)
    cell = net.add("Add", f"Add_{first + 13}", kept, new, outputs=outputs[1:], scope=scope)
    bent = net.add("Tanh", f"Tanh_{first + 15}", cell, scope=scope)
    return net.add("Mul", f"Mul_{first + 17}", show, bent, outputs=outputs[:1], scope=scope)


def denoiser_float() -> onnx.ModelProto:
    """The forum case's LSTM speech denoiser, one frame per call, before quantization."""
    net = Network("denoiser_lstm", "_out_", seed=4)
    weight, bias = net.weight("Conv2D_23_weight", (257, 257, 1)), net.bias("Conv2D_23_bias", 257)
    x = net.add("Conv", "Conv2D_23", DENOISER_SPECTRUM[0], weight, bias, kernel_shape=[1], scope="input")
    x = net.add("Flatten", "Flatten_26", x, axis=1, scope="input")
    states = [name for name, _, _ in DENOISER_STATES]
    new_states = [f"Quantize_{number}_out_0" for number in (47, 49, 70, 72)]
    x = denoiser_cell(net, "lstm_0", 28, (x, 257), states[:2], new_states[:2])
    x = denoiser_cell(net, "lstm_1", 51, (x, 256), states[2:], new_states[2:])
    weight, bias = net.weight("Gemm_74_weight", (257, 256), gain=1.6), net.bias("Gemm_74_bias", 257)
    x = net.add("Gemm", "Gemm_74", x, weight, bias, transB=1, scope="mask")
    axes = net.constant("Unsqueeze_76_axes", np.array([2], np.int64))
    x = net.add("Unsqueeze", "Unsqueeze_76", x, axes, scope="mask")
    weight, bias = net.weight("Conv2D_79_weight", (257, 257, 1), gain=1.26), net.bias("Conv2D_79_bias", 257)
    x = net.add("Conv", "Conv2D_79", x, weight, bias, kernel_shape=[1], scope="mask")
    net.add("Sigmoid", "Sigmoid_82", x, outputs=["Quantize_84_out_0"], scope="mask")
    return net.model(
        {DENOISER_SPECTRUM[0]: [1, 257, 1]} | {name: [1, 256] for name in states},
        {"Quantize_84_out_0": [1, 257, 1]} | {name: [1, 256] for name in new_states},
    )


def denoiser_samples(count: int = 16) -> list[dict[str, Floats]]:
    """Half normal, half uniform data that spans exactly the ranges of the case's inputs.

    The seed is one for which the state outputs get the case's zero points as well: 0, 0, -2, -1.
    """
    rng = np.random.default_rng(4765)
    columns: dict[str, Floats] = {}
    for name, scale, zero_point in (DENOISER_SPECTRUM, *DENOISER_STATES):
        shape = (count // 2, 1, 257, 1) if name == DENOISER_SPECTRUM[0] else (count // 2, 1, 256)
        low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
        values = np.concatenate([rng.standard_normal(shape), rng.uniform(low, high, shape)]).clip(low, high)
        values *= np.where(values < 0, low / values.min(), high / values.max())
        columns[name] = values.astype(np.float32)
    return [{name: values[index] for name, values in columns.items()} for index in range(count)]


def denoiser_lstm_float() -> onnx.ModelProto:
    """The denoiser in float."""
    model = denoiser_float()
    return tidied(model, model, "LSTM speech denoiser, one frame per call, float.")


def denoiser_lstm_int8() -> onnx.ModelProto:
    """The denoiser in int8, with int8 inputs and outputs."""
    model = denoiser_float()
    int8 = with_own_constants(with_int8_borders(quantized(model, denoiser_samples())), "Split")
    return tidied(int8, model, "LSTM speech denoiser, one frame per call, int8 QDQ.")


def conv(
    net: Network,
    name: str,
    x: str,
    shape: tuple[int, int, int, int],
    *,
    stride: int = 1,
    group: int = 1,
    clip: bool = False,
    relu: bool = False,
) -> str:
    """A padded Conv with bias, and its activation."""
    gain = 1.45 if clip or relu else 1.0
    weight = net.weight(f"{name}/weight", shape, gain=gain if group == 1 else 1.8)
    x = net.add(
        "Conv",
        f"{name}/Conv",
        x,
        weight,
        net.bias(f"{name}/bias", shape[0]),
        kernel_shape=shape[2:],
        pads=[side // 2 for side in shape[2:]] * 2,
        strides=[stride, stride],
        group=group,
    )
    if clip:
        low = net.constant(f"{name}/clip_min", np.array(0, np.float32))
        high = net.constant(f"{name}/clip_max", np.array(6, np.float32))
        x = net.add("Clip", f"{name}/Clip", x, low, high)
    return net.add("Relu", f"{name}/Relu", x) if relu else x


def mobilenet_block(
    net: Network, name: str, x: str, shape: tuple[int, int, int], kernel: int, stride: int
) -> str:
    """Expand, depthwise, project; plus the input where the shapes agree. `shape` is channels in, within, out."""
    narrow, wide, out = shape
    y = conv(net, f"{name}/expand", x, (wide, narrow, 1, 1), clip=True)
    y = conv(net, f"{name}/dw", y, (wide, 1, kernel, kernel), stride=stride, group=wide, clip=True)
    y = conv(net, f"{name}/project", y, (out, wide, 1, 1))
    return net.add("Add", f"{name}/Add", x, y) if narrow == out and stride == 1 else y


def image_samples(seed: int, size: int, count: int = 8) -> list[dict[str, Floats]]:
    """Noise of several grain sizes in the range of normalised pixels."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        image = np.zeros((1, 3, size, size))
        for grain in (1, 4, 16):
            coarse = rng.standard_normal((1, 3, size // grain, size // grain))
            image += np.kron(coarse, np.ones((grain, grain))) / np.sqrt(3)
        samples.append({"image": (0.2 + image).clip(-2.1, 2.6).astype(np.float32)})
    return samples


def mobilenet_mini_int8() -> onnx.ModelProto:
    """Inverted residuals with ReLU6, a float Softmax at the end."""
    net = Network("mobilenet_mini", "_output_", seed=11)
    x = conv(net, "/features/stem", "image", (16, 3, 3, 3), stride=2, clip=True)
    x = mobilenet_block(net, "/features/block1", x, (16, 48, 16), kernel=3, stride=1)
    x = mobilenet_block(net, "/features/block2", x, (16, 64, 24), kernel=3, stride=2)
    x = mobilenet_block(net, "/features/block3", x, (24, 96, 24), kernel=3, stride=1)
    x = mobilenet_block(net, "/features/block4", x, (24, 96, 40), kernel=5, stride=2)
    x = mobilenet_block(net, "/features/block5", x, (40, 160, 40), kernel=3, stride=1)
    x = conv(net, "/features/last", x, (160, 40, 1, 1), clip=True)
    x = net.add("GlobalAveragePool", "/pool/GlobalAveragePool", x)
    x = net.add("Flatten", "/pool/Flatten", x, axis=1)
    weight, bias = net.weight("/classifier/weight", (10, 160), gain=4.0), net.bias("/classifier/bias", 10)
    x = net.add("Gemm", "/classifier/Gemm", x, weight, bias, transB=1)
    net.add("Softmax", "/classifier/Softmax", x, outputs=["probabilities"], axis=1)
    model = net.model({"image": [1, 3, 64, 64]}, {"probabilities": [1, 10]})
    int8 = quantized(model, image_samples(12, 64), exclude=["/classifier/Softmax"])
    return tidied(int8, model, "MobileNet-like classifier, int8 QDQ, float Softmax.")


def layer_norm(net: Network, name: str, x: str, size: int) -> str:
    """LayerNormalization in the parts that exporters write below opset 17."""
    mean = net.add("ReduceMean", f"{name}/ReduceMean", x, axes=[-1], keepdims=1)
    centred = net.add("Sub", f"{name}/Sub", x, mean)
    two = net.constant(f"{name}/two", np.array(2, np.float32))
    square = net.add("Pow", f"{name}/Pow", centred, two)
    variance = net.add("ReduceMean", f"{name}/ReduceMean_1", square, axes=[-1], keepdims=1)
    epsilon = net.constant(f"{name}/epsilon", np.array(1e-5, np.float32))
    variance = net.add("Add", f"{name}/Add", variance, epsilon)
    deviation = net.add("Sqrt", f"{name}/Sqrt", variance)
    x = net.add("Div", f"{name}/Div", centred, deviation)
    gamma = net.constant(f"{name}/gamma", net.rng.uniform(0.8, 1.2, size).astype(np.float32))
    return net.add(
        "Add", f"{name}/Add_1", net.add("Mul", f"{name}/Mul", x, gamma), net.bias(f"{name}/beta", size)
    )


def dense(net: Network, name: str, x: str, inputs: int, outputs: int, gain: float = 1.0) -> str:
    """A MatMul with a constant weight, and its bias."""
    x = net.add(
        "MatMul",
        f"{name}/MatMul",
        x,
        net.weight(f"{name}/weight", (outputs, inputs), gain=gain, transposed=True),
    )
    return net.add("Add", f"{name}/Add", x, net.bias(f"{name}/bias", outputs))


def gelu(net: Network, name: str, x: str) -> str:
    """GELU in the parts that exporters write below opset 20."""
    root = net.constant(f"{name}/root", np.array(np.sqrt(2), np.float32))
    one = net.constant(f"{name}/one", np.array(1, np.float32))
    half = net.constant(f"{name}/half", np.array(0.5, np.float32))
    y = net.add("Erf", f"{name}/Erf", net.add("Div", f"{name}/Div", x, root))
    y = net.add("Mul", f"{name}/Mul", x, net.add("Add", f"{name}/Add", y, one))
    return net.add("Mul", f"{name}/Mul_1", y, half)


def attention_block_int8() -> onnx.ModelProto:
    """One transformer encoder block; the second normalisation stays in float."""
    steps, size, heads = 16, 64, 2
    net = Network("attention_block", "_output_", seed=21)
    to_heads = net.constant("/block/attn/heads", np.array([1, steps, heads, size // heads], np.int64))
    to_steps = net.constant("/block/attn/steps", np.array([1, steps, size], np.int64))
    scale = net.constant("/block/attn/factor", np.array((size // heads) ** -0.5, np.float32))

    def head(name: str, x: str, order: Sequence[int]) -> str:
        x = dense(net, f"/block/attn/{name}", x, size, size, gain=1.5)
        x = net.add("Reshape", f"/block/attn/{name}/Reshape", x, to_heads)
        return net.add("Transpose", f"/block/attn/{name}/Transpose", x, perm=order)

    x = layer_norm(net, "/block/norm1", "tokens", size)
    query, key = head("q", x, (0, 2, 1, 3)), head("k", x, (0, 2, 3, 1))
    scores = net.add("MatMul", "/block/attn/qk/MatMul", query, key)
    scores = net.add("Mul", "/block/attn/qk/Mul", scores, scale)
    scores = net.add("Softmax", "/block/attn/Softmax", scores, axis=-1)
    y = net.add("MatMul", "/block/attn/av/MatMul", scores, head("v", x, (0, 2, 1, 3)))
    y = net.add("Transpose", "/block/attn/av/Transpose", y, perm=(0, 2, 1, 3))
    y = net.add("Reshape", "/block/attn/av/Reshape", y, to_steps)
    x = net.add("Add", "/block/attn/Add", "tokens", dense(net, "/block/attn/out", y, size, size))
    y = layer_norm(net, "/block/norm2", x, size)
    y = gelu(net, "/block/mlp/gelu", dense(net, "/block/mlp/up", y, size, 2 * size))
    y = dense(net, "/block/mlp/down", y, 2 * size, size)
    net.add("Add", "/block/mlp/Add", x, y, outputs=["encoded"])
    model = net.model({"tokens": [1, steps, size]}, {"encoded": [1, steps, size]})
    rng = np.random.default_rng(22)
    samples = [{"tokens": rng.standard_normal((1, steps, size)).astype(np.float32)} for _ in range(8)]
    int8 = quantized(
        model,
        samples,
        op_types=(
            *("MatMul", "Add", "Sub", "Mul", "Div", "Sqrt", "Erf", "ReduceMean"),
            *("Softmax", "Reshape", "Transpose"),
        ),
        exclude=[node.name for node in model.graph.node if node.name.startswith("/block/norm2/")],
        optimize=False,
    )
    return tidied(int8, model, "Transformer encoder block, int8 QDQ, second normalisation in float.")


def convnet_qoperator() -> onnx.ModelProto:
    """A small residual convnet in QOperator form."""
    net = Network("convnet", "_output_", seed=31)
    x = conv(net, "/stem", "image", (16, 3, 3, 3), relu=True)
    x = net.add("MaxPool", "/stem/MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = conv(net, "/block/conv1", x, (16, 16, 3, 3), relu=True)
    y = conv(net, "/block/conv2", y, (16, 16, 3, 3))
    x = net.add("Add", "/block/Add", x, y)
    x = conv(net, "/down", x, (32, 16, 3, 3), stride=2, relu=True)
    x = net.add("GlobalAveragePool", "/pool/GlobalAveragePool", x)
    x = net.add("Flatten", "/pool/Flatten", x, axis=1)
    weight, bias = net.weight("/head/hidden/weight", (24, 32), gain=2.0), net.bias("/head/hidden/bias", 24)
    x = net.add("Gemm", "/head/hidden/Gemm", x, weight, bias, transB=1)
    x = net.add("Sigmoid", "/head/hidden/Sigmoid", x)
    x = net.add(
        "MatMul",
        "/head/scores/MatMul",
        x,
        net.weight("/head/scores/weight", (6, 24), gain=2.0, transposed=True),
    )
    net.add("Softmax", "/head/Softmax", x, outputs=["probabilities"], axis=1)
    model = net.model({"image": [1, 3, 32, 32]}, {"probabilities": [1, 6]})
    int8 = quantized(model, image_samples(32, 32), QuantFormat.QOperator)
    return tidied(int8, model, "Small residual convnet, int8 in QOperator form.")


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "denoiser_lstm_int8": denoiser_lstm_int8,
    "denoiser_lstm_float": denoiser_lstm_float,
    "mobilenet_mini_int8": mobilenet_mini_int8,
    "attention_block_int8": attention_block_int8,
    "convnet_qoperator": convnet_qoperator,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the sample models.")
    parser.add_argument("outdir", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", nargs="+", choices=sorted(MODELS), default=list(MODELS), metavar="NAME")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # onnxruntime's advice against QOperator, which one sample shows
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        path = arguments.outdir / f"{name}.onnx"
        path.write_bytes(MODELS[name]().SerializeToString(deterministic=True))
        print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
