"""The price of operators that the compiler adds to an epoch."""

from __future__ import annotations

from npuscope.machine.machine import Target
from npuscope.model.layers import DEQUANTIZE, QUANTIZE
from npuscope.neural_art.price.timing import software_seconds
from npuscope.npu.cost import Cost, Inserted
from npuscope.npu.verdict import Placement

COPIED = frozenset(
    {"Transpose", "DepthToSpace", "SpaceToDepth", "Concat", "Split", "Slice", "Pad", "Identity"}
)
"""Operators the compiler adds that only move elements."""


SCALE_AND_ZERO = 2
"""Cycles the compiler adds for the parameters of a software QuantizeLinear or DequantizeLinear."""


def inserted_cost(inserted: Inserted, placement: Placement, target: Target) -> Cost:
    """Price of an operator the compiler adds: cycles as it estimates them, milliseconds as boards show them."""
    count = inserted.elements
    if placement.on_cpu:
        rates = target.compiler
        rate = rates.copy_cycles_per_element if inserted.kind in COPIED else rates.function_cycles_per_element
        cycles = round(count * rate)
        if inserted.kind in (QUANTIZE, DEQUANTIZE):
            cycles += SCALE_AND_ZERO
        seconds = software_seconds(inserted.kind, count, target)
        return Cost(0, cycles, cycles, seconds * 1e3, "cpu", certain=False)
    if placement is Placement.HYBRID:
        cycles = round(count * target.compiler.copy_cycles_per_element)
        seconds = count * target.latency.hybrid_cycles_per_element / target.clocks.cpu_hz
        return Cost(0, cycles, cycles, seconds * 1e3, "dma", certain=False)
    if inserted.kind in ("Identity", "Reshape"):  # a copy by DMA: no accelerator works
        return Cost(0, 0, 0, 0.0, "dma")
    return Cost(0, count, count, count / target.clocks.npu_hz * 1e3, "elements")
