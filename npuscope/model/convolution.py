"""Conv, Gemm and MatMul with constant weights as one thing: a convolution, as the compiler lowers them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.record import record

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Operand


@record()
class Convolution:
    """Geometry of a convolution. A Gemm or MatMul is a 1x1 one on a map of 1 x rows.

    1. `kernel`, `stride`, `dilation`, `input_size` and `output_size` are (height, width).
    2. `pads` are (top, left, bottom, right). Channels count all groups.
    """

    in_channels: int
    out_channels: int
    group: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    batch: int = 1
    turned: bool = False
    """A map of one column whose rows and columns have changed places."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        taps = self.kernel[0] * self.kernel[1] * (self.in_channels // self.group)
        return self.batch * self.out_channels * math.prod(self.output_size) * taps

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.out_channels * (self.in_channels // self.group) * self.kernel[0] * self.kernel[1]

    @property
    def pointwise(self) -> bool:
        """1x1, stride 1, no pads, one group."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and self.group == 1 and not any(self.pads)

    @property
    def depthwise(self) -> bool:
        """One input channel per group."""
        return self.group > 1 and self.in_channels == self.group


_FACT = "convolution"


def convolution(layer: Layer) -> Convolution | None:
    """The geometry, or None where the layer is not a convolution with constant weights or a shape is not known."""
    if layer.weight is None:
        return None
    known: dict[str, Convolution | None] = layer.facts
    if _FACT not in known:
        known[_FACT] = _geometry(layer)
    return known[_FACT]


@lru_cache(maxsize=1 << 14)
def _shared(conv: Convolution) -> Convolution:
    """Equal ones as one object: what is known of one is found for all without a look at its sizes."""
    return conv


MOST_KNOWN = 1 << 14
"""Forms of which the geometry is remembered before all are forgotten: a plan tries thousands of edits."""

_KNOWN: dict[tuple[object, ...], Convolution | None] = {}

LONG = 64
"""Bytes of an attribute above which a form is not remembered: those of a convolution are short."""


def _geometry(layer: Layer) -> Convolution | None:
    if layer.weight is None or not layer.inputs or not layer.outputs:
        return None
    weight, source, result = layer.weight.constant, layer.inputs[0].dims, layer.outputs[0].dims
    if weight is None or source is None or result is None or 0 in weight.shape:
        return None
    kind, core = layer.kind, layer.core
    if kind not in ("Conv", "Gemm"):
        made = _matmul(layer, weight.shape, source, result) if kind == "MatMul" else None
        return made if made is None else _shared(made)
    stated = core.plain_attributes
    if stated is None:
        stated = tuple([attribute.SerializeToString() for attribute in core.proto.attribute])
    form = (kind, weight.shape, source, result, *stated)
    if form in _KNOWN:
        return _KNOWN[form]
    made = (_conv if kind == "Conv" else _gemm)(layer, weight.shape, source, result)
    made = made if made is None else _shared(made)
    if max(map(len, stated), default=0) <= LONG:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[form] = made
    return made


def _pointwise(ich: int, och: int, rows: int, batch: int = 1) -> Convolution:
    size = (1, rows)
    return Convolution(ich, och, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), size, size, batch)


def _conv(
    layer: Layer, weight: tuple[int, ...], source: tuple[int, ...], result: tuple[int, ...]
) -> Convolution | None:
    rank = len(source) - 2
    if rank not in (1, 2) or len(weight) != rank + 2 or len(result) != rank + 2:
        return None
    node = layer.core
    group = node.integer("group", 1)
    if group < 1 or source[1] % group or weight[0] % group or weight[1] != source[1] // group:
        return None
    stride = _spatial(node.integers("strides"), rank)
    dilation = _spatial(node.integers("dilations"), rank)
    kernel = _spatial(weight[2:], rank)
    pads = _pads(layer, rank, source, result, kernel, stride, dilation)
    return Convolution(
        in_channels=source[1],
        out_channels=weight[0],
        group=group,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pads=pads,
        input_size=_spatial(source[2:], rank),
        output_size=_spatial(result[2:], rank),
        batch=source[0],
    )


def _spatial(values: tuple[int, ...] | None, rank: int) -> tuple[int, int]:
    """(height, width); a 1-D operator is one column wide, as ST's front end writes it ([1, 16, 49, 1] for 49 steps)."""
    if values is None or len(values) != rank or min(values) < 1:
        return (1, 1)
    return (values[0], 1) if rank == 1 else (values[0], values[1])


def _pads(
    layer: Layer,
    rank: int,
    source: tuple[int, ...],
    result: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int, int, int]:
    auto = layer.core.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sizes, outs = _spatial(source[2:], rank), _spatial(result[2:], rank)
        totals = [
            max((outs[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - sizes[i], 0) for i in (0, 1)
        ]
        first = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in totals]
        return first[0], first[1], totals[0] - first[0], totals[1] - first[1]
    pads = layer.core.integers("pads")
    if auto == "VALID" or pads is None or len(pads) != 2 * rank:
        return (0, 0, 0, 0)
    return (pads[0], 0, pads[1], 0) if rank == 1 else (pads[0], pads[1], pads[2], pads[3])


def _gemm(
    layer: Layer, weight: tuple[int, ...], source: tuple[int, ...], result: tuple[int, ...]
) -> Convolution | None:
    if len(weight) != 2 or len(source) != 2 or len(result) != 2:
        return None
    node = layer.core
    rows, ich = source[::-1] if node.integer("transA", 0) else source
    och = weight[0] if node.integer("transB", 0) else weight[1]
    return _pointwise(ich, och, rows) if weight[0] * weight[1] == ich * och else None


def _matmul(
    layer: Layer, weight: tuple[int, ...], source: tuple[int, ...], result: tuple[int, ...]
) -> Convolution | None:
    if layer.weight is None or len(weight) < 2 or len(source) < 1 or not result:
        return None
    matrices = math.prod(weight[:-2])
    if constant_first(layer):
        och, ich = weight[-2], weight[-1]
        rows = source[-1] if len(source) > 1 else 1
        positions = math.prod(source) // (source[-2] if len(source) > 1 else source[-1])
        return _pointwise(ich, och, rows, max(positions // rows, 1)) if matrices == 1 else None
    ich, och = weight[-2], weight[-1]
    if source[-1] != ich:
        return None
    if matrices == 1:
        return _pointwise(ich, och, math.prod(source[:-1]))
    return _pointwise(ich, och, source[-2] if len(source) > 1 else 1, math.prod(result[:-2]))


def constant_first(layer: Layer) -> bool:
    """The constant is the left operand (MatMul only)."""
    weight = layer.weight
    return layer.kind == "MatMul" and weight is not None and layer.core.input(0) == weight.seen


def channel_counts(layer: Layer) -> tuple[int | None, int | None]:
    """Channels that a layer reads and writes, None where a shape is not known.

    Parts count together where they join to what is on the other side, else the first of them speaks for all.
    """
    geometry = convolution(layer)
    if geometry is not None:
        return geometry.in_channels, geometry.out_channels
    last = layer.kind in ("Gemm", "MatMul")
    before = [_channels(operand, last) for operand in layer.inputs]
    after = [_channels(operand, last) for operand in layer.outputs]
    return _together(before, after), _together(after, before)


def _together(parts: list[int | None], others: list[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    if len(known) == len(parts) > 1 and others == [sum(known)]:
        return sum(known)
    return parts[0] if parts else None


def _channels(operand: Operand, last: bool) -> int | None:
    dims = operand.dims
    if not dims:
        return None
    return dims[1] if len(dims) > 2 and not last else dims[-1]


def channels_text(layer: Layer) -> str:
    """'257→1024'; one figure where input and output agree; '?' where neither is known."""
    before, after = channel_counts(layer)
    if before is None or after is None:
        return "?" if before is None and after is None else str(before if after is None else after)
    return str(after) if before == after and layer.weight is None else f"{before}→{after}"
