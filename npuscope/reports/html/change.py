"""What edits did, as a part of the page: in words, in figures, and each layer that they changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape

from npuscope.model.names import printable
from npuscope.npu.figures import size_words, thousands
from npuscope.npu.times import in_ms, table_ms
from npuscope.numbers.verify_models import Verification
from npuscope.reports.change_report import LayerChange, change_words, layer_changes
from npuscope.reports.html.drawings import CLASSES
from npuscope.reports.text_report import WORDS
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary

MOST_CHANGES = 500

COLUMNS = ("layer", "operator", "", "before", "after", "cycles before", "after", "ms before", "after")
NUMBERS_FROM = 5


def change_section(
    session: Session, before: Snapshot, after: Snapshot, checked: Verification | None
) -> Iterator[str]:
    """Of the model as it was opened, and with the edits of the session; `checked` is the last measurement of both."""
    yield '<section id="change"><h2>Before and after</h2>'
    yield f"<p>{_inert(change_words(session, before, after, checked))}</p>"
    figures = ((name, words(before.summary), words(after.summary)) for name, words in FIGURES)
    yield from _table(("", "before", "after"), figures, 1)
    changed = [change for change in layer_changes(before, after) if change.word != "same"]
    if changed:
        yield f"<h2>Layers that changed ({thousands(len(changed))})</h2>"
        yield from _table(COLUMNS, map(_row, changed[:MOST_CHANGES]), NUMBERS_FROM)
    if len(changed) > MOST_CHANGES:
        yield f"<p>{thousands(len(changed) - MOST_CHANGES)} more are in the report as JSON or CSV.</p>"
    yield "</section>"


FIGURES: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("layers", lambda one: thousands(one.layers)),
    ("on the CPU", lambda one: thousands(one.on_cpu)),
    ("hybrid", lambda one: thousands(one.hybrid)),
    ("inference, predicted", lambda one: f"{in_ms(one.milliseconds)} ms"),
    ("epochs", lambda one: thousands(one.epochs)),
    ("compute cycles", lambda one: thousands(one.compute_cycles)),
    ("cycles with memory", lambda one: thousands(one.cycles)),
    ("MAC", lambda one: thousands(one.macs)),
    ("weights", lambda one: size_words(one.weights_bytes)),
    ("activations", lambda one: size_words(one.activations_bytes)),
)


def _row(change: LayerChange) -> tuple[str, ...]:
    sides = change.before, change.after
    return (
        change.report.name,
        change.report.layer.op,
        change.word,
        *("" if side is None else WORDS[side.placement] for side in sides),
        *(_cycles(side) for side in sides),
        *("" if side is None or side.cost is None else table_ms(side.line.milliseconds) for side in sides),
    )


def _cycles(report: LayerReport | None) -> str:
    cycles = report.line.cycles if report is not None else None
    return "" if cycles is None else thousands(cycles)


_PLACES = {WORDS[placement]: kind for placement, kind in CLASSES.items()}


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], numbers_from: int) -> Iterator[str]:
    yield "<table><thead><tr>"
    for at, head in enumerate(heads):
        yield f'<th class="number">{head}</th>' if at >= numbers_from else f"<th>{head}</th>"
    yield "</tr></thead><tbody>"
    for row in rows:
        cells = [_cell(text, at, numbers_from) for at, text in enumerate(row)]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _cell(text: str, at: int, numbers_from: int) -> str:
    if at == 0:
        return f'<td class="name">{_inert(text)}</td>'
    if at >= numbers_from:
        return f'<td class="number">{_inert(text)}</td>'
    place = _PLACES.get(text)
    return f'<td class="{place}-text">{_inert(text)}</td>' if place else f"<td>{_inert(text)}</td>"


def _inert(text: str) -> str:
    return escape(printable(text), quote=True)
