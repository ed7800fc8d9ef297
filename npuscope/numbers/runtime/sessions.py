"""Models that onnxruntime has open in its own process, and the checks that a file passes there; what each may take."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from npuscope.model.budget import limits
from npuscope.model.errors import ModelError, one_line
from npuscope.model.graph import Graph
from npuscope.model.tensors import Array
from npuscope.numbers.runtime.process import PROCESS, Allowance, GoneError, LimitError, NotStartedError
from npuscope.numbers.runtime.words import words_of

LONGEST = 300.0
"""Seconds that one run of a model may take at most, however large it is, where nobody states a time."""

PER_SECOND = 2e8
"""Multiplications that an unoptimized onnxruntime does in a second on a slow and busy machine."""

READ_PER_SECOND = 50e6
"""Bytes of a model that it reads in a second there."""

NODES_PER_SECOND = 200
"""Nodes of a model that it takes in a second there."""

OPENED = 5.0
"""Seconds that a small model may take to be opened."""

SHARED_FROM = 1e8
"""Multiplications in a run from which on threads on every core save more time than starting them takes."""

COPIES = 3
"""How often weights may be in memory: as they are stored, as onnxruntime holds them, and dequantized in part."""

_WEIGHTED = frozenset(
    (
        "Conv",
        "QLinearConv",
        "ConvInteger",
        "ConvTranspose",
        "MatMul",
        "Gemm",
        "MatMulInteger",
        "QLinearMatMul",
    )
)


class RuntimeSession:
    """A model that is open there, until this object is collected. Raises ModelError where onnxruntime does not take it."""

    def __init__(
        self, model: bytes | str, path: Path, folder: Path | None = None, graph: Graph | None = None
    ) -> None:
        self._model, self._path, self._folder = model, path, folder
        self._files = (model,) if isinstance(model, str) else ()
        self._nodes = len(graph.nodes) if graph is not None else 0
        self._macs = multiplications(graph) if graph is not None else 0.0
        self._failed: str | None = None
        self._open()

    def _open(self) -> None:
        self._number = PROCESS.number()
        in_memory = isinstance(self._model, bytes)
        request = {
            "do": "open",
            "session": self._number,
            # Absolute: the other process stands in the folder this one was in when it started.
            "path": None if isinstance(self._model, bytes) else str(Path(self._model).absolute()),
            "folder": str(self._folder.absolute()) if self._folder is not None else None,
            "threads": 0 if self._macs > SHARED_FROM else 1,
        }
        stored = _stored((self._path, *self._files)) + (len(self._model) if in_memory else 0)
        data = [np.frombuffer(self._model, np.uint8)] if isinstance(self._model, bytes) else []
        answer, _ = self._asked(request, data, to_open(stored, self._nodes), "does not take it")
        self.inputs: tuple[str, ...] = tuple(answer["inputs"])
        """Names of the inputs that it takes."""
        self._generation = PROCESS.generation
        weakref.finalize(self, PROCESS.forget, self._generation, self._number)

    def run(self, outputs: Sequence[str], sample: Mapping[str, Array]) -> list[Array]:
        """The named outputs. Raises ModelError where the model fails on the sample, or takes more than it may."""
        if self._failed is not None:
            raise ModelError(self._failed)
        # onnxruntime takes no numpy scalars, which arithmetic makes of arrays without dimensions.
        feed = {name: np.asarray(value) for name, value in sample.items()}
        for name, value in feed.items():
            if value.dtype.kind not in "biuf":
                raise ModelError(f"{self._path}: input {name!r} is {value.dtype}; only numbers can be given")
        request = {"do": "run", "session": self._number, "outputs": list(outputs), "inputs": list(feed)}
        allowed = _allowance(limits().seconds + self._macs / PER_SECOND)
        try:
            return self._asked(request, list(feed.values()), allowed, "cannot run it", self._generation)[1]
        except GoneError:
            self._open()
            request["session"] = self._number
            return self._asked(request, list(feed.values()), allowed, "cannot run it", self._generation)[1]

    def _asked(
        self,
        request: dict[str, Any],
        arrays: Sequence[Array],
        allowed: Allowance,
        verb: str,
        generation: int | None = None,
    ) -> tuple[dict[str, Any], list[Array]]:
        try:
            answer, values = PROCESS.ask(request, arrays, allowed, generation)
        except LimitError as error:
            self._failed = f"{self._path}: {_told(error, f'onnxruntime {verb}: ')}"
            raise ModelError(self._failed) from error
        if "error" in answer:
            raise ModelError(f"{self._path}: onnxruntime {verb}: {_error_text(answer, allowed)}")
        return answer, values


def _told(error: LimitError, about: str = "") -> str:
    return str(error) if isinstance(error, NotStartedError) else f"{about}it {error}"


def refused_by(check: str, path: Path, nodes: int) -> str | None:
    """What onnx says against a file, None where nothing; `check` is 'check' or 'infer'. It runs in the other process."""
    try:
        answer, _ = PROCESS.ask(
            {"do": check, "path": str(path.absolute())}, (), to_open(_stored((path,)), nodes)
        )
    except LimitError as error:
        return _told(error)
    return one_line(answer["error"], 200) if "error" in answer else None


def to_open(stored: int, nodes: int) -> Allowance:
    """What opening or checking a model of so many bytes and nodes may take."""
    return _allowance(OPENED + stored / READ_PER_SECOND + nodes / NODES_PER_SECOND, stored)


def _allowance(seconds: float, stored: int = 0) -> Allowance:
    """A limit that a user states is held as it is."""
    budget = limits()
    return Allowance(
        memory=budget.memory,
        seconds=budget.seconds if budget.stated_seconds else min(seconds, LONGEST),
        answer=budget.memory // 2,
        weights=0 if budget.stated_memory else COPIES * stored,
    )


def multiplications(graph: Graph) -> float:
    """About how many of them one run takes, as far as shapes are known; what has no weights is nothing beside them."""
    total = 0.0
    for node in graph.nodes:
        if node.op not in _WEIGHTED or not node.outputs:
            continue
        out = graph.type(node.outputs[0]).dims
        shapes = [dims for name in node.inputs if name and (dims := graph.type(name).dims) is not None]
        if out is not None and shapes:
            kernel = max(shapes[1:] or shapes, key=len)
            inner = prod(kernel[1:]) if "Conv" in node.op else (shapes[0] or (1,))[-1]
            total += float(prod(out)) * float(inner)
    return total


def _stored(files: Iterable[str | Path]) -> int:
    """Bytes that files take on the disk: what a sparse file only claims does not count."""
    total = 0
    for file in files:
        try:
            status = Path(file).stat()
        except (OSError, ValueError):
            continue
        total += min(status.st_size, getattr(status, "st_blocks", 1 << 50) * 512)
    return total


def _error_text(answer: Mapping[str, Any], allowed: Allowance) -> str:
    """onnxruntime's own words, or that it wanted memory."""
    text = words_of(answer["error"])
    if answer.get("memory"):
        return f"it needs more than {allowed.memory + allowed.weights >> 20} MB, which --memory-limit can raise ({text})"
    return text
