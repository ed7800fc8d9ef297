"""How the values of a layer's tensors lie on their quantization grids, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from math import inf

import numpy as np

from npuscope.jobs import QUIET, Job
from npuscope.model.graph import Graph
from npuscope.model.inspection.weights import reach
from npuscope.model.layers import QUANTIZE, Layer, Operand, is_qdq
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.runner import Edited, Runner, Sample
from npuscope.record import dataclass

BINS = 64
"""Equal parts of a grid that values are counted in: of 256 levels, four each."""

WIDEST = 8
"""Bits of the grids that are looked at."""


@dataclass(eq=False)
class OnGrid:
    """The values of one tensor on its grid; every array has a row, or an element, a channel.

    1. `counts` are values in BINS equal parts of the grid, `below` and `above` those beyond its ends, which are clipped.
    2. `least` and `most` are real values, before they are rounded to the grid.
    3. `outliers`, of weights: channel -> how many times the next largest that weight is which sets its scale.
    """

    label: str
    tensor: str
    quant: Quant
    counts: Array
    below: Array
    above: Array
    least: Array
    most: Array
    outliers: Mapping[int, float] = field(default_factory=dict)
    samples: int = 0
    """Of the model's inputs that it was run on; 0 for weights."""
    scales: Array = field(init=False)
    """A step a channel."""

    def __post_init__(self) -> None:
        flat = self.quant.scale.astype(np.float64).reshape(-1)
        self.scales = np.broadcast_to(flat, self.counts.shape[:1]) if flat.size == 1 else flat

    @property
    def channels(self) -> int:
        """Rows."""
        return int(self.counts.shape[0])

    def clipped(self, channel: int | None = None) -> float:
        """Share of the values that lie beyond the ends of the grid."""
        rows = slice(None) if channel is None else slice(channel, channel + 1)
        beyond = int(self.below[rows].sum() + self.above[rows].sum())
        return beyond / max(int(self.counts[rows].sum()) + beyond, 1)

    def used(self, channel: int | None = None) -> float:
        """Share of the grid that values span: of a channel, or of all together."""
        low, high = self.quant.limits
        zeros = self.quant.zero_point.astype(np.float64).reshape(-1)
        with np.errstate(all="ignore"):
            ends = [
                np.clip(np.rint(real / self.scales + zeros), low, high) for real in (self.least, self.most)
            ]
        first, last = (
            (ends[0].min(), ends[1].max()) if channel is None else (ends[0][channel], ends[1][channel])
        )
        return float((last - first + 1) / (high - low + 1)) if np.isfinite(last - first) else 0.0


def weights_on_grid(layer: Layer) -> OnGrid | None:
    """The weights of a layer as they are stored; None where it has none of 8 bits or less in the file."""
    weight = layer.weight
    if weight is None or weight.constant is None or not _fine(weight.quant):
        return None
    quant = weight.quant
    assert quant is not None
    stored = weight.constant.array()
    axis = quant.axis if quant.axis is not None and -stored.ndim <= quant.axis < stored.ndim else 0
    rows = (
        np.moveaxis(stored, axis, 0).reshape(stored.shape[axis] if stored.ndim else 1, -1).astype(np.float64)
    )
    if not rows.size or quant.scale.size not in (1, rows.shape[0]):
        return None
    scale, zero = (
        part.astype(np.float64).reshape(-1, 1) if part.size > 1 else part.astype(np.float64).reshape(-1)[:1]
        for part in (quant.scale, quant.zero_point)
    )
    grid = _empty("weight", weight.tensor, quant, rows.shape[0])
    _count(grid, rows, (rows - zero) * scale)
    found = reach(layer)
    grid.outliers = dict(found.outliers) if found is not None else {}
    return grid


def activations_on_grid(
    model: Edited, layer: Layer, samples: Sequence[Sample], job: Job = QUIET
) -> tuple[OnGrid, ...]:
    """What a layer reads and writes when the model runs on samples, before it is rounded to the grid.

    Channels are axis 1. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    graph = model.graph
    watched = list(_watched(graph, layer))
    if not watched:
        return ()
    names = tuple(dict.fromkeys(name for _, _, name in watched))
    runner = Runner(model.source, replace(graph, outputs=names))
    grids: dict[str, OnGrid] = {}
    for sample in job.each(samples):
        values = dict(zip(names, runner.run(adapt_inputs(graph, sample)), strict=True))
        for label, operand, name in watched:
            rows = _rows(values[name])
            quant = operand.quant
            assert quant is not None
            if label not in grids:
                grids[label] = _empty(label, operand.tensor, quant, rows.shape[0])
            if rows.shape[0] != grids[label].channels:
                continue
            scale, zero = float(quant.scale.flat[0]), quant.zero
            if values[name].dtype.kind in "iu":
                _count(grids[label], rows, (rows - zero) * scale)
            else:
                _count(grids[label], rows / scale + zero, rows)
            grids[label].samples += 1
    return tuple(grids.values())


def _watched(graph: Graph, layer: Layer) -> Iterator[tuple[str, Operand, str]]:
    """(label, operand, tensor to watch): what the Q of an operand reads where it has one, else what is stored."""
    sides = (("input", layer.inputs), ("output", layer.outputs))
    for side, operands in sides:
        for index, operand in enumerate(operands):
            if not _fine(operand.quant) or (operand.quant is not None and operand.quant.per_channel):
                continue
            if operand.tensor in graph.constants:
                continue
            writer = graph.producer(operand.tensor)
            quantizes = writer is not None and is_qdq(writer) and writer.op == QUANTIZE
            name = writer.input(0) if writer is not None and quantizes else operand.tensor
            if name not in graph.constants:
                yield (side if len(operands) == 1 else f"{side} {index + 1}"), operand, name


def _fine(quant: Quant | None) -> bool:
    if quant is None or not quant.scale_known or quant.block_size or not quant.divides:
        return False
    low, high = quant.limits
    return 1 < high - low + 1 <= 1 << WIDEST


def _rows(values: Array) -> Array:
    plain = values.astype(np.float64)
    if plain.ndim < 2:
        return plain.reshape(1, -1)
    return np.moveaxis(plain, 1, 0).reshape(plain.shape[1], -1)


def _empty(label: str, tensor: str, quant: Quant, channels: int) -> OnGrid:
    none = np.zeros(channels, np.int64)
    return OnGrid(
        label,
        tensor,
        quant,
        np.zeros((channels, BINS), np.int64),
        none,
        none.copy(),
        np.full(channels, inf),
        np.full(channels, -inf),
    )


def _count(grid: OnGrid, levels: Array, real: Array) -> None:
    """Add values: `levels` on the grid, not rounded, and what they mean."""
    low, high = grid.quant.limits
    finite = np.isfinite(levels)
    width = (high - low + 1) / BINS
    with np.errstate(all="ignore"):
        place = np.floor((levels - (low - 0.5)) / width)
    grid.below += (finite & (levels < low - 0.5)).sum(axis=1)
    grid.above += (finite & (levels >= high + 0.5)).sum(axis=1)
    inside = finite & (place >= 0) & (place < BINS)
    rows, _ = np.nonzero(inside)
    np.add.at(grid.counts, (rows, place[inside].astype(np.int64)), 1)
    grid.least = np.minimum(grid.least, np.where(finite, real, inf).min(axis=1, initial=inf))
    grid.most = np.maximum(grid.most, np.where(finite, real, -inf).max(axis=1, initial=-inf))
