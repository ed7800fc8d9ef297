"""The figures of a layer, an epoch and the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from npuscope.npu.verdict import Placement
from npuscope.record import dataclass, record


@record()
class Tiling:
    """How the compiler maps a convolution on the CONV accelerators (CAs)."""

    simd: str
    """'8x8' or '16x8': bits of feature x bits of weight."""
    deep1x1: bool
    dss2: bool
    accelerators: int
    """CAs in series."""
    iterations: int
    """Accumulation iterations through memory."""
    batch_depth: int
    """Input channels per CA and iteration."""
    kernels_per_pass: int
    passes: int
    stationary: bool
    """The features stay in the CA over all passes."""
    group: int
    """Groups after inflation of depthwise weights."""
    parts: tuple[tuple[int, int], ...] = ()
    """(rows, columns) of the sub-masks a kernel larger than the accelerators' is cut in; one where it fits."""
    stripes: int = 1
    """Column stripes a map wider than the line buffer is cut in."""
    notes: tuple[str, ...] = ()
    """Why this tiling and no better one, a sentence each."""

    @property
    def steps(self) -> int:
        """Epochs of full length, all as long as the one of the largest sub-mask."""
        return epochs_of(len(self.parts), self.accelerators)

    @property
    def side_by_side(self) -> int:
        """Sub-masks that run at a time on the four CAs."""
        return _side_by_side(self.accelerators)


ACCELERATORS = 4
"""CAs of a Neural-ART 14."""


def _side_by_side(accelerators: int) -> int:
    return max(1, ACCELERATORS // max(accelerators, 1))


def epochs_of(parts: int, accelerators: int) -> int:
    """Epochs of so many sub-masks, each on as many CAs: as many run at a time as there is room for, their sums are added last."""
    if parts < 2:
        return 1
    at_once = _side_by_side(accelerators)
    epochs = max(1, -(-parts // at_once))
    return epochs + (1 if epochs > 1 and at_once > 1 else 0)


NOTHING = "nothing"
"""`Cost.bound_by` of a layer that moves no byte: a view of its input."""


@record()
class Cost:
    """The price of a layer for one inference.

    1. `compute_cycles` is the compiler's figure with ideal memory, `cycles` with memory. For software layers both are
       what the compiler estimates for them; boards take another time, which is in `milliseconds`.
    2. `milliseconds` is the time on the board if the layer had an epoch of its own, set-up left out. What it takes in
       the schedule is in the ledger.
    """

    macs: int
    compute_cycles: int
    cycles: int
    milliseconds: float
    bound_by: str
    """What sets the time: 'weights', 'feat', 'out', 'elements', a memory pool's name, or 'cpu'."""
    choked_ports: tuple[str, ...] = ()
    tiling: Tiling | None = None
    weights_bytes: int = 0
    """Bytes of all constants on the device."""
    certain: bool = True
    """False where no source states the figure."""
    coefficient_bytes: int = 0
    """The part of `weights_bytes` that is loaded while the epoch is set up."""
    multiplied_cycles: int = 0
    """In which the features of a convolution pass the multipliers, however they are fetched; boards take them, the compiler
    estimates less where features stay in a CA."""

    @property
    def streamed_bytes(self) -> int:
        """Bytes of constants that are fetched while the layer runs."""
        return self.weights_bytes - self.coefficient_bytes

    @property
    def busy_cycles(self) -> int:
        """Cycles of the accelerators on a board with ideal memory."""
        return max(self.compute_cycles, self.multiplied_cycles)

    @property
    def busiest(self) -> str:
        """What sets the time of the accelerators on a board with ideal memory."""
        if self.multiplied_cycles > self.compute_cycles:
            return "feat"
        return self.choked_ports[0] if self.choked_ports else self.bound_by

    @property
    def ops_per_cycle(self) -> float:
        """As the compiler's graph prints it: 2 x MAC / compute cycles."""
        return 2 * self.macs_per_cycle

    @property
    def macs_per_cycle(self) -> float:
        """Half of `ops_per_cycle`."""
        return self.macs / self.compute_cycles if self.compute_cycles else 0.0


class Inserted(NamedTuple):
    """An operator that the compiler adds to an epoch: no layer of the model stands behind it.

    1. `kind` is its ONNX operator: Identity (a copy), QuantizeLinear, DequantizeLinear, Transpose, Sub...
    2. `elements` counts the larger side.
    """

    kind: str
    elements: int
    constant_bytes: int = 0
    """Bytes it fetches from the weights' pool, such as the zeros of a ConvTranspose."""
    layer: str = ""
    """The layer that needs it."""


class Move(NamedTuple):
    """A tensor that a step of an epoch reads from memory, or writes there.

    1. `buffer` is what it lies in: itself, or the tensor it is a part of.
    2. `size` has its bytes where it is the compiler's own and no tensor of the model; else 0.
    3. `lead`: the step does the layer's own work. `share` is the part of that work it does.
    """

    tensor: str
    buffer: str
    write: bool
    op: str = ""
    layer: str = ""
    lead: bool = False
    size: int = 0
    share: float = 1.0
    apart: bool = False
    """Bytes that lay together are written apart, one by one."""
    batch: int = 0
    """Channels at a time that an elementwise step reads; 0: all."""


class Part(NamedTuple):
    """What a layer is charged of one epoch: the parts of an epoch add up to its figures.

    1. Whoever uses what binds the epoch pays for it: the slowest unit's layer, or the layers that load the slowest
       pool, by their part of its traffic. Units that are chained to a slower one run beside it for nothing.
    2. Each layer pays for the set-up of its own units, the layer that binds the epoch for that of the epoch.
    """

    epoch: int
    layer: str
    milliseconds: float
    start_milliseconds: float
    """The part of `milliseconds` that is set-up."""
    cycles: float
    """Of the epoch's cycles with memory."""


@record()
class Epoch:
    """One step of the compiler's schedule; `op` is what its report would call it.

    The scheduler gives the first four fields, `inserted` and `moves`; `npuscope.neural_art.schedule.latency.price` fills in the figures.
    """

    index: int
    placement: Placement
    op: str
    layers: tuple[str, ...]
    compute_cycles: int = 0
    cycles: int = 0
    milliseconds: float = 0.0
    inserted: tuple[Inserted, ...] = ()
    bound_by: str = ""
    """What sets `milliseconds`: a port, 'elements', a memory pool's name, 'dma', 'cpu', or 'start' for the set-up."""
    start_milliseconds: float = 0.0
    """The part of `milliseconds` that configures the epoch and closes it."""
    millijoules: float = 0.0
    """What the accelerators and memories use, as the compiler estimates it."""
    certain: bool = True
    """False where a part of the figure has no source."""
    moves: tuple[Move, ...] = ()
    """What it reads from memory and writes there."""
    parts: tuple[Part, ...] = ()
    """What each layer is charged, in the order of the epoch's layers, then those that inserted operators serve."""

    def numbered(self, index: int) -> Epoch:
        """The same without figures at another place: itself where it has that already."""
        if self.index == index:
            return self
        return Epoch(index, self.placement, self.op, self.layers, inserted=self.inserted, moves=self.moves)


@dataclass(frozen=True, slots=True)
class Pool:
    """A memory pool and what the model puts in it, in bytes."""

    name: str
    size: int
    used: int
    """More than `size` where something fits nowhere."""
    weights: int = 0
    activations: int = 0


class Share(NamedTuple):
    """The part of a buffer, 0 to 1, that lies in a pool."""

    pool: str
    part: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Where weights and activations lie."""

    pools: tuple[Pool, ...]
    weights_bytes: int
    peak_activations: int
    """Largest sum of the bytes of activations alive at once."""
    buffers: Mapping[str, tuple[Share, ...]] = field(default_factory=dict)
    """Buffer (named after one of its tensors) -> the pools it lies in."""
    weights_in: Mapping[str, str] = field(default_factory=dict)
    """Layer -> the pool of its weights."""

    @property
    def too_full(self) -> tuple[Pool, ...]:
        """The pools that would have to hold more than they can; none where the model fits."""
        return tuple(pool for pool in self.pools if pool.used > pool.size)

    @property
    def activations_bytes(self) -> int:
        """Bytes the pools hold for activations, as the compiler's report counts them."""
        return sum(pool.activations for pool in self.pools)
