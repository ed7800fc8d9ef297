"""FlatBuffers read with every offset, length and count checked: nothing in the file is trusted.

Layout: https://flatbuffers.dev/internals (a table points back to its vtable, which lists where its fields lie).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npuscope.model.errors import ModelError
from npuscope.record import dataclass

Array = NDArray[Any]

_VECTORS = {
    kind: np.dtype(kind).newbyteorder("<") for kind in ("int32", "int64", "float32", "uint16", "uint8")
}

_INT32, _UINT16, _UINT32 = struct.Struct("<i"), struct.Struct("<H"), struct.Struct("<I")
_SCALARS = {
    "bool": struct.Struct("<?"),
    "int8": struct.Struct("<b"),
    "uint8": struct.Struct("<B"),
    "int32": _INT32,
    "uint32": _UINT32,
    "uint64": struct.Struct("<Q"),
    "float32": struct.Struct("<f"),
}


class DamagedError(ModelError):
    """An offset, a length or a count leads out of the file, or the parts are more than the file can hold."""


class Bytes:
    """The bytes of a file, and how much of them may still be read.

    Parts may be shared, so a small file could name the same large vector again and again: `spend` bounds the sum.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data)
        self.size = len(self.data)
        self._left = 8 * self.size + (1 << 16)

    def spend(self, amount: int) -> None:
        """Count what is read. Raises DamagedError where it is many times the file."""
        self._left -= amount
        if self._left < 0:
            raise DamagedError("refers to the same parts so often that they come to many times its own size")

    def unpack(self, form: struct.Struct, position: int) -> int:
        """One number."""
        if not 0 <= position <= self.size - form.size:
            raise DamagedError(f"points to byte {position} of {self.size}; it is cut short or damaged")
        value: int = form.unpack_from(self.data, position)[0]
        return value

    def root(self) -> Table:
        """The table that the file's first number points to."""
        return Table.at(self, self.unpack(_UINT32, 0))


@dataclass(frozen=True, slots=True)
class Table:
    """A table; a field is named by its slot, its position in the schema."""

    bytes: Bytes
    position: int
    vtable: int
    vtable_size: int

    @classmethod
    def at(cls, data: Bytes, position: int) -> Table:
        """The table at a byte of the file."""
        data.spend(4)
        vtable = position - data.unpack(_INT32, position)
        size = data.unpack(_UINT16, vtable)
        if size < 4 or vtable + size > data.size:
            raise DamagedError(f"holds a table of {size} bytes at byte {vtable} of {data.size}")
        return cls(data, position, vtable, size)

    def _field(self, slot: int) -> int | None:
        entry = 4 + 2 * slot
        if entry + 2 > self.vtable_size:
            return None
        offset = self.bytes.unpack(_UINT16, self.vtable + entry)
        return self.position + offset if offset else None

    def _target(self, slot: int) -> int | None:
        field = self._field(slot)
        return None if field is None else field + self.bytes.unpack(_UINT32, field)

    def integer(self, slot: int, kind: str = "int32", default: int = 0) -> int:
        """A whole number, or its default where the file leaves it out."""
        field = self._field(slot)
        return default if field is None else self.bytes.unpack(_SCALARS[kind], field)

    def real(self, slot: int, default: float = 0.0) -> float:
        """A float32."""
        field = self._field(slot)
        return default if field is None else float(self.bytes.unpack(_SCALARS["float32"], field))

    def flag(self, slot: int) -> bool:
        """A bool; False where it is left out."""
        return bool(self.integer(slot, "uint8"))

    def table(self, slot: int) -> Table | None:
        """A table inside this one."""
        target = self._target(slot)
        return None if target is None else Table.at(self.bytes, target)

    def vector(self, slot: int, kind: str) -> NDArray[np.generic] | None:
        """A vector of numbers, a view on the file."""
        target = self._target(slot)
        if target is None:
            return None
        dtype = _VECTORS[kind]
        count = self._count(target, dtype.itemsize)
        return np.frombuffer(self.bytes.data, dtype, count, target + 4)

    def integers(self, slot: int, kind: str = "int32") -> tuple[int, ...]:
        """A vector of whole numbers; empty where it is left out."""
        vector = self.vector(slot, kind)
        if vector is None:
            return ()
        self.bytes.spend(vector.nbytes)
        return tuple(vector.tolist())

    def raw(self, slot: int) -> memoryview | None:
        """A vector of bytes, not copied."""
        target = self._target(slot)
        if target is None:
            return None
        count = self._count(target, 1)
        return self.bytes.data[target + 4 : target + 4 + count]

    def text(self, slot: int) -> str:
        """A string; what is not UTF-8 is replaced."""
        raw = self.raw(slot)
        if raw is None:
            return ""
        self.bytes.spend(len(raw))
        return str(raw, "utf-8", "replace")

    def tables(self, slot: int) -> list[Table]:
        """A vector of tables."""
        target = self._target(slot)
        if target is None:
            return []
        count = self._count(target, 4)
        self.bytes.spend(4 * count)
        entries = range(target + 4, target + 4 + 4 * count, 4)
        return [Table.at(self.bytes, entry + self.bytes.unpack(_UINT32, entry)) for entry in entries]

    def _count(self, target: int, width: int) -> int:
        count = self.bytes.unpack(_UINT32, target)
        if target + 4 + count * width > self.bytes.size:
            raise DamagedError(
                f"states {count} values of {width} bytes at byte {target} of {self.bytes.size}; it may be cut short"
            )
        return count
