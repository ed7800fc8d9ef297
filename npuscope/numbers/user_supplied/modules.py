"""A Python file of the user's: samples, labels, a metric. Its errors are said in a line, with the line they are on."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from npuscope.model.errors import ModelError, one_line
from npuscope.numbers.inputs import MOST_SAMPLES
from npuscope.places import is_file

MODULE = "npuscope_user_module"

_END = object()
"""No further sample."""

Names = Mapping[str, Any]
"""What a Python file defines."""


def user_module(path: str) -> Names:
    """What a Python file defines, which is run for it. Raises ModelError."""
    place = Path(path)
    if not is_file(place):
        raise ModelError(f"{path}: no such file; check the path")
    folder = str(place.resolve().parent)
    sys.path.insert(0, folder)  # what lies beside the file can be imported, as when Python runs it
    try:
        with blaming(path):
            return runpy.run_path(str(place), run_name=MODULE)
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


@contextmanager
def blaming(path: str) -> Iterator[None]:
    """What the user's code raises, as a ModelError that names the line; what it prints goes to stderr.

    Standard output is the report's, which --json and a pipe read. An exit would be taken for the verdict of the command.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(Path(path))
        ]
        where = f" in line {lines[-1]}" if lines else ""
        words = _words(error)
        raise ModelError(
            f"{path}: {one_line(type(error).__name__, 80)}{where}{f': {words}' if words else ''}"
        ) from error


def _words(error: BaseException) -> str:
    try:
        return one_line(str(error), 160)
    except Exception:  # noqa: BLE001 - its own __str__ raises
        return ""


def function(module: Names, path: str, name: str) -> Callable[..., Any] | None:
    """A function of the file, None where it has none of that name."""
    candidate: Callable[..., Any] | None = module.get(name)
    if candidate is not None and not callable(candidate):
        raise ModelError(f"{path}: {name} is not a function")
    return candidate


def user_samples(path: str, module: Names) -> Iterator[Mapping[str, Any]]:
    """The samples of `samples()`, or of a class with get_next(), as onnxruntime's CalibrationDataReader has it.

    Raises ModelError.
    """
    made = function(module, path, "samples")
    readers = [
        one
        for one in module.values()
        if isinstance(one, type) and one.__module__ == MODULE and callable(getattr(one, "get_next", None))
    ]
    if made is None and len(readers) != 1:
        raise ModelError(
            f"{path}: defines neither samples(), which gives a dict of arrays a sample, nor one class with get_next()"
        )
    with blaming(path):
        values = iter(made()) if made is not None else iter(readers[0]().get_next, None)
    for _ in range(MOST_SAMPLES):  # a generator may have no end
        with blaming(path):  # around the user's code alone: between two samples ours runs
            value = next(values, _END)
        if value is _END:
            return
        if not isinstance(value, Mapping):
            raise ModelError(
                f"{path}: gives a {type(value).__name__} where a dict of arrays, one per input, is required"
            )
        yield value
