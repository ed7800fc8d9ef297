"""What is said of the settings of a quantization: a line each, and what they were measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.npu.times import change_sign
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import bytes_, decibels, grouped, short, time_cell, time_change
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap

if TYPE_CHECKING:
    from npuscope.services.quantizing import Quantized

_NAMES = ("on CPU", "time", "cycles", "SQNR", "memory")
_ROOMY, _NARROW = (10, 12, 13, 10, 12), (9, 11, 8, 9, 10)
"""Cells of these columns, and where the setting would not have `_SETTING` beside them."""
_SETTING = 29


def _columns(width: int) -> tuple[int, ...]:
    return _ROOMY if width >= sum(_ROOMY) + _SETTING else _NARROW


def heading(width: int) -> Line:
    """The names of the columns."""
    columns = _columns(width)
    names = "".join(right(name, room) for name, room in zip(_NAMES, columns, strict=True))
    return line(Span(left("setting", max(width - sum(columns), 8)) + names, "title"))


def row(result: Quantized, width: int) -> Line:
    """A setting: layers on the CPU, time, compute cycles, SQNR at the worst output, activations."""
    columns, summary = _columns(width), result.snapshot.summary
    cpu, time, cycles, ratio, memory = columns
    name = max(width - sum(columns), 8)
    count = grouped if columns is _ROOMY else short
    return line(
        left(shown(title(result, name - 1), name - 1), name),
        Span(right(f"{summary.on_cpu} of {summary.layers}", cpu), "sw" if summary.on_cpu else "hw"),
        Span(right(time_cell(summary.milliseconds), time)),
        Span(right(count(summary.compute_cycles), cycles)),
        Span(right(decibels(result.sqnr_db), ratio)),
        quiet(right(bytes_(summary.activations_bytes), memory)),
    )


def title(result: Quantized, room: int) -> str:
    """The setting in words, as many as there is room for: what tells rows apart comes first."""
    words, repaired = result.settings.title, bool(result.repairs)
    plain = words.removesuffix(", per channel")
    brief = plain.replace(", symmetric where it pays", " where it pays")
    for mark in ("repaired: ", "+ ") if repaired else ("",):
        for text in (words, plain, brief):
            if len(mark + text) <= room:
                return mark + text
    return "+ " * repaired + brief


def about(result: Quantized | None, inputs: str | None, width: int) -> list[Line]:
    """What the figures rest on, and what is chosen."""
    drawn = f"samples from {shown(inputs, 40)}" if inputs else "random samples"
    lines = list(
        wrap(
            line(
                quiet(
                    f"Calibrated on {drawn}, and measured on the same ones; SQNR: at the worst output, against the float model."
                )
            ),
            width,
        )
    )
    if not inputs:
        text = "random values show where layers run; for real accuracy, set your own samples with i"
        lines += wrap(line(Span("! ", "attention"), text), width, 2)
    for repair in result.repairs if result is not None else ():
        price = f"+{decibels(repair.decibels)}"
        if change_sign(repair.milliseconds):
            price += f", {time_change(repair.milliseconds)}"
        lines += wrap(line(Span("+ ", "hw"), repair.words, quiet(f": {price}")), width, 2)
    if result is not None and result.settings.symmetric_tensors:
        names = ", ".join(listed(result.settings.symmetric_tensors[:4], 30))
        more = len(result.settings.symmetric_tensors) - 4
        lines += [
            BLANK,
            *wrap(line(quiet(f"zero point 0: {names}{f' and {more} more' if more > 0 else ''}")), width),
        ]
    return lines
