"""What an artefact says, in common terms. None and '' mean that it does not say."""

from __future__ import annotations

from dataclasses import field

from npuscope.record import dataclass

HW, HYBRID, SW, SW_INT, SW_FLOAT = "hw", "hybrid", "sw", "sw_int", "sw_float"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an epoch moves to and from one memory pool: bytes, and the cycles the compiler estimates for them."""

    pool: str
    reads: int | None = None
    writes: int | None = None
    read_cycles: int | None = None
    write_cycles: int | None = None


@dataclass(frozen=True, slots=True)
class ReportedEpoch:
    """One step of the compiler's schedule.

    1. `index` is the scheduler's number; `last` is above it where one entry stands for several epochs.
    2. `placement` is 'hw', 'hybrid', 'sw' or ''; `printed` is the word the tool used (EC: hardware, driven by the
       epoch controller). Reports up to 2.2 say software of hybrid epochs too.
    3. `compute_cycles` (ideal memory) and `cycles` (with memory) are the compiler's estimates, `milliseconds` is
       measured on a board, and so are `cpu_cycles`: set-up, running and post-processing in cycles of the CPU.
    4. `ops` are operations (2 a MAC), `macc` the front end's own count, `milliwatts` the estimated average power of
       accelerators and memories.
    """

    index: int
    placement: str = ""
    op: str = ""
    nodes: tuple[str, ...] = ()
    compute_cycles: int | None = None
    cycles: int | None = None
    milliseconds: float | None = None
    last: int | None = None
    printed: str = ""
    ops: int | None = None
    macc: int | None = None
    milliwatts: tuple[float, float] | None = None
    cpu_cycles: tuple[int, int, int] | None = None
    traffic: tuple[Traffic, ...] = ()
    in_float: bool | None = None
    """The runtime's float kernel does it, where the tool says so."""

    @property
    def span(self) -> range:
        """The scheduler's numbers the entry stands for."""
        return range(self.index, (self.index if self.last is None else self.last) + 1)


@dataclass(frozen=True, slots=True)
class Node:
    """A lowered operator, as the compiler's graph, its C code or its c_info.json describe it.

    1. `latency_cycles` is rounded as printed (4 digits); `ops_per_cycle` counts 2 operations a MAC (2 digits).
    2. Shapes are (batch, channels, height, width), of weights (OCH, ICH per group, height, width).
    3. `fsub` is the zero point subtracted from the features; None where nothing is subtracted or it is not said.
    4. `placement` is as an epoch's, or 'sw_int' and 'sw_float' where the artefact tells them apart.
    """

    name: str
    kind: str
    epoch: int | None = None
    placement: str = ""
    unit: str = ""
    ops: int | None = None
    latency_cycles: int | None = None
    ops_per_cycle: float | None = None
    simd: str = ""
    deep1x1: bool | None = None
    dss2: bool | None = None
    choked_ports: tuple[str, ...] = ()
    fsub: int | None = None
    input_shape: tuple[int, ...] | None = None
    weight_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    input_scale: float | None = None
    weight_scale: float | None = None
    output_scale: float | None = None
    kernel: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    group: int | None = None
    kernels_per_pass: int | None = None
    batch_depth: int | None = None
    channels: tuple[int, int] | None = None
    """Input and output channels, in no certain order."""
    attributes: tuple[tuple[str, str], ...] = ()
    """What else the artefact says of it, as printed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One lowerer tried on a node; `refused` is its reason, '' where it gave none."""

    lowerer: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Lowering:
    """What the `--d-lower` log says of one node.

    1. `attempts` is in the order of the log; the last one without a reason is the lowerer that was taken.
    2. `ch` and `chin` are the log's words; which of the two counts inputs is not certain (see the comparison).
    """

    node: str
    kind: str = ""
    id: int | None = None
    attempts: tuple[Attempt, ...] = ()
    width: int | None = None
    height: int | None = None
    ch: int | None = None
    chin: int | None = None

    @property
    def lowerer(self) -> str:
        """The lowerer that took the node, '' where the log does not tell."""
        return self.attempts[-1].lowerer if self.attempts and not self.attempts[-1].refused else ""

    @property
    def placement(self) -> str:
        """'hw', 'sw' or ''."""
        word = self.lowerer.split(" ")[0].upper()
        return {"HW": HW, "SW": SW}.get(word, "")

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the lowerers before it did not take the node."""
        return tuple(attempt.refused for attempt in self.attempts if attempt.refused)


@dataclass(frozen=True, slots=True)
class Pool:
    """A memory pool; sizes in bytes, `freq_ratio` NPU cycles move `byte_width` bytes."""

    name: str
    size: int | None = None
    used: int | None = None
    weights: int | None = None
    activations: int | None = None
    start: int | None = None
    byte_width: int | None = None
    freq_ratio: float | None = None
    end: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """Rights, latency, throughput and so on, as printed."""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A row of the front end's layer table: the operators of the model as it was read.

    1. `shape` keeps the tool's letters: (('b', 1), ('h', 64), ('w', 64), ('c', 8)).
    2. `parameters` counts items, `size` their bytes; `reads` are the names, shortened by the tool, that it reads.
    """

    number: int
    name: str
    op: str = ""
    shape: tuple[tuple[str, int], ...] = ()
    parameters: int | None = None
    size: int | None = None
    macc: int | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor in memory: where it lies, from which epoch to which it lives, how it is stored."""

    name: str
    pool: str = ""
    offset: int | None = None
    size: int | None = None
    first_epoch: int | None = None
    last_epoch: int | None = None
    shape: tuple[int, ...] | None = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[float, ...] = ()
    constant: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """alignment, batch, channel_first, channel_last, flags, format, nbits, axis, qmn, shape_map: as printed."""


@dataclass(frozen=True, slots=True)
class Flow:
    """An edge of the compiler's graph: from a node's port to another's, by a buffer. Nodes are named."""

    name: str
    start: str
    end: str
    buffer: str = ""
    kind: str = ""
    ports: tuple[int | None, int | None] = (None, None)
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a pool in use."""

    pool: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure of the generated C file that sets up a unit or calls a software kernel."""

    kind: str
    name: str
    epoch: int | None = None
    node: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """Anything else an artefact says: `section` is our word for where, `name` and `text` are as printed."""

    section: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the network."""

    name: str
    dtype: str = ""
    shape: tuple[int, ...] | None = None
    scale: float | None = None
    zero_point: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of the whole network."""

    epochs: int | None = None
    sw: int | None = None
    hybrid: int | None = None
    hw: int | None = None
    milliseconds: float | None = None
    cycles: int | None = None
    compute_cycles: int | None = None
    npu_hz: int | None = None
    cpu_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What one reader found; `artefact` joins several for a file that holds more than one thing."""

    kind: str
    toolchain: str = ""
    compiler: str = ""
    epochs: tuple[ReportedEpoch, ...] = ()
    nodes: tuple[Node, ...] = ()
    lowerings: tuple[Lowering, ...] = ()
    pools: tuple[Pool, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    originals: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Compiler name -> names in the model it was made from (`nodes` of Q.json)."""
    signatures: tuple[str, ...] = ()
    """MD5 of the model files it was made from."""
    totals: Totals = field(default_factory=Totals)
    rows: tuple[LayerRow, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    flows: tuple[Flow, ...] = ()
    ranges: tuple[Range, ...] = ()
    structures: tuple[Structure, ...] = ()
    properties: tuple[Property, ...] = ()
    not_understood: tuple[str, ...] = ()
