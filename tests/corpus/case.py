"""A bad input and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

Write = Callable[[Path], Path]
"""Writes the input into a folder and returns what is to be opened."""

OPENS = "opens"
"""It is a model: it opens and is judged, whatever the verdict."""
EITHER = "either"
"""It opens, or is refused in a line."""


@dataclass(frozen=True)
class Case:
    """`expected` is OPENS, EITHER, the code of a finding ('N114') or a word of the line that refuses it."""

    name: str
    write: Write
    expected: str

    @property
    def code(self) -> str:
        """The finding that is expected, '' where none is."""
        is_code = len(self.expected) == 4 and self.expected[0] == "N" and self.expected[1:].isdigit()
        return self.expected if is_code else ""


def content(data: bytes, file: str = "model.onnx") -> Write:
    """A file of these bytes."""

    def write(folder: Path) -> Path:
        path = folder / file
        path.write_bytes(data)
        return path

    return write


def saved(model: ModelProto) -> Write:
    """A model."""
    return content(model.SerializeToString())


Spec = tuple[str, Sequence[int | str | None] | None]
"""(element type, shape)."""


def tensor(name: str, spec: Spec) -> Any:
    """A ValueInfoProto."""
    return helper.make_tensor_value_info(name, getattr(TensorProto, spec[0].upper()), spec[1])


def model(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Spec],
    outputs: Sequence[str] = ("y",),
    constants: dict[str, Any] | None = None,
    opset: int = 13,
    raw: Sequence[TensorProto] = (),
    domains: Sequence[str] = (),
) -> ModelProto:
    """A model of these nodes; `constants` are initializers as arrays, `raw` as messages."""
    graph = GraphProto(name="g")
    graph.node.extend(nodes)
    graph.input.extend(tensor(name, spec) for name, spec in inputs.items())
    graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(v), name) for name, v in (constants or {}).items()
    )
    graph.initializer.extend(raw)
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: Any) -> NodeProto:
    """A node; attributes may be messages as they are."""
    options = {k: v for k, v in attributes.items() if not isinstance(v, AttributeProto)}
    made = helper.make_node(op, list(inputs), list(outputs), **options)
    made.attribute.extend(v for v in attributes.values() if isinstance(v, AttributeProto))
    return made


def quantized(
    op: str,
    shape: Sequence[int],
    /,
    *more: str,
    constants: dict[str, Any] | None = None,
    opset: int = 13,
    outputs: int = 1,
    **attributes: Any,
) -> ModelProto:
    """int8 data -> DQ -> operator -> Q; `more` are its further inputs, among `constants`."""
    names = [f"r{i}" for i in range(outputs)]
    nodes = [node("DequantizeLinear", ["x", "s", "z"], ["f"]), node(op, ["f", *more], names, **attributes)]
    nodes += [node("QuantizeLinear", [name, "s", "z"], [f"y{i}"]) for i, name in enumerate(names)]
    grid = {"s": np.float32(0.1), "z": np.int8(0)}
    return model(
        nodes, {"x": ("int8", shape)}, [f"y{i}" for i in range(outputs)], {**grid, **(constants or {})}, opset
    )


def weights(
    shape: Sequence[int], scales: int = 1, axis: int | None = None, zeros: int | None = None
) -> ModelProto:
    """A Conv of 1x16x8x8 data whose int8 weights have this shape and these scales."""
    nodes = [
        node("DequantizeLinear", ["x", "s", "z"], ["f"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], **({} if axis is None else {"axis": axis})),
        node("Conv", ["f", "wf"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    count = scales if zeros is None else zeros
    constants = {
        "s": np.float32(0.1),
        "z": np.int8(0),
        "w": np.ones(shape, np.int8),
        "ws": np.full(scales, 0.1, np.float32) if scales > 1 else np.float32(0.1),
        "wz": np.zeros(count, np.int8) if count > 1 else np.int8(0),
    }
    return model(nodes, {"x": ("int8", (1, 16, 8, 8))}, ["y"], constants)
