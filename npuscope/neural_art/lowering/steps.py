"""Steps: the operators of the compiler's lowered graph, which its schedule packs into epochs."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.npu.verdict import Placement
from npuscope.record import dataclass

SUM, PART, BATCH, FLOAT = "#sum", "#part", "#batch", "#float"
"""How names of the compiler's own tensors go on behind that of the layer or tensor, where it matters which they are."""


def float_name(tensor: str) -> str:
    """The floats behind a tensor."""
    return tensor + FLOAT


def is_sum(tensor: str, layer: str) -> bool:
    """A sum of multiplications between the steps of a convolution."""
    return tensor.startswith((layer + SUM, layer + PART))


def in_batches(tensor: str) -> bool:
    """A copy in the batches of the convolution that reads it."""
    return BATCH in tensor


class Read(NamedTuple):
    """A tensor as a step reads it."""

    tensor: str
    chained: bool = True
    """May come straight from the unit that makes it; else it must have been written to memory before."""
    streams: int = 1
    """Stream engines that fetch it from memory: one for each CA that reads it."""


@dataclass(slots=True, eq=False)
class Step:
    """One operator of the lowered graph.

    1. `op` is its kind as the compiler's report prints it; `layer` names the layer it belongs to, '' for none.
    2. `conv`, `arith`, `activ` and `pool` are the units it takes; none of them for a copy or software.
    3. `lead` marks the step that does the layer's own work; the others belong to it or are inserted.
    """

    op: str
    layer: str
    placement: Placement
    reads: tuple[Read, ...]
    writes: tuple[str, ...]
    conv: int = 0
    arith: int = 0
    activ: int = 0
    pool: int = 0
    lead: bool = False
    beside: tuple[str, ...] = ()
    """Other layers whose work it does as well."""
    copy: bool = False
    """Moves data from memory to memory: no unit, and nothing is chained to it but views."""
    renames: bool = False
    """Moves nothing: it takes a place in an epoch, but no unit and no stream engine."""
    free: bool = False
    """Takes no time: done as soon as all it reads lies in memory."""
    extra_streams: int = 0
    """Stream engines for weights, and the one that brings partial sums back from memory."""
    loops: bool = False
    """Its partial sums go through memory: by its own stream engine out, which it keeps where its result is chained on."""
    portioned: bool = False
    """Writes little at a time: two chains that part behind it may meet again in the same epoch."""
    corrects: bool = False
    """A correction of a product of two maps that does not share its epoch where it reads what the product has read."""
    corrected: int = 0
    """ARITH units of its own corrections, which it joins others in an epoch only beside (a product of two maps, from 4.0 on)."""
    begins: bool = False
    """It begins an epoch: an ARITH unit that reads what the CPU wrote (from 4.0 on)."""
    elements: int = 0
    width: int = 1
    """Bytes of an element it writes, where that is the compiler's own tensor: sums have two, floats four."""
    stored_bytes: int = 0
    """Bytes of what it writes, where that is the compiler's own tensor; `elements` x `width` if not given."""
    share: float = 1.0
    """The part of its layer's work that a lead step does."""
    constant_bytes: int = 0
    """Bytes that an inserted step fetches beside the weights."""
    batch: int = 0
    """Channels it writes at a time; 0: all."""

    @property
    def on_npu(self) -> bool:
        """All of it runs on the accelerators."""
        return self.placement is Placement.HW
