"""What is said of the settings of a quantization: a line each, and what they were measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.npu.times import change_sign
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import bytes_, decibels, grouped, time_cell, time_change
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap

if TYPE_CHECKING:
    from npuscope.services.quantizing import Quantized

_CPU, _TIME, _CYCLES, _RATIO, _MEMORY = 9, 10, 10, 8, 10
_FIXED = _CPU + _TIME + _CYCLES + _RATIO + _MEMORY


def heading(width: int) -> Line:
    """The names of the columns."""
    text = left("setting", max(width - _FIXED, 8))
    for name, room in (
        ("on CPU", _CPU),
        ("time", _TIME),
        ("cycles", _CYCLES),
        ("SQNR", _RATIO),
        ("memory", _MEMORY),
    ):
        text += right(name, room)
    return line(Span(text, "title"))


def row(result: Quantized, width: int) -> Line:
    """A setting: layers on the CPU, time, compute cycles, SQNR at the worst output, activations."""
    summary, name = result.snapshot.summary, max(width - _FIXED, 8)
    return line(
        left(shown(title(result, name - 1), name - 1), name),
        Span(right(f"{summary.on_cpu} of {summary.layers}", _CPU), "sw" if summary.on_cpu else "hw"),
        Span(right(time_cell(summary.milliseconds), _TIME)),
        Span(right(grouped(summary.compute_cycles), _CYCLES)),
        Span(right(decibels(result.sqnr_db), _RATIO)),
        quiet(right(bytes_(summary.activations_bytes), _MEMORY)),
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
