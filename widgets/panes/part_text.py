"""A node or a tensor in full: attributes, whole names, types, scales; a constant's values and how they are spread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.model.errors import ModelError
from npuscope.model.inspection.attributes import BODY, attributes
from npuscope.model.inspection.contents import Contents, contents
from npuscope.model.inspection.tensor import TensorFacts, tensor_facts
from npuscope.npu.figures import plural
from npuscope.widgets.bars.figure_bars import columns
from npuscope.widgets.text.cells import left, shown, whole
from npuscope.widgets.text.figures import bytes_, grouped, percent, three
from npuscope.widgets.text.layer_names import names_of_few, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, length, line, quiet, spread, strong, wrap
from npuscope.widgets.text.words import typed

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.model.layer import Layer
    from npuscope.model.quant import Quant
    from npuscope.model.tensors import Constant
    from npuscope.widgets.panes.selection import Part

_LABEL = 10
_LONGEST = 400
"""Cells of a name that are shown."""

_HEIGHT = 4
"""Lines of a histogram."""

MOST_ENDS = 6
"""Readers of a tensor, or tensors of a node, that are listed."""


def part_title(part: Part) -> str:
    """'Node', 'Tensor' or 'Constant'."""
    if not part.tensor:
        return "Node"
    return "Constant" if part.graph.constant(part.tensor) is not None else "Tensor"


def part_lines(part: Part, width: int) -> Iterator[Line]:
    """The lines of a pane."""
    yield from _tensor(part.graph, part.tensor, part.layer, width) if part.tensor else _node(part, width)


def _named(label: str, text: str, width: int, role: str = "text") -> Iterator[Line]:
    yield from wrap(line(quiet(left(label, _LABEL)), Span(text, role)), width, _LABEL)


def _node(part: Part, width: int) -> Iterator[Line]:
    node, graph = part.node, part.graph
    domain = "" if node.standard else f"  {shown(node.domain, 40)}"
    yield from wrap(line(strong(shown(node.op, 60)), quiet(domain)), width)
    yield from wrap(line(whole(node.name)), width)
    stated = attributes(node, graph)
    if stated:
        yield BLANK
        wide = max(_LABEL, min(max(len(entry.name) for entry in stated) + 1, max(width // 2, 8), 20))
        among = names_of_few(tuple(entry.name for entry in stated))
        for entry in stated:
            value = "below this row" if entry.value == BODY else shown(entry.value, _LONGEST)
            note = "" if entry.stated else "  by default"
            named = quiet(left(shown_of(among, entry.name, wide - 1), wide))
            yield from wrap(
                line(named, Span(value, "text" if entry.stated else "quiet"), quiet(note)), width, wide
            )
    for label, tensors in (("in", node.inputs), ("out", node.outputs)):
        numbered = [(i, tensor) for i, tensor in enumerate(tensors, 1) if tensor]
        if numbered:
            yield BLANK
        for i, tensor in numbered[: MOST_ENDS * 2]:
            facts = tensor_facts(graph, tensor, part.layer)
            kind = line(quiet(left(f"{label} {i}" if len(tensors) > 1 else label, 6)), typed(facts.type))
            yield spread(kind, line(quiet("constant" if facts.constant is not None else "")), width)
            yield from wrap(line("      ", whole(tensor)), width, 6)
            yield from _scale(facts.quant, width, 6)
        if len(numbered) > MOST_ENDS * 2:
            yield line(quiet(f"      and {len(numbered) - MOST_ENDS * 2} more"))


def _scale(quant: Quant | None, width: int, hang: int) -> Iterator[Line]:
    """Scale, zero point and range; the least and the most where there are many."""
    if quant is None:
        return
    if not quant.scale_known:
        zero = f", zero point {quant.zero}" if quant.zero_known else ""
        yield line(" " * hang, quiet(f"scale not known before calibration{zero}"))
        return
    low, high = quant.range
    if quant.scale.size == 1:
        text = f"scale {three(float(quant.scale.flat[0]))}, zero point {quant.zero}"
    else:
        least, most = float(quant.scale.min()), float(quant.scale.max())
        text = f"{plural(quant.scale.size, 'scale')} {three(least)} to {three(most)}, axis {quant.axis}"
    yield from wrap(line(" " * hang, quiet(f"{text}; holds {three(low)} to {three(high)}")), width, hang)


def _tensor(graph: Graph, name: str, layer: Layer | None, width: int) -> Iterator[Line]:
    facts = tensor_facts(graph, name, layer)
    yield from wrap(line(strong(whole(name))), width)
    size = bytes_(facts.nbytes) if facts.nbytes is not None else ""
    yield spread(line(typed(facts.type)), line(quiet(size)), width)
    yield from _scale(facts.quant, width, 0)
    yield from _ends(facts, width)
    if facts.constant is not None:
        yield BLANK
        yield from _contents(facts.constant, width)


def _ends(facts: TensorFacts, width: int) -> Iterator[Line]:
    borders = [text for applies, text in ((facts.is_input, "input"), (facts.is_output, "output")) if applies]
    if borders:
        yield from _named("border", f"{' and '.join(borders)} of the graph", width)
    if facts.producer is not None:
        op, name = shown(facts.producer.op, 24), whole(facts.producer.name)
        yield from _named("made by", f"{op}  {name}", width)
    for i, reader in enumerate(facts.readers[:MOST_ENDS]):
        op, name = shown(reader.op, 24), whole(reader.name)
        yield from _named("read by" if i == 0 else "", f"{op}  {name}", width)
    if len(facts.readers) > MOST_ENDS:
        yield from _named("", f"and {len(facts.readers) - MOST_ENDS} more", width, "quiet")


@lru_cache(maxsize=8)
def _looked_at(constant: Constant) -> Contents | str:
    """Contents, or why there are none; kept for when the pane wraps its text again."""
    try:
        return contents(constant)
    except ModelError as error:
        return str(error)


def _contents(constant: Constant, width: int) -> Iterator[Line]:
    looked_at = _looked_at(constant)
    if isinstance(looked_at, str):
        yield from wrap(line(Span("▲ ", "attention"), shown(looked_at, _LONGEST)), width, 2)
        return
    count = f"{grouped(looked_at.size)} {'value' if looked_at.size == 1 else 'values'}"
    if looked_at.looked < looked_at.size:
        count += f", {grouped(looked_at.looked)} of them looked at"
    yield from wrap(line(count), width)
    if looked_at.bins or looked_at.low != looked_at.high:
        text = f"{three(looked_at.low)} to {three(looked_at.high)}, mean {three(looked_at.mean)}, deviation {three(looked_at.deviation)}"
        yield from wrap(line(quiet(text)), width)
    shares = [
        f"{percent(part / looked_at.looked)} % {what}"
        for part, what in (
            (looked_at.zeros, "zero"),
            (looked_at.at_limits, "at the ends of the type"),
            (looked_at.odd, "not finite"),
        )
        if part and looked_at.looked > 1
    ]
    if shares:
        yield from wrap(line(Span(", ".join(shares), "attention" if looked_at.odd else "quiet")), width)
    if looked_at.bins:
        yield BLANK
        yield from columns(looked_at.bins, min(width, 64), _HEIGHT)
        ends = three(looked_at.low), three(looked_at.high)
        across = min(width, len(looked_at.bins) * max(min(width, 64) // len(looked_at.bins), 1))
        yield spread(line(quiet(ends[0])), line(quiet(ends[1])), max(across, length(line(*ends)) + 1))
    yield BLANK
    more = " …" if looked_at.size > len(looked_at.first) else ""
    yield from wrap(line(" ".join(shown(word, 40) for word in looked_at.first) + more), width)
