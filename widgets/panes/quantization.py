"""Quantization: type, scale, zero point and range of what a layer reads and writes, and the scheme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from sys import intern

from npuscope.model.layer import Layer, Operand
from npuscope.model.quant import Quant
from npuscope.snapshot import Snapshot
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.cells import cells, left, right, shown
from npuscope.widgets.text.figures import column
from npuscope.widgets.text.layer_names import listed, names_of_few, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap
from npuscope.widgets.text.words import shape

_LABEL, _TYPE, _ZERO = 7, 7, 5

UNKNOWN = "?"
"""Stands for what calibration will find."""


class Quantization(Pane):
    """How the selection's tensors are quantized."""

    TITLE = "Quantization"
    HINT = ("w", "scales")

    def hinted(self, selection: Selection) -> bool:
        """There are scales to show."""
        return selection.report is not None and has_scales(selection.report.layer)

    def lines(self, selection: Selection, width: int) -> list[Line]:
        """Tables of the operands, then the scheme."""
        if selection.report is not None:
            lines = list(_layer(selection.report.layer, width))
        else:
            lines = list(_group(selection, width))
        while lines and not lines[-1]:
            lines.pop()
        return lines


def has_scales(layer: Layer) -> bool:
    """Some operand has more than one scale."""
    return any(
        quant.per_channel and quant.scale_known
        for _, operand in operands(layer)
        if (quant := operand.quant) is not None
    )


def operands(layer: Layer) -> list[tuple[str, Operand]]:
    """What a layer reads and writes, each with a short name."""
    inputs, outputs = layer.inputs, layer.outputs
    listed = [("input" if len(inputs) == 1 else f"in {i + 1}", operand) for i, operand in enumerate(inputs)]
    if layer.weight is not None:
        listed.append(("weight", layer.weight))
    if layer.bias is not None:
        listed.append(("bias", layer.bias))
    listed += [
        ("output" if len(outputs) == 1 else f"out {i + 1}", operand) for i, operand in enumerate(outputs)
    ]
    return listed


def _layer(layer: Layer, width: int) -> Iterator[Line]:
    rows = operands(layer)
    if not rows:
        yield line(quiet("No tensors."))
        return
    wide = width >= 52
    scale_width = min(width - _LABEL - _TYPE - _ZERO - (20 if wide else 0), 13)
    head = left("", _LABEL) + left("type", _TYPE) + right("scale", scale_width) + right("zero", _ZERO)
    yield line(Span(head + (right("from", 10) + right("to", 10) if wide else ""), "quiet"))
    for label, operand in _few(rows):
        yield _row(label, operand, scale_width, wide)
    if len(rows) > _MOST:
        yield line(quiet(f"and {len(rows) - _MOST} more"))
    yield BLANK
    if not wide:
        figure = min(10, (width - _LABEL) // 2)
        yield line(quiet(left("", _LABEL) + right("from", figure) + right("to", figure)))
        for label, operand in _few(rows):
            if operand.quant is not None and label != "bias":
                low, high = _ends(operand.quant)
                yield line(quiet(left(label, _LABEL)), right(low, figure), right(high, figure))
        yield BLANK
    for label, operand in _few(rows):
        if label != "bias":
            yield from wrap(line(quiet(left(label, _LABEL)), shape(operand.type)), width, _LABEL)
    yield BLANK
    yield from wrap(line(quiet(left("scheme", _LABEL)), scheme(layer)), width, _LABEL)
    if layer.fused:
        yield from wrap(
            line(quiet(left("fused", _LABEL)), ", ".join(shown(op, 20) for op in layer.fused)), width
        )
    yield from _notes(layer, width)


_MOST = 8


def _few(rows: list[tuple[str, Operand]]) -> list[tuple[str, Operand]]:
    return rows[:_MOST]


def _row(label: str, operand: Operand, scale_width: int, wide: bool) -> Line:
    quant = operand.quant
    head = quiet(left(label, _LABEL))
    if quant is None:
        role = "attention" if operand.type.dtype.startswith("float") and label != "bias" else "text"
        return line(
            head,
            Span(left(operand.type.dtype, _TYPE), role),
            quiet(right("none", scale_width) + right("", _ZERO)),
        )
    many = f"{quant.scale.size} scales"
    many = many if len(many) < scale_width else f"×{quant.scale.size}"
    scale = column(float(quant.scale.flat[0])) if quant.scale.size == 1 else many
    if not quant.scale_known and quant.scale.size == 1:
        scale = UNKNOWN
    cells_ = line(head, left(quant.dtype, _TYPE), right(scale, scale_width), right(_zero(quant), _ZERO))
    if not wide:
        return cells_
    return (*cells_, Span("".join(right(end, 10) for end in _ends(quant))))


def _ends(quant: Quant) -> tuple[str, str]:
    """Smallest and largest value, as far as they are known."""
    if not quant.scale_known:
        return UNKNOWN, UNKNOWN
    low, high = quant.range
    return column(low), column(high)


def _zero(quant: Quant) -> str:
    if not quant.zero_known:
        return UNKNOWN
    if quant.zero_point.size > 1 and bool((quant.zero_point != quant.zero_point.flat[0]).any()):
        return "mixed"
    return str(quant.zero)


def scheme(layer: Layer) -> str:
    """As the compiler prints it, and how the file carries it: 'ss/sa per channel, QDQ'."""
    known: str | None = layer.facts.get("scheme")
    if known is None:
        known = layer.facts["scheme"] = intern(_scheme(layer))
    return known


def _scheme(layer: Layer) -> str:
    known = [operand.quant for _, operand in operands(layer) if operand.quant is not None]
    if not known:
        return "not quantized"
    parts = []
    weight = layer.weight.quant if layer.weight is not None else None
    source = layer.input.quant if layer.input is not None else None
    if weight is not None and source is not None:
        parts.append(f"{_signs(weight)}/{_signs(source)}")
        parts.append(
            "per block" if weight.block_size else "per channel" if weight.per_channel else "per tensor"
        )
    elif source is not None:
        parts.append(_signs(source))
    return f"{' '.join(parts)}{', ' if parts else ''}{'QOperator' if layer.qoperator else 'QDQ'}"


def _signs(quant: Quant) -> str:
    """Signed or unsigned, symmetric or asymmetric: 'ss', 'sa', 'us', 'ua'."""
    kind = UNKNOWN if not quant.zero_known else "s" if quant.symmetric else "a"
    return ("u" if quant.dtype.startswith("u") else "s") + kind


def _notes(layer: Layer, width: int) -> Iterator[Line]:
    if layer.float_reads:
        names = ", ".join(listed(layer.float_reads[:3], 24))
        text = f"The output is also read in float, by {names}."
        yield BLANK
        yield from wrap(line(Span("▲ ", "attention"), quiet(text)), width, 2)


def _group(selection: Selection, width: int) -> Iterator[Line]:
    """Schemes of a group of layers; inputs and outputs of the whole model."""
    if not selection.layers:
        return
    schemes = Counter(scheme(report.layer) for report in selection.layers)
    for text, count in schemes.most_common(8):
        role = "attention" if text == "not quantized" else "text"
        yield from wrap(line(quiet(right(str(count), 4) + "  "), Span(text, role)), width, 6)
    if not selection.whole_model:
        return
    for title, names in (
        ("inputs", selection.snapshot.graph.inputs),
        ("outputs", selection.snapshot.graph.outputs),
    ):
        yield BLANK
        yield line(quiet(title))
        among = names_of_few(tuple(names))
        few = [(name, _typed(name, selection.snapshot)) for name in names[:6]]
        apart = any(cells(name) + len(about) + 4 > width for name, about in few)
        for name, about in few:
            if not apart:
                yield line("  ", shown_of(among, name, width), quiet("  " + about))
                continue
            yield line("  ", shown_of(among, name, max(width - 2, 6)))
            yield from wrap(line(quiet("    " + about)), width, 4)  # a shape that is cut is another shape
        if len(names) > 6:
            yield line(quiet(f"  and {len(names) - 6} more"))


def _typed(name: str, snapshot: Snapshot) -> str:
    kind = snapshot.graph.type(name)
    return f"{kind.dtype} {shape(kind)}"
