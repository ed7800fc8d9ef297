"""The reference interpreter's own tensors, and converted operators run on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from npuscope.tflite.convert import DOMAIN, convert, prepared
from npuscope.tflite.schema import Operator, Subgraph, parse


@dataclass(frozen=True)
class Distance:
    """How far a converted operator is from the reference."""

    operator: str
    steps: float
    """Largest difference: quantization steps, or for floats parts of the largest value."""
    equal: float
    """Share of equal values."""


def interpreted(data: bytes, seed: int = 0, fast: bool = False) -> tuple[Subgraph, dict[int, Any]]:
    """The main subgraph as it is converted and the value of every tensor, by the reference kernels (or the fast ones)."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    graph, kernels = parse(data), litert.OpResolverType
    resolver = kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if fast else kernels.BUILTIN_REF
    interpreter = litert.Interpreter(
        model_content=data,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    random = np.random.default_rng(seed)
    for number in graph.inputs:
        interpreter.set_tensor(number, sample(graph, number, random))
    interpreter.invoke()
    values = {}
    for tensor in graph.tensors:
        if tensor.dtype == "resource":  # the interpreter ends the process
            continue
        try:
            values[tensor.index] = interpreter.get_tensor(tensor.index)
        except ValueError:
            continue
    return prepared(graph), values


def sample(graph: Subgraph, number: int, random: np.random.Generator) -> Any:
    """Smooth random content for an input."""
    tensor = graph.tensors[number]
    if tensor.dtype in ("int8", "uint8", "int16"):
        limits = np.iinfo(tensor.dtype)
        return random.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype)
    if tensor.dtype == "bool":
        return random.integers(0, 2, tensor.shape).astype(bool)
    if tensor.dtype in ("int32", "int64"):
        return random.integers(0, 4, tensor.shape).astype(tensor.dtype)
    return random.uniform(-1, 1, tensor.shape).astype(tensor.dtype)


def run(model: Any, feeds: dict[str, Any]) -> list[Any]:
    """Outputs of an ONNX model, each operator as written: no fusing."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {name: np.asarray(value) for name, value in feeds.items()}))


def fixed(graph: Subgraph) -> set[int]:
    """Tensors that depend on constants alone."""
    known = {tensor.index for tensor in graph.tensors if tensor.data is not None} | {-1}
    for operator in graph.operators:
        shape = operator.kind in ("SHAPE", "RANK")
        if shape or (operator.inputs and known.issuperset(operator.inputs)):
            known.update(operator.outputs)
    return known


def alone(
    graph: Subgraph, operator: Operator, values: dict[int, Any], known: set[int]
) -> tuple[Subgraph, list[int]]:
    """A subgraph of one operator; what other operators compute from constants are constants of it."""
    tensors, fed_inputs = list(graph.tensors), []
    for number in dict.fromkeys(operator.inputs):
        tensor = tensors[number]
        if number < 0 or tensor.data is not None or number not in values:
            continue
        if number in known:
            data = memoryview(np.ascontiguousarray(values[number]).tobytes())
            tensors[number] = replace(tensor, data=data)
        else:
            fed_inputs.append(number)
    return Subgraph(
        tuple(tensors), (operator,), tuple(fed_inputs), operator.outputs, "", graph.body
    ), fed_inputs


def distances(
    data: bytes, seed: int = 0, kept: frozenset[str] = frozenset(), fast: bool = False
) -> list[Distance]:
    """Every operator of a file, fed the reference's own inputs; those `kept` under their own name are left out."""
    graph, values = interpreted(data, seed, fast)
    made, known = [], fixed(graph)
    for operator in graph.operators:
        if known.issuperset(operator.outputs):
            continue
        part, fed_inputs = alone(graph, operator, values, known)
        model = convert(part, len(data))
        if any(node.domain == DOMAIN for node in model.graph.node):
            assert operator.kind in kept, f"{operator.name} is not converted"
            continue
        names = [graph.tensors[number].name for number in fed_inputs]
        got = run(model, {name: values[number] for name, number in zip(names, fed_inputs, strict=True)})
        for number, result in zip(operator.outputs, got, strict=True):
            made.append(
                distance(operator.name, result, values[number], graph.tensors[number].quant is not None)
            )
    return made


def distance(name: str, got: Any, wanted: Any, quantized: bool) -> Distance:
    """Two results side by side."""
    assert got.shape == wanted.shape, f"{name}: {got.shape} for {wanted.shape}"
    assert got.dtype == wanted.dtype, f"{name}: {got.dtype} for {wanted.dtype}"
    if not got.size:
        return Distance(name, 0.0, 1.0)
    difference = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    if got.dtype.kind == "f":
        difference = difference / max(float(np.abs(wanted).max()), 1e-6)
        return Distance(name, float(difference.max()), float((difference < 1e-6).mean()))
    return Distance(name, float(difference.max()), float((difference == 0).mean()))


def noise_ratio(data: bytes, seed: int = 0) -> dict[str, float]:
    """Signal to noise in dB of each output of the whole converted model against the reference."""
    graph, values = interpreted(data, seed)
    feeds = {graph.tensors[number].name: values[number] for number in graph.inputs}
    ratios = {}
    for number, got in zip(dict.fromkeys(graph.outputs), run(convert(graph, len(data)), feeds), strict=True):
        wanted, result = values[number].astype(np.float64), got.astype(np.float64)
        quant = graph.tensors[number].quant
        offset = float(quant.zero_point[0]) if quant is not None else 0.0
        noise = float(((wanted - result) ** 2).sum())
        signal = float(((wanted - offset) ** 2).sum())
        ratios[graph.tensors[number].name] = float(10 * np.log10(signal / noise)) if noise else float("inf")
    return ratios
