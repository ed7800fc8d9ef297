"""The values of a tensor in another order: found before or behind operators that only move them, or made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from npuscope.edits.edit import Patch
from npuscope.edits.toolkit.drafting import Draft, Grid, removed_with, set_axis
from npuscope.edits.toolkit.rewiring import only_reader
from npuscope.edits.toolkit.weighted import Weighted
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.moved import dequantize_of
from npuscope.model.layer import RESHAPES
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Operand, is_qdq
from npuscope.model.quant import Quant, of_node
from npuscope.model.tensors import Array, TensorType
from npuscope.record import dataclass

REORDERING = RESHAPES | {"Transpose"}
"""Operators that write all values they read, in another order or shape."""

LARGEST = 1 << 22
"""Elements of a tensor whose order is looked at."""

MOST_MOVES = 32
"""Movers, Q and DQ that are looked through; more stand in a row only where a damaged model runs in a circle."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A tensor that holds the values of another.

    1. Before it: `order` has the shape of the other, and says where in this tensor each of its values lies.
    2. Behind it: `order` has the shape of this tensor, and says where in the other each of its values lies.
    """

    tensor: str
    order: Array
    through: tuple[Node, ...]
    """The nodes between the two, the one next to the other tensor first."""


def before(graph: Graph, tensor: str, quant: Quant | None) -> Iterator[View]:
    """The tensor itself, and those that movers on the same grid make it of."""
    shape = graph.type(tensor).dims
    if shape is None or math.prod(shape) > LARGEST:
        return
    yield View(tensor, _counted(shape), ())
    through: list[Node] = []
    moves: list[Node] = []
    current = tensor
    while (node := graph.producer(current)) is not None and len(through) < MOST_MOVES:
        if is_qdq(node):
            maker = graph.producer(node.input(0))
            if node.op != DEQUANTIZE or maker is None or not is_qdq(maker) or maker.op != QUANTIZE:
                return
            if not (_on(graph, node, quant) and _on(graph, maker, quant)):
                return
            through += [node, maker]
            current = maker.input(0)
        elif _moves(graph, node):
            through.append(node)
            moves.append(node)
            current = node.input(0)
            dims = graph.type(current).dims
            assert dims is not None, "a mover's shapes are known"
            source = graph.producer(current)
            if quant is None or (source is not None and is_qdq(source) and _on(graph, source, quant)):
                order = _counted(dims)
                for move in reversed(moves):
                    order = _moved(graph, move, order)
                yield View(current, order, tuple(through))
        else:
            return


def behind(graph: Graph, tensor: str, quant: Quant | None) -> Iterator[View]:
    """What movers on the same grid, which alone read the tensor, make of it."""
    shape = graph.type(tensor).dims
    if shape is None or math.prod(shape) > LARGEST:
        return
    order, through, current = _counted(shape), list[Node](), tensor
    while (node := only_reader(graph, current)) is not None and len(through) < MOST_MOVES:
        if is_qdq(node):
            if node.op != (QUANTIZE if current == tensor or not _is_dequantize(through) else "") or not _on(
                graph, node, quant
            ):
                return
            after = only_reader(graph, node.output(0))
            if after is None or not is_qdq(after) or after.op != DEQUANTIZE or not _on(graph, after, quant):
                return
            through += [node, after]
            current = after.output(0)
        elif _moves(graph, node) and node.input(0) == current:
            through.append(node)
            order = _moved(graph, node, order)
            current = node.output(0)
            yield View(current, order, tuple(through))
        else:
            return


def _is_dequantize(through: Sequence[Node]) -> bool:
    return bool(through) and through[-1].op == DEQUANTIZE


def _on(graph: Graph, node: Node, quant: Quant | None) -> bool:
    """A Q or DQ has the same one scale. Scales along an axis are others behind a mover, which turns the axis."""
    own = of_node(graph, node)
    return own is not None and not own.per_channel and own.same_as(quant)


def _moves(graph: Graph, node: Node) -> bool:
    known = graph.type(node.output(0)).dims is not None and graph.type(node.input(0)).dims is not None
    return node.standard and node.op in REORDERING and len(node.outputs) == 1 and known


def _moved(graph: Graph, node: Node, order: Array) -> Array:
    if node.op == "Transpose":
        return np.transpose(order, node.integers("perm"))
    dims = graph.type(node.output(0)).dims
    assert dims is not None, "a mover's shapes are known"
    return order.reshape(dims)


MOST_ELEMENTS = 1 << 26
"""Elements whose order is followed one by one; no tensor of a model for the chip comes near."""


def _counted(shape: tuple[int, ...]) -> Array:
    """Each element's place. Raises ValueError for a tensor too large to follow."""
    if math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"a tensor of {math.prod(shape)} elements is too large to follow")
    return np.arange(math.prod(shape), dtype=np.int32).reshape(shape)


def in_order(order: Array) -> bool:
    """Each value lies behind the one before it."""
    return bool(np.array_equal(order.reshape(-1), np.arange(order.size, dtype=order.dtype)))


def relaid(
    draft: Draft,
    graph: Graph,
    operand: Operand,
    name: str,
    values: Array,
    axis: int,
    order: Array | None = None,
) -> str:
    """A constant operand with its values in another shape, behind the Q/DQ it had; scales lie along `axis`.

    `order` says for each channel whose scale it has; without it scales stay as they are.
    """
    if operand.seen == operand.tensor:
        return draft.constant(name, values)
    dequantize = dequantize_of(graph, operand.seen)
    assert dequantize is not None and operand.quant is not None
    turned = axis if operand.quant.axis is not None else None
    quantize = graph.producer(dequantize.input(0))
    stored = draft.constant(name if quantize is not None else f"{name}_quantized", values)
    if quantize is not None and is_qdq(quantize):
        source, stored = stored, draft.name(f"{name}_{QUANTIZE}_Output")
        type_ = TensorType(graph.type(dequantize.input(0)).dtype, values.shape)
        inputs = (source, *_ordered(draft, graph, quantize, order))
        set_axis(draft.copy(quantize, f"{name}_{QUANTIZE}", inputs, ((stored, type_),)), turned)
    seen = draft.name(f"{name}_{DEQUANTIZE}_Output")
    real = TensorType(graph.type(operand.seen).dtype, values.shape)
    inputs = (stored, *_ordered(draft, graph, dequantize, order))
    set_axis(draft.copy(dequantize, f"{name}_{DEQUANTIZE}", inputs, ((seen, real),)), turned)
    return seen


def _ordered(draft: Draft, graph: Graph, node: Node, order: Array | None) -> tuple[str, ...]:
    """Names of the scale and zero point of a Q or DQ, in another order."""
    if order is None:
        return node.inputs[1:]
    ordered = []
    for name in node.inputs[1:]:
        values = graph.constants[name].array().reshape(-1) if name else np.zeros(1)
        ordered.append(draft.constant(name, values[order]) if values.size > 1 else name)
    return tuple(ordered)


@dataclass(eq=False)
class Rewriting:
    """A layer written as another operator that wants its activations in another order.

    `channels` is where that operator has its channels: 1 (channels first, on a map) or -1 (the rows of a matrix).
    """

    weighted: Weighted
    channels: int
    removed: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.graph = self.weighted.graph
        self.draft = Draft(self.graph, self.weighted.layer.core)

    def _wanted(self, order: Array, axis: int) -> Array:
        return np.moveaxis(order, axis, 0 if self.channels == 1 else -1)

    def shaped(self, shape: tuple[int, ...]) -> bool:
        """The operator takes a tensor of this shape as it is."""
        count = self.weighted.in_channels
        if self.channels == 1:
            return len(shape) in (3, 4) and shape[:2] == (1, count)
        return len(shape) == 2 and shape[1] == count

    def source(self, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """The input in the order wanted, and its shape: that of a tensor found, or `shape`."""
        weighted, graph = self.weighted, self.graph
        quant = weighted.input.quant if weighted.input_grid is not None else None
        fitting = [
            view
            for view in before(graph, weighted.input.seen, quant)
            if in_order(self._wanted(view.order, weighted.input_axis))
        ]
        # The farthest leaves the most movers out
        fitting.sort(key=lambda view: (not self.shaped(self._dims(view.tensor)), -len(view.through)))
        if fitting:
            best = fitting[0]
            self._leave(best.through)
            dims = self._dims(best.tensor)
            if self.shaped(dims):
                return best.tensor, dims
            return self.reshaped(best.tensor, shape, "input", weighted.input_grid), shape
        return self._turned(weighted.input.seen, shape), shape

    def _dims(self, tensor: str) -> tuple[int, ...]:
        return self.graph.type(tensor).dims or ()

    def _leave(self, through: tuple[Node, ...]) -> None:
        """Nodes before the layer that are read by nothing else any more."""
        graph = self.graph
        removed = {self.weighted.layer.core.name}
        for node in through:
            readers = {graph.nodes[i].name for name in node.outputs for i in graph.consumers.get(name, ())}
            if not readers <= removed or not graph.output_set.isdisjoint(node.outputs):
                break
            removed.add(node.name)
            self.removed.append(node)

    def _turned(self, tensor: str, shape: tuple[int, ...]) -> str:
        """The input transposed, through a map of four dimensions."""
        dims, grid = self._dims(tensor), self.weighted.input_grid
        if self.channels == 1:
            last = (1, *shape[2:], shape[1])
            if dims != last:
                tensor = self.reshaped(tensor, last, "rows", grid)
            return self.transposed(tensor, last, _first(len(last)), "input", grid)
        order = _last(len(dims))
        tensor = self.transposed(tensor, dims, order, "rows", grid)
        return self.reshaped(tensor, shape, "input", grid)

    def reshaped(
        self, tensor: str, shape: tuple[int, ...], wanted: str, grid: Grid | None, into: str = ""
    ) -> str:
        """A Reshape, with the pair of its grid behind it where it does not write `into` a tensor that has one."""
        name = f"{self.weighted.layer.name}_{wanted}"
        target = self.draft.constant(f"{name}_shape", np.array(shape, np.int64))
        return self._put("Reshape", f"{name}_reshape", (tensor, target), shape, grid, into)

    def transposed(
        self,
        tensor: str,
        dims: tuple[int, ...],
        order: tuple[int, ...],
        wanted: str,
        grid: Grid | None,
        into: str = "",
    ) -> str:
        """A Transpose, likewise."""
        name = f"{self.weighted.layer.name}_{wanted}"
        shape = tuple(dims[axis] for axis in order)
        return self._put("Transpose", f"{name}_transpose", (tensor,), shape, grid, into, perm=list(order))

    def _put(
        self,
        op: str,
        name: str,
        inputs: tuple[str, ...],
        shape: tuple[int, ...],
        grid: Grid | None,
        into: str,
        **attributes: Any,
    ) -> str:
        type_ = TensorType(self.graph.type(self.weighted.input.seen).dtype, shape)
        output = into or self.draft.name(f"{name}_output")
        self.draft.node(op, name, inputs, ((output, type_),), **attributes)
        return output if into or grid is None else self.draft.quantized(output, type_, grid)

    def finish(
        self, op: str, source: str, weight: str, bias: str, shape: tuple[int, ...], **attributes: Any
    ) -> Patch:
        """The operator, which writes `shape`; the fused activation; and the way to the tensor the layer wrote."""
        weighted, draft, graph = self.weighted, self.draft, self.graph
        target, through, again = self._target(shape)
        order, dims = self._order(target, through), self._dims(target)
        direct = dims == shape and in_order(order)
        core, activation, name = weighted.layer.core, weighted.activation, weighted.layer.name
        type_ = TensorType(graph.type(weighted.input.seen).dtype, shape)
        end = draft.name(f"{name}_result") if again else target
        written = end if direct and activation is None else draft.name(f"{name}_{op}_output")
        operands = (source, weight, bias) if bias else (source, weight)
        draft.node(op, f"{name}_{op}", operands, ((written, type_),), **attributes)
        if activation is not None:
            raw, written = written, end if direct else draft.name(f"{name}_activated")
            draft.copy(
                activation, f"{name}_{activation.op}", (raw, *activation.inputs[1:]), ((written, type_),)
            )
        if not direct:
            self._lead(written, shape, order, dims, end)
        if again and weighted.output_grid is not None:
            draft.quantized(end, TensorType(type_.dtype, dims), weighted.output_grid, into=target)
        old = [core, *([activation] if activation is not None else []), *self.removed, *through]
        removed = removed_with(graph, tuple(old), draft.nodes)
        return draft.patch(removed)

    def _order(self, target: str, through: tuple[Node, ...]) -> Array:
        """Where in the operator's result each value of the target lies."""
        graph, weighted = self.graph, self.weighted
        dims = self._dims(weighted.output.seen)
        axis = weighted.output_axis
        rest = [size for i, size in enumerate(dims) if i != axis]
        if self.channels == 1:
            order = np.moveaxis(_counted((dims[axis], *rest)), 0, axis)
        else:
            order = np.moveaxis(_counted((*rest, dims[axis])), -1, axis)
        for node in through:
            if not is_qdq(node):
                order = _moved(graph, node, order)
        return order

    def _target(self, shape: tuple[int, ...]) -> tuple[str, tuple[Node, ...], bool]:
        """What to write: the layer's output, or a tensor behind it that has the order of the result.

        Also the nodes up to it, and whether it needs a Q/DQ pair of its own.
        """
        graph, weighted = self.graph, self.weighted
        seen = weighted.output.seen
        if in_order(self._order(seen, ())) and self._dims(seen) == shape:
            return seen, (), False
        quant = weighted.output.quant if weighted.output_grid is not None else None
        best: View | None = None
        for view in behind(graph, seen, quant):
            if in_order(self._order(view.tensor, view.through)):
                best = view
                if self._dims(view.tensor) == shape:
                    break
        if best is None:
            return seen, (), False
        readers = [graph.nodes[i] for i in graph.consumers.get(best.tensor, ())]
        kept = bool(readers) and all(
            is_qdq(node) and node.op == QUANTIZE and _on(graph, node, quant) for node in readers
        )
        again = quant is not None and not (kept and best.tensor not in graph.output_set)
        return best.tensor, best.through, again

    def _lead(
        self, written: str, shape: tuple[int, ...], order: Array, dims: tuple[int, ...], end: str
    ) -> None:
        """From the result to a tensor in the order wanted: a Reshape, a Transpose, or both."""
        draft, grid = self.draft, self.weighted.output_grid
        type_ = draft.types[written]
        source = written if grid is None else draft.quantized(written, type_, grid)
        if in_order(order):
            self.reshaped(source, dims, "output", grid, end)
        elif self.channels == 1:
            turned = tuple(shape[axis] for axis in _last(len(shape)))
            into = end if turned == dims else ""
            source = self.transposed(source, shape, _last(len(shape)), "turned", grid, into)
            if not into:
                self.reshaped(source, dims, "output", grid, end)
        else:
            last = (*dims[:1], *dims[2:], dims[1])
            if last != shape:
                source = self.reshaped(source, last, "map", grid)
            self.transposed(source, last, _first(len(last)), "output", grid, end)


def _first(rank: int) -> tuple[int, ...]:
    """Channels last to channels first."""
    return (0, rank - 1, *range(1, rank - 1))


def _last(rank: int) -> tuple[int, ...]:
    """Channels first to channels last."""
    return (0, *range(2, rank), 1)
