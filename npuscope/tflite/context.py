"""The ONNX graph being built: nodes, constants, and in which order of axes each tensor is held.

1. A tensor is held in the file's order, or channels first (`cf`).
2. A quantized tensor `x` of the file is the integers behind a QuantizeLinear, under the same name; operators
   read `x_dequantized`.
3. `read` hands out a tensor in either order, through a Transpose where the held order differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from npuscope.tflite.flatbuffer import Array, DamagedError
from npuscope.tflite.layout import arranged, axis_of, channels_first, channels_last, order_free
from npuscope.tflite.schema import PACKED, Constant, Quantization, Subgraph, Tensor, real_values
from npuscope.tflite.writer import ELEMENT_TYPES, Writer

STORED = frozenset({"int8", "uint8", "int16"})
"""Types of quantized activations."""


class UnsupportedError(Exception):
    """An operator, or this form of it, has no ONNX equivalent here: it is kept under its own name."""


class UnscaledError(UnsupportedError):
    """What is missing is a usable scale, which the network has when it is quantized in full."""


class Context(Writer):
    """What the conversion of an operator works on."""

    def __init__(self, graph: Subgraph, budget: int) -> None:
        borders = (graph.tensors[number].name for number in (*graph.inputs, *graph.outputs))
        super().__init__((tensor.name for tensor in graph.tensors), borders, budget)
        self.graph = graph
        self._constants: dict[int, Constant | None] = {}
        self._held: dict[int, bool] = {}
        self._real: dict[tuple[int, bool], str] = {}
        self._stored: dict[tuple[int, bool], str] = {}
        self._weights: dict[tuple[Any, ...], str] = {}
        self.outputs = frozenset(graph.outputs)
        self.of_maps: set[int] = set()
        """Tensors made, over any number of operators, of one that is held channels first."""
        self.wanted: set[int] = set()
        """Tensors that an operator on maps reads, or takes parts of."""
        self.floats: dict[str, None] = {}
        """Names of what the file's own DEQUANTIZE writes and its QUANTIZE reads: floats, whatever stands around them."""

    # --- tensors of the file

    def tensor(self, number: int) -> Tensor:
        """A tensor of the file. Raises UnsupportedError for an absent operand."""
        if number < 0:
            raise UnsupportedError("has too few operands")
        return self.graph.tensors[number]

    def rank(self, number: int) -> int:
        """Number of axes."""
        return self.tensor(number).rank

    def shape(self, number: int) -> tuple[int, ...]:
        """The sizes, in the file's order."""
        return self.tensor(number).shape

    def quant(self, number: int) -> Quantization | None:
        """The quantization of an activation; None where it is a float or a plain integer."""
        tensor = self.tensor(number)
        return tensor.quant if tensor.dtype in STORED else None

    def cf(self, number: int) -> bool:
        """Held channels first."""
        return self._held.get(number, False)

    def constant(self, number: int) -> Constant | None:
        """The values of a constant, of the file or folded."""
        if number not in self._constants:
            tensor = self.tensor(number)
            array = tensor.array()
            if array is not None and (tensor.dtype in PACKED or tensor.sparsity is not None):
                self.spend(array.nbytes)  # unpacked, no longer a view on the file
            quant = tensor.quant if tensor.dtype in STORED | {*PACKED, "int32", "int64"} else None
            self._constants[number] = None if array is None else Constant(array, quant)
        return self._constants[number]

    def fold(self, number: int, constant: Constant) -> None:
        """Take a tensor as constant from here on."""
        self._once(number)
        self.spend(constant.array.nbytes)
        self._constants[number] = constant

    def values(self, number: int) -> Array | None:
        """The values of a plain integer or float constant."""
        constant = self.constant(number) if number >= 0 else None
        return None if constant is None or constant.quant is not None else constant.array

    def integers(self, number: int) -> list[int]:
        """A small integer constant, as a list. Raises UnsupportedError where it is computed at run time."""
        constant = self.constant(number) if number >= 0 else None
        if constant is None or constant.array.dtype.kind not in "iu" or constant.array.size > 64:
            raise UnsupportedError("reads a parameter that is computed at run time")
        return [int(value) for value in constant.array.reshape(-1)]

    def written(self, number: int) -> bool:
        """Written already."""
        return number in self._held

    # --- reading

    def read(self, number: int, cf: bool | None = None) -> str:
        """The name of a tensor's real values, in the order asked for (None: as it is held)."""
        rank = self.rank(number)
        if self.constant(number) is not None:
            return self.constant_operand(number, rank, bool(cf) and rank > 2)
        if number not in self._held:
            raise UnsupportedError("reads a tensor without values")
        stored = self._held[number]
        wanted = stored if cf is None else cf and rank > 2
        key = (number, wanted)
        self._arrange(number, wanted)
        if key not in self._real:
            self.note(self._real, key, self._dequantized(number, self._stored[key]))
        return self._real[key]

    def _arrange(self, number: int, wanted: bool) -> None:
        """Have a tensor in an order: turned when it is first read so."""
        if (number, wanted) not in self._real and (number, wanted) not in self._stored:
            self._turn(number, not wanted, wanted)

    def _dequantized(self, number: int, stored: str) -> str:
        tensor = self.tensor(number)
        assert tensor.quant is not None
        real = self.fresh(f"{stored}_dequantized")
        self.dequantize(stored, real, tensor.quant, tensor.dtype, tensor.quant.axis, tensor.name)
        return real

    def _turn(self, number: int, channels_first_now: bool, wanted: bool) -> None:
        tensor, source = self.tensor(number), self.read(number, channels_first_now)
        shape = arranged(tensor.shape, wanted)
        name = self.fresh(f"{tensor.name}_channels_{'first' if wanted else 'last'}")
        if number in self.outputs and not wanted:
            name = tensor.name
        quant = self.quant(number)
        result = name if quant is None else self.fresh(f"{name}_result")
        if order_free(tensor.shape):
            self.reshape(source, result, shape, f"{self.owner}_reshape")
        else:
            perm = channels_first(len(shape)) if wanted else channels_last(len(shape))
            self.node("Transpose", [source], [result], f"{self.owner}_transpose", perm=perm)
        if quant is None:
            self.state(result, tensor.dtype, shape)
            self.note(self._real, (number, wanted), result)
        else:
            self._store(number, result, name, wanted)

    def _store(self, number: int, real: str, name: str, cf: bool, node: str | None = None) -> None:
        tensor = self.tensor(number)
        assert tensor.quant is not None
        self.quantize(real, name, tensor.quant, tensor.dtype, tensor.name, node)
        self.state(name, tensor.dtype, arranged(tensor.shape, cf))
        self.note(self._stored, (number, cf), name)

    def in_order(self, number: int) -> str:
        """The name of a tensor itself, integers where it is quantized, in the file's order."""
        if number not in self._held:
            raise UnsupportedError("reads a tensor without values")
        self._arrange(number, False)
        return self._stored.get((number, False)) or self.read(number, False)

    def stored(self, number: int) -> str | None:
        """The integers of a quantized tensor as it is held."""
        if self.quant(number) is None or not self.written(number):
            return None
        self._arrange(number, self.cf(number))
        return self._stored.get((number, self.cf(number)))

    def constant_operand(self, number: int, rank: int, cf: bool) -> str:
        """A constant with leading axes of size 1 up to `rank`, in either order; a scalar stays one."""
        constant = self.constant(number)
        assert constant is not None
        array, quant = constant.array, constant.quant
        axis = quant.axis if quant is not None else 0
        if array.ndim and rank >= array.ndim:
            axis += rank - array.ndim
            array = array.reshape((1,) * (rank - array.ndim) + array.shape)
            if cf:
                array, axis = array.transpose(channels_first(rank)), axis_of(axis, rank, True)
        return self.weight(number, array, axis, ("operand", array.ndim, cf))

    def weight(
        self, number: int, array: Array, axis: int, use: tuple[Any, ...], quant: Quantization | None = None
    ) -> str:
        """A constant, its values rearranged, behind a DequantizeLinear where it is quantized.

        `use` tells arrangements of one constant apart; `quant` replaces what the file states.
        """
        key = (number, *use)
        if key in self._weights:
            return self._weights[key]
        constant = self.constant(number)
        assert constant is not None
        quant = quant or constant.quant
        tensor = self.tensor(number)
        own = tensor.name if constant.quant is None or tensor.quant is constant.quant else None
        if quant is not None and (
            array.dtype.itemsize == 8 or (array.dtype.itemsize == 4 and quant.zero_point.any())
        ):
            # DequantizeLinear knows no int64, and no zero point for int32.
            array, quant = real_values(array, quant, axis), None
        made = self.initializer(tensor.name, array, own)
        if quant is not None:
            stored, made = made, self.fresh(f"{made}_dequantized")
            self.dequantize(stored, made, quant, str(array.dtype), axis, stored)
        self.note(self._weights, key, made)
        return made

    def operand(self, number: int, rank: int, cf: bool) -> str:
        """A tensor as an elementwise operator of `rank` axes reads it: leading axes of size 1 added as needed."""
        if self.constant(number) is not None:
            return self.constant_operand(number, rank, cf)
        own = self.shape(number)
        if not own or len(own) == rank or not cf:
            return self.read(number, cf if len(own) == rank else False)
        padded = (1,) * (rank - len(own)) + own
        if sum(size > 1 for size in own) > 1:
            made = self.fresh(f"{self.tensor(number).name}_axes")
            self.reshape(self.read(number, False), made, padded, f"{self.owner}_axes")
            turned = self.fresh(f"{made}_channels_first")
            self.node("Transpose", [made], [turned], f"{self.owner}_transpose", perm=channels_first(rank))
            return turned
        made = self.fresh(f"{self.tensor(number).name}_axes")
        self.reshape(self.read(number, False), made, arranged(padded, True), f"{self.owner}_axes")
        return made

    def same_sequence(self, number: int) -> str:
        """The real values in the file's sequence, whatever the shape: for a Reshape to read."""
        if self.cf(number) and order_free(self.shape(number)):
            return self.read(number)
        return self.read(number, False)

    def between(self, real: str, like: int, name: str, shape: Sequence[int]) -> str:
        """A result inside one operator, quantized as tensor `like` where that one is."""
        tensor = self.tensor(like)
        if self.quant(like) is None:
            return real
        assert tensor.quant is not None
        stored = self.fresh(name)
        self.quantize(real, stored, tensor.quant, tensor.dtype, tensor.name)
        self.state(stored, tensor.dtype, shape)
        return self._dequantized(like, stored)

    # --- writing

    def _once(self, number: int) -> None:
        tensor = self.tensor(number)
        if number in self._held or tensor.data is not None or self._constants.get(number) is not None:
            raise DamagedError(f"writes '{tensor.name}' twice")

    def write(self, number: int, cf: bool) -> str:
        """The name under which an operator's node writes a tensor; `close` takes it over."""
        self._once(number)
        tensor = self.tensor(number)
        if self.quant(number) is not None:
            return self.fresh(f"{tensor.name}_result")
        if cf and tensor.rank > 2 and number in self.outputs:
            return self.fresh(f"{tensor.name}_channels_first")
        return tensor.name

    def close(self, number: int, result: str, cf: bool, node: str | None = None) -> None:
        """Take `result` as a tensor's real values, behind a QuantizeLinear where the file says so."""
        tensor = self.tensor(number)
        cf = cf and tensor.rank > 2
        self.note(self._held, number, cf)
        if self.quant(number) is None:
            self.state(result, tensor.dtype, arranged(tensor.shape, cf))
            self.note(self._real, (number, cf), result)
            return
        name = self.fresh(f"{tensor.name}_channels_first") if cf and number in self.outputs else tensor.name
        self._store(number, result, name, cf, node)

    def close_stored(self, number: int, real: str, cf: bool, node: str) -> None:
        """A quantized tensor made of another's real values: the QuantizeLinear is the operator, under its name."""
        self._once(number)
        self.close(number, real, cf, node)

    def cast_to(self, source: str, number: int, cf: bool, node: str) -> None:
        """A tensor made of integers of another type."""
        result = self.write(number, cf)
        self.node("Cast", [source], [result], node, to=element_of(self.tensor(number).dtype))
        self.close(number, result, cf)

    def enter(self, number: int) -> None:
        """A graph input: it exists, in the file's order."""
        self._once(number)
        self._held[number] = False
        names = self._stored if self.quant(number) is not None else self._real
        names[number, False] = self.tensor(number).name

    def turn_input(self, number: int) -> None:
        """Hold a graph input channels first, whoever reads it first."""
        if number in self._held and self.rank(number) > 2 and not self._held[number]:
            self._turn(number, False, True)
            self._held[number] = True

    def turn(self, number: int) -> None:
        """Hold a tensor channels first from here on; the Transpose comes with who reads it."""
        self.note(self._held, number, True)

    def alias(self, number: int, source: int, cf: bool) -> bool:
        """Let a tensor be another one under a second name, where both mean the same. Tells whether they do."""
        output, input_ = self.quant(number), self.quant(source)
        same = output is input_ or (output is not None and input_ is not None and output.same_as(input_))
        known = self._held.get(source)
        if (
            not same
            or number in self.outputs
            or known is None
            or self.tensor(number).dtype != self.tensor(source).dtype
        ):
            return False
        self._once(number)
        self._arrange(source, known)
        self.note(self._held, number, cf and self.rank(number) > 2)
        key = (number, self._held[number])
        if output is None:
            self.note(self._real, key, self.read(source))
        else:
            self.note(self._stored, key, self._stored[source, known])
            self.note(self._real, key, self.read(source))
        return True

    def deliver(self, number: int) -> None:
        """Make a graph output exist under its own name, in the file's order."""
        tensor = self.tensor(number)
        names = self._stored if self.quant(number) is not None else self._real
        if names.get((number, False)) == tensor.name:
            return
        real = self.read(number, False)
        if names.get((number, False)) == tensor.name or tensor.name in self._own:
            return
        if self.quant(number) is not None:
            assert tensor.quant is not None
            self.quantize(real, tensor.name, tensor.quant, tensor.dtype, tensor.name)
        else:
            self.node("Identity", [real], [tensor.name], f"{self.owner}_identity")

    @staticmethod
    def elements(shape: Sequence[int]) -> int:
        """Number of values."""
        return math.prod(shape)


def element_of(name: str) -> int:
    """ONNX's number of a type. Raises UnsupportedError for what has none there."""
    if name not in ELEMENT_TYPES:
        raise UnsupportedError(f"works on {name}")
    return ELEMENT_TYPES[name]


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy type of a tensor. Raises UnsupportedError for strings, resources and the like."""
    try:
        return np.dtype(name)
    except TypeError:
        raise UnsupportedError(f"works on {name}") from None
