"""TensorFlow Lite files as ONNX models."""

from __future__ import annotations

import os
from pathlib import Path

from onnx import ModelProto

from npuscope.model.errors import ModelError
from npuscope.places import is_file, is_there

__all__ = ["is_tflite", "read"]


def is_tflite(head: bytes) -> bool:
    """The first bytes of a file are a TFLite file's: its identifier is at byte 4."""
    return head[4:8] == b"TFL3"


def read(source: str | os.PathLike[str] | bytes, name: str = "model") -> ModelProto:
    """The ONNX model of a TFLite file, from its path or its bytes. Raises ModelError, in one line.

    1. Quantized tensors are behind QuantizeLinear and DequantizeLinear; activations are channels first.
    2. Inputs and outputs stay as the file has them.
    3. Each node's metadata names the operator it comes from (`tflite.operator`, `tflite.index`).
    """
    if isinstance(source, bytes):
        data = source
    else:
        name = os.fspath(source)
        path = Path(source)
        if is_there(path) and not is_file(path):  # a pipe would be waited for, a device read without end
            raise ModelError(f"{name}: is not a regular file")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{name}: cannot be read ({error.strerror or error})") from error
    if not is_tflite(data[:8]):
        raise ModelError(f"{name}: is not a TFLite file")
    # Loaded for a TFLite file only: opening ONNX files does not pay for it.
    from npuscope.tflite.convert import convert
    from npuscope.tflite.flatbuffer import DamagedError
    from npuscope.tflite.schema import parse

    try:
        return convert(parse(data), len(data))
    except DamagedError as error:
        raise ModelError(f"{name}: is a TFLite file that {error}") from None
