"""The comparison as a value: what was predicted, what the tools did, and how the two were brought together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from npuscope.machine.build import Build
from npuscope.machine.machine import Clocks
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import Pool, ReportedEpoch, Totals
from npuscope.record import dataclass

TOLERANCE = 0.01
"""Relative difference of cycles that counts as none: graphs print four digits."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A layer as predicted, or as the tools have it. None and '' mean that it is not known.

    1. `placement` is 'hw', 'hybrid', 'sw_int', 'sw_float', 'none', or 'sw' where an artefact says no more.
    2. `cycles` and `milliseconds` of an actual layer are its epoch's, given only where the epoch holds no other
       layer; `milliseconds` is measured on a board.
    """

    placement: str = ""
    compute_cycles: int | None = None
    cycles: int | None = None
    milliseconds: float | None = None
    ops_per_cycle: float | None = None
    simd: str = ""
    deep1x1: bool | None = None
    dss2: bool | None = None
    accelerators: int | None = None
    choked_ports: tuple[str, ...] = ()
    epoch: int | None = None
    reason: str = ""
    """What the tool said against a better placement."""
    epochs: tuple[int, ...] = ()
    """All epochs it takes part in, where that is known."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a layer was found in the artefacts.

    1. `by` is 'q_json', 'name', 'scales', 'order' (see `npuscope.neural_art.artefacts.matching`), 'epochs' (from the sequence of
       software epochs), 'elimination' (every software epoch belongs to another layer) or 'in_step' (as many epochs
       as predicted, each where it is predicted).
    2. `nodes` are the compiler's names, the layer's own operator first; `confidence` is from 0 to 1.
    """

    by: str
    confidence: float
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on which prediction and tools do not agree."""

    what: str
    predicted: str
    actual: str


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """A layer of the model. `actual` and `evidence` are None where no artefact tells of it."""

    name: str
    op: str
    channels: str
    predicted: Figures
    actual: Figures | None = None
    evidence: Evidence | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def agrees(self) -> bool | None:
        """No difference; None where there is nothing to compare with."""
        return None if self.actual is None or not self.actual.placement else not self.differences


@dataclass(frozen=True, slots=True)
class OffNpu:
    """An epoch or operator that the tools did not place on the NPU, and what npuscope says to it.

    1. `layer` is '' without a model. `channels` is as the log gives it, e.g. 'ch 257, chin 1024'.
    2. `code`, `message`, `fix` are npuscope's; '' where it has no explanation.
    """

    placement: str
    op: str
    epoch: int | None = None
    node: str = ""
    layer: str = ""
    channels: str = ""
    in_channels: int | None = None
    log: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
    fix: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Of `compared` layers, `same` agree."""

    same: int
    compared: int


@dataclass(frozen=True, slots=True)
class CpuEpochs:
    """The epochs that need the CPU, counted by operator: those of both sides, and those of one side only."""

    common: int
    missing: tuple[tuple[str, int], ...] = ()
    """(operator, epochs) of the tools that are not predicted."""
    invented: tuple[tuple[str, int], ...] = ()
    """(operator, epochs) predicted that the tools do not have."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 1 where neither side has any."""
        missing, invented = (sum(count for _, count in side) for side in (self.missing, self.invented))
        every = 2 * self.common + missing + invented
        return 2 * self.common / every if every else 1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far prediction and tools agree. A figure no artefact gives is compared on 0 layers."""

    layers: int
    placement: Tally
    compute_cycles: Tally
    choked_ports: Tally
    simd: Tally
    deep1x1: Tally
    accelerators: Tally
    epochs_predicted: tuple[int, int, int]
    """All, hybrid, software."""
    epochs_actual: tuple[int | None, int | None, int | None]
    milliseconds_predicted: float | None
    milliseconds_actual: float | None
    cpu_epochs: CpuEpochs | None = None
    """None where no artefact lists all epochs that need the CPU."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything a view or a report shows of it. Without a model, `layers` is empty and `agreement` None."""

    artefacts: tuple[Artefact, ...]
    toolchain: str
    """The version judged for, of TOOLCHAINS."""
    toolchain_stated: bool
    """The version comes from an artefact or from the user; else it is the default."""
    epochs: tuple[ReportedEpoch, ...]
    totals: Totals
    pools: tuple[Pool, ...]
    off_npu: tuple[OffNpu, ...]
    layers: tuple[LayerComparison, ...] = ()
    agreement: Agreement | None = None
    unmatched: tuple[str, ...] = ()
    """Operators of the compiler that belong to no layer."""
    notes: tuple[str, ...] = ()
    profile: str = ""
    """The clocks judged for, of PROFILES."""
    profile_stated: bool = False
    """An artefact states these clocks."""
    clocks: Clocks | None = None
    build: Build | None = None
    """The build judged for."""

    @property
    def differs(self) -> bool:
        """Prediction and tools do not agree on a layer, or on the epochs that need the CPU."""
        epochs = self.agreement.cpu_epochs if self.agreement is not None else None
        return bool(self.disagreements) or (epochs is not None and epochs.f1 < 1)

    @cached_property
    def by_layer(self) -> Mapping[str, LayerComparison]:
        """Layer name -> comparison."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def disagreements(self) -> tuple[LayerComparison, ...]:
        """The layers on which prediction and tools differ."""
        return tuple(layer for layer in self.layers if layer.differences)
