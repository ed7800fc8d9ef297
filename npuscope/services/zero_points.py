"""What the zero points of a model that is judged as if quantized will decide: between all at 0 and none."""

from __future__ import annotations

from dataclasses import replace

from npuscope.model.as_int8.symbolic import zero_points_at_0
from npuscope.neural_art.mapping.zero_points import awaits_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.times import in_ms
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


@dataclass(frozen=True, slots=True)
class Undecided:
    """A layer whose mode depends on its input's zero point; pairs are (at 0, at any other)."""

    name: str
    cycles: tuple[int, int]
    simd: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ZeroPointRange:
    """The whole model between zero points that are all 0 and others; pairs are (at 0, at others)."""

    layers: tuple[Undecided, ...]
    milliseconds: tuple[float, float]
    compute_cycles: tuple[int, int]
    setting: str = "quantize --symmetric"

    @property
    def words(self) -> str:
        """In a sentence or two."""
        if not self.layers:
            return "no layer's mode depends on a zero point that calibration sets"
        few, many = (
            f"{thousands(cycles)} compute cycles and {in_ms(ms)} ms"
            for cycles, ms in zip(self.compute_cycles, self.milliseconds, strict=True)
        )
        size = len(self.layers)
        whose = "1 layer's mode depends" if size == 1 else f"the modes of {size} layers depend"
        return (
            f"{whose} on zero points that calibration sets: {few} with 0 or -128, which {self.setting} gives; {many} with "
            "any others, which is what the figures here assume"
        )


def zero_point_range(session: Session, snapshot: Snapshot) -> ZeroPointRange | None:
    """None where every zero point is known."""
    if not any(awaits_zero_point(report.layer) for report in snapshot.layers):
        return None
    source = replace(session.source, graph=zero_points_at_0(session.graph))
    best = analyse(Session.open(source, session.target))
    ranges = []
    for report in snapshot.layers:
        other = best.by_name.get(report.name)
        if other is None or report.cost is None or other.cost is None:
            continue
        now, then = report.cost.tiling, other.cost.tiling
        if now is None or then is None or (now.simd, now.deep1x1) == (then.simd, then.deep1x1):
            continue
        cycles = (other.cost.compute_cycles, report.cost.compute_cycles)
        ranges.append(Undecided(report.name, cycles, (then.simd, now.simd)))
    return ZeroPointRange(
        tuple(ranges),
        (best.summary.milliseconds, snapshot.summary.milliseconds),
        (best.summary.compute_cycles, snapshot.summary.compute_cycles),
    )
