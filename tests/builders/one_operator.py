"""One operator with Q/DQ around it, to ask where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

Array = NDArray[Any]


@dataclass(frozen=True)
class Act:
    """An activation of this shape. `dtype` 'float32' has no Q/DQ."""

    shape: tuple[int | str, ...]
    scale: float = 0.1
    zero: int = 3
    dtype: str = "int8"


@dataclass(frozen=True, eq=False)
class Const:
    """A constant. `quantized`: int8 with a DQ; else as it is."""

    value: Array
    quantized: bool = False
    zero: int = 0
    dtype: str = "int8"


def weights(*shape: int, **options: Any) -> Const:
    """Weights in integers."""
    return Const(np.ones(shape, np.int8), quantized=True, **options)


def ints(*values: int) -> Const:
    """int64 parameters."""
    return Const(np.array(values, np.int64))


def floats(*values: float) -> Const:
    """float32 parameters."""
    return Const(np.array(values, np.float32))


TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "float32": TensorProto.FLOAT,
}


def model(
    op: str,
    *inputs: Act | Const | None,
    out: str = "int8",
    out_scale: float = 0.1,
    outputs: int = 1,
    opset: int = 21,
    domain: str = "",
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one operator, named N."""
    nodes, values, initializers, names = [], [], [], []
    for i, operand in enumerate(inputs):
        if operand is None:
            names.append("")
            continue
        if isinstance(operand, Act):
            values.append(helper.make_tensor_value_info(f"i{i}", TYPES[operand.dtype], operand.shape))
            quantized, scale, zero, dtype = (
                operand.dtype != "float32",
                operand.scale,
                operand.zero,
                operand.dtype,
            )
        else:
            array = operand.value.astype(operand.dtype) if operand.quantized else operand.value
            initializers.append(numpy_helper.from_array(array, f"i{i}"))
            quantized, scale, zero, dtype = operand.quantized, 0.05, operand.zero, operand.dtype
        if not quantized:
            names.append(f"i{i}")
            continue
        initializers.append(numpy_helper.from_array(np.float32(scale), f"s{i}"))
        initializers.append(numpy_helper.from_array(np.array(zero, dtype), f"z{i}"))
        nodes.append(helper.make_node("DequantizeLinear", [f"i{i}", f"s{i}", f"z{i}"], [f"f{i}"]))
        names.append(f"f{i}")
    made = [f"o{k}" for k in range(outputs)]
    nodes.append(helper.make_node(op, names, made, name="N", domain=domain, **attributes))
    if out != "float32":
        initializers.append(numpy_helper.from_array(np.float32(out_scale), "so"))
        initializers.append(numpy_helper.from_array(np.array(3, out), "zo"))
        nodes += [helper.make_node("QuantizeLinear", [name, "so", "zo"], [f"q{name}"]) for name in made]
        made = [f"q{name}" for name in made]
    graph = helper.make_graph(
        nodes, "g", values, [helper.make_empty_tensor_value_info(m) for m in made], initializers
    )
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def snapshot(proto: onnx.ModelProto, folder: Path, toolchain: str = "2.2") -> Snapshot:
    """The analysis of a model."""
    path = folder / "model.onnx"
    onnx.save(proto, path)
    return analyse(Session.open(load(path), target(toolchain)))


def report(proto: onnx.ModelProto, folder: Path, toolchain: str = "2.2") -> LayerReport:
    """What is said of the operator."""
    return snapshot(proto, folder, toolchain).by_name["N"]
