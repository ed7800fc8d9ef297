"""The ledger: what each layer takes of the model's time and cycles. Every figure that is shown comes from here.

A line is the sum of what its layer is charged in each epoch (`Epoch.parts`), so that lines add up to the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from math import fsum
from operator import attrgetter, is_

from npuscope.npu.cost import NOTHING, Cost, Epoch, Part
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass, record

START = "start"
"""Bound of what takes longer to set up than to run."""

BOUNDS = {
    "weights": "weight port", "feat": "features", "out": "output port", "acc": "partial sums", "dma": "data movement",
    "cpu": "CPU", START: "set-up",
}  # fmt: skip
"""What sets a time, as texts and screens name it; all others are pools and units, by their own names."""


def bound_name(bound: str) -> str:
    """'data movement' for "dma"; a pool's own name."""
    return BOUNDS.get(bound, bound)


@record()
class Line:
    """A layer's figures for one inference.

    1. `milliseconds` is its part of its epochs, set-up included; what part of the model that is `Ledger.share` says, so
       that a line holds where the rest of the model takes another time.
    2. `compute_cycles` is the compiler's figure for the layer with ideal memory, `cycles` its part of its epochs'
       cycles with memory; both in NPU cycles, None for what the CPU computes.
    3. `cpu_cycles` is its time in cycles of the CPU, None for what the NPU computes.
    4. `macs_per_cycle` is ideal, half of what the compiler prints as OPS/cycle; `effective_macs_per_cycle` is with
       memory. None where the CPU computes or nothing is multiplied.
    """

    layer: str
    milliseconds: float
    start_milliseconds: float
    bound_by: str
    """What sets most of its time: a port, 'elements', a memory pool's name, 'dma', 'cpu', 'start', 'nothing'."""
    beside: str
    """The layer it runs beside at no time of its own, '' where it takes time."""
    macs: int
    compute_cycles: int | None
    cycles: int | None
    cpu_cycles: int | None
    parts: tuple[Part, ...]

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs it takes part in."""
        return tuple(part.epoch for part in self.parts)

    @property
    def macs_per_cycle(self) -> float | None:
        """MAC in each NPU cycle with ideal memory."""
        return self.macs / self.compute_cycles if self.macs and self.compute_cycles else None

    @property
    def ops_per_cycle(self) -> float | None:
        """As the compiler's graph prints it: 2 x MAC."""
        ideal = self.macs_per_cycle
        return None if ideal is None else 2 * ideal

    @property
    def effective_macs_per_cycle(self) -> float | None:
        """MAC in each NPU cycle, memory included."""
        return self.macs / self.cycles if self.macs and self.cycles else None


@dataclass(frozen=True)
class Ledger:
    """The lines of all layers, in graph order; `milliseconds` is the time of the model."""

    lines: tuple[Line, ...]
    milliseconds: float

    @cached_property
    def by_name(self) -> Mapping[str, Line]:
        """Layer -> its line."""
        return {line.layer: line for line in self.lines}

    @cached_property
    def _charged(self) -> float:
        """Milliseconds of all lines."""
        return fsum([part.milliseconds for line in self.lines for part in line.parts])

    def share(self, line: Line) -> float:
        """A line's part of the model's time, 0 to 1."""
        return line.milliseconds / self._charged if self._charged > 0 else 0.0

    def total(self, names: Iterable[str]) -> float:
        """Milliseconds of some layers together."""
        return fsum(self.by_name[name].milliseconds for name in names)


_MILLISECONDS = attrgetter("milliseconds")


class Charges:
    """What the epochs of a schedule charge each layer: the lines are made of it."""

    def __init__(self, epochs: Iterable[Epoch], cpu_hz: float) -> None:
        self._cpu_hz = cpu_hz
        self._of: dict[str, list[Part]] = {}
        self._epochs: dict[int, Epoch] = {}
        self._leaders: dict[int, str] = {}
        """Of an epoch the layer that takes most of its time, as somebody asks."""
        charged = self._of
        for epoch in epochs:
            self._epochs[epoch.index] = epoch
            for part in epoch.parts:
                name = part.layer
                if name in charged:
                    charged[name].append(part)
                else:
                    charged[name] = [part]

    def line(self, name: str, placement: Placement, cost: Cost | None, was: Line | None = None) -> Line:
        """The line of a layer; `was`, the very same object, where that one of equal placement and price still holds."""
        parts = self._of.get(name, ())
        if was is not None and len(parts) == len(was.parts) and all(map(is_, parts, was.parts)):
            return was
        line = self._made(name, placement, cost, tuple(parts))
        return was if was is not None and line.parts == was.parts and line == was else line

    def _made(self, name: str, placement: Placement, cost: Cost | None, parts: tuple[Part, ...]) -> Line:
        if len(parts) == 1:  # as it mostly is
            longest: Part | None = parts[0]
            milliseconds, start, cycles = parts[0].milliseconds, parts[0].start_milliseconds, parts[0].cycles
        else:
            milliseconds = fsum([part.milliseconds for part in parts])
            start = fsum([part.start_milliseconds for part in parts])
            cycles = fsum([part.cycles for part in parts])
            longest = max(parts, key=lambda part: part.milliseconds - part.start_milliseconds, default=None)
        beside = ""
        if longest is None:
            bound = cost.bound_by if cost is not None and cost.bound_by != START else NOTHING
        elif start * 2 >= milliseconds > 0:
            bound = START
        else:
            bound = self._epochs[longest.epoch].bound_by
            bound = cost.bound_by if bound == START and cost is not None else bound
        if longest is not None and longest.milliseconds - longest.start_milliseconds <= 0:
            leader = self._leaders.get(longest.epoch)
            if leader is None:
                leader = max(self._epochs[longest.epoch].parts, key=_MILLISECONDS).layer
                self._leaders[longest.epoch] = leader
            beside = leader if leader != name else ""
        on_cpu = placement.on_cpu
        return Line(
            layer=name,
            milliseconds=milliseconds,
            start_milliseconds=start,
            bound_by="cpu" if on_cpu else bound,
            beside=beside,
            macs=cost.macs if cost is not None else 0,
            compute_cycles=None if on_cpu or cost is None else cost.compute_cycles,
            cycles=None if on_cpu or cost is None else round(cycles),
            cpu_cycles=round(milliseconds / 1e3 * self._cpu_hz) if on_cpu else None,
            parts=parts,
        )


def line_alone(name: str, placement: Placement, cost: Cost | None, cpu_hz: float) -> Line:
    """The line of a layer that no schedule holds yet: as if it had an epoch of its own, set-up left out."""
    milliseconds = cost.milliseconds if cost is not None else 0.0
    npu = None if placement.on_cpu else cost
    return Line(
        layer=name,
        milliseconds=milliseconds,
        start_milliseconds=0.0,
        bound_by=cost.bound_by if cost is not None else NOTHING,
        beside="",
        macs=cost.macs if cost is not None else 0,
        compute_cycles=npu.compute_cycles if npu is not None else None,
        cycles=npu.cycles if npu is not None else None,
        cpu_cycles=round(milliseconds / 1e3 * cpu_hz) if placement.on_cpu else None,
        parts=(),
    )
