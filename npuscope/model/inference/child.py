"""onnx's shape inference in a process of its own, with limits: it expands functions and bodies without a bound.

Run as a module it reads a model from stdin and writes what it found to stdout, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from npuscope.model.budget import Budget
from npuscope.model.tensors import TensorType

MOST_ANSWER = 64 << 20
"""Bytes of an answer above which it is not read."""


def inferred_by_onnx(model: bytes, budget: Budget) -> tuple[dict[str, TensorType], str]:
    """Types by tensor, and why there are none: '' where the child answered."""
    command = own_module(__name__, str(budget.memory), str(max(int(budget.seconds) + 1, 1)))
    try:
        done = subprocess.run(  # noqa: S603 - our own module, by this very interpreter
            command, input=model, capture_output=True, timeout=budget.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, f"onnx's shape inference took more than {budget.seconds:g} s"
    except OSError as error:
        return {}, f"onnx's shape inference could not be started ({error.strerror or error})"
    if done.returncode or len(done.stdout) > MOST_ANSWER:
        return {}, f"onnx's shape inference failed within {budget.memory >> 20} MB"
    try:
        return {name: _type(entry) for name, entry in json.loads(done.stdout).items()}, ""
    except (ValueError, TypeError, AttributeError):
        return {}, "onnx's shape inference gave no answer that can be read"


def own_module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package in another process.

    Not `-m`, which would look for every module in the folder one stands in first: a model may lie beside a json.py.
    """
    place = str(Path(__file__).resolve().parents[3])
    code = f"import runpy, sys; sys.path.append({place!r}); runpy.run_module({name!r}, run_name='__main__')"
    return [sys.executable, "-P", "-c", code, *arguments]


def _type(entry: Any) -> TensorType:
    dtype, shape = entry
    if shape is None:
        return TensorType(str(dtype), None)
    return TensorType(str(dtype), tuple(d if isinstance(d, int | str) else None for d in shape))


def limit_this_process(memory: int, seconds: int) -> None:
    """Bytes of its address space and seconds of the processor, where the system can limit them; no core file."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS takes no limit of the address space
            resource.setrlimit(kind, (value, hard))


def _main(memory: int, seconds: int) -> int:
    import onnx
    from onnx import ModelProto

    from npuscope.model.inference.types import tensor_type

    data = sys.stdin.buffer.read()
    limit_this_process(memory, seconds)
    model = ModelProto.FromString(data)
    try:
        graph = onnx.shape_inference.infer_shapes(
            model, check_type=False, strict_mode=False, data_prop=True
        ).graph
    except MemoryError:
        return 1
    except Exception:  # noqa: BLE001 - onnx raises bare and changing exception types on models it dislikes
        graph = model.graph
    types = {}
    for value in (*graph.value_info, *graph.output):
        type_ = tensor_type(value.type)
        if type_.dtype != "unknown":
            types[value.name] = (type_.dtype, type_.shape)
    json.dump(types, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), int(sys.argv[2])))
