"""What is said of a layer's accuracy: a line each, and the histogram of its weights over the quantization grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from npuscope.model.brief import Names
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import decibels, percent, three
from npuscope.widgets.text.layer_names import shown_of
from npuscope.widgets.text.spans import Line, Span, line, quiet, wrap
from npuscope.widgets.text.words import own_role

if TYPE_CHECKING:
    from npuscope.model.layers import Layer
    from npuscope.numbers.layer_accuracy import LayerAccuracy

BARS = " ▁▂▃▄▅▆▇█"
_COLUMNS = (("own", 10), ("SQNR", 10), ("clipped %", 10), ("range %", 9), ("worst ch.", 11))
_FIXED = sum(room for _, room in _COLUMNS)


def heading(width: int) -> Line:
    """The names of the columns."""
    text = left("layer", max(width - _FIXED, 8)) + "".join(right(name, room) for name, room in _COLUMNS)
    return line(Span(text, "title"))


def rows(layers: Sequence[LayerAccuracy], width: int) -> list[Line]:
    """A line an output of a layer; the tensor is named where a layer has several."""
    written = Counter(layer.name for layer in layers)
    labels = [f"{x.name} ({x.tensor})" if written[x.name] > 1 else x.name for x in layers]
    among = Names(labels)
    return [row(layer, label, among, width) for layer, label in zip(layers, labels, strict=True)]


def row(layer: LayerAccuracy, label: str, among: Names, width: int) -> Line:
    """A layer: own error, error in all, clipped values, used range, worst channel."""
    name = max(width - _FIXED, 8)
    own = layer.own_sqnr_db
    cells = (
        decibels(layer.sqnr_db),
        "-" if layer.clipped is None else percent(layer.clipped),
        "-" if layer.used_range is None else percent(layer.used_range),
        "-" if layer.worst_channel is None else str(layer.worst_channel),
    )
    return line(
        left(shown_of(among, label, name - 1), name),
        Span(right(decibels(own), _COLUMNS[0][1]), own_role(own)),
        quiet("".join(right(cell, room) for cell, (_, room) in zip(cells, _COLUMNS[1:], strict=True))),
    )


def about(layer: LayerAccuracy | None, source: Layer | None, inputs: str | None, width: int) -> list[Line]:
    """What the figures rest on, and the weights of the layer's worst channel on their grid."""
    drawn = f"samples from {shown(inputs, 40)}" if inputs else "random samples"
    text = (
        f"On {drawn}. own: the layer reads the float model's values; SQNR: everything before it is quantized too; "
        "worst ch.: the channel with the lowest SQNR."
    )
    lines = list(wrap(line(quiet(text)), width))
    if layer is not None and source is not None:
        lines += histogram(layer, source, width)
    return lines


def histogram(layer: LayerAccuracy, source: Layer, width: int) -> list[Line]:
    """How often each stored level is taken, from one end of the grid to the other; empty where weights are none."""
    import numpy as np

    weight = source.weight
    if weight is None or weight.constant is None or weight.quant is None or weight.quant.block_size:
        return []
    values, quant = weight.constant.array(), weight.quant
    if values.dtype.kind not in "iu":
        return []
    which, scale = "all channels", float(quant.scale[0])
    channel = layer.weight_outlier[0] if layer.weight_outlier is not None else layer.worst_channel
    if quant.axis is not None and channel is not None and channel < quant.scale.size:
        values = np.moveaxis(values, quant.axis, 0)[channel]
        which, scale = f"channel {channel}", float(quant.scale[channel])
    low, high = quant.limits
    columns = max(min(width, 64), 8)
    counts, _ = np.histogram(values, columns, (low - 0.5, high + 0.5))
    most = max(int(np.max(counts)), 1)
    bars = "".join(BARS[0] if not count else BARS[1 + int(7 * count / most)] for count in counts)
    used = (int(values.max()) - int(values.min()) + 1) / (high - low + 1)
    ends = three(abs((low - quant.zero) * scale)), three(abs((high - quant.zero) * scale))
    axis = f"-{ends[0]}"
    middle = columns * (quant.zero - low) // (high - low + 1)
    ruler = (axis + "┄" * max(middle - len(axis), 0))[:middle] + "0"
    ruler += "┄" * max(columns - len(ruler) - len(ends[1]), 0) + ends[1]
    title = f"weights of {which}: {percent(used)} % of {high - low + 1} levels spanned, step {three(scale)}"
    lines = [line(Span(title, "title")), line(Span(bars, "accent")), line(quiet(ruler))]
    if layer.weight_outlier is not None:
        text = f"one weight is {three(layer.weight_outlier[1])} times the next largest and sets the scale"
        lines += wrap(line(Span("! ", "attention"), text), width, 2)
    return lines
