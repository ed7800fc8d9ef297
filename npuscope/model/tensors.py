"""Tensor types, and constants whose bytes are read only when asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from npuscope.model.errors import ModelError, one_line
from npuscope.model.wire import Span

Dim = int | str | None
"""A known size, the name of a free one, or nothing known."""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type (as `dtype_name` says it) and shape; shape None = rank unknown."""

    dtype: str
    shape: tuple[Dim, ...] | None

    @property
    def dims(self) -> tuple[int, ...] | None:
        """The shape where every size is known and positive, else None."""
        return _known_sizes(self.shape) if self.shape is not None else None


@lru_cache(maxsize=1 << 14)
def _known_sizes(shape: tuple[Dim, ...]) -> tuple[int, ...] | None:
    known = tuple(d for d in shape if isinstance(d, int) and d > 0)
    return known if len(known) == len(shape) else None


UNKNOWN = TensorType("unknown", None)

_NAMES: dict[int, str] = {0: "unknown"}
_NAMES.update({number: name.lower() for name, number in TensorProto.DataType.items() if number})
_NAMES[TensorProto.FLOAT] = "float32"
_NAMES[TensorProto.DOUBLE] = "float64"
_BITS = {"float64": 64, "int64": 64, "uint64": 64, "float32": 32, "int32": 32, "uint32": 32, "complex64": 64}
_BITS |= {"float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16, "int4": 4, "uint4": 4, "float4e2m1": 4}
_BITS |= {"int2": 2, "uint2": 2, "complex128": 128}


def dtype_name(number: int) -> str:
    """'int8', 'float32', ... for a TensorProto.DataType."""
    return _NAMES.get(number, "unknown")


def dtype_number(name: str) -> int:
    """The TensorProto.DataType of a name given by `dtype_name`."""
    return next(number for number, known in _NAMES.items() if known == name)


def dtype_bits(name: str) -> int:
    """Bits of one element; 8 for the one-byte types."""
    return _BITS.get(name, 8)


def elements(shape: tuple[int, ...]) -> int:
    """Number of elements."""
    return math.prod(shape)


class ModelFile:
    """The file weights are read from, by position, so that a file cut short later cannot kill the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = _stamp(path)

    def check(self) -> None:
        """Raise ModelError where another file lies at the path by now: positions in it mean nothing."""
        now = _stamp(self.path)
        if now is not None and self._stamp is not None and now != self._stamp:
            raise ModelError(f"{self.path}: changed since it was opened; open it again")

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; ModelError where the file changed or does not hold them."""
        self.check()
        if offset < 0 or length < 0:
            raise ModelError(f"{self.path}: a tensor points outside the file")
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if offset + length > size:
                    raise ModelError(
                        f"{self.path}: a tensor needs bytes {offset} to {offset + length}, the file has {size}; "
                        "the file is cut short or belongs to another model"
                    )
                file.seek(offset)
                data = file.read(length)
        except OSError as error:
            raise ModelError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        if len(data) != length:
            raise ModelError(f"{self.path}: changed while it was read; open it again")
        return data


def _stamp(path: Path) -> tuple[int, int] | None:
    """(size, time of the last change in ns); None where there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


KEPT_BYTES = 4096
"""Arrays up to this size are kept once they were read."""


@dataclass(frozen=True, slots=True, eq=False)
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
    _read: Array | None = field(default=None, init=False, repr=False)
    """What `array` read before, of a small one: scales are asked for again and again."""

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
        if self.value is not None:
            return self.value
        if self._read is not None:
            return self._read
        assert self.proto is not None
        try:
            if self.file is not None and self.span is not None:
                stub = TensorProto()
                stub.CopyFrom(self.proto)
                del stub.external_data[:]
                stub.ClearField("data_location")
                expected = self.nbytes
                if self.span.length != expected:
                    raise ModelError(
                        f"tensor {self.name!r}: {self.span.length} bytes stored, its shape needs {expected}"
                    )
                stub.raw_data = self.file.read(self.span.offset, self.span.length)
                array = numpy_helper.to_array(stub)
            else:
                _check_stored(self.proto, self.size)
                array = numpy_helper.to_array(self.proto)
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


def _check_stored(proto: TensorProto, size: int) -> None:
    """A few bytes may claim a huge shape; numpy would try to allocate it."""
    if proto.HasField("raw_data"):
        stored = len(proto.raw_data) * 8 // dtype_bits(dtype_name(proto.data_type))
    else:
        fields = (proto.float_data, proto.int32_data, proto.int64_data, proto.double_data, proto.uint64_data)
        stored = max(max(len(field) for field in fields), len(proto.string_data)) * 8
    if size > stored:
        raise ModelError(f"tensor {proto.name!r}: its shape needs {size} values, fewer are stored")


def constant_of(proto: TensorProto, file: ModelFile, spans: Mapping[str, Span]) -> Constant:
    """The constant an initializer stands for. Raises ModelError for a path that leaves the model's folder."""
    shape = tuple(proto.dims)
    if any(dim < 0 for dim in shape):
        raise ModelError(f"tensor {proto.name!r} has a negative size")
    dtype = dtype_name(proto.data_type)
    if proto.data_location == TensorProto.EXTERNAL:
        external, span = _external(proto, file, (elements(shape) * dtype_bits(dtype) + 7) // 8)
        return Constant(proto.name, dtype, shape, proto, external, span)
    if proto.name in spans:
        return Constant(proto.name, dtype, shape, proto, file, spans[proto.name])
    return Constant(proto.name, dtype, shape, proto)


def _external(proto: TensorProto, file: ModelFile, nbytes: int) -> tuple[ModelFile, Span]:
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    folder = file.path.parent
    target = folder / location
    try:
        inside = bool(location) and target.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise ModelError(
            f"{file.path}: tensor {proto.name!r} keeps its data at {location!r}, outside the model's folder; refused"
        )
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", str(nbytes)))
    except ValueError as error:
        raise ModelError(f"{file.path}: tensor {proto.name!r} has an unreadable external offset") from error
    return ModelFile(target), Span(offset, length)
