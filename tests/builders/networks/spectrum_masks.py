"""Two layers of the float denoiser's kinds, with its 257 frequencies: what it is planned and quantized for, in a tenth of the time."""

from __future__ import annotations

from pathlib import Path

import onnx

from builders.networks.float_networks import FloatNetwork
from npuscope.model.load import Source, source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize


def mask() -> onnx.ModelProto:
    """A frame times its mask. In int8 its first Gemm is left to the CPU; a plan for it has exact and lossy steps."""
    net = FloatNetwork(7)
    inner = net.add("LeakyRelu", net.gemm("x", 257, 48), alpha=0.1)
    return net.model((1, 257), net.add("Mul", net.add("Sigmoid", net.gemm(inner, 48, 257)), "x"))


def quantized(network: onnx.ModelProto) -> Source:
    """One of these in int8, on random samples."""
    source = source_of(Path("m.onnx"), network)
    return quantize(source, random_samples(source, 3), Settings())


def gated_mask() -> onnx.ModelProto:
    """A gate over a frame and its state: zero points of 0 take cycles off its Gemms."""
    net = FloatNetwork(7)
    state = net.add("Tanh", net.gemm("x", 257, 32))
    gate = net.add("Sigmoid", net.gemm(net.add("Concat", "x", state, axis=1), 289, 32))
    return net.model((1, 257), net.gemm(net.add("Mul", gate, state), 32, 257))
