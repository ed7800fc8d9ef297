"""What passes between the two processes: a JSON header, and arrays as plain bytes behind it. Nothing in it is code."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct("<Q")

MOST_HEADER = 64 << 20
"""Bytes of a header; a longer one is none."""


class BrokenFrameError(Exception):
    """The other side ended, or wrote something else."""


def write_frame(stream: BinaryIO, header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
    """Write one message. Raises OSError where nobody reads it."""
    plain = [np.ascontiguousarray(array) for array in arrays]
    # ascontiguousarray makes one element of none: shapes are those of the originals.
    listed = [[array.dtype.str, list(original.shape)] for array, original in zip(plain, arrays, strict=True)]
    head = json.dumps({**header, "arrays": listed}).encode()
    stream.write(_LENGTH.pack(len(head)))
    stream.write(head)
    stream.writelines(array.reshape(-1).view(np.uint8).data if array.size else b"" for array in plain)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Read one message. Raises BrokenFrameError where there is none."""
    try:
        (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
        if length > MOST_HEADER:
            raise BrokenFrameError("not a header")
        header = json.loads(bytes(_exactly(stream, length)))
        arrays = [_array(stream, np.dtype(kind), tuple(shape)) for kind, shape in header.pop("arrays")]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenFrameError(str(error)) from error
    return header, arrays


def _array(stream: BinaryIO, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    array = np.empty(shape, kind)
    if array.nbytes:
        _fill(stream, memoryview(array.reshape(-1).view(np.uint8).data))
    return array


def _exactly(stream: BinaryIO, count: int) -> bytearray:
    data = bytearray(count)
    _fill(stream, memoryview(data))
    return data


def _fill(stream: BinaryIO, view: memoryview) -> None:
    done = 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise BrokenFrameError("ended")
        done += count
