"""A model file, opened without reading its weights."""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, numpy_helper

from npuscope.model.encoding import has_undecodable_names
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node, unique_names
from npuscope.model.shape_values import completed, stops_early
from npuscope.model.shapes import declared_types, infer_types
from npuscope.model.tensors import Array, Constant, ModelFile, TensorType, constant_of
from npuscope.model.wire import FileBytes, Span, UnusualEncodingError, set_aside
from npuscope.tflite import is_tflite
from npuscope.tflite import read as read_tflite

SET_ASIDE_ABOVE = 4 << 20
"""Files above this many bytes are read without their weights; below it, parsing them whole is as fast."""

OLDEST_OPSET, NEWEST_OPSET = 7, 25

_CONSTANT_ATTRIBUTES: dict[str, Callable[[AttributeProto], Array]] = {
    "value_float": lambda a: np.array(a.f, np.float32),
    "value_floats": lambda a: np.array(a.floats, np.float32),
    "value_int": lambda a: np.array(a.i, np.int64),
    "value_ints": lambda a: np.array(a.ints, np.int64),
}


@dataclass(frozen=True, eq=False)
class Source:
    """A model as it lies on disk. `proto` is shared and never changed; large weights are not in it."""

    path: Path
    proto: ModelProto
    spans: Mapping[str, Span]
    graph: Graph
    free_batch: tuple[str, ...] = ()
    """Graph inputs whose first size is free; it is taken as 1, as the compiler does (FACTS 3.1)."""

    @cached_property
    def sha256(self) -> str:
        """Of the model file alone, without its external data."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        return digest.hexdigest()

    @property
    def producer(self) -> str:
        """Name and version of the tool that wrote the model."""
        return f"{self.proto.producer_name} {self.proto.producer_version}".strip()


def load(path: str | os.PathLike[str], prepare: Callable[[ModelProto], ModelProto] | None = None) -> Source:
    """Open an ONNX file, or a TFLite file as the ONNX model it is converted to. Raises ModelError, in one line, for anything that is not a usable model.

    `prepare` may give another model for the one in the file, which it must not change; large weights are not in it.
    """
    place = Path(path)
    proto, spans = _read(place)
    if prepare is not None:
        proto = prepare(proto)
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise ModelError(f"{place}: is not an ONNX model (it holds no graph)")
    if has_undecodable_names(proto):
        raise ModelError(f"{place}: holds a name that is not UTF-8; the file is damaged, export it again")
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    version = opsets.get("", opsets.get("ai.onnx"))
    if version is not None and not OLDEST_OPSET <= version <= NEWEST_OPSET:
        raise ModelError(
            f"{place}: opset {version} is not read (opsets {OLDEST_OPSET} to {NEWEST_OPSET} are); "
            "convert it with onnx.version_converter"
        )
    constants = _constants(proto.graph, ModelFile(place), spans)
    bound, free_batch = with_batch_of_one(proto)
    types = infer_types(bound, constants, declared_types(bound.graph))
    graph = index(proto, constants, types, opsets)
    if stops_early(graph):
        graph = replace(graph, types=completed(graph, types))
    return Source(place, proto, spans, graph, free_batch)


def with_batch_of_one(proto: ModelProto) -> tuple[ModelProto, tuple[str, ...]]:
    """The model with every free first size of a graph input set to 1, and the names of those inputs."""
    given = {tensor.name for tensor in proto.graph.initializer}
    free = []
    for position, value in enumerate(proto.graph.input):
        shape = value.type.tensor_type.shape
        if value.name not in given and shape.dim and not shape.dim[0].dim_value > 0:
            free.append((position, value.name))
    if not free:
        return proto, ()
    bound = ModelProto()
    bound.CopyFrom(proto)
    symbols = set()
    for position, _ in free:
        first = bound.graph.input[position].type.tensor_type.shape.dim[0]
        symbols.add(first.dim_param)
        first.dim_value = 1
    # Sizes recorded in the file under the same symbol would contradict the inputs.
    for value in (*bound.graph.value_info, *bound.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and dim.dim_param in symbols:
                dim.dim_value = 1
    return bound, tuple(name for _, name in free)


def index(
    proto: ModelProto,
    constants: Mapping[str, Constant],
    types: Mapping[str, TensorType],
    opsets: Mapping[str, int],
) -> Graph:
    """The Graph of a parsed model."""
    graph = proto.graph
    nodes = tuple(
        Node(name, node.op_type, node.domain, tuple(node.input), tuple(node.output), node)
        for name, node in zip(unique_names(graph.node), graph.node, strict=True)
    )
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    outputs = tuple(value.name for value in graph.output)
    functions = frozenset((function.domain, function.name) for function in proto.functions)
    return Graph(nodes, constants, types, inputs, outputs, opsets, functions=functions)


def _read(path: Path) -> tuple[ModelProto, dict[str, Span]]:
    try:
        # A FIFO would block the open and a device might never end.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise ModelError(f"{path}: is a directory; name the .onnx or .tflite file in it")
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: is not a regular file; npuscope reads .onnx and .tflite files")
        if status.st_size == 0:
            raise ModelError(f"{path}: is empty; export or copy it again")
        return _parse(path, handle, status.st_size)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    finally:
        os.close(handle)


def _parse(path: Path, handle: int, size: int) -> tuple[ModelProto, dict[str, Span]]:
    proto = ModelProto()
    data = FileBytes(handle, size)
    if is_tflite(data.slice(0, min(size, 8))):
        return read_tflite(data.slice(0, size), str(path)), {}
    content, spans = b"", dict[str, Span]()
    if size > SET_ASIDE_ABOVE:
        try:
            content, spans = set_aside(data)
        except UnusualEncodingError:
            content, spans = b"", {}
    content = content or data.slice(0, size)
    try:
        proto.ParseFromString(content)
    except (DecodeError, ValueError) as error:
        # Every exporter writes ir_version, field 1, first.
        hint = "it may be cut short" if content[:1] == b"\x08" else "is it another format?"
        raise ModelError(f"{path}: is not an ONNX model that can be read; {hint}") from error
    return proto, spans


def _constants(graph: GraphProto, file: ModelFile, spans: Mapping[str, Span]) -> dict[str, Constant]:
    constants = {tensor.name: constant_of(tensor, file, spans) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and len(node.output) == 1:
            for attribute in node.attribute:
                name = node.output[0]
                if attribute.name == "value":
                    made = constant_of(attribute.t, file, {})
                    constants[name] = Constant(name, made.dtype, made.shape, made.proto, made.file, made.span)
                elif attribute.name in _CONSTANT_ATTRIBUTES:
                    constants[name] = Constant.of(name, _CONSTANT_ATTRIBUTES[attribute.name](attribute))
        elif node.op_type == "ConstantOfShape" and len(node.input) == 1 and node.input[0] in constants:
            filled = _filled(node, constants[node.input[0]])
            if filled is not None:
                constants[node.output[0]] = filled
    return constants


def _filled(node: NodeProto, shape: Constant) -> Constant | None:
    """The output of a ConstantOfShape as one repeated value, whatever its size."""
    if shape.size > 8 or shape.dtype != "int64":
        return None
    sizes = [int(size) for size in shape.array().reshape(-1)]
    value = np.zeros(1, np.float32)
    for attribute in node.attribute:
        if attribute.name == "value" and math.prod(attribute.t.dims) == 1:
            value = numpy_helper.to_array(attribute.t).reshape(1)
    if any(size < 0 or size > np.iinfo(np.int32).max for size in sizes) or math.prod(sizes) > 1 << 40:
        return None
    return Constant.of(node.output[0], np.broadcast_to(value, sizes))
