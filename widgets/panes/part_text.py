"""A node or a tensor in full: attributes, whole names, types, scales; a constant's values and how they are spread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.model.errors import ModelError
from npuscope.model.inspection.attributes import BODY, attributes
from npuscope.model.inspection.contents import Contents, contents
from npuscope.model.inspection.tensor import TensorFacts, tensor_facts
from npuscope.widgets.bars.figure_bars import columns
from npuscope.widgets.text.cells import left, shown
from npuscope.widgets.text.figures import bytes_, grouped, percent, three
from npuscope.widgets.text.spans import BLANK, Line, Span, length, line, quiet, spread, strong, wrap
from npuscope.widgets.text.words import plural, typed

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
    yield from wrap(line(shown(node.name, _LONGEST)), width)
    found = attributes(node, graph)
    if found:
        yield BLANK
        wide = max(_LABEL, min(max(len(entry.name) for entry in found) + 1, max(width // 2, 8), 20))
        for entry in found:
            value = "below this row" if entry.value == BODY else shown(entry.value, _LONGEST)
            note = "" if entry.stated else "  by default"
            named = quiet(left(shown(entry.name, wide - 1), wide))
            yield from wrap(
                line(named, Span(value, "text" if entry.stated else "quiet"), quiet(note)), width, wide
            )
    for label, tensors in (("in", node.inputs), ("out", node.outputs)):
        held = [(i, tensor) for i, tensor in enumerate(tensors, 1) if tensor]
        if held:
            yield BLANK
        for i, tensor in held[: MOST_ENDS * 2]:
            facts = tensor_facts(graph, tensor, part.layer)
            kind = line(quiet(left(f"{label} {i}" if len(tensors) > 1 else label, 6)), typed(facts.type))
            yield spread(kind, line(quiet("constant" if facts.constant is not None else "")), width)
            yield from wrap(line("      ", shown(tensor, _LONGEST)), width, 6)
            yield from _scale(facts.quant, width, 6)
        if len(held) > MOST_ENDS * 2:
            yield line(quiet(f"      and {len(held) - MOST_ENDS * 2} more"))


def _scale(quant: Quant | None, width: int, hang: int) -> Iterator[Line]:
    """Scale, zero point and range; the least and the most where there are many."""
    if quant is None:
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
    yield from wrap(line(strong(shown(name, _LONGEST))), width)
    size = bytes_(facts.nbytes) if facts.nbytes is not None else ""
    yield spread(line(typed(facts.type)), line(quiet(size)), width)
    yield from _scale(facts.quant, width, 0)
    yield from _ends(facts, width)
    if facts.constant is not None:
        yield BLANK
        yield from _contents(facts.constant, width)


def _ends(facts: TensorFacts, width: int) -> Iterator[Line]:
    borders = [text for held, text in ((facts.is_input, "input"), (facts.is_output, "output")) if held]
    if borders:
        yield from _named("border", f"{' and '.join(borders)} of the graph", width)
    if facts.producer is not None:
        op, name = shown(facts.producer.op, 24), shown(facts.producer.name, _LONGEST)
        yield from _named("made by", f"{op}  {name}", width)
    for i, reader in enumerate(facts.readers[:MOST_ENDS]):
        op, name = shown(reader.op, 24), shown(reader.name, _LONGEST)
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
    held = _looked_at(constant)
    if isinstance(held, str):
        yield from wrap(line(Span("▲ ", "attention"), shown(held, _LONGEST)), width, 2)
        return
    count = f"{grouped(held.size)} {'value' if held.size == 1 else 'values'}"
    if held.looked < held.size:
        count += f", {grouped(held.looked)} of them looked at"
    yield from wrap(line(count), width)
    if held.bins or held.low != held.high:
        text = f"{three(held.low)} to {three(held.high)}, mean {three(held.mean)}, deviation {three(held.deviation)}"
        yield from wrap(line(quiet(text)), width)
    said = [
        f"{percent(part / held.looked)} % {what}"
        for part, what in (
            (held.zeros, "zero"),
            (held.at_limits, "at the ends of the type"),
            (held.odd, "not finite"),
        )
        if part and held.looked > 1
    ]
    if said:
        yield from wrap(line(Span(", ".join(said), "attention" if held.odd else "quiet")), width)
    if held.bins:
        yield BLANK
        yield from columns(held.bins, min(width, 64), _HEIGHT)
        ends = three(held.low), three(held.high)
        across = min(width, len(held.bins) * max(min(width, 64) // len(held.bins), 1))
        yield spread(line(quiet(ends[0])), line(quiet(ends[1])), max(across, length(line(*ends)) + 1))
    yield BLANK
    more = " …" if held.size > len(held.first) else ""
    yield from wrap(line(" ".join(shown(word, 40) for word in held.first) + more), width)
