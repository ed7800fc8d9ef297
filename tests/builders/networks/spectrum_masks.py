"""Two layers of the float denoiser's kinds, with its 257 frequencies: what it is planned and quantized for, in a tenth of the time."""

from __future__ import annotations

import onnx

from builders.networks.float_networks import FloatNetwork


def mask() -> onnx.ModelProto:
    """A frame times its mask. In int8 its first Gemm is left to the CPU; a plan for it has exact and lossy steps."""
    net = FloatNetwork(7)
    inner = net.add("LeakyRelu", net.gemm("x", 257, 48), alpha=0.1)
    return net.model((1, 257), net.add("Mul", net.add("Sigmoid", net.gemm(inner, 48, 257)), "x"))


def gated_mask() -> onnx.ModelProto:
    """A gate over a frame and its state: zero points of 0 take cycles off its Gemms."""
    net = FloatNetwork(7)
    state = net.add("Tanh", net.gemm("x", 257, 32))
    gate = net.add("Sigmoid", net.gemm(net.add("Concat", "x", state, axis=1), 289, 32))
    return net.model((1, 257), net.gemm(net.add("Mul", gate, state), 32, 257))
