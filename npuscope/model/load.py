"""A model file, opened without reading its weights."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto

from npuscope.garbage import without_collections
from npuscope.model.budget import Budget, limits, working
from npuscope.model.errors import ModelError
from npuscope.model.formats import HEAD_BYTES, ForeignFormatError, Format, is_graph, is_tensor, recognised
from npuscope.model.graph import Graph, Node, nodes_of
from npuscope.model.inference.branches import MOST_LEVELS, branches_taken
from npuscope.model.inference.complete import typed
from npuscope.model.inference.free_sizes import with_batch_of_one
from npuscope.model.inference.types import declared_types
from npuscope.model.names import printable
from npuscope.model.tensors import (
    Array,
    Constant,
    ModelFile,
    Stamp,
    TensorType,
    constant_of,
    open_for_reading,
    sparse_constant,
)
from npuscope.model.upgrade.upgrade import upgraded
from npuscope.model.validity.encoding import has_undecodable_names
from npuscope.model.validity.notes import (
    branch_note,
    domain_notes,
    opset_notes,
    refuse_too_many,
    training_notes,
    unreadable_data,
    variable_notes,
)
from npuscope.model.validity.stated import contradictions, stale_shapes
from npuscope.model.validity.wiring import miswired, unmade_outputs
from npuscope.model.wire import FileBytes, Span, UnusualEncodingError, set_aside
from npuscope.record import dataclass
from npuscope.tflite import read as read_tflite

SET_ASIDE_ABOVE = 4 << 20
"""Files above this many bytes are read without their weights; below it, parsing them whole is as fast."""

MOST_WHOLE = 512 << 20
"""Files above this many bytes are read only where their weights can be set aside."""

FRONT_END = "Cube.AI"  # the producer of intermediate models

STDIN = "-"
"""The path that stands for standard input."""

_CONSTANT_ATTRIBUTES: dict[str, Callable[[AttributeProto], Array]] = {
    "value_float": lambda a: np.array(a.f, np.float32),
    "value_floats": lambda a: np.array(a.floats, np.float32),
    "value_int": lambda a: np.array(a.i, np.int64),
    "value_ints": lambda a: np.array(a.ints, np.int64),
}


@dataclass(frozen=True, eq=False)
class Source:
    """A model as it was opened. `proto` is shared and never changed; large weights are not in it."""

    path: Path
    proto: ModelProto
    spans: Mapping[str, Span]
    graph: Graph
    free_batch: tuple[str, ...] = ()
    """Graph inputs whose first size is free; it is taken as 1, as the compiler does (FACTS 3.1)."""
    notes: tuple[str, ...] = ()
    """What is not known of the model, and why, one sentence each."""
    file: ModelFile | None = None
    """The file that was opened; None for one that was read from standard input or made in memory."""
    digest: str = ""
    """SHA-256 of the bytes that were opened, where it was taken as they were read."""

    @cached_property
    def sha256(self) -> str:
        """Of the bytes that were opened, without external data. Raises ModelError where another file took their place."""
        if self.digest:
            return self.digest
        file = self.file or ModelFile(self.path)
        digest = hashlib.sha256()
        file.check()
        try:
            with self.path.open("rb") as stream:
                if file.stamp is not None and Stamp.of(os.fstat(stream.fileno())) != file.stamp:
                    raise ModelError(f"{self.path}: changed since it was opened; open it again")
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        file.check()
        return digest.hexdigest()

    @cached_property
    def weight_files(self) -> tuple[ModelFile, ...]:
        """The other files that hold values of the model."""
        files = (constant.file for constant in self.graph.constants.values())
        return tuple(dict.fromkeys(file for file in files if file is not None and file is not self.file))

    @property
    def is_current(self) -> bool:
        """The files of the model are those that were opened; also where they lie there no more."""
        return all(file.is_current for file in (self.file, *self.weight_files) if file is not None)

    @property
    def since_opened(self) -> str:
        """What became of its files, '' where they are as they were."""
        if self.file is not None and self.file.is_gone:
            return "deleted or moved"
        if self.file is not None and not self.file.is_current:
            return "changed on disk"
        if any(not file.is_current for file in self.weight_files):
            return "weights changed on disk"
        return "weights deleted or moved" if any(file.is_gone for file in self.weight_files) else ""

    def check_weights(self) -> None:
        """Raise ModelError where other weights took the place of those that were opened: edits were made for these."""
        for file in self.weight_files:
            file.check()

    @property
    def producer(self) -> str:
        """Name and version of the tool that wrote the model."""
        return f"{self.proto.producer_name} {self.proto.producer_version}".strip()

    @property
    def intermediate(self) -> bool:
        """ST's front end wrote it; the scales of a quantized model are in a `_Q.json` of their own."""
        return self.producer.startswith(FRONT_END)


def load(
    path: str | os.PathLike[str],
    prepare: Callable[[ModelProto], ModelProto] | None = None,
    budget: Budget | None = None,
) -> Source:
    """Open an ONNX file, or a TFLite file as the ONNX model it is converted to; standard input for '-'.

    Raises ModelError, in one line, for what is not a usable model.

    1. A file of another format raises ForeignFormatError, which names the format.
    2. `prepare` may return another model for the one in the file, which it must not change; large weights are not in it.
    3. Without a `budget`, that of the process holds (`npuscope.model.budget.limits`).
    """
    place = Path(path)
    with without_collections(), working("opening it"):
        opened = _standard_input() if os.fspath(path) == STDIN else _read(place)
        proto = opened.proto if prepare is None else prepare(opened.proto)
        return source_of(opened.path, proto, opened.spans, opened.file, opened.digest, budget)


def source_of(
    path: Path,
    proto: ModelProto,
    spans: Mapping[str, Span] | None = None,
    file: ModelFile | None = None,
    digest: str = "",
    budget: Budget | None = None,
) -> Source:
    """A model that was parsed, or converted from another format, as a Source. Raises ModelError.

    1. A model of an opset before 7 is brought to it.
    2. An If whose condition is known is the branch it takes.
    """

    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise ModelError(f"{path}: is not an ONNX model (it holds no graph)")
    refuse_too_many(proto.graph, path)
    nodes = nodes_of(proto.graph)
    if has_undecodable_names(proto, nodes):
        raise ModelError(f"{path}: holds a name that is not UTF-8; the file is damaged, export it again")

    def understood(model: ModelProto) -> Graph:
        return _as_it_is(path, model, spans, file, digest, budget).graph

    newer = upgraded(proto, understood)
    if newer is None:
        source = _as_it_is(path, proto, spans, file, digest, budget, nodes)
    else:
        source = _as_it_is(path, newer.proto, spans, file, digest, budget)
    names: list[str] = []
    for _ in range(MOST_LEVELS):
        taken = branches_taken(source.proto, source.graph)
        if taken is None:
            break
        names += taken[1]
        source = _as_it_is(path, taken[0], spans, file, digest, budget)
    if names:
        source = replace(source, notes=(branch_note(names), *source.notes))
    if newer is None:
        return source
    graph = replace(source.graph, disallowed=newer.faults(source.graph))
    return replace(source, graph=graph, notes=(*newer.notes, *source.notes))


def _as_it_is(
    path: Path,
    proto: ModelProto,
    spans: Mapping[str, Span] | None,
    file: ModelFile | None,
    digest: str,
    budget: Budget | None,
    nodes: tuple[Node, ...] | None = None,
) -> Source:
    refuse_too_many(proto.graph, path)
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    version = opsets.get("", opsets.get("ai.onnx"))
    if version is not None and not 1 <= version < 1 << 31:
        raise ModelError(f"{path}: states opset {version}, which there is none of; export the model again")
    nodes = nodes_of(proto.graph) if nodes is None else nodes
    constants = _constants(proto.graph, nodes, file or ModelFile(path), spans or {})
    stated = declared_types(proto.graph)
    declared, free_batch = with_batch_of_one(proto, stated)
    symbols = {shape[0] for name in free_batch if (shape := stated[name].shape) and isinstance(shape[0], str)}
    graph = index(proto, constants, {}, opsets, nodes)
    inferred, notes = typed(graph, declared, proto, budget or limits())
    wrong = contradictions(declared, inferred.types, constants) | miswired(graph, proto.graph, constants)
    before, graph = (
        graph,
        replace(
            graph,
            types=inferred.types,
            stated_otherwise=wrong,
            constants={**constants, **inferred.constants} if inferred.constants else constants,
            derived=inferred.derived,
            free_batches=frozenset(symbols),
        ),
    )
    graph.know_as(before)
    notes = (
        *opset_notes(version, graph),
        *domain_notes(opsets, graph),
        *variable_notes(proto),
        *notes,
        *stale_shapes(declared, inferred.types, wrong),
        *unmade_outputs(graph, constants),
        *training_notes(graph),
        *unreadable_data(constants.values(), file),
    )
    return Source(path, proto, spans or {}, graph, free_batch, notes, file, digest)


def index(
    proto: ModelProto,
    constants: Mapping[str, Constant],
    types: Mapping[str, TensorType],
    opsets: Mapping[str, int],
    nodes: tuple[Node, ...] | None = None,
) -> Graph:
    """The Graph of a parsed model; `nodes` are those of its graph where they have been read."""
    graph = proto.graph
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    outputs = tuple(value.name for value in graph.output)
    functions = {(function.domain, function.name): function for function in proto.functions}
    tflite = proto.producer_name == "tflite"
    floats = next((e.value for e in proto.metadata_props if tflite and e.key == "tflite.floats"), "")
    return Graph(
        nodes_of(graph) if nodes is None else nodes, constants, types, inputs, outputs, opsets, functions=functions, tflite=tflite,
        stored_floats=frozenset(floats.split("\n")) - {""},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    path: Path
    proto: ModelProto
    spans: Mapping[str, Span]
    file: ModelFile | None
    digest: str


def _standard_input() -> _Opened:
    """A model from standard input; what it refers to beside it is looked for in the working folder."""
    path = Path("stdin.onnx")
    closed = sys.stdin is None or sys.stdin.closed
    if closed or sys.stdin.isatty():
        raise ModelError(f"-: standard input is {'closed' if closed else 'a terminal'}; pipe a model into it")
    try:
        data = sys.stdin.buffer.read(MOST_WHOLE + 1)
    except OSError as error:
        raise ModelError(
            f"-: standard input cannot be read ({error.strerror or error}); pipe a model into it"
        ) from error
    if len(data) > MOST_WHOLE:
        raise ModelError(f"-: more than {MOST_WHOLE >> 20} MB on standard input; name the file instead")
    if not data:
        raise ModelError("-: standard input was empty; it holds one model and can be read once")
    other = recognised(data[:HEAD_BYTES], data[-HEAD_BYTES:])
    if other is not None and other is not Format.TFLITE:
        raise ForeignFormatError("-", other, data[:HEAD_BYTES], data[-HEAD_BYTES:])
    proto = read_tflite(data, "-") if other is Format.TFLITE else _parsed("-", data)
    return _Opened(path, proto, {}, None, hashlib.sha256(data).hexdigest())


def _read(path: Path) -> _Opened:
    handle = open_for_reading(path)
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise _of_directory(path)
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: is not a regular file; npuscope reads .onnx and .tflite files")
        if status.st_size == 0:
            raise ModelError(f"{path}: is empty; export or copy it again")
        return _parse(path, handle, status)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    finally:
        os.close(handle)


def _parse(path: Path, handle: int, status: os.stat_result) -> _Opened:
    size, file = status.st_size, ModelFile(path, Stamp.of(status))
    data = FileBytes(handle, size)
    head, tail = data.slice(0, min(size, HEAD_BYTES)), data.slice(max(size - HEAD_BYTES, 0), size)
    other = recognised(head, tail)
    if other is not None and other is not Format.TFLITE:
        raise ForeignFormatError(path, other, head, tail)
    content, spans = b"", dict[str, Span]()
    if size > SET_ASIDE_ABOVE and other is None:
        try:
            content, spans = set_aside(data)
        except UnusualEncodingError:
            content, spans = b"", {}
    digest = ""
    if not content:
        if size > MOST_WHOLE:
            raise ModelError(
                f"{path}: is not an ONNX model that can be read; no ONNX file is laid out like this one of {size >> 20} MB"
            )
        content = data.slice(0, size)
        digest = hashlib.sha256(content).hexdigest()
    proto = read_tflite(content, str(path)) if other is Format.TFLITE else _parsed(path, content)
    return _Opened(path, proto, spans, file, digest)


def _parsed(path: Path | str, content: bytes) -> ModelProto:
    proto = ModelProto()
    try:
        proto.ParseFromString(content)
    except (DecodeError, ValueError) as error:
        if is_tensor(content):
            raise ForeignFormatError(path, Format.TENSOR) from error
        if is_graph(content):
            raise ForeignFormatError(path, Format.GRAPH) from error
        # Every exporter writes ir_version, field 1, first.
        hint = "it may be cut short" if content[:1] == b"\x08" else "is it another format?"
        raise ModelError(f"{path}: is not an ONNX model that can be read; {hint}") from error
    if not proto.HasField("graph") and is_tensor(content):
        raise ForeignFormatError(path, Format.TENSOR)
    if not proto.HasField("graph") and is_graph(content):
        raise ForeignFormatError(path, Format.GRAPH)
    return proto


def _of_directory(path: Path) -> ModelError:
    try:
        names = sorted(entry.name for entry in islice(os.scandir(path), 1000))
    except OSError:
        names = []
    if "saved_model.pb" in names:
        return ForeignFormatError(path, Format.SAVED_MODEL)
    such = next((f", such as {printable(n)}" for n in names if n.endswith((".onnx", ".tflite"))), "")
    return ModelError(f"{path}: is a directory; name the .onnx or .tflite file in it{such}")


def _constants(
    graph: GraphProto, nodes: Iterable[Node], file: ModelFile, spans: Mapping[str, Span]
) -> dict[str, Constant]:
    constants = {tensor.name: constant_of(tensor, file, spans) for tensor in graph.initializer}
    constants.update((sparse.values.name, sparse_constant(sparse)) for sparse in graph.sparse_initializer)
    for node in nodes:
        if node.op == "Constant" and len(node.outputs) == 1:
            (name,) = node.outputs
            for attribute in node.proto.attribute:
                if attribute.name == "value":
                    made = constant_of(attribute.t, file, {})
                    constants[name] = Constant(name, made.dtype, made.shape, made.proto, made.file, made.span)
                elif attribute.name == "sparse_value":
                    constants[name] = replace(sparse_constant(attribute.sparse_tensor), name=name)
                elif attribute.name in _CONSTANT_ATTRIBUTES:
                    constants[name] = Constant.of(name, _CONSTANT_ATTRIBUTES[attribute.name](attribute))
    return constants
