"""The subgraphs of a TFLite file as values: tensors, operators, constants.

Slots are the positions of the fields in tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from npuscope.record import dataclass
from npuscope.tflite.flatbuffer import Array, Bytes, DamagedError, Table
from npuscope.tflite.operators import CUSTOM, OPERATORS, TENSOR_TYPES
from npuscope.tflite.sparse import Sparsity, dense, sparsity

_NO_NUMBERS = frozenset(
    {
        "string",
        "resource",
        "variant",
        "bfloat16",
        "complex64",
        "complex128",
        "uint4",
        "float8_e4m3fn",
        "float8_e5m2",
    }
)
PACKED = {"int4": 2, "int2": 4}
"""Types of which a byte holds several values, and how many."""
_FINER = {1: "as a tool of its own does", 2: "in blocks", 3: "along several axes"}
"""Kinds of quantization beside scales of a tensor or an axis, by their number in the file."""
MAX_RANK = 8
MAX_ELEMENTS = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """real = scale * (stored - zero_point), one of each, or one per element of `axis` (in the file's order)."""

    scale: Array
    zero_point: Array
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """More than one scale."""
        return self.scale.size > 1

    def same_as(self, other: Quantization) -> bool:
        """Equal in every parameter."""
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zero_point, other.zero_point)


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Values in the file's order, and their quantization."""

    array: Array
    quant: Quantization | None = None


def real_values(array: Array, quant: Quantization, axis: int) -> Array:
    """float32 values of quantized ones."""
    shape = [1] * array.ndim
    if quant.per_channel:
        shape[axis] = -1
    scale, zero = quant.scale.astype(np.float64).reshape(shape), quant.zero_point.reshape(shape)
    return ((array.astype(np.int64) - zero) * scale).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor as the file states it; `data` are the bytes of a constant."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    quant: Quantization | None
    data: memoryview | None
    free: bool
    """A size other than the first is left open."""
    sparsity: Sparsity | None = None
    """Which values of a constant are stored, where not all are."""
    finer: str = ""
    """How it is quantized, where that is not with scales of the tensor or of an axis."""

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def array(self) -> Array | None:
        """The values of a constant, int4 unpacked; None where it has none, or no numbers. Raises DamagedError."""
        if self.data is None or self.dtype in _NO_NUMBERS:
            return None
        count = math.prod(self.shape)
        if self.dtype in PACKED:
            return self._unpacked(count, PACKED[self.dtype])
        dtype = np.dtype(self.dtype).newbyteorder("<")
        if self.sparsity is not None:
            usable = len(self.data) // dtype.itemsize * dtype.itemsize
            return dense(np.frombuffer(self.data[:usable], dtype), self.shape, self.sparsity, self.name)
        if len(self.data) != count * dtype.itemsize:
            raise DamagedError(
                f"holds {len(self.data)} bytes for the {count} {self.dtype} values of '{self.name}'"
            )
        return np.frombuffer(self.data, dtype).reshape(self.shape)

    def _unpacked(self, count: int, each: int) -> Array:
        assert self.data is not None
        bits, packed = 8 // each, np.frombuffer(self.data, np.uint8)
        if packed.size != -(-count // each):
            raise DamagedError(
                f"holds {packed.size} bytes for {count} values of {bits} bits in '{self.name}'"
            )
        sign, mask = 1 << bits - 1, (1 << bits) - 1
        parts = np.stack([packed >> bits * i & mask for i in range(each)], axis=-1).reshape(-1)[:count]
        return ((parts ^ sign).astype(np.int8) - sign).astype(np.int8).reshape(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """An operator; an absent optional input is -1."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    custom: bool
    dilations: tuple[int, int] | None = None
    """Of a convolution that operators around it made a dilated one."""
    pads: tuple[int, ...] | None = None
    """Of the same: rows and columns before, then behind."""

    @property
    def name(self) -> str:
        """As ST's reports name it: 'CONV_2D_1'."""
        return f"{self.kind}_{self.index}"

    def input(self, position: int) -> int:
        """A tensor's number, -1 where it is absent."""
        return self.inputs[position] if position < len(self.inputs) else -1

    def integer(self, slot: int, kind: str = "int32", default: int = 0) -> int:
        """An option."""
        return default if self.options is None else self.options.integer(slot, kind, default)

    def real(self, slot: int, default: float = 0.0) -> float:
        """An option."""
        return default if self.options is None else self.options.real(slot, default)

    def reals(self, slot: int) -> tuple[float, ...]:
        """A vector of floats among the options."""
        vector = None if self.options is None else self.options.vector(slot, "float32")
        return () if vector is None else tuple(vector.tolist())

    def flag(self, slot: int) -> bool:
        """An option."""
        return self.options is not None and self.options.flag(slot)


@dataclass(frozen=True, slots=True, eq=False)
class Subgraph:
    """The graph that an application runs."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    description: str
    body: Callable[[int], Subgraph | None]
    """A subgraph of the file by its number, such as a body of an IF; None where there is none. Raises DamagedError."""
    variables: int = 0
    """Variables of the file that are inputs and outputs here."""
    first: str = ""
    """What these hold at first: 'zero' for the number 0 in all, 'other', '' where nothing says it."""


def parse(data: bytes | memoryview) -> Subgraph:
    """The first subgraph of a TFLite file. Raises DamagedError."""
    file = Bytes(data)
    root = file.root()
    graphs = root.tables(2)
    if not graphs:
        raise DamagedError("holds no subgraph")
    contents = [_content(file, table) for table in root.tables(4)]
    kinds = [_kind(table) for table in root.tables(1)]
    description = root.text(3)

    def body(number: int) -> Subgraph | None:
        return subgraph(graphs[number]) if 0 <= number < len(graphs) else None

    def subgraph(table: Table) -> Subgraph:
        names: set[str] = set()
        entries = table.tables(0)
        operators = tuple(_operator(i, entry, kinds, len(entries)) for i, entry in enumerate(table.tables(3)))
        inputs, outputs = table.integers(1), table.integers(2)
        written = {*inputs, *(number for operator in operators for number in operator.outputs)}
        tensors = tuple(_tensor(i, entry, contents, names, i in written) for i, entry in enumerate(entries))
        _in_range((*inputs, *outputs), len(tensors))
        return Subgraph(tensors, operators, inputs, outputs, description, body)

    main = subgraph(graphs[0])
    if not main.outputs:
        raise DamagedError("states no output")
    return main


def _content(file: Bytes, table: Table) -> memoryview | None:
    offset, size = table.integer(1, "uint64"), table.integer(2, "uint64")
    if offset > 1 and size:  # files above 2 GB keep their weights behind the FlatBuffer
        if offset + size > file.size:
            raise DamagedError(f"points to byte {offset + size} of {file.size}; it is cut short or damaged")
        return file.data[offset : offset + size]
    raw = table.raw(0)
    return raw if raw is not None and len(raw) else None


def _kind(table: Table) -> tuple[str, bool]:
    number = max(table.integer(0, "int8"), table.integer(3))
    if number == CUSTOM:
        return table.text(1)[:200] or "CUSTOM", True
    if 0 <= number < len(OPERATORS):
        return OPERATORS[number], False
    return f"OPERATOR_{number}", False


def _operator(index: int, table: Table, kinds: list[tuple[str, bool]], tensors: int) -> Operator:
    code = table.integer(0, "uint32")
    if code >= len(kinds):
        raise DamagedError(f"refers to operator code {code} of {len(kinds)}")
    inputs, outputs = table.integers(1), table.integers(2)
    _in_range((position for position in inputs if position != -1), tensors)
    _in_range(outputs, tensors)
    kind, custom = kinds[code]
    return Operator(index, kind, inputs, outputs, table.table(4), custom)


def _in_range(positions: Iterable[int], tensors: int) -> None:
    for position in positions:
        if not 0 <= position < tensors:
            raise DamagedError(f"refers to tensor {position} of {tensors}")


def _tensor(
    index: int, table: Table, contents: list[memoryview | None], names: set[str], written: bool
) -> Tensor:
    shape = table.integers(0)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise DamagedError(f"states a tensor of {len(shape)} axes, {'×'.join(map(str, shape[:MAX_RANK]))}")
    name = table.text(3) or f"tensor_{index}"
    if name in names:
        name = f"{name}_{index}"
        while name in names:
            name += "_"
    names.add(name)
    number, place = table.integer(1, "int8"), table.integer(2, "uint32")
    if not 0 <= number < len(TENSOR_TYPES):
        raise DamagedError(f"states type {number} for '{name}'")
    if place >= len(contents) and place:
        raise DamagedError(f"refers to buffer {place} of {len(contents)}")
    data = contents[place] if place and not table.flag(5) else None
    layout = sparsity(table.table(6), name) if data is not None else None
    if data is None and not written and not math.prod(shape):
        data = memoryview(b"")
    free = any(size < 0 for size in table.integers(7)[1:])
    return Tensor(
        index,
        name,
        TENSOR_TYPES[number],
        shape,
        _quantization(table.table(4), name, shape),
        data,
        free,
        layout,
        _finer(table.table(4)),
    )


def _finer(table: Table | None) -> str:
    return "" if table is None else _FINER.get(table.integer(4, "int8"), "")


def _quantization(table: Table | None, name: str, shape: tuple[int, ...]) -> Quantization | None:
    if table is None:
        return None
    scale, zero = table.vector(2, "float32"), table.vector(3, "int64")
    if scale is None or not scale.size:
        return None
    table.bytes.spend(scale.nbytes)
    if zero is None or not zero.size:
        zero = np.zeros(scale.size, np.int64)
    if zero.size == 1 and scale.size > 1:
        zero = np.repeat(zero, scale.size)
    axis = table.integer(6)
    if scale.size > 1 and not (0 <= axis < len(shape) and shape[axis] == scale.size):
        raise DamagedError(
            f"states {scale.size} scales for axis {axis} of '{name}', {'×'.join(map(str, shape))}"
        )
    if zero.size != scale.size:
        raise DamagedError(f"states {zero.size} zero points for {scale.size} scales of '{name}'")
    scales = np.asarray(scale, np.float32)
    if not scales.min() >= 0 or not scales.max() < np.inf:
        raise DamagedError(f"states a scale for '{name}' that is not a positive number")
    return Quantization(scales, np.asarray(zero, np.int64), axis)
