"""Arrays from .npy and .npz files: plain numbers, from regular files, of a size that is known before they are read."""

from __future__ import annotations

import contextlib
import math
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from npuscope.model.budget import limits
from npuscope.model.errors import ModelError, one_line
from npuscope.model.tensors import Array, open_for_reading

_HEADERS: dict[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def read_arrays(path: Path, wanted: Sequence[str]) -> dict[str, Array] | Array:
    """The one array of a .npy file, or those wanted of an archive. Raises ModelError."""
    with _reading(path) as file:
        if file.read(4) != b"PK\x03\x04":
            file.seek(0)
            return _array(file, path)
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            missing = next((name for name in wanted if name not in members), None)
            if missing is not None:
                held = ", ".join(members) or "nothing"
                raise ModelError(f"{path}: has no array {missing!r}; it holds {one_line(held, 200)}")
            arrays = {}
            for name in wanted:
                with archive.open(members[name]) as member:
                    arrays[name] = _array(member, path)
            return arrays


def read_array(path: Path) -> Array:
    """The one array of a .npy file. Raises ModelError, also for an archive."""
    with _reading(path) as file:
        return _array(file, path)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    handle = open_for_reading(path)
    try:
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ModelError(f"{path}: is not a regular file; give a .npy or .npz file")
            yield file
    except ModelError:
        raise
    except (
        OSError, ValueError, EOFError, KeyError, MemoryError, NotImplementedError, OverflowError, RuntimeError, SyntaxError,
        struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(
            f"{path}: cannot be read as .npz or .npy with plain numbers ({one_line(str(error), 80)})"
        ) from error


def _array(file: IO[bytes], path: Path) -> Array:
    """The array that begins here: its header says how large it is before anything is decompressed."""
    version = npy.read_magic(file)
    header = _HEADERS.get(version)
    if header is None:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    shape, by_columns, dtype = header(file)
    if dtype.hasobject or not dtype.itemsize:  # of no bytes each there could be any number
        raise ValueError(f"{dtype} is not read")
    size, most = math.prod(shape) * dtype.itemsize, limits().memory
    if size > most or min(shape, default=0) < 0:
        raise ModelError(
            f"{path}: holds an array of {'x'.join(map(str, shape[:8]))} {dtype}, which is {size / 1e9:.3g} GB; up to "
            f"{most / 1e9:.3g} GB are read. Save fewer samples, or --memory-limit allows more"
        )
    data = file.read(size)
    if len(data) < size:
        raise ValueError(f"{len(data)} of {size} bytes")
    flat = np.frombuffer(data, dtype) if size else np.zeros(math.prod(shape), dtype)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)
