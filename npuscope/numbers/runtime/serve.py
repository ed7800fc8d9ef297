"""The process that runs models: reads requests from stdin, answers on stdout, and holds itself to the limits of each.

It imports nothing of npuscope but what passes between the two, so that it starts in the time onnxruntime takes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from npuscope.numbers.runtime.frames import BrokenFrameError, read_frame, write_frame

Answer = tuple[dict[str, Any], Sequence[NDArray[Any]]]

MOST_WORDS = 2_000
"""Characters of an error that are told."""

THREAD_BYTES = 10 << 20
"""Address space that a thread of onnxruntime's takes."""


SPARE_CPU_SECONDS = 60
"""More than any request takes: the clock of the process that asks is what ends one that takes too long."""


class Server:
    """The sessions that are open, by number."""

    def __init__(self) -> None:
        self.sessions: dict[int, tuple[Any, int]] = {}
        """With the memory that each is allowed for its weights."""
        self.base = _address_space()

    def answer(self, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Answer:
        """What one request comes to. Raises whatever onnxruntime or onnx raise."""
        for number in request["close"]:
            self.sessions.pop(number, None)
        what = request["do"]
        weights = sum(allowed for _, allowed in self.sessions.values())
        weights += request["weights"] if what != "run" else 0
        threads = (len(self.sessions) + 1) * (os.cpu_count() or 1) * THREAD_BYTES
        _limit(self.base + threads + weights + request["memory"], request["seconds"])
        if what == "open":
            return self.open(request, arrays)
        if what == "run":
            return self.run(request, arrays)
        if what == "check":
            return _check(request["path"])
        return _infer(request["path"])

    def open(self, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Answer:
        """A session without graph optimizations: neither a fusion nor the CPU decides the numbers."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.use_deterministic_compute = True
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = 4
        options.intra_op_num_threads = request["threads"]
        # Threads that wait busily take the time of this program's other side, which waits for them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if request["folder"]:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", request["folder"]
            )
        model = arrays[0].tobytes() if arrays else request["path"]
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.sessions[request["session"]] = session, request["weights"]
        return {"inputs": [entry.name for entry in session.get_inputs()]}, ()

    def run(self, request: dict[str, Any], arrays: list[NDArray[Any]]) -> Answer:
        """The named outputs of a session."""
        feeds = dict(zip(request["inputs"], arrays, strict=True))
        session, _ = self.sessions[request["session"]]
        outputs = session.run(request["outputs"], feeds)
        values = [_plain(name, value) for name, value in zip(request["outputs"], outputs, strict=True)]
        size = sum(value.nbytes for value in values)
        if size > request["most"]:
            return {"error": f"what it computes takes {size >> 20} MB", "memory": True}, ()
        return {}, values


def _plain(name: str, value: Any) -> NDArray[Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"output {name!r} is not a tensor")
    return value.astype(str) if value.dtype.kind == "O" else value


def _check(path: str) -> Answer:
    import onnx

    onnx.checker.check_model(path)
    return {}, ()


def _infer(path: str) -> Answer:
    import onnx

    onnx.shape_inference.infer_shapes(
        onnx.load(path, load_external_data=False), check_type=True, strict_mode=True
    )
    return {}, ()


def _address_space() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - nothing more is imported here
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 1 << 30


def _limit(memory: int, seconds: float) -> None:
    """The address space; and the CPU's time, generously, in case the process that watches the clock has ended."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    cpu = int(spent + seconds * (os.cpu_count() or 1)) + SPARE_CPU_SECONDS
    for kind, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu)):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS takes no limit of the address space
            resource.setrlimit(kind, (value, hard))


def _unlimited() -> None:
    """Between requests: what the next one brings is read before its limits are known."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _error_answer(error: BaseException) -> dict[str, Any]:
    words = str(error)[:MOST_WORDS]
    memory = isinstance(error, MemoryError) or "bad_alloc" in words or "Failed to allocate memory" in words
    return {"error": words or type(error).__name__, "memory": memory}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    import onnxruntime  # before the limits: what is loaded belongs to no model

    onnxruntime.set_default_logger_severity(4)
    server = Server()
    write_frame(answers, {"ready": True})
    while True:
        try:
            request, arrays = read_frame(requests)
        except BrokenFrameError:
            return
        header: dict[str, Any]
        values: Sequence[NDArray[Any]]
        try:
            header, values = server.answer(request, arrays)
        except Exception as error:  # noqa: BLE001 - onnxruntime and onnx raise types of their own
            header, values = _error_answer(error), ()
        finally:
            _unlimited()
        write_frame(answers, header, values)


def main() -> None:
    """Run as a module: libraries may write to stdout and stderr, which then go nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with contextlib.suppress(OSError, KeyboardInterrupt):
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # sessions of gigabytes need no tidying up


if __name__ == "__main__":
    main()
