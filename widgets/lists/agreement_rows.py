"""What ST's tools did, as rows: where it differs from the prediction, and what is off the NPU."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.brief import Names
from npuscope.neural_art.comparison.values import Comparison, Figures, LayerComparison, OffNpu, Tally
from npuscope.npu.figures import plural
from npuscope.record import dataclass
from npuscope.widgets.panes.eligibility import place_span, sentence
from npuscope.widgets.text.cells import clip, left, right, shown, whole
from npuscope.widgets.text.figures import bytes_, grouped, milliseconds, short, three
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import Line, Span, fit, line, quiet, strong, wrap
from npuscope.widgets.text.words import DIFFERS

_WHAT = {
    "placement": "placement",
    "compute_cycles": "cycles",
    "choked_ports": "choked ports",
    "simd": "SIMD",
    "deep1x1": "Deep1x1",
    "accelerators": "CAs in series",
}
_FOUND_BY = {
    "q_json": "named in Q.json",
    "name": "found by its name",
    "scales": "found by its scales",
    "order": "found by its place in the order",
    "epochs": "from the order of the epochs",
    "elimination": "every epoch off the NPU belongs to another layer",
    "in_step": "the epochs follow the order of the predicted ones",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of one layer on which prediction and tools differ."""

    layer: LayerComparison
    what: str
    predicted: str
    actual: str


def difference_rows(comparison: Comparison) -> list[Difference]:
    """All of them, placements first."""
    differences = [
        Difference(layer, difference.what, difference.predicted, difference.actual)
        for layer in comparison.disagreements
        for difference in layer.differences
    ]
    return sorted(differences, key=lambda one: one.what != "placement")


def _value(what: str, text: str) -> Span:
    if what == "placement":
        return place_span(text)
    return Span(grouped(int(text)) if what == "compute_cycles" and text.isdigit() else shown(text, 20))


_PLACE = 12


def differences_heading(width: int) -> Line:
    """The names of the columns."""
    name, what = _difference_widths(width)
    text = "  " + left("layer", name) + " " + left("what", what) + right("predicted", _PLACE)
    return line(Span(text + " " + right("actual", _PLACE), "title"))


def _difference_widths(width: int) -> tuple[int, int]:
    what = 14
    return max(width - 2 - 1 - what - 2 * _PLACE - 1, 8), what


def difference_line(row: Difference, among: Names, width: int) -> Line:
    """A row in its columns."""
    name, what = _difference_widths(width)
    before, after = _value(row.what, row.predicted), _value(row.what, row.actual)
    return (
        Span(f"{DIFFERS} ", "attention"),
        Span(left(shown_of(among, row.layer.name, name), name)),
        quiet(" " + left(_WHAT.get(row.what, row.what), what)),
        Span(right(before.text.strip(), _PLACE), before.role),
        Span(" " + right(after.text.strip(), _PLACE), after.role),
    )


def off_heading(width: int) -> Line:
    """The names of the columns."""
    name = _off_width(width)
    text = (
        right("epoch", 5)
        + "  "
        + left("where", 7)
        + left("op", 11)
        + left("layer or node", name)
        + "  reason"
    )
    return fit(line(Span(text, "title")), width)


def _off_width(width: int) -> int:
    return max(min((width - 25) // 3, 28), 10)


def place_or_blank(word: str) -> Span:
    """'● NPU', blank where it is not said."""
    sign = place_span(word)
    return Span(left(sign.text, 5), sign.role) if word else Span(left("?", 5), "quiet")


def off_line(entry: OffNpu, among: Names, width: int) -> Line:
    """A row in its columns."""
    name = _off_width(width)
    sign = place_span(entry.placement)
    epoch = str(entry.epoch) if entry.epoch is not None else "log"
    what = entry.layer or entry.node
    reason = sentence(entry.message or (entry.log[0] if entry.log else "the tools do not say why"))
    parts = line(
        quiet(right(epoch, 5)), "  ", Span(sign.text + "  ", sign.role),
        quiet(left(shown(entry.op, 10), 11)), strong(left(shown_of(among, what, name), name)), "  ",
        quiet(f"{entry.code}  " if entry.code else ""), shown(reason, 300),
    )  # fmt: skip
    return fit(parts, width)


def about_off(entry: OffNpu, width: int, with_model: bool = False) -> Iterator[Line]:
    """What npuscope says to an epoch off the NPU, and what the tools said."""
    if entry.code:
        code = f"  {entry.code}"
        yield from wrap(line(Span("✗ ", "sw"), strong(sentence(entry.message)), quiet(code)), width, 2)
    else:
        word = entry.layer or entry.node or entry.op
        if entry.layer:
            why = "npuscope would have it on the NPU"
        elif with_model:
            why = "added by the compiler: no layer of the model"
        else:
            why = f"npuscope has no explanation from {'the log' if entry.log else 'this'} alone"
        yield from wrap(line(strong(shown(word, 60)), quiet(f"  {why}")), width)
    if entry.fix:
        yield from wrap(line(Span("→ ", "accent"), sentence(entry.fix)), width, 2)
    if entry.note:
        yield from wrap(line(quiet(sentence(entry.note) + ".")), width)
    if entry.log:
        yield from wrap(line(quiet("the tool says only: "), quiet(shown(entry.log[0], 300))), width)
    if entry.channels:
        yield from wrap(line(quiet(f"channels in the log: {entry.channels}")), width)


def about_layer(layer: LayerComparison, width: int) -> Iterator[Line]:
    """Predicted and actual figures of a layer, and how sure it is that they belong together."""
    about = quiet(f"  {shown(layer.op, 14)} {layer.channels}")
    yield from wrap(line(strong(whole(layer.name)), about), width)
    yield from side_by_side(layer, width)


def has_figures(layer: LayerComparison) -> bool:
    """The tools say more of it than where it is."""
    actual = layer.actual
    return actual is not None and any(
        value not in (None, "", ())
        for value in (
            actual.compute_cycles,
            actual.cycles,
            actual.milliseconds,
            actual.ops_per_cycle,
            actual.simd,
        )
    )


_NARROW = {"with memory": "memory", "OPS/cycle": "OPS/c", "choked ports": "choked", "CAs in series": "CAs"}


def side_by_side(layer: LayerComparison, width: int) -> Iterator[Line]:
    """'OPS/cycle  2  1.99': a line for each figure the tools give."""
    predicted, actual = layer.predicted, layer.actual or Figures()
    label = min(13, max(width - 20, 8))
    column = min((width - label) // 2, 12)
    yield line(Span(left("", label) + right("predicted", column) + right("actual", column), "title"))
    wrong = {difference.what for difference in layer.differences}
    rows: list[tuple[str, str, Span, Span]] = [
        ("placement", "where", place_span(predicted.placement), place_span(actual.placement)),
        ("compute_cycles", "compute", _number(predicted.compute_cycles), _number(actual.compute_cycles)),
        ("cycles", "with memory", _number(predicted.cycles), _number(actual.cycles)),
        ("ops_per_cycle", "OPS/cycle", _rate(predicted.ops_per_cycle), _rate(actual.ops_per_cycle)),
        ("choked_ports", "choked ports", Span(" ".join(predicted.choked_ports)), Span(" ".join(actual.choked_ports))),
        ("simd", "SIMD", Span(predicted.simd), Span(actual.simd)),
        ("deep1x1", "Deep1x1", _yes(predicted.deep1x1), _yes(actual.deep1x1)),
        ("accelerators", "CAs in series", _number(predicted.accelerators), _number(actual.accelerators)),
        ("milliseconds", "time", _time(predicted.milliseconds), _time(actual.milliseconds)),
        ("epoch", "epoch", _number(predicted.epoch), _number(actual.epoch)),
    ]  # fmt: skip
    narrow = label < 13
    for what, name, before, after in rows:
        if what != "placement" and (not after.text.strip() or after.text == "·"):
            continue
        role = "attention" if what in wrong else after.role
        yield line(
            quiet(left(_NARROW.get(name, name) if narrow else name, label)),
            Span(right(before.text.strip() or "·", column), before.role),
            Span(right(after.text.strip(), column), role),
        )
    evidence = layer.evidence
    if evidence is not None:
        source = f"{_FOUND_BY.get(evidence.by, evidence.by)}, {evidence.confidence:.0%} sure".replace(
            "%", " %"
        )
        nodes = f" as {whole(evidence.nodes[0])}" if evidence.nodes else ""
        yield from wrap(line(quiet(source + nodes)), width)


def _number(value: int | None) -> Span:
    return Span("·" if value is None else grouped(value) if value < 1e7 else short(value))


def _rate(value: float | None) -> Span:
    return Span("·" if value is None else three(value))


def _time(value: float | None) -> Span:
    return Span("·" if value is None else milliseconds(value))


def _yes(value: bool | None) -> Span:
    return Span("·" if value is None else "yes" if value else "no")


CLOSE = 0.1
"""How far a predicted time may be from what was measured to be called right."""


def summary_lines(comparison: Comparison, width: int) -> list[Line]:
    """Which artefacts, what they say of the whole, how far it agrees with the prediction."""
    lines = _figures(comparison, width)
    agreed = comparison.agreement
    if agreed is not None:
        named = (
            ("placement", agreed.placement), ("cycles", agreed.compute_cycles),
            ("choked ports", agreed.choked_ports), ("SIMD", agreed.simd), ("Deep1x1", agreed.deep1x1),
            ("CAs in series", agreed.accelerators),
        )  # fmt: skip
        parts: list[Span] = [quiet("agrees  ")]
        for name, tally in named:
            if tally.compared:
                parts += [*_tally(name, tally), quiet(" · ")]
        predicted, actual = agreed.milliseconds_predicted, agreed.milliseconds_actual
        if predicted is not None and actual:
            off = predicted / actual - 1
            role = "hw" if abs(off) <= CLOSE else "attention"
            parts += [quiet("time "), Span(f"{100 * off:+.0f} %", role), quiet(" · ")]
        lines += wrap(tuple(parts[:-1]) if len(parts) > 1 else line(quiet("nothing to compare")), width, 8)
    if comparison.pools:
        used = " · ".join(
            f"{whole(pool.name)} {bytes_(pool.used)}" + (f" of {bytes_(pool.size)}" if pool.size else "")
            for pool in comparison.pools
            if pool.used
        )
        if used:
            lines += wrap(line(quiet("memory  "), quiet(used)), width, 8)
    not_understood = [item for artefact in comparison.artefacts for item in artefact.not_understood]
    if not_understood:
        more = f" and {len(not_understood) - 1} more" if len(not_understood) > 1 else ""
        text = f"not understood: {shown(not_understood[0], 120)}{more}"
        lines += wrap(line(Span("▲ ", "attention"), quiet(text)), width, 2)
    for note in comparison.notes[:3]:
        lines += wrap(line(Span("▲ ", "attention"), quiet(sentence(shown(note, 300)))), width, 2)
    return lines


def _figures(comparison: Comparison, width: int) -> list[Line]:
    totals, agreed = comparison.totals, comparison.agreement
    parts: list[Span] = [quiet("tools   ")]
    if totals.epochs is not None:
        parts.append(strong(plural(totals.epochs, "epoch")))
        if totals.sw:
            parts += [quiet(", "), Span(f"✗ {totals.sw} in software", "sw-strong")]
        if totals.hybrid:
            parts += [quiet(", "), Span(f"◐ {totals.hybrid} hybrid", "hybrid")]
        if totals.sw == 0 and not totals.hybrid:
            parts += [quiet(", "), Span("● all on the NPU", "hw")]
    if totals.milliseconds is not None:
        parts += [quiet(" · "), strong(f"{milliseconds(totals.milliseconds)} measured")]
    if totals.cycles is not None:
        parts += [quiet(" · "), Span(f"{short(totals.cycles)} cycles estimated by the compiler")]
    lines = list(wrap(tuple(parts), width, 8)) if len(parts) > 1 else []
    if agreed is not None:
        total, hybrid, software = agreed.epochs_predicted
        text = plural(total, "epoch") + (f", {software} in software" if software else "")
        text += f", {hybrid} hybrid" if hybrid else ""
        if agreed.milliseconds_predicted is not None:
            text += f" · {milliseconds(agreed.milliseconds_predicted)}"
        lines += wrap(line(quiet("here    "), text + " predicted"), width, 8)
    return lines


def _tally(name: str, tally: Tally) -> Line:
    role = "hw" if tally.same == tally.compared else "attention"
    return line(quiet(f"{name} "), Span(f"{tally.same} of {tally.compared}", role))


def artefact_names(comparison: Comparison, width: int) -> str:
    """'report.txt, lowering.log'."""
    names = [artefact.path.replace("\\", "/").rsplit("/", 1)[-1] for artefact in comparison.artefacts]
    return clip(", ".join(listed(names, max(width // max(len(names), 1), 12))), width)
