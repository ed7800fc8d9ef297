"""Edits that help a layer, in a line each."""

from __future__ import annotations

from npuscope.edits.edit import Edit, Exactness
from npuscope.edits.proposals import Preview
from npuscope.widgets.cells import cells, clip, left, shown
from npuscope.widgets.figures import milliseconds
from npuscope.widgets.ink import Line, Span, line, quiet
from npuscope.widgets.words import where

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


def fix_hints(found: tuple[Preview, ...], width: int) -> list[Line]:
    """The best edits for a layer: what to do, where it then runs, how long it takes, what becomes of the numbers."""
    ends = [_end(preview) for preview in found]
    wide = max((sum(cells(span.text) for span in end) for end in ends), default=0)
    room = max(min(width - wide - 5, 34), 12)
    lines: list[Line] = []
    for preview, end in zip(found, ends, strict=True):
        key = Span("f  " if not lines else "   ", "accent-strong")
        text = left(shown(without_layer(preview.edit), room), room)
        lines.append(line(key, text, "  ", *end) if width >= room + 14 else line(key, clip(text, width - 3)))
    return lines


def _end(found: Preview) -> Line:
    time = found.milliseconds[1]
    return (
        where(found.after),
        quiet(f"  {milliseconds(time):>7}" if time is not None else " " * 9),
        Span(f"  {found.exactness.value.split(' ')[0]}", EXACTNESS_ROLES[found.exactness]),
    )
