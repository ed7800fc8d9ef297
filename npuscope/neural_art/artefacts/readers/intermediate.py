"""The intermediate form, `<model>_OE_3_x_y.onnx` and its `_Q.json`: what the front end hands to the compiler.

The graph is float; the JSON file says how each tensor is stored. Opened together they are a model of their own: a
QuantizeLinear and a DequantizeLinear are put on every tensor that is stored in integers and has none beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.layer import WEIGHTED
from npuscope.model.load import Source, load
from npuscope.neural_art.artefacts.readers.c_info_graph import printed
from npuscope.neural_art.artefacts.text.documents import listing, mapping, number_of, parse, text_of
from npuscope.neural_art.artefacts.text.lines import decode, read_bytes
from npuscope.neural_art.artefacts.values import Buffer, Content, Property
from npuscope.record import dataclass

MAX_TENSORS = 200_000
MOST = float(1 << 31)
"""Scales and zero points are below it."""
FLOAT = TensorProto.FLOAT
REAL = "/real"
"""Ends the name of what a DequantizeLinear of ours writes."""
BORDER = frozenset({"QuantizeLinear", "DequantizeLinear"})

_TYPES: dict[str, tuple[type[np.generic], int, int]] = {
    "S8": (np.int8, -128, 127),
    "U8": (np.uint8, 0, 255),
    "S16": (np.int16, -32768, 32767),
    "U16": (np.uint16, 0, 65535),
    "S32": (np.int32, -(2**31), 2**31 - 1),
}
"""Type in the file -> numpy type, smallest and largest value."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a tensor is stored: real = scale * (stored - zero_point), one of each or one per output channel."""

    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quantization:
    """A `_Q.json` file: tensor -> how it is stored, and the compiler's name of a node -> names in the user's model."""

    tensors: Mapping[str, Stored]
    originals: Mapping[str, tuple[str, ...]]
    toolchain: str = ""
    buffers: tuple[Buffer, ...] = ()
    properties: tuple[Property, ...] = ()
    floats: frozenset[str] = frozenset()
    """Tensors that are float."""


def recognises(head: str) -> bool:
    """The beginning of a `_Q.json` file."""
    return '"tensors"' in head or (
        '"environment"' in head and "ST.EdgeAI.Core" in head and '"memory_' not in head
    )


def read_quantization(text: str, where: str = "Q.json") -> Quantization:
    """The quantization and the names. Entries of another form are left out."""
    document = mapping(parse(text, where))
    stored: dict[str, Stored] = {}
    for name, entry in mapping(document.get("tensors")).items():
        grid = _stored(mapping(mapping(entry).get("format")))
        if grid is not None and len(stored) < MAX_TENSORS:
            stored[name] = grid
    originals = {
        name: tuple(text_of(one) for one in listing(mapping(entry).get("names")) if text_of(one))
        for name, entry in mapping(document.get("nodes")).items()
    }
    tools = [mapping(tool) for tool in listing(mapping(document.get("environment")).get("tools"))]
    version = next(
        (text_of(t.get("version")) for t in tools if text_of(t.get("name")) == "ST.EdgeAI.Core"), ""
    )
    entries = list(mapping(document.get("tensors")).items())[:MAX_TENSORS]
    buffers = tuple(_buffer(name, mapping(entry)) for name, entry in entries)
    floats = frozenset(
        name
        for name, entry in entries
        if text_of(mapping(mapping(entry).get("format")).get("class")).startswith("float")
    )
    return Quantization(stored, originals, version.split(" ")[0], buffers, _properties(document), floats)


_OF_TENSOR = ("data_channel_position", "data_channel_batch", "user_allocated")


def _buffer(name: str, entry: dict[str, Any]) -> Buffer:
    """The tensor as the file has it, of whatever class and type."""
    form = mapping(entry.get("format"))
    parameters = [
        tuple(number for one in listing(values) if (number := number_of(one)) is not None)
        for values in listing(form.get("params"))[:2]
    ]
    scales, zeros = parameters if len(parameters) == 2 else ((), ())
    attributes = [(word, printed(form.get(word))) for word in ("class", "type")]
    attributes += [(word, printed(entry.get(word))) for word in _OF_TENSOR]
    return Buffer(
        name,
        scales=scales,
        zero_points=zeros,
        attributes=tuple((word, text) for word, text in attributes if text),
    )


def _properties(document: dict[str, Any]) -> tuple[Property, ...]:
    statements = [Property("file", "version", printed(document.get("version")))]
    environment = mapping(document.get("environment"))
    for word, value in environment.items():
        if word not in ("tools", "generated_model"):
            statements.append(Property("environment", word[:60], printed(value)))
    for tool in map(mapping, listing(environment.get("tools"))[:100]):
        name = text_of(tool.get("name"))
        statements += [
            Property(name, word[:60], printed(value)) for word, value in tool.items() if word != "name"
        ]
    for section in ("generated_model", "model_info"):
        table = document if section == "model_info" else environment
        for word, value in mapping(table.get(section)).items():
            statements.append(Property(section.replace("_", " "), word[:60], printed(value)))
    return tuple(one for one in statements if one.text)[:1000]


def described(quantization: Quantization, kind: str) -> Content:
    """The file as the comparison and the views take it."""
    return Content(
        kind,
        toolchain=quantization.toolchain,
        originals=tuple(quantization.originals.items()),
        buffers=quantization.buffers,
        properties=quantization.properties,
    )


def _stored(form: dict[str, object]) -> Stored | None:
    kind = text_of(form.get("type"))
    parameters = listing(form.get("params"))
    if text_of(form.get("class")) != "integer" or kind not in _TYPES or len(parameters) != 2:
        return None
    scales = [number_of(value) for value in listing(parameters[0])]
    zeros = [number_of(value) for value in listing(parameters[1])]
    if not scales or len(scales) != len(zeros):
        return None
    if not all(s is not None and 0 < s < MOST for s in scales) or not all(
        z is not None and abs(z) < MOST for z in zeros
    ):
        return None
    return Stored(
        kind,
        tuple(float(s) for s in scales if s is not None),
        tuple(int(z) for z in zeros if z is not None),
    )


def open_intermediate(path: str | os.PathLike[str], quantization: str | os.PathLike[str]) -> Source:
    """Open the two files of the intermediate form as one quantized model."""
    read = read_quantization(decode(read_bytes(quantization)), str(quantization))
    if not read.tensors and not read.floats:
        raise ModelError(f"{quantization}: does not say how tensors are stored; is it the _Q.json of {path}?")
    source = load(path, lambda proto: quantized(proto, read.tensors))
    graph = source.graph
    ends = frozenset(
        name for name in (*graph.inputs, *graph.outputs) if name.removesuffix(REAL) in read.tensors
    )
    return replace(source, graph=replace(graph, imported=True, stored_ends=ends, stored_floats=read.floats))


def quantized(model: ModelProto, tensors: Mapping[str, Stored]) -> ModelProto:
    """The model with Q/DQ on every tensor that is stored in integers.

    1. A tensor that a QuantizeLinear writes or a DequantizeLinear reads is left as it is, and so is what a
       DequantizeLinear writes and what a QuantizeLinear reads: they say it themselves.
    2. Where others read such a tensor beside a QuantizeLinear of its own format, all of them read what that one would write.
    3. Weights are quantized per channel along their output axis, as the files give one scale per output channel.
    """
    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    shared = _shared(graph, tensors)
    wanted = _wanted(graph, tensors, shared)
    stored = dict[str, str]()
    axes = _axes(graph)
    renamed: dict[str, str] = {}
    placed: list[NodeProto] = []
    integers = _integers(graph)
    shapes = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    biases = {name for name in wanted & shapes.keys() if tensors[name].dtype == "S32"}
    renamed.update(_whole_numbers(graph, placed, tensors, biases))
    for name in sorted(wanted & shapes.keys() - biases):
        renamed[name] = _pair(
            graph, placed, name, tensors[name], axes.get(name, 0) if shapes[name] > 1 else 0
        )
    for value in graph.input:
        if value.name in wanted and value.name not in shapes and value.type.tensor_type.elem_type == FLOAT:
            renamed[value.name] = _pair(graph, placed, value.name, tensors[value.name], 1)
    for node in list(graph.node):
        if node.op_type == "QuantizeLinear" and node.input[0] in shared:
            stored[node.output[0]] = f"{node.input[0]}/stored"
            continue
        for i, name in enumerate(node.input):
            node.input[i] = stored.get(name, name) if node.op_type in BORDER else renamed.get(name, name)
        placed.append(node)
        for name in node.output:
            if name in wanted and not integers.issuperset(node.input[:1]):
                renamed[name] = _pair(graph, placed, name, tensors[name], 1)
    for i, value in enumerate(graph.output):
        graph.output[i].name = stored.get(value.name, renamed.get(value.name, value.name))
    del graph.node[:]
    graph.node.extend(placed)
    return made


def _integers(graph: GraphProto) -> set[str]:
    """Tensors that hold integers as they are: inputs, what a QuantizeLinear writes, and what moves these on."""
    integers = {v.name for v in graph.input if v.type.tensor_type.elem_type not in (FLOAT, 0)}
    for node in graph.node:
        moved = node.op_type != "DequantizeLinear" and node.input and node.input[0] in integers
        if moved or node.op_type == "QuantizeLinear":
            integers.update(node.output)
    return integers


def _shared(graph: GraphProto, tensors: Mapping[str, Stored]) -> set[str]:
    """Tensors that an operator writes and both a QuantizeLinear of their own format and another operator read."""
    integers = _integers(graph)
    written = {
        name
        for node in graph.node
        if node.op_type not in BORDER and not integers.issuperset(node.input[:1])
        for name in node.output
    }
    direct = {name for node in graph.node if node.op_type not in BORDER for name in node.input}
    quantizers = [
        node for node in graph.node if node.op_type == "QuantizeLinear" and node.input and node.output
    ]
    shared = {
        node.input[0]
        for node in quantizers
        if node.input[0] in written & direct
        and node.input[0] in tensors
        and tensors.get(node.output[0]) == tensors[node.input[0]]
    }
    # One that is read in two formats stays as it is.
    return shared - {
        node.input[0] for node in quantizers if tensors.get(node.output[0]) != tensors.get(node.input[0])
    }


def _wanted(graph: GraphProto, tensors: Mapping[str, Stored], shared: set[str]) -> set[str]:
    """Tensors that need a Q/DQ of their own."""
    bordered: set[str] = set()
    read = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type in BORDER:
            bordered.update(name for name in (*node.input, *node.output) if name not in shared)
        read.update(node.input)
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == FLOAT}
    constants = {tensor.name for tensor in graph.initializer}
    return {
        name
        for name in tensors
        if name in read and name not in bordered and (name in floats or name not in constants)
    }


def _axes(graph: GraphProto) -> dict[str, int]:
    """Weights -> the axis of their output channels."""
    axes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in WEIGHTED and len(node.input) > 1:
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            last = node.op_type in ("Gemm", "MatMul") and not turned
            axes[node.input[1]] = 1 if last or node.op_type == "ConvTranspose" else 0
    return axes


def _whole_numbers(
    graph: GraphProto, placed: list[NodeProto], tensors: Mapping[str, Stored], biases: set[str]
) -> dict[str, str]:
    """Store biases as int32 with a DequantizeLinear each, as no QuantizeLinear writes int32; old name -> new name.

    One whose values are not at hand stays float, which every runtime takes.
    """
    renamed = {}
    for place in reversed(range(len(graph.initializer))):
        name = graph.initializer[place].name
        if name not in biases:
            continue
        try:
            values = np.asarray(numpy_helper.to_array(graph.initializer[place]), np.float64)
            scales = np.asarray(tensors[name].scales, np.float64)
            stored = np.rint(values / scales)
        except (ValueError, TypeError):  # set aside, or not as many as there are scales
            continue
        if stored.shape != values.shape or not values.ndim:
            continue
        stored_name, scale, back = (f"{name}/{part}" for part in ("stored", "scale", "real"))
        limits = np.iinfo(np.int32)
        integers = np.clip(stored, limits.min, limits.max).astype(np.int32)
        scales = scales.astype(np.float32)
        del graph.initializer[place]
        graph.initializer.append(numpy_helper.from_array(integers, stored_name))
        graph.initializer.append(
            numpy_helper.from_array(scales if scales.size > 1 else scales.reshape(()), scale)
        )
        node = helper.make_node("DequantizeLinear", [stored_name, scale], [back], f"{name}/DequantizeLinear")
        if scales.size > 1:
            node.attribute.append(helper.make_attribute("axis", values.ndim - 1))
        placed.append(node)
        renamed[name] = back
    return renamed


def _pair(graph: GraphProto, placed: list[NodeProto], name: str, stored: Stored, axis: int) -> str:
    """Put a QuantizeLinear and a DequantizeLinear on a tensor; the name of what the second writes."""
    kind, low, high = _TYPES[stored.dtype]
    zeros = np.clip(np.asarray(stored.zero_points, np.int64), low, high).astype(kind)
    scales = np.asarray(stored.scales, np.float32)
    shape = () if len(stored.scales) == 1 else scales.shape
    scale, zero, stored_name = (f"{name}/{part}" for part in ("scale", "zero_point", "stored"))
    back = f"{name}{REAL}"
    graph.initializer.append(numpy_helper.from_array(np.reshape(scales, shape), scale))
    graph.initializer.append(numpy_helper.from_array(np.reshape(zeros, shape), zero))
    for op, read, written in (("QuantizeLinear", name, stored_name), ("DequantizeLinear", stored_name, back)):
        node = helper.make_node(op, [read, scale, zero], [written], f"{name}/{op}")
        if len(stored.scales) > 1:
            node.attribute.append(helper.make_attribute("axis", axis))
        placed.append(node)
    return back
