"""What is said of a verification: the outputs, the places that edits changed, and which edit is to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.model.brief import Names
from npuscope.npu.figures import plural
from npuscope.widgets.text.cells import left, right, shown, whole
from npuscope.widgets.text.figures import decibels, grouped, steps, three
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.numbers.blame import Culprit, Parting
    from npuscope.numbers.differences import OutputDifference
    from npuscope.numbers.verify_regions import LocalVerification, RegionDifference

PLACES = 200
"""Changed places that are listed."""

_DIFFER, _LARGEST, _RATIO = 18, 10, 12


def verdict(result: LocalVerification, inputs: str | None, width: int) -> list[Line]:
    """Whether anything differs, on which inputs, and by how much."""
    lines: list[Line] = []
    outputs = [o for region in result.regions for o in region.outputs]
    alike = all(output.bit_exact for output in outputs)
    if result.whole_model is None and result.uncompared and alike:
        count = len(result.regions)
        text = f"{result.uncompared} of {plural(count, 'edited spot')} cannot be compared on their own"
        lines += wrap(
            line(Span("? ", "attention"), f"{text}; w runs the whole model. The others give the same."),
            width,
            2,
        )
    elif result.whole_model is not None and result.whole_model.bit_exact and not alike:
        text = "every output keeps its value; an edited spot on its own differs, which no output shows"
        lines += wrap(line(Span("● bit-exact outputs  ", "hw"), text), width, 2)
    elif result.bit_exact:
        verdict_words = (
            "every output keeps its value"
            if result.whole_model is not None
            else "every edited spot gives the same"
        )
        lines += wrap(line(Span("● bit-exact  ", "hw"), verdict_words), width, 2)
    else:
        ends = result.whole_model.outputs if result.whole_model is not None else ()
        worst = _worst(ends or outputs)
        where = "at worst" if ends else "at the worst place"
        lines += wrap(
            line(
                Span("≈ not bit-exact  ", "attention"),
                strong(f"{decibels(worst.sqnr_db)} {where}"),
                quiet(f", largest difference {steps(max(o.max_steps for o in ends or [worst]))}"),
            ),
            width,
            2,
        )
    if result.drawn == "random":
        drawn = "each edited spot on its own, on random values in its range; the whole model was not run"
    else:
        drawn = f"from {shown(inputs, 40)}" if inputs else "random in the range of each input, seed 0"
    lines += wrap(line(quiet(f"{plural(result.samples, 'sample')}, {drawn}; in onnxruntime")), width)
    return lines


def tables(result: LocalVerification, width: int) -> list[Line]:
    """The outputs, then the places that edits changed."""
    name = max(width - _DIFFER - _LARGEST - _RATIO, 10)
    lines: list[Line] = []
    if result.whole_model is not None:
        lines += [BLANK, _heading("output", name)]
        outputs = result.whole_model.outputs
        labels = listed((output.name for output in outputs), name - 1)
        lines += [_row(label, output, name) for label, output in zip(labels, outputs, strict=True)]
    places = [region for region in result.regions if region.worst is not None]
    if places:
        lines += [BLANK, _heading("edited spot, on its own", name)]
        among = Names(_of(region) for region in places)
        lines += [_place(region, among, name) for region in places[:PLACES]]
        if len(places) > PLACES:
            lines.append(line(quiet(f"and {len(places) - PLACES} more")))
    if not result.bit_exact:
        about = (
            "largest: in steps of the scale. SQNR: signal against difference; at 40 dB the difference is 1 %."
        )
        lines += [BLANK, *wrap(line(quiet(about)), width)]
    return lines


def blame(culprit: Culprit | None, parting: Parting | None, width: int) -> list[Line]:
    """The first edit that changes an output, and the first layer that gives something else."""
    lines: list[Line] = []
    if culprit is not None:
        sentence = f"edit {culprit.index + 1}, {culprit.edit.describe()}, is the first to change an output: "
        after = culprit.after.sqnr_db_min
        lines += wrap(line(Span("→ ", "accent"), sentence, strong(f"{decibels(after)} with it")), width, 2)
    if parting is not None:
        sentence = f"{whole(parting.layer)} is the first layer, in graph order, with different numbers: "
        ratio = strong(decibels(parting.difference.sqnr_db))
        lines += wrap(line(Span("→ ", "accent"), sentence, ratio), width, 2)
    if not lines:
        lines.append(line(quiet("No edit changes an output, and no shared layer differs.")))
    return lines


def _worst(outputs: list[OutputDifference] | tuple[OutputDifference, ...]) -> OutputDifference:
    return min(outputs, key=lambda o: o.sqnr_db if o.sqnr_db is not None else float("inf"))


def _heading(what: str, name: int) -> Line:
    text = left(what, name) + right("differ", _DIFFER) + right("largest", _LARGEST) + right("SQNR", _RATIO)
    return line(Span(text, "title"))


def _place(region: RegionDifference, among: Names, name: int) -> Line:
    worst = region.worst
    assert worst is not None
    more = f" +{len(region.layers) - 1}" if len(region.layers) > 1 else ""
    label = shown_of(among, _of(region), name - 1 - len(more)) + more
    return _row(label, worst, name)


def _of(region: RegionDifference) -> str:
    """What it is named by: its first layer, else the tensor that differs most."""
    return region.layers[0] if region.layers or region.worst is None else region.worst.name


def _row(label: str, output: OutputDifference, name: int) -> Line:
    exact = output.bit_exact
    differ = f"{grouped(output.differing)} of {grouped(output.elements)}"
    return line(
        left(label, name),
        quiet(right("none" if exact else differ, _DIFFER)),
        Span(right("0" if exact else three(output.max_steps), _LARGEST)),
        Span(right(decibels(output.sqnr_db), _RATIO), "hw" if exact else "text"),
    )
