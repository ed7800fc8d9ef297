"""Run a model in onnxruntime, on the CPU and as it is written: neither a fusion nor the CPU decides the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import EncodeError
from onnx import ModelProto

from npuscope.model.errors import ModelError, one_line
from npuscope.model.graph import Graph
from npuscope.model.load import Source
from npuscope.model.serialize import referring
from npuscope.model.tensors import Array
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
        self._session = session(serialized(proto, source.path), source.path, folder)

    def run(self, sample: Sample) -> list[Array]:
        """The outputs, in the graph's order. Raises ModelError where the model fails on the sample."""
        return run_session(self._session, self.path, self.outputs, sample)


def serialized(proto: ModelProto, path: Path) -> bytes:
    """A model as onnxruntime takes it. Raises ModelError where it does not fit in one piece."""
    try:
        data: bytes = proto.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelError(
            f"{path}: holds more than 2 GB in one piece; save its weights as external data"
        ) from error
    return data


def run_session(inner: Any, path: Path, outputs: Sequence[str], sample: Sample) -> list[Array]:
    """The named outputs of an InferenceSession. Raises ModelError where the model fails on the sample."""
    try:
        # onnxruntime takes no numpy scalars, which arithmetic makes of arrays without dimensions.
        given = {name: np.asarray(value) for name, value in sample.items()}
        values: list[Array] = inner.run(list(outputs), given)
    except Exception as error:  # onnxruntime raises types of its own, a new one per kind of failure
        raise ModelError(f"{path}: onnxruntime cannot run it: {_said(error)}") from error
    return values


def session(model: bytes | str, path: Path, folder: Path | None = None) -> Any:
    """An InferenceSession without graph optimizations. `folder` is what external data is relative to."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    if folder is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see Runner.run
        raise ModelError(f"{path}: onnxruntime does not take it: {_said(error)}") from error


def _said(error: Exception) -> str:
    """onnxruntime's own words, without its prefix '[ONNXRuntimeError] : 1 : FAIL : '."""
    text = one_line(str(error), 400)
    return text.split(" : ", 3)[-1] if text.startswith("[ONNXRuntimeError]") else text
