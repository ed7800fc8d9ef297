"""What each epoch of a schedule reads from memory and writes there.

1. What a step writes lies in memory where a step of another epoch reads it, or none does: then it is an output.
2. The parts that a Split makes lie in what it splits, what a Concat that is not an epoch joins lies in its result.
3. A view lies in what it is a view of; the step that makes it moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.neural_art.lowering.steps import Step
from npuscope.npu.cost import Move


def moves(
    steps: Sequence[Step],
    packed: Sequence[Sequence[Step]],
    known: Sequence[tuple[Move, ...] | None] | None = None,
) -> list[tuple[Move, ...]]:
    """The moves of each epoch; `steps` has also those that are in none.

    `known` are what epochs moved in another state of the model, taken over where all still lies in the same.
    """
    found = Moves(steps, packed)
    return [found.per_epoch(k, known[k] if known is not None else None) for k in range(len(packed))]


class Moves:
    """Finds them: what lies in what, and who writes and reads it."""

    def __init__(self, steps: Sequence[Step], packed: Sequence[Sequence[Step]]) -> None:
        self.epoch = {id(step): k for k, taken in enumerate(packed) for step in taken}
        self.writer = {tensor: step for step in reversed(steps) for tensor in step.writes}
        """Tensor -> the first step that writes it."""
        self.readers: dict[str, list[Step]] = {}
        self.part_of: dict[str, str] = {}
        """Tensor -> the one it is a part of."""
        readers = self.readers
        for step in steps:
            for tensor, _, _ in step.reads:
                if tensor in readers:
                    readers[tensor].append(step)
                else:
                    readers[tensor] = [step]
        for step in [step for step in steps if step.renames or id(step) not in self.epoch]:
            if step.renames:
                self.parts(step)
            else:
                self.join(step)
        self.packed = packed

    def per_epoch(self, k: int, known: tuple[Move, ...] | None) -> tuple[Move, ...]:
        """What an epoch moves; `known` where that still lies where it did."""
        if known is not None:
            buffer = self.buffer
            if [buffer(move.tensor) for move in known] == [move.buffer for move in known]:
                return known
        return tuple([move for step in self.packed[k] for move in self.of(step, k)])

    def join(self, step: Step) -> None:
        """A step that takes no time: parts and whole are one."""
        if len(step.writes) == 1:
            for read in step.reads:
                if self.buffer(read.tensor) != self.buffer(step.writes[0]):
                    self.part_of.setdefault(read.tensor, step.writes[0])
        elif step.reads:
            self.parts(step)

    def parts(self, step: Step) -> None:
        """What a step writes lies in what it reads."""
        source = step.reads[0].tensor
        for part in step.writes:
            if self.buffer(source) != self.buffer(part):  # a damaged model runs in circles
                self.part_of.setdefault(part, source)

    def buffer(self, tensor: str) -> str:
        """The tensor that one is a part of, in the end; the way there is made short for those that ask next."""
        outer, within = tensor, self.part_of
        if tensor not in within:  # as most are
            return tensor
        while outer in within:
            outer = within[outer]
        while tensor in within and within[tensor] != outer:
            within[tensor], tensor = outer, within[tensor]
        return outer

    def of(self, step: Step, k: int) -> list[Move]:
        moved: list[Move] = []
        if step.renames:
            return moved
        epoch = self.epoch
        for tensor, _, _ in step.reads:
            writer = self.writer.get(tensor)
            if writer is None or epoch.get(id(writer)) != k:
                moved.append(self.move(tensor, False, step, writer))
        for tensor in step.writes:
            for reader in self.readers.get(tensor, (None,)):
                if reader is None or epoch.get(id(reader)) != k:
                    moved.append(self.move(tensor, True, step, step))
                    break
        return moved

    def move(self, tensor: str, write: bool, step: Step, writer: Step | None) -> Move:
        source_bytes = writer.stored_bytes if writer is not None else 0
        # A copy of an input of the network, which lies channels first, or of rows puts together what lay apart; one that
        # lays out rows the other way round
        apart = write and (
            (step.copy and step.op == "Reshape")
            or (step.op == "Transpose" and step.lead)
            or (step.copy and any(self.buffer(read.tensor) not in self.writer for read in step.reads))
            or (step.copy and not step.layer)  # channels last, of what lay channels first
        )
        return Move(
            tensor,
            self.buffer(tensor),
            write,
            step.op,
            step.layer,
            step.lead,
            source_bytes,
            step.share,
            apart,
            step.batch if step.arith and step.lead and not write else 0,
        )
