"""What the split screen says of a split: a line in the list, and before and after."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.toolkit.sizes import written
from npuscope.npu.times import change_sign
from npuscope.npu.verdict import Severity
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.planning.outcome import Outcome
from npuscope.planning.proposals import Preview
from npuscope.snapshot import LayerReport
from npuscope.widgets.lists.fix_lines import EXACTNESS_ROLES
from npuscope.widgets.text.cells import cells, clip, left, right, shown
from npuscope.widgets.text.figures import (
    before_after,
    decibels,
    grouped,
    milliseconds,
    short,
    steps,
    three,
    time_change,
)
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap
from npuscope.widgets.text.words import SEVERITY_GLYPHS, SEVERITY_ROLES, change_role, where

if TYPE_CHECKING:
    from npuscope.numbers.price import Price

EXACTNESS = {
    Exactness.BIT_EXACT: ("bit-exact", "exact on integers; sums of float layers may round differently"),
    Exactness.ROUNDING: ("rounding", "exact up to the rounding of the output"),
    Exactness.APPROXIMATE: ("approximate", "values change; v shows how much"),
}


def exactness_of(edit: Edit) -> tuple[str, str]:
    """The word for what an edit does to the numbers, and the reason the edit gives for it."""
    word, meaning = EXACTNESS[edit.exactness]
    if edit.exactness is Exactness.BIT_EXACT:
        return word, meaning
    because = edit.declaration.because.rstrip(".")
    return word, f"{because[:1].lower()}{because[1:]}; v shows how much"


_COLUMNS = {
    "sizes": 17, "along": 8, "where": 5, "model": 10, "cycles": 8, "MAC/c": 6, "layers": 7, "numbers": 13,
}  # fmt: skip
"""The list's columns and their widths; `model` is what the whole model gains or loses, as in the list of fixes."""

WIDEST = sum(_COLUMNS.values())
"""Cells the list takes with all columns."""

_GIVE_WAY = ("layers", "MAC/c", "cycles", "along")
"""The columns a narrow list goes without, in this order."""

_AT_RIGHT = ("model", "cycles", "MAC/c", "layers")


def _columns(width: int) -> dict[str, int]:
    kept = dict(_COLUMNS)
    for name in _GIVE_WAY:
        if sum(kept.values()) > width:
            del kept[name]
    kept["sizes"] -= max(min(sum(kept.values()) - width, 8), 0)
    return kept


def _column(name: str, size: int, text: str) -> str:
    if name == "numbers":
        return "  " + text
    return right(text, size) if name in _AT_RIGHT else left(text, size)


def heading(width: int) -> Line:
    """Heading of the list."""
    return line(Span("".join(_column(name, size, name) for name, size in _columns(width).items()), "title"))


def proposal_line(
    proposal: Preview, width: int, price: Price | None = None, made: Outcome | None = None
) -> Line:
    """A split in one line; what it makes of model and numbers, as far as that is known."""
    edit = proposal.edit
    rate = proposal.ops_per_cycle[1]
    texts = {
        "sizes": Span(
            written(edit.sizes, 4) if isinstance(edit, (SplitInput, SplitOutput)) else edit.describe()
        ),
        "along": quiet("inputs" if isinstance(edit, SplitInput) else "outputs"),
        "where": where(proposal.after),
        "model": model_change(made),
        "cycles": quiet("…" if made is None else short(made.cycles) if made.cycles else "·"),
        "MAC/c": quiet(three(rate / 2) if rate else "·"),
        "layers": quiet(str(len(proposal.layers))),
        "numbers": numbers_cell(proposal.exactness, price),
    }
    slower = slows(made)
    return tuple(
        Span(
            _column(name, size, texts[name].text),
            "quiet" if slower and name != "model" else texts[name].role,
        )
        for name, size in _columns(width).items()
    )


def numbers_cell(exactness: Exactness, price: Price | None) -> Span:
    """What an edit does to the numbers, in a column: a word until it is measured, then decibels; marked where too few."""
    role = EXACTNESS_ROLES[exactness]
    if price is None or price.decibels is None:
        return Span(EXACTNESS[exactness][0], role)
    if price.loses_too_much:
        return Span(f"{SEVERITY_GLYPHS[Severity.WARNING]} {decibels(price.worst)}", "sw")
    return Span(f"≈ {decibels(price.decibels)}", role)


def slows(made: Outcome | None) -> bool:
    """Whether an edit is known to slow the model: it is dimmed."""
    return made is not None and change_sign(made.change) == "+"


def model_change(made: Outcome | None) -> Span:
    """What an edit makes of the whole model's time, in a column."""
    if made is None:
        return quiet("…")
    return Span(time_change(made.change), change_role(made.change))


def comparison(
    result: Preview | Refusal | None,
    report: LayerReport,
    width: int,
    price: Price | None = None,
    made: Outcome | None = None,
) -> list[Line]:
    """Before and after, or why there is no after; times are the ledger's, once the whole model was judged with the edit.

    With what it does to the numbers, where that is known.
    """
    if result is None:
        return []
    if isinstance(result, Refusal):
        lines = list(wrap(line(Span("✗ ", "sw"), result.reason), width, 2))
        if result.hint:
            lines += wrap(line(Span("→ ", "accent"), result.hint), width, 2)
        return lines
    now = report.line.milliseconds if report.cost is not None else None
    times = (now, made.milliseconds if made is not None else None)
    model = (made.model_before, made.model) if made is not None else (None, None)
    column = min(max((width - _LABEL - _NOTE) // 2, 10), 20)
    rows: list[tuple[str, Span, Span, str]] = [
        ("where", where(result.before), where(result.after), ""),
        _times("time", times),
        *([_times("whole model", model)] if made is not None else []),
        ("layers", Span("1"), Span(str(len(result.layers))), _ops(result)),
        _pair("OPS/cycle", result.ops_per_cycle, _rate),
        _pair("MAC/cycle", tuple(None if r is None else r / 2 for r in result.ops_per_cycle), _rate),
        _pair("cycles, ideal", result.compute_cycles, _exact),
        (
            "with memory",
            Span(_exact(report.line.cycles)),
            Span("…" if made is None else _exact(made.cycles or None)),
            "runs beside others" if made is not None and made.cycles == 0 else "",
        ),
    ]
    lines = [line(Span(left("", _LABEL) + right("before", column) + right("after", column), "title"))]
    for label, before, after, note in rows:
        lines.append(
            line(
                quiet(left(label, _LABEL)),
                Span(right(before.text, column), before.role),
                Span(right(after.text, column), after.role),
                quiet("  " + clip(note, max(width - _LABEL - 2 * column - 2, 0)) if note else ""),
            )
        )
    word, meaning = exactness_of(result.edit)
    if price is None:
        lines += wrap(line(quiet(left("numbers", _LABEL)), f"{word}: ", quiet(meaning)), width, _LABEL)
    else:
        words: list[Span | str] = [f"{word}: ", quiet(f"on {price.samples} inputs "), *measured(price)]
        lines += wrap(line(quiet(left("numbers", _LABEL)), *words), width, _LABEL)
    return lines + _left_over(result, width)


_LABEL, _NOTE = 14, 22
"""Cells of the names at the left and of the remarks at the right."""


def measured(price: Price) -> Line:
    """What an edit did to the numbers when it was tried."""
    if not price.compared:
        return line("nothing there to compare; v runs the whole model")
    if price.bit_exact:
        return line("nothing differs")
    here, outputs = price.here, price.outputs
    words: list[Span | str] = []
    if here is not None and not here.bit_exact:
        words += [
            f"{steps(here.max_steps)} off at most after the layer ",
            Span(f"({decibels(here.sqnr_db)})", "strong"),
        ]
    if outputs is not None and not outputs.bit_exact:
        words += [", " if words else "", f"{decibels(outputs.sqnr_db_min)} at the worst output"]
    if price.loses_too_much:
        words.append(Span(f"; less than {LEAST_DECIBELS:g} dB: no plan makes it without being asked", "sw"))
    return line(*words)


def _left_over(result: Preview, width: int) -> list[Line]:
    """What would still be said of the new layers, each thing once."""
    lines: list[Line] = []
    seen: set[str] = set()
    for finding in result.findings:
        if finding.code in seen or len(seen) == 3:
            continue
        seen.add(finding.code)
        glyph = Span(SEVERITY_GLYPHS[finding.severity] + " ", SEVERITY_ROLES[finding.severity])
        text = finding.message[:1].upper() + finding.message[1:]
        lines += wrap(line(glyph, quiet(f"{finding.code}  "), quiet(text)), width, 2)
    return [BLANK, *lines] if lines else []


def _pair(
    label: str,
    values: tuple[float | None, ...],
    text: object,
    note: str = "",
) -> tuple[str, Span, Span, str]:
    assert callable(text)
    return label, Span(str(text(values[0]))), Span(str(text(values[1]))), note


def _times(label: str, times: tuple[float | None, float | None]) -> tuple[str, Span, Span, str]:
    before, after = times
    if before is not None and after is not None:
        was, now = before_after(before, after)
    else:
        was, now = _time(before), _time(after)
    return label, Span(was), Span(now), _factor(times)


def _exact(value: float | None) -> str:
    return "·" if value is None else grouped(int(value))


def _rate(value: float | None) -> str:
    return three(value) if value else "·"


def _time(value: float | None) -> str:
    return "…" if value is None else milliseconds(value)


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
