"""What artefacts say of single operators, and all else that is in them, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from npuscope.neural_art.artefacts.values import LayerRow, Lowering, Node
from npuscope.neural_art.comparison.statements import Statement, sizes
from npuscope.neural_art.comparison.values import Comparison
from npuscope.widgets.lists.agreement_rows import place_or_blank
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import grouped, short, three
from npuscope.widgets.text.spans import Line, Span, fit, line, quiet, strong, wrap


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as one artefact has it: lowered, of the front end's table, or of the lowering log."""

    told: Node | LayerRow | Lowering

    @property
    def name(self) -> str:
        """The tool's name of it."""
        return self.told.node if isinstance(self.told, Lowering) else self.told.name

    @property
    def kind(self) -> str:
        """Its operator."""
        return self.told.op if isinstance(self.told, LayerRow) else self.told.kind


def operators(comparison: Comparison) -> tuple[Operator, ...]:
    """The operators of the artefact that says most of them: figures first, then places, then the front end's table."""
    of_nodes = [artefact.nodes for artefact in comparison.artefacts if artefact.nodes]
    priced = [nodes for nodes in of_nodes if any(node.latency_cycles is not None for node in nodes)]
    if of_nodes:
        nodes = (priced or of_nodes)[0]
        order = {node.name: at for at, node in enumerate(nodes)}
        by_epoch = sorted(nodes, key=lambda n: (n.epoch is None, n.epoch or 0, order[n.name]))
        return tuple(map(Operator, by_epoch))
    lowerings = [low for artefact in comparison.artefacts for low in artefact.lowerings]
    rows = [row for artefact in comparison.artefacts for row in artefact.rows]
    return tuple(map(Operator, rows or lowerings))


_NUMBER, _PLACE, _CYCLES, _RATE, _SIMD = 5, 5, 9, 7, 6


def operator_heading(width: int, first: Operator) -> Line:
    """The names of the columns."""
    name = _name_width(width)
    if isinstance(first.told, LayerRow):
        text = right("id", _NUMBER) + "  " + left("layer", name) + " " + left("op", _kind_width(width))
        text += right("weights", _CYCLES) + " " + right("MAC", _CYCLES) + "  shape"
    elif isinstance(first.told, Lowering):
        text = (
            right("id", _NUMBER)
            + "  "
            + left("operator", name)
            + " "
            + left("op", _kind_width(width))
            + "lowered by"
        )
    else:
        text = right("epoch", _NUMBER) + "  " + left("where", _PLACE) + "  " + left("operator", name) + " "
        text += (
            left("op", _kind_width(width))
            + right("cycles", _CYCLES)
            + right("OPS/c", _RATE)
            + " "
            + left("SIMD", _SIMD)
        )
        text += "choked ports"
    return fit(line(Span(text, "title")), width)


def _name_width(width: int) -> int:
    return max(min(width - 44 - _kind_width(width), 40), 14)


def _kind_width(width: int) -> int:
    return 12 if width < 100 else 18


def operator_line(operator: Operator, width: int) -> Line:
    """A row in its columns."""
    told, name = operator.told, _name_width(width)
    shown_name = strong(left(shown(operator.name, name), name))
    room = _kind_width(width)
    kind = quiet(left(shown(operator.kind, room - 1), room))
    if isinstance(told, LayerRow):
        shape = "x".join(str(size) for _, size in told.shape)
        parts = line(
            quiet(right(str(told.number), _NUMBER)), "  ", shown_name, " ", kind,
            quiet(right(short(told.parameters) if told.parameters is not None else "·", _CYCLES)), " ",
            Span(right(short(told.macc) if told.macc is not None else "·", _CYCLES)), "  ", quiet(shape),
        )  # fmt: skip
    elif isinstance(told, Lowering):
        number = str(told.id) if told.id is not None else ""
        parts = line(quiet(right(number, _NUMBER)), "  ", shown_name, " ", kind, shown(_lowered(told), 300))
    else:
        parts = line(
            quiet(right("" if told.epoch is None else str(told.epoch), _NUMBER)), "  ",
            place_or_blank(told.placement), "  ", shown_name, " ", kind,
            Span(right(short(told.latency_cycles) if told.latency_cycles is not None else "·", _CYCLES)),
            Span(right(three(told.ops_per_cycle) if told.ops_per_cycle is not None else "·", _RATE)), " ",
            quiet(left(shown(told.simd, _SIMD), _SIMD)), quiet(shown(" ".join(told.choked_ports), 60)),
        )  # fmt: skip
    return fit(parts, width)


def _lowered(told: Lowering) -> str:
    taken = told.lowerer or "not said"
    return f"{taken}: {told.refusals[0]}" if told.refusals else taken


def about_operator(operator: Operator, width: int) -> Iterator[Line]:
    """Everything the artefact says of it."""
    told = operator.told
    yield from wrap(line(strong(shown(operator.name, 80)), quiet(f"  {shown(operator.kind, 20)}")), width)
    facts: list[tuple[str, str]] = []
    if isinstance(told, LayerRow):
        facts = [
            ("shape", " ".join(f"{axis}:{size}" for axis, size in told.shape)),
            ("parameters", "" if told.parameters is None else f"{grouped(told.parameters)}, {grouped(told.size or 0)} bytes"),
            ("MAC", "" if told.macc is None else grouped(told.macc)),
            ("reads", shown(", ".join(told.reads), 300)),
        ]  # fmt: skip
    elif isinstance(told, Lowering):
        tried = "; ".join(f"{a.lowerer}: {a.refused or 'taken'}" for a in told.attempts)
        facts = [("tried", shown(tried, 600))]
        facts += [(word, str(size)) for word, size in (
            ("width", told.width), ("height", told.height), ("ch", told.ch), ("chin", told.chin),
        ) if size is not None]  # fmt: skip
    else:
        facts = _of_node(told)
    parts: list[Span] = []
    for name, text in facts:
        if text:
            parts += [quiet(f"{' · ' if parts else ''}{shown(name, 30)} "), Span(text)]
    yield from wrap(tuple(parts), width)


def _of_node(node: Node) -> list[tuple[str, str]]:
    def figure(value: float | None) -> str:
        return "" if value is None else grouped(value) if isinstance(value, int) else three(value)

    return [
        ("unit", shown(node.unit, 40)),
        ("cycles", figure(node.latency_cycles)),
        ("OPS", figure(node.ops)),
        ("OPS/cycle", figure(node.ops_per_cycle)),
        ("SIMD", shown(node.simd, 12)),
        ("Deep1x1", "yes" if node.deep1x1 else ""),
        ("DSS2", "yes" if node.dss2 else ""),
        ("choked ports", shown(" ".join(node.choked_ports), 60)),
        ("zero point subtracted", figure(node.fsub)),
        ("input", sizes(node.input_shape)),
        ("weights", sizes(node.weight_shape)),
        ("output", sizes(node.output_shape)),
        ("kernel", sizes(node.kernel)),
        ("strides", sizes(node.strides)),
        ("group", figure(node.group)),
        ("kernels/pass", figure(node.kernels_per_pass)),
        ("batch depth", figure(node.batch_depth)),
        *((name, shown(text, 200)) for name, text in node.attributes),
    ]


def statement_heading(width: int) -> Line:
    """The names of the columns."""
    section, name = _statement_widths(width)
    return fit(line(Span(left("about", section) + left("what", name) + "the files say", "title")), width)


def _statement_widths(width: int) -> tuple[int, int]:
    return (16, 24) if width < 100 else (22, 34)


def statement_line(said: Statement, width: int) -> Line:
    """A row in its columns."""
    section, name = _statement_widths(width)
    warn = said.section == "not understood"
    parts = line(
        Span(left(shown(said.section, section - 1), section), "attention" if warn else "quiet"),
        strong(left(shown(said.name, name - 1), name)),
        shown(said.text, 400),
    )
    return fit(parts, width)


def about_statement(said: Statement, width: int) -> Iterator[Line]:
    """The whole of it, and which file says so."""
    file = said.path.replace("\\", "/").rsplit("/", 1)[-1]
    yield from wrap(line(quiet(f"{shown(said.section, 60)}  "), strong(shown(said.name, 200))), width)
    yield from wrap(line(shown(said.text, 4000)), width)
    yield from wrap(line(quiet(f"in {shown(file, 60)}")), width)
