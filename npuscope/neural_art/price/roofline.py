"""The roofline of a target and where the layers of a model lie under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.neural_art.mapping.sizes import operand_bytes
from npuscope.npu.cost import Cost
from npuscope.npu.ledger import Line
from npuscope.record import dataclass

if TYPE_CHECKING:
    from npuscope.model.layers import Layer


@dataclass(frozen=True, slots=True)
class Roof:
    """A limit: a level in MAC/cycle, or a slope in bytes/cycle of a memory."""

    name: str
    macs_per_cycle: float = 0.0
    bytes_per_cycle: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """A layer that multiplies: MAC for each byte it moves, and MAC/cycle with memory."""

    layer: str
    macs_per_byte: float
    macs_per_cycle: float
    milliseconds: float
    simd: str


def roofs(target: Target) -> tuple[Roof, ...]:
    """Both peaks of the accelerators together, and the pools that weights and activations prefer."""
    convs = target.units.conv
    pools = dict.fromkeys((target.weight_pools[0], target.activation_pools[0]))
    return (
        Roof("8x8", macs_per_cycle=target.tiling.macs_8x8 * convs),
        Roof("16x8", macs_per_cycle=target.tiling.macs_16x8 * convs),
        *(Roof(pool.name, bytes_per_cycle=1 / pool.cycles_per_byte) for pool in pools),
    )


def points(
    layers: Iterable[Layer], costs: Mapping[str, Cost | None], lines: Mapping[str, Line]
) -> tuple[Point, ...]:
    """The layers that multiply on the NPU, the slowest first."""
    dots = []
    for layer in layers:
        cost = costs.get(layer.name)
        if cost is None or cost.tiling is None or not cost.macs:
            continue
        line = lines[layer.name]
        effective = line.effective_macs_per_cycle
        if effective is None:
            continue
        moved = cost.weights_bytes + sum(
            operand_bytes(operand) for operand in (*layer.inputs, *layer.outputs) if operand.constant is None
        )
        dots.append(
            Point(
                layer.name,
                cost.macs / max(moved, 1),
                effective,
                line.milliseconds,
                cost.tiling.simd,
            )
        )
    return tuple(sorted(dots, key=lambda point: -point.milliseconds))
