"""Lowering: from placed layers to the steps the compiler schedules, with everything it puts in between.

1. Layers are taken breadth first from the inputs, as the compiler numbers them.
2. Each tensor has a batch: the channels its producer writes at a time (kernels per pass of a convolution). Elementwise
   steps keep it. A convolution or pooling can be chained to its producer only if it reads in the same batch.
3. Views (Reshape and the like, channel Splits, Pads a convolution takes along) are names for tensors, not steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.model.layers import Layer, Layers, Operand
from npuscope.model.same_tensor import SAME_TENSOR
from npuscope.neural_art.kernels.streams import planar
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.floats import swallowed
from npuscope.neural_art.mapping.operators import MATRICES
from npuscope.neural_art.mapping.shapes import has_rank, of_rows
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, size
from npuscope.npu.cause import Cause
from npuscope.npu.cost import Cost
from npuscope.npu.verdict import Placement

INPUT = "#input"
"""Ends the name of a copy that lies channels last, of what lay channels first; no layer owns it."""


class Placed(NamedTuple):
    """A layer, where it runs and what it costs."""

    layer: Layer
    placement: Placement
    cost: Cost | None
    causes: tuple[Cause, ...] = ()
    """What the choice of its kernel rests on."""

    def because(self, why: Why) -> bool:
        """The cause is among them."""
        return self.cause(why) is not None

    def cause(self, why: Why) -> Cause | None:
        """One of them, None where it is not among them."""
        return next((cause for cause in self.causes if cause.why is why), None)


class Lowering:
    """The steps made so far, and what is known of the tensors between them."""

    def __init__(self, layers: Layers, target: Target) -> None:
        self.layers, self.target, self.toolchain = layers, target, target.toolchain
        self.planar = planar(layers)
        """Tensors that come plane by plane."""
        self.steps: list[Step] = []
        self.names: dict[str, str] = {}
        """A tensor that is a view of another, or the same under another name."""
        self.batches: dict[str, int] = {}
        """Channels that are written at a time; 0 or absent: all."""
        self.floats: set[str] = set()
        """Tensors that lie in memory as floats."""
        self.unchained: set[str] = set()
        """Tensors nothing can be chained to: copies, transposed writes."""
        self.software: set[str] = set()
        """Tensors that software or a hybrid routine writes."""
        self.views: set[str] = set()
        """Tensors that a step of its own makes of others by another name."""
        self.rearranged: set[str] = set()
        """Tensors that a hybrid routine writes."""
        self.replaced: dict[str, str] = {}
        """Layer -> what it reads instead of its input: the same with another type."""
        self.dequantized: dict[str, str] = {}
        """Stored tensor -> its float copy, shared by the float layers that read it."""
        self.read_in_integers: dict[str, bool] = {}
        """Input of the network that a float layer reads -> whether one of its readers dequantizes it."""
        self.written: set[str] = set()
        self.planes: set[str] = set()
        """Tensors that a Split on channels leaves in planes."""
        self.grouped: set[str] = set()
        """Tensors written in batches of channels that a Split on channels can take apart as they are."""
        self.summed: set[str] = set()
        """Results of convolutions that sub-masks of a larger kernel are added to."""
        self.columns: dict[str, str] = {}
        """Rows of three dimensions that a copy laid out -> the columns a Conv1d wrote them in."""
        self.channels_last: set[str] = set()
        """Inputs of the network that a Transpose declares to lie channels last."""
        self.laid_last: set[str] = set()
        """Copies that lie channels last, so that a convolution of any depth reads them."""

    def name(self, tensor: str) -> str:
        """The tensor another is a view of."""
        known = self.names
        while tensor in known:
            tensor = known[tensor]
        return tensor

    def writer(self, tensor: str) -> Layer | None:
        """The layer that writes a tensor, None for an input of the network."""
        return self.layers.writers.get(tensor)

    def readers(self, tensor: str) -> tuple[Layer, ...]:
        """The layers that read a tensor as an activation."""
        return self.layers.readers.get(tensor, ())

    def source(self, layer: Layer) -> str:
        """What a layer with one operand reads; '' where it has none."""
        if layer.name in self.replaced:
            return self.replaced[layer.name]
        operand = next((o for o in layer.inputs if o.constant is None), None)
        return self.name(operand.tensor) if operand is not None else ""

    def view(self, result: str, source: str) -> None:
        """Let one tensor be another under a new name."""
        source = self.name(source)
        if result != source:
            self.names[result] = source

    def renamed(self, layer: Layer, source: str) -> None:
        """The output of a layer is a view of a tensor; an Identity or Dropout is nothing at all."""
        name, operand = self.name(source), layer.output
        counted = self.toolchain.counts_views and not self.streamed(name)
        if operand is None or not counted or layer.kind in SAME_TENSOR or self.undone(layer):
            self.results_are(layer, source)
        else:
            self.viewed(layer, name, self.result(layer), layer.kind, lead=True)

    def undone(self, layer: Layer) -> bool:
        """A view of one position as a row, which a Gemm takes for one position again (mobilenet_v2_224, 2.2)."""
        before = layer.input_dims
        if layer.output is None or not has_rank(before, 4) or before[0] * before[2] * before[3] != 1:
            return False
        readers = self.readers(layer.output.tensor)
        return bool(readers) and all(reader.kind in MATRICES for reader in readers)

    def streamed(self, tensor: str) -> bool:
        """A unit or a view makes it, so that a view of it is a part of that epoch."""
        return tensor in self.written and (tensor not in self.software or tensor in self.views)

    def viewed(self, layer: Layer, source: str, result: str, op: str = "Reshape", lead: bool = False) -> str:
        """A view of what no unit streams: of what software wrote, or of an input of the network.

        It joins a later epoch or is one of its own, ahead of what reads it; several in a row are one (25 of 25 views, 2.1
        and 2.2). From 3.0 on epochs that move nothing are not counted; there it is not a step.
        """
        step = Step(
            op, layer.name, Placement.HW, (Read(source, False, 0),), (result,), lead=lead, renames=True
        )
        step.stored_bytes = size(layer.input) * (FLOAT_BYTES if source in self.floats else 1)
        self.add(step, self.batches.get(source, 0))
        self.unchained.add(result)
        if source in self.floats:
            self.floats.add(result)
        self.views.add(result)
        if source in self.software:
            self.software.add(result)
        return result

    def results_are(self, layer: Layer, source: str) -> None:
        """All outputs of a layer are views of a tensor."""
        for operand in layer.outputs:
            self.view(operand.tensor, source)
            self.view(operand.seen, source)

    def add(self, step: Step, batch: int = 0) -> str:
        """Put a step at the end; the tensor it writes."""
        self.steps.append(step)
        step.batch = batch
        step.stored_bytes = step.stored_bytes or step.elements * step.width
        if self.toolchain.begins_behind_cpu and step.arith:
            step.begins = any(read.tensor in self.software for read in step.reads)
        for tensor in step.writes:
            self.written.add(tensor)
            self.batches[tensor] = batch
            if not step.on_npu:
                self.software.add(tensor)
            if step.placement is Placement.HYBRID:
                self.rearranged.add(tensor)
            if step.copy:
                self.unchained.add(tensor)
        return step.writes[0] if step.writes else ""

    def read(self, tensor: str, chained: bool = True, streams: int = 1) -> Read:
        """A tensor as a step reads it."""
        name = self.name(tensor)
        free = chained and name not in self.unchained and name not in self.software
        return Read(name, free, streams)

    def result(self, layer: Layer) -> str:
        """The name of what a layer writes."""
        operand = layer.output
        if operand is None:
            return f"{layer.name}#none"
        self.stored((operand,))
        return operand.tensor

    def stored(self, operands: Iterable[Operand]) -> None:
        """Readers that name a tensor before its Q get what is stored."""
        for operand in operands:
            if operand.seen != operand.tensor:
                self.view(operand.seen, operand.tensor)

    def copy(
        self,
        layer: str,
        source: str,
        result: str,
        count: int,
        op: str = "Identity",
        batch: int = 0,
        width: int = 0,
    ) -> str:
        """A copy from memory to memory by the stream engines; of floats, floats."""
        name = self.name(source)
        if name in self.floats:
            self.floats.add(result)
        step = Step(op, layer, Placement.HW, (Read(name, False),), (result,), copy=True, elements=count)
        step.width = width or (FLOAT_BYTES if name in self.floats else 1)
        return self.add(step, batch)

    def batch(self, operand: Operand) -> int:
        """Channels that an operand is written at a time; an input of the network in rows lies channel after channel."""
        name = self.name(operand.tensor)
        return self.batches.get(name, 1 if name not in self.written and of_rows(operand.dims) else 0)

    def count(self, tensor: str, layer: Layer) -> int:
        """Elements of a tensor that a layer reads first; a Pad taken along does not count."""
        writer = self.writer(tensor)
        if writer is not None:
            operands = writer.outputs
        else:  # an input of the network
            operands = tuple(o for reader in self.readers(tensor) for o in reader.inputs)
        made = next((o for o in operands if o.tensor == tensor), None)
        return size(made) or size(layer.input)

    def activations(self, layer: Layer) -> list[Operand]:
        """The operands that are not constant; a Concat has those of one it swallows as well."""
        known = [o for o in layer.inputs if o.constant is None]
        if layer.kind != "Concat":
            return known
        parts, pending = [], known[::-1]
        while pending:
            operand = pending.pop()
            writer = self.writer(operand.tensor)
            if writer is not None and swallowed(writer, self.layers):
                pending += [o for o in writer.inputs[::-1] if o.constant is None]
            else:
                parts.append(operand)
        return parts


def copied_once(
    lowering: Lowering,
    result: str,
    layer: Layer,
    source: str,
    batch: int = 0,
    op: str = "Identity",
    owner: str | None = None,
) -> str:
    """A copy that all layers which want the same one share."""
    if result in lowering.written:
        return result
    name = layer.name if owner is None else owner
    return lowering.copy(name, source, result, lowering.count(source, layer), op, batch)


def laid_last(lowering: Lowering, mark: str, layer: Layer, source: str, owner: str | None = None) -> str:
    """A copy that lies channels last, which `mark` tells from other copies of the same; all that want it share it."""
    made = copied_once(lowering, source + mark, layer, source, owner=owner)
    lowering.laid_last.add(made)
    return made


def as_imported(placed: Sequence[Placed]) -> list[Placed]:
    """The order in which ST's front end numbers the operators of a model: what was made ready last goes first.

    All 228 operators of st_yolo_x_480 and 446 of 448 of yolov8_face, whose files list them otherwise.
    """
    return Readers(placed).as_imported().placed


def in_order(placed: Sequence[Placed]) -> list[Placed]:
    """Breadth first from the inputs, the readers of a tensor in the order given."""
    return Readers(placed).in_order()


class Readers:
    """Which placed layers read what another one writes: found once, it sorts them in several ways."""

    def __init__(self, placed: Sequence[Placed]) -> None:
        self.placed = list(placed)
        self.costs = {item.layer.name: item.cost for item in placed}
        """Layer -> its price."""
        written = [_written(item.layer) for item in self.placed]
        writer = {tensor: i for i, tensors in enumerate(written) for tensor in tensors}
        self._twice = len(writer) < sum(map(len, written))
        """Two layers write one tensor: the last one is read."""
        self._waiting: list[int] = []
        """Layers that each one reads from."""
        self._readers: list[list[int]] = [[] for _ in placed]
        for i, item in enumerate(placed):
            taken = _taken(item.layer)
            if len(taken) == 1:  # as it mostly is
                index = writer.get(taken[0][0])
                if index is None:
                    index = writer.get(taken[0][1])
                if index is None or index == i:
                    self._waiting.append(0)
                else:
                    self._readers[index].append(i)
                    self._waiting.append(1)
                continue
            sources: set[int] = set()
            for tensor, seen in taken:
                writer_index = writer.get(tensor)
                if writer_index is None:
                    writer_index = writer.get(seen)
                if writer_index is not None and writer_index != i and writer_index not in sources:
                    sources.add(writer_index)
                    self._readers[writer_index].append(i)
            self._waiting.append(len(sources))

    def in_order(self, last_first: bool = False, last_ready: bool = False) -> list[Placed]:
        """Breadth first from the inputs; a layer that waits for a cycle comes last.

        The readers of a tensor come in the order given or, with `last_first`, the last one first. With `last_ready` what
        was made ready last goes first.
        """
        return [self.placed[i] for i in self._sorted(last_first, last_ready)]

    def as_imported(self) -> Readers:
        """The same layers in the order in which ST's front end numbers them."""
        order = self._sorted(last_ready=True)
        if self._twice:  # which one is read depends on the order
            return Readers([self.placed[i] for i in order])
        number = [0] * len(order)
        for n, i in enumerate(order):
            number[i] = n
        other = object.__new__(Readers)
        other.placed, other.costs = [self.placed[i] for i in order], self.costs
        other._waiting, other._twice = [self._waiting[i] for i in order], False
        other._readers = [sorted([number[reader] for reader in self._readers[i]]) for i in order]
        return other

    def _sorted(self, last_first: bool = False, last_ready: bool = False) -> list[int]:
        readers, waiting = self._readers, list(self._waiting)
        queue = deque(i for i, count in enumerate(waiting) if count == 0)
        take = queue.pop if last_ready else queue.popleft
        order: list[int] = []
        while queue:
            i = take()
            order.append(i)
            for reader in reversed(readers[i]) if last_first else readers[i]:
                left = waiting[reader] = waiting[reader] - 1
                if not left:
                    queue.append(reader)
        order += [i for i, count in enumerate(waiting) if count > 0]
        return order


def _written(layer: Layer) -> tuple[str, ...]:
    """All a layer writes, as it is stored and as the operator names it."""
    known: tuple[str, ...] | None = layer.facts.get("written")
    if known is None:
        if len(layer.outputs) == 1:  # as it mostly is
            tensor, seen = layer.outputs[0].tensor, layer.outputs[0].seen
            known = (tensor,) if tensor == seen else (tensor, seen)
        else:
            known = tuple(dict.fromkeys([t for o in layer.outputs for t in (o.tensor, o.seen)]))
        layer.facts["written"] = known
    return known


def _taken(layer: Layer) -> tuple[tuple[str, str], ...]:
    """All a layer reads that is not constant, as it is stored and as the operator names it."""
    known: tuple[tuple[str, str], ...] | None = layer.facts.get("taken")
    if known is None:
        operands = (*layer.inputs, *layer.parameters, *((layer.bias,) if layer.bias is not None else ()))
        known = layer.facts["taken"] = tuple([(o.tensor, o.seen) for o in operands if o.constant is None])
    return known
