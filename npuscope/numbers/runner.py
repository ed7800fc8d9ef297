"""Run a model in onnxruntime, on the CPU and as it is written: neither a fusion nor the CPU decides the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from google.protobuf.message import EncodeError
from onnx import ModelProto

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.load import Source
from npuscope.model.serialize import referring
from npuscope.model.tensors import Array
from npuscope.numbers.runtime.sessions import RuntimeSession
from npuscope.numbers.weight_signs import match_weight_signs

Sample = Mapping[str, Array]
"""One value for each input of a model."""


class Edited(Protocol):
    """A model with edits, such as a Session."""

    @property
    def source(self) -> Source:
        """The file it was opened from."""
        ...

    @property
    def graph(self) -> Graph:
        """The graph as it is now."""
        ...


def model_of(model: Source | Edited) -> tuple[Source, Graph]:
    """The file and the graph of a model, edited or not."""
    return (model, model.graph) if isinstance(model, Source) else (model.source, model.graph)


class Runner:
    """An onnxruntime session of a graph. Raises ModelError where onnxruntime does not take the model."""

    def __init__(self, source: Source, graph: Graph) -> None:
        proto, folder = referring(source, graph)
        self.path = source.path
        self.outputs = graph.outputs
        for value in proto.graph.output:
            if not value.type.tensor_type.elem_type:
                value.ClearField("type")  # a type that is not known here onnxruntime finds out by itself
        match_weight_signs(proto, lambda name: graph.type(name).dtype)
        self._session = RuntimeSession(serialized(proto, source.path), source.path, folder, graph)

    def run(self, sample: Sample) -> list[Array]:
        """The outputs, in the graph's order. Raises ModelError where the model fails on the sample."""
        return self._session.run(self.outputs, sample)


def serialized(proto: ModelProto, path: Path) -> bytes:
    """A model as onnxruntime takes it. Raises ModelError where it does not fit in one piece."""
    try:
        data: bytes = proto.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelError(
            f"{path}: holds more than 2 GB in one piece; save its weights as external data"
        ) from error
    return data
