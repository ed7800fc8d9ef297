"""Quantized networks written in lines: `x: 1x16x8x8`, then `a = Conv(x, w8x16x1x1) pads=[1,1,1,1] @0.2 ^-128`.

1. A layer is named as its first result. All that is computed has a Q and a DQ of scale 0.1 and zero point 3; `@` and `^` name
   others, `float` leaves them out. Results that nothing reads are outputs, and those marked `out`.
2. `w8x16x1x1` are int8 weights, `w8^5` of that zero point, `[1 2]` whole numbers, `{1 2}` floats, `1` one of
   them, `-` no input. A `raw` input has no DQ; `opset: 13` is the model's.
3. `QuantizeLinear(a)` is a second Q behind the DQ of `a`, `DequantizeLinear(a)` makes that DQ an output, and
   `a_raw` is what `a` was before its Q.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEAD = re.compile(r"([\w, ]+?)(?:: (\S+)| = (\w+)\(([^)]*)\))(.*)")
OPTIONS = re.compile(r"(\w+)=(\S+)")


class _Network:
    def __init__(self) -> None:
        self.opset = 21
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.read: dict[str, str] = {}
        """What is computed or given -> the float tensor that its readers name."""
        self.computed: list[str] = []
        self.wanted: set[str] = set()
        """Outputs that a layer reads as well."""
        self.taken: set[str] = set()

    def line(self, line: str) -> None:
        matched = HEAD.fullmatch(line.strip())
        assert matched is not None, line
        names, shape, op, operands, rest = matched.groups()
        results, words = names.split(", "), rest.split()
        if names == "opset":
            self.opset = int(shape)
            return
        if shape is not None:
            self.given(names, [int(size) for size in shape.split("x")], words)
            return
        read = [
            self.operand(word, f"{results[0]}{k}")
            for k, word in enumerate(re.findall(r"\[[^]]*\]|\{[^}]*\}|[^, ]+", operands))
        ]
        attributes = {key: ast.literal_eval(value) for key, value in OPTIONS.findall(rest)}
        raw = [name if "float" in words else f"{name}_raw" for name in results]
        if op == "DequantizeLinear":  # that of the operand alone
            self.computed.append(read[0])
            return
        if op == "QuantizeLinear":  # the Q alone, behind a DQ: another scale
            raw = read
        else:
            self.nodes.append(helper.make_node(op, read, raw, name=results[0], **attributes))
        for name, source in zip(results, raw, strict=True):
            self.computed.append(name)
            if "out" in words:
                self.wanted.add(name)
            if "float" in words:
                self.read[name] = name
                continue
            grid = self.grid(name, words)
            self.nodes.append(helper.make_node("QuantizeLinear", [source, *grid], [name], name=f"{name}_q"))
            self.dequantized(name, grid)

    def given(self, name: str, shape: list[int], words: list[str]) -> None:
        kind = next((w for w in words if w in ("float", "uint8")), "int8")
        element = {"float": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}[kind]
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        if kind == "float" or "raw" in words:
            self.read[name] = name
        else:
            self.dequantized(name, self.grid(name, words, kind))

    def dequantized(self, name: str, grid: list[str]) -> None:
        self.nodes.append(
            helper.make_node("DequantizeLinear", [name, *grid], [f"{name}_f"], name=f"{name}_dq")
        )
        self.read[name] = f"{name}_f"

    def grid(self, name: str, words: list[str], kind: str = "int8") -> list[str]:
        scale = next((float(w[1:]) for w in words if w[0] == "@"), 0.1)
        zero = next((int(w[1:]) for w in words if w[0] == "^"), 3)
        return [
            self.constant(f"{name}_scale", np.float32(scale)),
            self.constant(f"{name}_zero", np.array(zero, kind)),
        ]

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def operand(self, word: str, name: str) -> str:
        if word == "-":
            return ""
        if word[0] in "-.0123456789":
            return self.constant(name, np.float32(word))
        if word[0] in "[{":
            values = word[1:-1].split()
            return self.constant(name, np.array(values, np.int64 if word[0] == "[" else np.float32))
        weights = re.fullmatch(r"w([\dx]+)(?:\^(-?\d+))?", word)
        if weights is None:
            self.taken.add(word)
            return self.read.get(word, word)
        shape = [int(size) for size in weights[1].split("x")]
        self.constant(name, np.ones(shape, np.int8))
        grid = [
            self.constant(f"{name}_scale", np.float32(0.05)),
            self.constant(f"{name}_zero", np.int8(weights[2] or 0)),
        ]
        self.nodes.append(
            helper.make_node("DequantizeLinear", [name, *grid], [f"{name}_f"], name=f"{name}_dq")
        )
        return f"{name}_f"

    def model(self) -> onnx.ModelProto:
        ends = [name for name in self.computed if name in self.wanted or name not in self.taken]
        outputs = [helper.make_empty_tensor_value_info(name) for name in ends]
        graph = helper.make_graph(self.nodes, "g", self.inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)


def network(text: str) -> onnx.ModelProto:
    """The model that is written so."""
    made = _Network()
    for line in text.strip().splitlines():
        made.line(line)
    return made.model()
