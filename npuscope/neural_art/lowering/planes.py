"""Planes: the copy of a map channel by channel, and the CONV that pads such a map."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.lowering.lower import Lowering, copied_once
from npuscope.neural_art.lowering.steps import Step
from npuscope.npu.verdict import Placement


def planes_of(lowering: Lowering, layer: Layer, source: str) -> str:
    """A copy in planes, which all that want it share."""
    return copied_once(lowering, f"{source}#planes", layer, source, 1)


def padded_map(
    lowering: Lowering,
    layer: Layer,
    source: str,
    result: str,
    elements: int,
    chained: bool = False,
    lead: bool = False,
    share: float = 1.0,
) -> str:
    """A map with its borders: a 1x1 depthwise convolution, which works plane by plane, from memory unless `chained`."""
    step = Step(
        "Conv", layer.name, Placement.HW, (lowering.read(source, chained),), (result,), conv=1, extra_streams=1, lead=lead,
        elements=elements, share=share,
    )  # fmt: skip
    return lowering.add(step, 1)
