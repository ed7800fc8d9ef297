"""How steps of ARITH and ACTIV units read what others wrote: from memory, or chained to the unit that writes it."""

from __future__ import annotations

import math

from npuscope.machine.machine import Target
from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.lowering.steps import Read
from npuscope.neural_art.mapping.bounds import vanishes
from npuscope.neural_art.mapping.sizes import size
from npuscope.neural_art.mapping.tiling import FULL_RANGE_LOW
from npuscope.neural_art.mapping.zero_points import signed_zero_point


def zero_point(operand: Operand) -> int:
    """The int8 zero point, 0 where there is none."""
    return signed_zero_point(operand.quant) if operand.quant is not None and operand.quant.scale.size else 0


def stream(lowering: Lowering, layer: Layer, operand: Operand, name: str, carries: int | None = None) -> Read:
    """An operand of an elementwise step; `carries` is the batch of the layer where that is known.

    It comes from memory where it is repeated along the other one, and where it is written in other batches than the
    step works in (Add_15 of blazeface_128: 24 channels at a time beside 8).
    """
    count = size(layer.output)
    complete = not count or size(operand) == count
    batch = lowering.batches.get(name, 0) if complete else 0
    if batch and carries is None:
        carries = carried(lowering, layer)
    alike = complete and (not batch or batch == carries) and not sum_apart(lowering, layer)
    return lowering.read(name, chained=alike and not cut_at_zero(lowering, layer, operand))


VANISHING = 4
"""Activations that vanish behind a convolution, at most."""


def cut_at_zero(lowering: Lowering, layer: Layer, operand: Operand) -> bool:
    """An Add of two maps reads from memory what a convolution makes that its Relu cut at zero, in whichever place it stands.

    Four of four Adds of LiSenNet (LarocheC/eco8-neaixt, 4.0.1, its profile) are an epoch later than a convolution of zero point
    -128, its two of another zero point in the same; all twelve of a streaming TCN (mikekss/tymbal, d44, 4.0) by the numbers of its
    epochs. Products do not: both of LiSenNet share that epoch. So does a PRelu: three of three blocks of an N6Net with its frames in
    channels, by its number of epochs (LarocheC/eco8-neaixt, 4.0.1). Why is not known.
    """
    if layer.kind != "Add" or len(lowering.activations(layer)) != 2:
        return False
    writer = lowering.writer(operand.tensor)
    if writer is not None and writer.kind == "PRelu":
        return lowering.toolchain.adds_cut_apart
    if zero_point(operand) != FULL_RANGE_LOW:
        return False
    for _ in range(VANISHING):
        if writer is None or writer.input is None or not vanishes(writer):
            break
        writer = lowering.writer(writer.input.tensor)
    return writer is not None and writer.kind == "Conv" and lowering.toolchain.adds_cut_apart


def apart_in_rows(target: Target, result: Operand | None) -> bool:
    """A map of one row of several channels and positions is summed from memory.

    Six of six Adds of two eight-channel networks (FRIENDA256/stm32N6_AI, 2.2), one of them behind a float kernel, and three of
    a TC-ResNet8 (AbhiMalappa/tinybench, 2.2); none of six in speech_tcnn_257 (2.0).
    """
    dims = result.dims if result is not None else None
    if dims is None or not target.toolchain.adds_rows_apart:
        return False
    return len(dims) in (3, 4) and min(dims[1], dims[-1]) > 1 and math.prod(dims[2:-1]) == 1


def sum_apart(lowering: Lowering, layer: Layer) -> bool:
    """Two activations of one row are joined."""
    return apart_in_rows(lowering.target, layer.output) and len(lowering.activations(layer)) == 2


def once_each(reads: list[Read]) -> tuple[Read, ...]:
    """A tensor read twice by one step comes from memory both times."""
    names = [read.tensor for read in reads]
    if len(set(names)) == len(names):
        return tuple(reads)
    return tuple(r._replace(chained=False) if names.count(r.tensor) > 1 else r for r in reads)


def carried(lowering: Lowering, layer: Layer) -> int:
    """The batch an elementwise layer keeps: that of its first operand of full size."""
    count = size(layer.output)
    for operand in lowering.activations(layer):
        if size(operand) == count:
            return lowering.batch(operand)
    return 0
