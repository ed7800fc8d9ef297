"""Edits that help a layer, in a line each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from npuscope.edits.edit import Edit, Exactness
from npuscope.model.brief import Names
from npuscope.npu.times import change_sign
from npuscope.widgets.text.cells import cells, left
from npuscope.widgets.text.figures import time_cell
from npuscope.widgets.text.layer_names import names_of_few, shown_of
from npuscope.widgets.text.spans import Line, Span, length, line, quiet
from npuscope.widgets.text.words import where

if TYPE_CHECKING:
    from npuscope.planning.outcome import Outcome
    from npuscope.planning.proposals import Preview

EXACTNESS_ROLES = {Exactness.BIT_EXACT: "hw", Exactness.ROUNDING: "text", Exactness.APPROXIMATE: "attention"}
"""A price in numbers is to be seen; its absence too."""


def without_layer(edit: Edit) -> str:
    """What the edit does, where the layer is known: 'pad inputs to 264 channels'."""
    text, name = edit.describe(), edit.layer
    for form in (f" of {name} ", f" {name} "):
        if name and form in text:
            return text.replace(form, " ", 1)
    for form in (f" of {name}", f" {name}"):
        if name and text.endswith(form):
            return text.removesuffix(form)
    return text


def edit_names(fixes: Iterable[Preview]) -> Names:
    """What the edits of one layer do, beside one another: cut where they agree, not in what tells them apart."""
    return names_of_few(tuple(without_layer(fix.edit) for fix in fixes))


def fix_hints(
    previews: tuple[Preview, ...], width: int, outcomes: tuple[Outcome | None, ...] = ()
) -> list[Line]:
    """The best edits for a layer: what to do, where it then runs, how long it takes, what becomes of the numbers."""
    made = outcomes or (None,) * len(previews)
    ends = [_end(preview, one, wide=width >= _WIDE) for preview, one in zip(previews, made, strict=True)]
    longest = max((cells(without_layer(preview.edit)) for preview in previews), default=0)
    if width < _WIDE and width - 5 - max(map(length, ends), default=0) < longest:
        ends = [
            (*_glyph(preview), Span(f" {SIGNS[preview.exactness]:<1}", EXACTNESS_ROLES[preview.exactness]))
            for preview in previews
        ]
    room = max(min(width - 5 - max(map(length, ends), default=0), 34), 8)
    lines: list[Line] = []
    among = edit_names(previews)
    for preview, end, one in zip(previews, ends, made, strict=True):
        slower = one is not None and change_sign(one.change) == "+"
        key = Span("   " if lines else "f  ", "accent-strong")
        name = shown_of(among, without_layer(preview.edit), room)
        if slower:
            end = tuple(quiet(span.text) for span in end)
        lines.append(line(key, Span(left(name, room), "quiet" if slower else "text"), "  ", *end))
    return lines


_WIDE = 56
"""Cells from which the time is named too, and all words are whole."""


def _end(fix: Preview, made: Outcome | None, wide: bool) -> Line:
    role = EXACTNESS_ROLES[fix.exactness]
    if not wide:
        return (*_glyph(fix), Span(f" {SHORT[fix.exactness]:<6}", role))
    return (
        where(fix.after),
        quiet(f" {time_cell(made.milliseconds):>8}" if made is not None else " " * 9),
        Span(f"  {_WORDS[fix.exactness]:<9}", role),
    )


def _glyph(fix: Preview) -> Line:
    word = where(fix.after)
    return (Span(word.text[:1], word.role),)


_WORDS = {Exactness.BIT_EXACT: "bit-exact", Exactness.ROUNDING: "rounding", Exactness.APPROXIMATE: "approx."}
SIGNS = {Exactness.BIT_EXACT: "=", Exactness.ROUNDING: "±", Exactness.APPROXIMATE: "≈"}
"""For where words would cut what an edit does; the list of fixes has the words."""
SHORT = {Exactness.BIT_EXACT: "exact", Exactness.ROUNDING: "round", Exactness.APPROXIMATE: "approx"}
