"""What artefacts say of single operators, and all else that is in them, as rows."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.brief import Names
from npuscope.neural_art.artefacts.values import LayerRow, Lowering, Node
from npuscope.neural_art.comparison.statements import Statement, sizes
from npuscope.neural_art.comparison.values import Comparison
from npuscope.record import dataclass
from npuscope.widgets.lists.agreement_rows import place_or_blank
from npuscope.widgets.text.cells import left, right, shown, whole
from npuscope.widgets.text.figures import grouped, short, three
from npuscope.widgets.text.layer_names import shown_of
from npuscope.widgets.text.spans import Line, Span, fit, line, quiet, strong, wrap


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as one artefact has it: lowered, of the front end's table, or of the lowering log."""

    printed: Node | LayerRow | Lowering

    @property
    def name(self) -> str:
        """The tool's name of it."""
        return self.printed.node if isinstance(self.printed, Lowering) else self.printed.name

    @property
    def kind(self) -> str:
        """Its operator."""
        return self.printed.op if isinstance(self.printed, LayerRow) else self.printed.kind


def operators(comparison: Comparison) -> tuple[Operator, ...]:
    """The operators of the artefact that says most of them: figures first, then places, then the front end's table."""
    of_nodes = [artefact.nodes for artefact in comparison.artefacts if artefact.nodes]
    priced = [nodes for nodes in of_nodes if any(node.latency_cycles is not None for node in nodes)]
    if of_nodes:
        nodes = (priced or of_nodes)[0]
        order = {node.name: index for index, node in enumerate(nodes)}
        by_epoch = sorted(nodes, key=lambda n: (n.epoch is None, n.epoch or 0, order[n.name]))
        return tuple(map(Operator, by_epoch))
    lowerings = [low for artefact in comparison.artefacts for low in artefact.lowerings]
    rows = [row for artefact in comparison.artefacts for row in artefact.rows]
    return tuple(map(Operator, rows or lowerings))


_NUMBER, _PLACE, _CYCLES, _RATE, _SIMD = 5, 5, 9, 7, 6


def operator_heading(width: int, first: Operator) -> Line:
    """The names of the columns."""
    name = _name_width(width)
    if isinstance(first.printed, LayerRow):
        text = right("id", _NUMBER) + "  " + left("layer", name) + " " + left("op", _kind_width(width))
        text += right("weights", _CYCLES) + " " + right("MAC", _CYCLES) + "  shape"
    elif isinstance(first.printed, Lowering):
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


def operator_line(operator: Operator, among: Names, width: int) -> Line:
    """A row in its columns."""
    printed, name = operator.printed, _name_width(width)
    shown_name = strong(left(shown_of(among, operator.name, name), name))
    room = _kind_width(width)
    kind = quiet(left(shown(operator.kind, room - 1), room))
    if isinstance(printed, LayerRow):
        shape = "x".join(str(size) for _, size in printed.shape)
        parts = line(
            quiet(right(str(printed.number), _NUMBER)), "  ", shown_name, " ", kind,
            quiet(right(short(printed.parameters) if printed.parameters is not None else "·", _CYCLES)), " ",
            Span(right(short(printed.macc) if printed.macc is not None else "·", _CYCLES)), "  ", quiet(shape),
        )  # fmt: skip
    elif isinstance(printed, Lowering):
        number = str(printed.id) if printed.id is not None else ""
        parts = line(
            quiet(right(number, _NUMBER)), "  ", shown_name, " ", kind, shown(_lowered(printed), 300)
        )
    else:
        parts = line(
            quiet(right("" if printed.epoch is None else str(printed.epoch), _NUMBER)), "  ",
            place_or_blank(printed.placement), "  ", shown_name, " ", kind,
            Span(right(short(printed.latency_cycles) if printed.latency_cycles is not None else "·", _CYCLES)),
            Span(right(three(printed.ops_per_cycle) if printed.ops_per_cycle is not None else "·", _RATE)), " ",
            quiet(left(shown(printed.simd, _SIMD), _SIMD)), quiet(shown(" ".join(printed.choked_ports), 60)),
        )  # fmt: skip
    return fit(parts, width)


def _lowered(lowering: Lowering) -> str:
    taken = lowering.lowerer or "not said"
    return f"{taken}: {lowering.refusals[0]}" if lowering.refusals else taken


def about_operator(operator: Operator, width: int) -> Iterator[Line]:
    """Everything the artefact says of it."""
    printed = operator.printed
    yield from wrap(line(strong(whole(operator.name)), quiet(f"  {shown(operator.kind, 20)}")), width)
    facts: list[tuple[str, str]] = []
    if isinstance(printed, LayerRow):
        facts = [
            ("shape", " ".join(f"{axis}:{size}" for axis, size in printed.shape)),
            ("parameters", "" if printed.parameters is None else f"{grouped(printed.parameters)}, {grouped(printed.size or 0)} bytes"),
            ("MAC", "" if printed.macc is None else grouped(printed.macc)),
            ("reads", shown(", ".join(printed.reads), 300)),
        ]  # fmt: skip
    elif isinstance(printed, Lowering):
        tried = "; ".join(f"{a.lowerer}: {a.refused or 'taken'}" for a in printed.attempts)
        facts = [("tried", shown(tried, 600))]
        facts += [(word, str(size)) for word, size in (
            ("width", printed.width), ("height", printed.height), ("ch", printed.ch), ("chin", printed.chin),
        ) if size is not None]  # fmt: skip
    else:
        facts = _of_node(printed)
    parts: list[Span] = []
    for name, text in facts:
        if text:
            parts += [quiet(f"{' · ' if parts else ''}{whole(name)} "), Span(text)]
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


def statement_line(statement: Statement, among: Names, width: int) -> Line:
    """A row in its columns."""
    section, name = _statement_widths(width)
    warn = statement.section == "not understood"
    parts = line(
        Span(left(shown(statement.section, section - 1), section), "attention" if warn else "quiet"),
        strong(left(shown_of(among, statement.name, name - 1), name)),
        shown(statement.text, 400),
    )
    return fit(parts, width)


def about_statement(statement: Statement, width: int) -> Iterator[Line]:
    """The whole of it, and which file says so."""
    file = statement.path.replace("\\", "/").rsplit("/", 1)[-1]
    yield from wrap(line(quiet(f"{shown(statement.section, 60)}  "), strong(whole(statement.name))), width)
    yield from wrap(line(shown(statement.text, 4000)), width)
    yield from wrap(line(quiet(f"in {whole(file)}")), width)
