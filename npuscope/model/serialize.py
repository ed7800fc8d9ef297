"""A graph as an ONNX model again: whole, referring to the opened file for large weights, or as bytes to write.

1. Nodes that no edit touched keep their bytes; so does everything outside the graph.
2. An initializer goes only where an edit left it without a reader; new ones are raw data.
3. Types recorded for removed tensors are removed; those of new tensors are added.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.inspection.extent import dtype_bits
from npuscope.model.load import Source
from npuscope.model.tensors import Constant, TensorType, dtype_number, resolved
from npuscope.model.upgrade.upgrade import INITIALIZERS_ARE_INPUTS_BELOW
from npuscope.model.wire import length_prefixed
from npuscope.record import dataclass

COPY_BYTES = 1 << 20
"""Weights are copied from file to file in pieces of this many bytes."""

_NODE, _INITIALIZER, _MODEL_GRAPH, _RAW_DATA = 1, 5, 7, 9


def to_model(source: Source, graph: Graph) -> ModelProto:
    """The graph as a whole model, large weights included. Raises ModelError where they cannot be read."""
    model = _shell(source, graph)
    for tensor in model.graph.initializer:
        constant = source.graph.constants[tensor.name]
        if constant.file is not None and constant.span is not None and tensor.name in source.spans:
            tensor.raw_data = constant.file.read(constant.span.offset, constant.span.length)
    model.graph.initializer.extend(_tensor(constant) for constant in _added(source, graph))
    return model


def referring(source: Source, graph: Graph) -> tuple[ModelProto, Path]:
    """The graph as a model whose large weights are external data in the opened file itself, and the folder
    they are relative to. For running it: nothing large is copied. Raises ModelError.
    """
    place = resolved(source.path)
    model = _shell(source, graph)
    outside = {
        tensor.name: resolved(file.path)
        for tensor in model.graph.initializer
        if tensor.data_location == TensorProto.EXTERNAL
        and (file := source.graph.constants[tensor.name].file) is not None
    }
    folder = place.parent
    if not all(path.is_relative_to(folder) for path in outside.values()):
        # Links to a model in one folder and its data in another: onnxruntime reads what lies below one that holds both.
        folder = Path(os.path.commonpath([folder, *(path.parent for path in outside.values())]))
    for tensor in model.graph.initializer:
        span, file = source.spans.get(tensor.name), source.graph.constants[tensor.name].file
        if tensor.name in outside:
            _set_location(tensor, outside[tensor.name].relative_to(folder))
        elif span is not None and file is not None:
            file.check()
            tensor.data_location = TensorProto.EXTERNAL
            _set_location(tensor, place.relative_to(folder))
            for key, value in (("offset", span.offset), ("length", span.length)):
                tensor.external_data.add(key=key, value=str(value))
    model.graph.initializer.extend(_tensor(constant) for constant in _added(source, graph))
    return model, folder


def _set_location(tensor: TensorProto, location: Path) -> None:
    entry = next((entry for entry in tensor.external_data if entry.key == "location"), None)
    entry = tensor.external_data.add(key="location") if entry is None else entry
    entry.value = location.as_posix()


def stream(source: Source, graph: Graph, metadata: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The bytes of the model file, piece by piece; at most one weight is in memory at a time.

    1. `metadata` entries are set in the model's metadata_props.
    2. External data stays where it is. Raises ModelError where weights cannot be read.
    """
    model = _shell(source, graph)
    for key, value in (metadata or {}).items():
        _set_metadata(model, key, value)
    payloads = [_Payload.kept(tensor, source) for tensor in model.graph.initializer]
    payloads += [_Payload.added(constant) for constant in _added(source, graph)]
    nodes = [node.SerializeToString() for node in model.graph.node]
    del model.graph.node[:], model.graph.initializer[:]
    rest = model.graph.SerializeToString()
    model.ClearField("graph")
    length = len(rest) + sum(len(length_prefixed(_NODE, len(n))) + len(n) for n in nodes)
    length += sum(len(length_prefixed(_INITIALIZER, p.length)) + p.length for p in payloads)

    yield model.SerializeToString()
    yield length_prefixed(_MODEL_GRAPH, length)
    for node in nodes:
        yield length_prefixed(_NODE, len(node)) + node
    yield rest
    for payload in payloads:
        yield length_prefixed(_INITIALIZER, payload.length)
        yield from payload.pieces()


@dataclass(frozen=True, slots=True, eq=False)
class _Payload:
    """An initializer to write: `head` is its message without the data that `constant` holds."""

    head: bytes
    constant: Constant | None = None

    @staticmethod
    def kept(tensor: TensorProto, source: Source) -> _Payload:
        constant = source.graph.constants[tensor.name] if tensor.name in source.spans else None
        return _Payload(tensor.SerializeToString(), constant)

    @staticmethod
    def added(constant: Constant) -> _Payload:
        head = TensorProto(name=constant.name, data_type=dtype_number(constant.dtype), dims=constant.shape)
        return _Payload(head.SerializeToString(), constant)

    @property
    def length(self) -> int:
        """Bytes of the whole message."""
        if self.constant is None:
            return len(self.head)
        size = self.data_bytes
        return len(self.head) + len(length_prefixed(_RAW_DATA, size)) + size

    @property
    def data_bytes(self) -> int:
        assert self.constant is not None
        return self.constant.span.length if self.constant.span is not None else self.constant.nbytes

    def pieces(self) -> Iterator[bytes]:
        yield self.head
        constant = self.constant
        if constant is None:
            return
        yield length_prefixed(_RAW_DATA, self.data_bytes)
        if constant.file is not None and constant.span is not None:
            offset, end = constant.span.offset, constant.span.offset + constant.span.length
            while offset < end:
                step = min(COPY_BYTES, end - offset)
                yield constant.file.read(offset, step)
                offset += step
        else:
            yield _raw(constant)


def _shell(source: Source, graph: Graph) -> ModelProto:
    """The model with the graph's nodes; large weights are absent, and so are the constants edits made.

    Raises ModelError for a model judged as if quantized, whose scales are none, and where weights beside it changed.
    """
    source.check_weights()
    if graph.as_int8:
        raise ModelError(
            f"{source.path}: is judged as if quantized, so it cannot be run or written; 'npuscope quantize' makes the "
            "int8 model"
        )
    model = ModelProto()
    model.CopyFrom(source.proto)
    if graph is source.graph:
        return model
    proto, before = model.graph, source.graph
    del proto.node[:]
    proto.node.extend(node.proto for node in graph.nodes)
    _keep(proto.initializer, {t.name for t in proto.initializer if _same(source, graph, t.name)})

    old, new = _tensors(before), _tensors(graph)
    removed = old - new
    retyped = {name for name in new if graph.types.get(name) != before.types.get(name)}
    if graph.sizes_fixed:
        retyped |= _free(proto)
    _keep(proto.value_info, {value.name for value in proto.value_info} - removed - retyped)
    annotated = {annotation.tensor_name for annotation in proto.quantization_annotation}
    if annotated & removed:
        kept = [a for a in proto.quantization_annotation if a.tensor_name not in removed]
        del proto.quantization_annotation[:]
        proto.quantization_annotation.extend(kept)

    inputs = {value.name: value for value in proto.input}
    named = [name for name in inputs if name in graph.constants or name in graph.input_places]
    named += [name for name in graph.inputs if name not in inputs]
    if model.ir_version < INITIALIZERS_ARE_INPUTS_BELOW:
        named += [constant.name for constant in _added(source, graph) if constant.name not in inputs]
    if named != list(inputs) or not retyped.isdisjoint(inputs):
        values = [
            inputs[name] if name in inputs and name not in retyped else _value_info(source, graph, name)
            for name in named
        ]
        _replace(proto.input, values)
    outputs = {value.name: value for value in proto.output}
    if graph.outputs != before.outputs or not retyped.isdisjoint(outputs):
        values = [
            outputs[name] if name in outputs and name not in retyped else _value_info(source, graph, name)
            for name in graph.outputs
        ]
        _replace(proto.output, values)

    known = {value.name for value in chain(proto.value_info, proto.input, proto.output)}
    shared = {id(node) for node in before.nodes}
    for node in graph.nodes:
        if id(node) not in shared or not retyped.isdisjoint(node.outputs):
            for name in node.outputs:
                if name and name not in known and graph.type(name).dtype != "unknown":
                    proto.value_info.append(_value_info(source, graph, name))
    return model


def _free(proto: GraphProto) -> set[str]:
    """The tensors that the file declares with a free size."""
    declared = chain(proto.value_info, proto.input, proto.output)
    return {
        value.name
        for value in declared
        if any(not dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim)
    }


def _same(source: Source, graph: Graph, name: str) -> bool:
    """The constant is still the one the file holds."""
    return graph.constants.get(name) is source.graph.constants[name]


def _added(source: Source, graph: Graph) -> Iterator[Constant]:
    """The constants that edits made, in a fixed order."""
    before = source.graph.constants
    for name, constant in graph.constants.items():
        if constant.proto is not None or name in graph.producers:
            continue
        taken_over = name in source.graph.producers and (name in graph.consumers or name in graph.output_set)
        if constant is not before.get(name) or taken_over:
            yield constant  # an edit made it, or took away the node that computed it


def _tensor(constant: Constant) -> TensorProto:
    tensor = TensorProto(name=constant.name, data_type=dtype_number(constant.dtype), dims=constant.shape)
    tensor.raw_data = _raw(constant)
    return tensor


def _raw(constant: Constant) -> bytes:
    """The values as ONNX stores them: little-endian, types below a byte packed."""
    array = constant.array()
    if dtype_bits(constant.dtype) < 8:
        return numpy_helper.from_array(np.ascontiguousarray(array)).raw_data
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _tensors(graph: Graph) -> set[str]:
    return {*graph.producers, *graph.constants, *graph.inputs}


def _keep(values: object, names: set[str]) -> None:
    kept = [value for value in values if value.name in names]  # type: ignore[attr-defined]
    if len(kept) != len(values):  # type: ignore[arg-type]
        _replace(values, kept)


def _replace(field: object, values: list[ValueInfoProto]) -> None:
    """Set a repeated field; `values` may be messages that lie in it now."""
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]


def _value_info(source: Source, graph: Graph, name: str) -> ValueInfoProto:
    type_ = graph.type(name)
    value = ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = dtype_number(type_.dtype)
    if type_.shape is not None:
        _set_shape(value, type_, leave_batch=bool(source.free_batch) and not graph.sizes_fixed)
    return value


def _set_shape(value: ValueInfoProto, type_: TensorType, leave_batch: bool) -> None:
    shape = value.type.tensor_type.shape
    shape.SetInParent()
    for position, size in enumerate(type_.shape or ()):
        dim = shape.dim.add()
        if position == 0 and size == 1 and leave_batch:
            continue  # the model's own batch is free; 1 is only what it is analysed with
        if isinstance(size, int):
            dim.dim_value = size
        elif size:
            dim.dim_param = size


def _set_metadata(model: ModelProto, key: str, value: str) -> None:
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
            return
    model.metadata_props.add(key=key, value=value)
