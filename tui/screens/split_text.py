"""What the split screen says of a split: a line in the list, and before and after."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.proposals import Preview
from npuscope.edits.sizes import written
from npuscope.edits.split_input import SplitInput
from npuscope.edits.split_output import SplitOutput
from npuscope.snapshot import LayerReport
from npuscope.widgets.cells import cells, clip, left, right, shown
from npuscope.widgets.figures import decibels, grouped, milliseconds, short, steps, three
from npuscope.widgets.ink import BLANK, Line, Span, line, quiet, wrap
from npuscope.widgets.words import SEVERITY_GLYPHS, SEVERITY_ROLES, where

if TYPE_CHECKING:
    from npuscope.edits.price import Price

EXACTNESS = {
    Exactness.BIT_EXACT: ("bit-exact", "every output keeps its value"),
    Exactness.ROUNDING: ("rounding", "exact up to the rounding of the output"),
    Exactness.APPROXIMATE: ("approximate", "partial sums are rounded once more; v tells how much"),
}

_SIZES, _AXIS, _TIME, _CYCLES, _RATE, _LAYERS = 18, 8, 9, 8, 6, 7

PROPOSALS = line(
    Span(
        left("sizes", _SIZES)
        + left("along", _AXIS)
        + left("where", 5)
        + right("time", _TIME)
        + right("cycles", _CYCLES)
        + right("MAC/c", _RATE)
        + right("layers", _LAYERS)
        + "  numbers",
        "title",
    )
)
"""Heading of the list."""


def proposal_line(found: Preview) -> Line:
    """A split in one line."""
    edit = found.edit
    sizes = written(edit.sizes, 4) if isinstance(edit, (SplitInput, SplitOutput)) else edit.describe()
    rate = found.ops_per_cycle[1]
    exact = found.exactness is Exactness.BIT_EXACT
    return line(
        left(sizes, _SIZES),
        quiet(left("inputs" if isinstance(edit, SplitInput) else "outputs", _AXIS)),
        where(found.after),
        right(_time(found.milliseconds[1]), _TIME),
        quiet(right(_short(found.cycles[1]), _CYCLES)),
        quiet(right(three(rate / 2) if rate else "·", _RATE)),
        quiet(right(str(len(found.layers)), _LAYERS)),
        Span("  " + EXACTNESS[found.exactness][0], "text" if exact else "quiet"),
    )


def comparison(
    result: Preview | Refusal | None, report: LayerReport, width: int, price: Price | None = None
) -> list[Line]:
    """Before and after, or why there is no after; what it does to the numbers where that was measured."""
    if result is None:
        return []
    if isinstance(result, Refusal):
        found = list(wrap(line(Span("✗ ", "sw"), result.reason), width, 2))
        if result.hint:
            found += wrap(line(Span("→ ", "accent"), result.hint), width, 2)
        return found
    column = min(max((width - _LABEL) // 2 - 2, 14), 20)
    rows: list[tuple[str, Span, Span, str]] = [
        ("where", where(result.before), where(result.after), ""),
        _pair("time", result.milliseconds, _time, _factor(result.milliseconds)),
        ("layers", Span("1"), Span(str(len(result.layers))), _ops(result)),
        _pair("OPS/cycle", result.ops_per_cycle, _rate),
        _pair("MAC/cycle", tuple(None if r is None else r / 2 for r in result.ops_per_cycle), _rate),
        _pair("cycles, ideal", result.compute_cycles, _exact),
        _pair("with memory", result.cycles, _exact),
    ]
    found = [line(Span(left("", _LABEL) + right("before", column) + right("after", column), "title"))]
    for label, before, after, note in rows:
        found.append(
            line(
                quiet(left(label, _LABEL)),
                Span(right(before.text, column), before.role),
                Span(right(after.text, column), after.role),
                quiet("  " + clip(note, max(width - _LABEL - 2 * column - 2, 0)) if note else ""),
            )
        )
    word, meaning = EXACTNESS[result.exactness]
    if price is None:
        found += wrap(line(quiet(left("numbers", _LABEL)), f"{word}: ", quiet(meaning)), width, _LABEL)
    else:
        said: list[Span | str] = [f"{word}: ", quiet(f"on {price.samples} inputs "), *measured(price)]
        found += wrap(line(quiet(left("numbers", _LABEL)), *said), width, _LABEL)
    return found + _left_over(result, width)


_LABEL = 14


def measured(price: Price) -> Line:
    """What an edit did to the numbers when it was tried."""
    if price.bit_exact:
        return line("nothing differs")
    here, outputs = price.here, price.outputs
    found: list[Span | str] = []
    if here is not None and not here.bit_exact:
        found += [
            f"{steps(here.max_steps)} at most ",
            Span(f"({decibels(here.sqnr_db)})", "strong"),
            " behind it",
        ]
    if outputs is not None and not outputs.bit_exact:
        found += [", " if found else "", f"{decibels(outputs.sqnr_db_min)} at the worst output"]
    return line(*found)


def _left_over(result: Preview, width: int) -> list[Line]:
    """What would still be said of the new layers, each thing once."""
    found: list[Line] = []
    seen: set[str] = set()
    for finding in result.findings:
        if finding.code in seen or len(seen) == 3:
            continue
        seen.add(finding.code)
        glyph = Span(SEVERITY_GLYPHS[finding.severity] + " ", SEVERITY_ROLES[finding.severity])
        text = finding.message[:1].upper() + finding.message[1:]
        found += wrap(line(glyph, quiet(f"{finding.code}  "), quiet(text)), width, 2)
    return [BLANK, *found] if found else []


def _pair(
    label: str,
    values: tuple[float | None, ...],
    text: object,
    note: str = "",
) -> tuple[str, Span, Span, str]:
    assert callable(text)
    return label, Span(str(text(values[0]))), Span(str(text(values[1]))), note


def _exact(value: float | None) -> str:
    return "?" if value is None else grouped(int(value))


def _rate(value: float | None) -> str:
    return three(value) if value else "·"


def _time(value: float | None) -> str:
    return "?" if value is None else milliseconds(value)


def _short(value: float | None) -> str:
    return "?" if value is None else short(value)


def _factor(times: tuple[float | None, float | None]) -> str:
    before, after = times
    if not before or not after:
        return ""
    factor = before / after
    return (
        f"{three(factor)} x faster"
        if factor >= 1.05
        else f"{three(1 / factor)} x slower"
        if factor <= 0.95
        else ""
    )


def _ops(result: Preview) -> str:
    """'Split, 2 Gemm, Add'."""
    counts = Counter(report.layer.op for report in result.layers)
    text = ", ".join(
        f"{count} {shown(op, 16)}" if count > 1 else shown(op, 16) for op, count in counts.items()
    )
    return text if cells(text) < 60 else clip(text, 60)
