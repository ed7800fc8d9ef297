"""Tensor types, and constants whose bytes are read only when asked for."""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import SparseTensorProto, TensorProto, numpy_helper

from npuscope.model.errors import ModelError, TooLargeError, one_line
from npuscope.model.inspection.extent import dtype_bits, elements
from npuscope.model.wire import Span
from npuscope.record import dataclass, record

Dim = int | str | None
"""A known size, the name of a free one, or nothing known."""

Array = NDArray[Any]

READ_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""How a file is opened to be read: a pipe would block the open, a device might never end."""


@record()
class TensorType:
    """Element type (as `dtype_name` says it) and shape; shape None = rank unknown."""

    dtype: str
    shape: tuple[Dim, ...] | None
    dims: tuple[int, ...] | None = field(init=False, repr=False, compare=False)
    """The shape where every size is known and positive and all together are no more than MOST_ELEMENTS, else None."""

    def __post_init__(self) -> None:
        self.dims = _known_sizes(self.shape) if self.shape is not None else None  # type: ignore[misc]

    @property
    def shape_if_known(self) -> tuple[int, ...] | None:
        """The shape where every size is known, be it 0."""
        if self.dims is None and self.shape and all(isinstance(d, int) and d >= 0 for d in self.shape):
            return self.shape  # type: ignore[return-value]
        return self.dims

    @property
    def empty(self) -> bool:
        """A size is 0: the tensor has no elements."""
        return self.shape is not None and 0 in self.shape

    @property
    def too_large(self) -> bool:
        """Every size is known, and all together they are more than any device holds."""
        return self.shape_if_known is not None and not self.empty and self.dims is None


MOST_ELEMENTS = 1 << 53
"""Tensors above this many elements are not computed with: sizes in bytes stay exact numbers below it."""


@lru_cache(maxsize=1 << 14)
def _known_sizes(shape: tuple[Dim, ...]) -> tuple[int, ...] | None:
    known = tuple(d for d in shape if isinstance(d, int) and d > 0)
    return known if len(known) == len(shape) and math.prod(known) <= MOST_ELEMENTS else None


UNKNOWN = TensorType("unknown", None)
_DEFAULT, _EXTERNAL = TensorProto.DEFAULT, TensorProto.EXTERNAL  # slow to look up

_NAMES: dict[int, str] = {0: "unknown"}
_NAMES.update({number: name.lower() for name, number in TensorProto.DataType.items() if number})
_NAMES[TensorProto.FLOAT] = "float32"
_NAMES[TensorProto.DOUBLE] = "float64"


def dtype_name(number: int) -> str:
    """'int8', 'float32', ... for a TensorProto.DataType."""
    return _NAMES.get(number, "unknown")


def dtype_number(name: str) -> int:
    """The TensorProto.DataType of a name given by `dtype_name`."""
    return next(number for number, known in _NAMES.items() if known == name)


def numpy_type(name: str) -> np.dtype[Any] | None:
    """The numpy type of an element type; None where there is none."""
    number = next((number for number, known in _NAMES.items() if known == name and number), 0)
    if not number or name == "string":
        return None
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number))


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells one file from another that took its place: size in bytes, last change in ns, and number on the disk."""

    size: int
    changed: int
    number: int

    @staticmethod
    def of(status: os.stat_result) -> Stamp:
        """From the status of a file."""
        return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


class ModelFile:
    """The file weights are read from, by position, so that a file cut short later cannot kill the process."""

    def __init__(self, path: Path, stamp: Stamp | None = None) -> None:
        self.path = path
        self.stamp = stamp or _stamp(path)
        self._others: dict[Path, ModelFile] = {}

    def other(self, path: Path) -> ModelFile:
        """A file of weights that the model in this one refers to: the same for all tensors in it."""
        return self._others.setdefault(path, self._others.get(path) or ModelFile(path))

    @property
    def is_current(self) -> bool:
        """The file at the path is the one that was opened; also where there is none any more."""
        now = _stamp(self.path)
        return now is None or self.stamp is None or now == self.stamp

    @property
    def is_gone(self) -> bool:
        """There was a file at the path, and there is none any more."""
        return self.stamp is not None and _stamp(self.path) is None

    def check(self) -> None:
        """Raise ModelError where another file lies at the path by now: positions in it mean nothing."""
        if not self.is_current:
            raise ModelError(f"{self.path}: changed since it was opened; open it again")

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; ModelError where the file changed or does not hold them."""
        self.check()
        if offset < 0 or length < 0:
            raise ModelError(f"{self.path}: a tensor points outside the file")
        try:
            handle = os.open(self.path, READ_AT_ONCE)
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode):
                    raise ModelError(
                        f"{self.path}: is not a regular file; weights are read from regular files only"
                    )
                if offset + length > status.st_size:
                    raise ModelError(
                        f"{self.path}: a tensor needs bytes {offset} to {offset + length}, the file has "
                        f"{status.st_size}; the file is cut short or belongs to another model"
                    )
                file.seek(offset)
                data = file.read(length)
        except FileNotFoundError as error:
            state = "was deleted since the model was opened" if self.stamp else "does not exist"
            raise ModelError(
                f"{self.path}: {state}, and the model needs the values in it; put the file back"
            ) from error
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"{self.path}: cannot be read ({reason})") from error
        except MemoryError as error:
            raise ModelError(f"{self.path}: {length} bytes of a tensor do not fit into memory") from error
        if len(data) != length:
            raise ModelError(f"{self.path}: changed while it was read; open it again")
        return data


def open_for_reading(path: Path) -> int:
    """A file's handle, whatever lies there. Raises ModelError where there is nothing, or nothing that can be opened."""
    try:
        return os.open(path, READ_AT_ONCE)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None


def file_bytes(path: Path, most: int, what: str) -> bytes:
    """The bytes of a regular file that was named as `what`. Raises ModelError: a pipe is not waited for, a device not read."""
    handle = open_for_reading(path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "directory" if stat.S_ISDIR(status.st_mode) else "device or pipe"
            raise ModelError(f"{path}: is a {kind}; name {what}")
        with os.fdopen(os.dup(handle), "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    finally:
        os.close(handle)
    if len(data) > most:
        raise ModelError(
            f"{path}: has {status.st_size / 1e6:.0f} MB; {what} is read up to {most / 1e6:.0f} MB"
        )
    return data


def resolved(path: Path) -> Path:
    """The path behind all links. Links in a circle stay as they are: Path.resolve raises RuntimeError before Python 3.13."""
    return Path(os.path.realpath(path))


def _stamp(path: Path) -> Stamp | None:
    """None where there is no such file."""
    try:
        return Stamp.of(path.stat())
    except (OSError, ValueError):
        return None


PLAIN = {name: np.dtype(name) for name in ("int8", "uint8", "int32", "int64", "float32")}
"""Element types whose raw bytes, least significant first, are the array."""

KEPT_BYTES = 4096
"""Arrays up to this size are kept once they were read."""
MOST_VALUES = 1 << 28
"""Of an array that is read: as many bytes as the NPU has addresses for behind one memory port."""


@record(eq=False)
class Constant:
    """A tensor whose value the model holds.

    1. `value` is an array (made by an edit) or None (it lies in the model).
    2. `proto` is the TensorProto as stored; where `file` and `span` are set its bytes lie there.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    proto: TensorProto | None = None
    file: ModelFile | None = None
    span: Span | None = None
    value: Array | None = None
    steps: int = 0
    """Nodes one behind the other that make it of what the model holds."""
    _read: Array | None = field(default=None, init=False, repr=False)
    """What `array` read before, of a small one: scales are asked for again and again."""
    found: Any = field(default=None, init=False, repr=False)
    """What was found out of its values: few of the edits that are tried on a model change weights."""

    @property
    def size(self) -> int:
        """Number of elements."""
        return elements(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes on the device, 4-bit types packed."""
        return (self.size * dtype_bits(self.dtype) + 7) // 8

    def array(self) -> Array:
        """The values, read-only. Raises ModelError where the stored bytes do not fit the shape."""
        if (known := self.value if self.value is not None else self._read) is not None:
            return known
        assert self.proto is not None
        try:
            if self.file is not None and self.span is not None:
                stub = TensorProto()
                stub.CopyFrom(self.proto)
                del stub.external_data[:]
                stub.ClearField("data_location")
                if self.span.length != self.nbytes:
                    stored = f"{self.span.length} bytes stored"
                    raise ModelError(f"tensor {self.name!r}: {stored}, its shape needs {self.nbytes}")
                if self.size > MOST_VALUES:  # several copies are made, of eight bytes a value
                    raise TooLargeError(f"tensor {self.name!r}: {self.size:,} values are too many to look at")
                stub.raw_data = self.file.read(self.span.offset, self.span.length)
                array = numpy_helper.to_array(stub)
            else:
                array = _stored(self.proto, self.dtype, self.shape)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"tensor {self.name!r} cannot be read: {one_line(str(error))}") from error
        array.flags.writeable = False
        if array.nbytes <= KEPT_BYTES:
            object.__setattr__(self, "_read", array)
        return array

    @staticmethod
    def of(name: str, value: Array) -> Constant:
        """A constant made by an edit."""
        frozen = value.view()
        frozen.flags.writeable = False
        number = onnx.helper.np_dtype_to_tensor_dtype(frozen.dtype)
        return Constant(name, dtype_name(number), tuple(frozen.shape), value=frozen)


@record(eq=False, slots=False)
class SparseConstant(Constant):
    """An initializer that stores only the values that are not zero."""

    sparse: SparseTensorProto | None = field(default=None, repr=False)

    def array(self) -> Array:
        """The values, read-only. Raises ModelError where the stored ones do not fit the shape."""
        assert self.sparse is not None
        if self.size > MOST_DENSE:
            raise ModelError(f"tensor {self.name!r}: {self.size} sparse values are too many to expand")
        try:
            values = constant_array(self.sparse.values)
            places = constant_array(self.sparse.indices)
            dense = np.zeros(self.size, values.dtype)
            if places.ndim == 2:
                places = np.ravel_multi_index(tuple(places.T), self.shape)
            dense[places.reshape(-1)] = values.reshape(-1)
            dense = dense.reshape(self.shape)
        except (ValueError, TypeError, IndexError) as error:
            raise ModelError(f"tensor {self.name!r} cannot be read: {one_line(str(error))}") from error
        dense.flags.writeable = False
        return dense


MOST_DENSE = 1 << 27
"""Elements up to which a sparse tensor is expanded."""


def constant_array(proto: TensorProto) -> Array:
    """The values of a tensor whose bytes lie in its own message."""
    return Constant(proto.name, dtype_name(proto.data_type), tuple(proto.dims), proto).array()


def sparse_constant(sparse: SparseTensorProto) -> SparseConstant:
    """The constant a sparse initializer stands for. Raises ModelError for a negative size."""
    name, shape = sparse.values.name, tuple(sparse.dims)
    if any(dim < 0 for dim in shape):
        raise ModelError(f"tensor {name!r} has a negative size")
    return SparseConstant(name, dtype_name(sparse.values.data_type), shape, sparse=sparse)


def _stored(proto: TensorProto, dtype: str, shape: tuple[int, ...]) -> Array:
    """The values of a message: raw bytes as onnx reads them, without asking what else it might be. A model has thousands."""
    raw = proto.raw_data if proto.HasField("raw_data") else None  # a copy
    _check_stored(proto, elements(shape), raw, dtype)
    plain = PLAIN.get(dtype) if sys.byteorder == "little" and raw is not None else None
    if plain is None or proto.HasField("segment") or proto.data_location != _DEFAULT:
        return numpy_helper.to_array(proto)
    return np.frombuffer(raw or b"", plain).reshape(shape)


def _check_stored(proto: TensorProto, size: int, raw: bytes | None, dtype: str) -> None:
    """A few bytes may claim a huge shape; numpy would try to allocate it."""
    if raw is not None:
        stored = len(raw) * 8 // dtype_bits(dtype)
    else:
        fields = (proto.float_data, proto.int32_data, proto.int64_data, proto.double_data, proto.uint64_data)
        stored = max(max(len(field) for field in fields), len(proto.string_data)) * 8
    if size > stored:
        raise ModelError(f"tensor {proto.name!r}: its shape needs {size} values, fewer are stored")


def constant_of(proto: TensorProto, file: ModelFile, spans: Mapping[str, Span]) -> Constant:
    """The constant an initializer stands for. Raises ModelError for a path that leaves the model's folder."""
    name, shape, dtype = proto.name, tuple(proto.dims), dtype_name(proto.data_type)
    if min(shape, default=0) < 0:
        raise ModelError(f"tensor {name!r} has a negative size")
    if proto.data_location == _EXTERNAL:
        external, span = _external(proto, file, (elements(shape) * dtype_bits(dtype) + 7) // 8)
        return Constant(name, dtype, shape, proto, external, span)
    if name in spans:
        return Constant(name, dtype, shape, proto, file, spans[name])
    return Constant(name, dtype, shape, proto)


def _external(proto: TensorProto, file: ModelFile, nbytes: int) -> tuple[ModelFile, Span]:
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    target = file.path.parent / location
    try:
        # A cache holds links to both of a model and its data, which lie in one folder.
        allowed = (resolved(file.path.parent), resolved(file.path).parent)
        inside = bool(location) and any(map(resolved(target).is_relative_to, allowed))
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise ModelError(
            f"{file.path}: tensor {proto.name!r} keeps its data at {location!r}, outside the model's folder; "
            "export the model with its data beside it"
        )
    try:
        offset, length = _position(entries.get("offset", "0")), _position(entries.get("length", str(nbytes)))
    except ValueError as error:
        raise ModelError(f"{file.path}: tensor {proto.name!r} has an unreadable external offset") from error
    return file.other(target), Span(offset, length)


def _position(text: str) -> int:
    """A position in a file. Raises ValueError, also for numbers that no file has."""
    return int(text if len(text) <= 20 else "")
