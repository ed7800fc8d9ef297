"""How well channel counts suit a convolution, before there is a model: each count judged and priced as one layer.

A row is what `analyse` says of a model of that one layer: its placement and its price as an epoch of its own. What a
network adds around it (copies at its borders, the set-up of epochs) is left out, as it belongs to no channel count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from npuscope.garbage import without_collections
from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.errors import ModelError
from npuscope.model.inspection.extent import dtype_bits
from npuscope.neural_art.kernels.convolutions import Sized, of_sizes
from npuscope.neural_art.mapping.floats import without_unit
from npuscope.neural_art.mapping.gathering import gathered
from npuscope.neural_art.mapping.sizes import beyond_computing, packed_bytes
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point, signed_zero_point
from npuscope.neural_art.price.estimate import beside_product, convolution_cost, software_product_cost
from npuscope.neural_art.price.traffic import Streams, convolved_bytes
from npuscope.npu.cause import Cause, worst
from npuscope.npu.cost import Cost
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass, record

if TYPE_CHECKING:
    from npuscope.model.layers import Layer

MOST_ROWS = 100_000
MOST_CHANNELS = 65_536
"""The widest a dimension's field is."""

CONV, GEMM = "Conv", "Gemm"


@dataclass(frozen=True, slots=True)
class Shape:
    """A convolution in int8 with weights for each tensor; one side's channels may be left open, as None.

    1. `kernel`, `size`, `stride` and `dilation` are (height, width); `size` is the input map. `pads` are (top, left,
       bottom, right).
    2. A depthwise convolution has both sides open: as many outputs as inputs. A Gemm has `size` (1, rows).
    3. `zero_point` is the input's, as int8 holds it.
    """

    kernel: tuple[int, int] = (3, 3)
    size: tuple[int, int] = (14, 14)
    inputs: int | None = None
    outputs: int | None = None
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    depthwise: bool = False
    zero_point: int = -128
    op: str = CONV

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the result. Raises ModelError where the kernel is larger than the padded map."""
        sizes = []
        for axis in (0, 1):
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            room = self.size[axis] + self.pads[axis] + self.pads[axis + 2] - reach
            if room < 0:
                raise ModelError(
                    f"a kernel that reaches over {reach} does not fit on a map of {self.size[axis]}; give a larger --map"
                )
            sizes.append(room // self.stride[axis] + 1)
        return sizes[0], sizes[1]

    def sides(self, channels: int) -> tuple[int, int]:
        """(input, output) channels with a count in place of what is open."""
        if self.depthwise:
            return channels, channels
        return (
            channels if self.inputs is None else self.inputs,
            channels if self.outputs is None else self.outputs,
        )


@record()
class Row:
    """A channel count; `cost` is that of an epoch of its own, None where no shape like it can be priced.

    `codes` are those of the findings that keep it off the NPU.
    """

    channels: int
    in_channels: int
    out_channels: int
    placement: Placement
    cost: Cost | None
    codes: tuple[str, ...] = ()

    @property
    def milliseconds(self) -> float:
        """Time on the board, set-up left out; infinite where it is not known."""
        return self.cost.milliseconds if self.cost is not None else float("inf")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by ascending channel count."""

    shape: Shape
    target: Target
    rows: tuple[Row, ...]

    @cached_property
    def good(self) -> tuple[Row, ...]:
        """The counts that no larger one beats: any other takes as long as the next of these, or longer."""
        rows: list[Row] = []
        for row in reversed(self.rows):
            if not rows or row.milliseconds < rows[-1].milliseconds:
                rows.append(row)
        return tuple(reversed(rows))

    @cached_property
    def instead(self) -> tuple[tuple[Row, Row], ...]:
        """(count, the next good one), for each that is not good itself; what is lost most comes first."""
        listed = list(self.good)
        pairs: list[tuple[Row, Row]] = []
        index = 0
        for row in self.rows:
            while listed[index].channels < row.channels:
                index += 1
            if listed[index] is not row:
                pairs.append((row, listed[index]))
        priced = [pair for pair in pairs if pair[1].milliseconds > 0 and pair[0].milliseconds < float("inf")]
        return tuple(sorted(priced, key=lambda pair: pair[1].milliseconds / pair[0].milliseconds))


def gemm_shape(rows: int, inputs: int | None, outputs: int | None, zero_point: int) -> Shape:
    """A Gemm: a 1x1 convolution on a map of 1 x rows. A depthwise one, with neither side given, is refused."""
    if inputs is None and outputs is None:
        raise ModelError("a Gemm is never depthwise; give --in or --out")
    return Shape((1, 1), (1, rows), inputs, outputs, zero_point=zero_point, op=GEMM)


def padded_shape(
    kernel: tuple[int, int],
    size: tuple[int, int],
    inputs: int | None,
    outputs: int | None,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pad: tuple[int, int] | None,
    depthwise: bool,
    zero_point: int,
) -> Shape:
    """A Conv padded by rows and columns on each side; None for as many as keep the map's size at stride 1."""
    reach = [step * (taps - 1) for step, taps in zip(dilation, kernel, strict=True)]
    pads = (
        (reach[0] // 2, reach[1] // 2, -(-reach[0] // 2), -(-reach[1] // 2)) if pad is None else (*pad, *pad)
    )
    return Shape(kernel, size, inputs, outputs, stride, dilation, pads, depthwise, zero_point)


def channel_table(shape: Shape, counts: Iterable[int], target: Target) -> Table:
    """A row for each count. Raises ModelError for a shape that cannot be, and for counts that are none or too many."""
    channels = sorted(set(counts))
    if not channels or channels[0] < 1 or channels[-1] > MOST_CHANNELS or len(channels) > MOST_ROWS:
        raise ModelError(f"channels must be from 1 to {MOST_CHANNELS}, and at most {MOST_ROWS} of them")
    if shape.depthwise and shape.op == CONV and (shape.inputs is not None or shape.outputs is not None):
        raise ModelError("a depthwise convolution has as many outputs as inputs; give neither")
    maker = _Maker(shape, target)
    with without_collections():
        return Table(shape, target, tuple(map(maker.row, channels)))


def shape_of(layer: Layer, vary_inputs: bool) -> Shape | None:
    """The shape of a layer with one side open; None where it is not a plain convolution in integers."""
    conv = convolution(layer)
    zero = input_zero_point(layer)
    if (
        zero is None
        and awaits_zero_point(layer)
        and layer.input is not None
        and layer.input.quant is not None
    ):
        zero = signed_zero_point(layer.input.quant)  # the one that all figures of the model assume
    if conv is None or zero is None or conv.batch != 1 or not layer.quantized:
        return None
    if conv.group != 1 and not (conv.depthwise and conv.out_channels == conv.in_channels):
        return None
    depthwise = conv.group > 1
    return Shape(
        conv.kernel,
        conv.input_size,
        None if depthwise or vary_inputs else conv.in_channels,
        None if depthwise or not vary_inputs else conv.out_channels,
        conv.stride,
        conv.dilation,
        conv.pads,
        depthwise,
        zero,
        CONV if layer.kind == CONV else GEMM,
    )


class _Maker:
    """Makes the row of each count: of int8 tensors, only sizes differ, so that no model is needed."""

    def __init__(self, shape: Shape, target: Target) -> None:
        self.shape, self.target = shape, target
        gemm, rows = shape.op == GEMM, shape.size[1]
        self.maps = ((), ()) if gemm else (shape.size, shape.output_size)
        self.batch = rows if gemm else 1
        self.values = tuple(self.batch * math.prod(sizes) for sizes in self.maps)
        """Of one channel on each side."""
        self.geometry = (
            shape.kernel,
            shape.stride,
            shape.dilation,
            shape.pads,
            shape.size,
            shape.output_size,
        )

    def row(self, channels: int) -> Row:
        """What is said of one count."""
        inputs, outputs = self.shape.sides(channels)
        conv = Convolution(inputs, outputs, inputs if self.shape.depthwise else 1, *self.geometry)
        causes = self.causes(conv)
        placement = worst(causes, Placement.HW) if causes else Placement.HW
        return Row(channels, inputs, outputs, placement, self.cost(conv, placement), _codes(causes))

    def causes(self, conv: Convolution) -> tuple[Cause, ...]:
        """What bears on where it runs."""
        sized = Sized(
            self.shape.op, conv, self.shape.zero_point, True, without_unit(floats=False), self.target
        )
        source, result = self.maps
        return of_sizes(
            sized, (self.batch, conv.in_channels, *source), (self.batch, conv.out_channels, *result)
        )

    def cost(self, conv: Convolution, placement: Placement) -> Cost | None:
        """What it costs there; no Pad lies before it."""
        features, results = conv.in_channels * self.values[0], conv.out_channels * self.values[1]
        weights = conv.weights
        if beyond_computing(features, weights, results):
            return None
        conv = gathered(conv)
        if placement is Placement.HW:
            read = convolved_bytes(features, packed_bytes(features, BITS), conv)
            moved = Streams(read, (), (packed_bytes(results, BITS),))
            return convolution_cost(
                conv, self.shape.zero_point, (weights, BITS, VECTORS), moved, self.target, notes=False
            )
        window = math.prod(conv.kernel) * (conv.in_channels // conv.group)
        return software_product_cost(
            conv.macs,
            features + weights + results,
            results,
            math.prod(conv.kernel),
            packed_bytes(weights, BITS) + packed_bytes(conv.out_channels, BIAS_BITS),
            beside_product(1, window, conv.out_channels, placement),
            placement,
            self.target,
        )


VECTORS = 1
"""Offsets alone: the weights have one scale."""

BITS, BIAS_BITS = dtype_bits("int8"), dtype_bits("int32")


def _codes(causes: tuple[Cause, ...]) -> tuple[str, ...]:
    forced = [cause for cause in causes if cause.placement is not Placement.HW]
    if not forced:
        return ()
    from npuscope.neural_art.judge import code_of  # with all rules behind it, which the NPU needs none of

    return tuple(dict.fromkeys(map(code_of, forced)))
