"""Sizes of the parts of a split: what a user types, equal parts, and whether sizes fit."""

from __future__ import annotations

import math
import re

from npuscope.edits.edit import Refusal
from npuscope.machine.machine import Limits, target

_PARTS = re.compile(r"[x×]?\s*(\d{1,9})\s*[x×]?")
_SIZES = re.compile(r"\d{1,9}(\s*[+,; ]\s*\d{1,9})+")


MOST_MADE = 1 << 27
"""Elements of a constant that an edit makes: a model may claim any number of channels."""


def bounded(*dims: int) -> None:
    """Raises ValueError for a constant of so many elements as no edit makes."""
    if math.prod(dims) > MOST_MADE:
        raise ValueError(f"it would make a constant of {math.prod(dims)} elements")


def parse_sizes(text: str, channels: int) -> tuple[int, ...] | Refusal:
    """The sizes a user typed: '144+113' or '144,113'; or 'x3' or '3' for that many parts, as equal as can be."""
    typed = text.strip()
    if _SIZES.fullmatch(typed):
        sizes = tuple(int(size) for size in re.findall(r"\d+", typed))
        return misfit(sizes, channels, f"there are {channels} channels") or sizes
    match = _PARTS.fullmatch(typed)
    if match is None:
        return Refusal(f"{typed[:40]!r} gives no sizes", "write them as 144+113, or x3 for three equal parts")
    return equal_parts(channels, int(match[1]))


def equal_parts(channels: int, parts: int, multiple_of: int = 1) -> tuple[int, ...] | Refusal:
    """`parts` sizes, each a multiple of `multiple_of`, that differ by at most one such multiple."""
    if multiple_of < 1:  # a damaged model may have more groups than channels
        return Refusal(f"{channels} channels cannot be cut", "check the model's groups")
    units = channels // multiple_of
    if not 2 <= parts <= units:
        return Refusal(f"{channels} channels cannot be cut in {parts} parts", f"take 2 to {units} parts")
    small, larger = divmod(units, parts)
    return tuple((small + (i < larger)) * multiple_of for i in range(parts))


def misfit(sizes: tuple[int, ...], channels: int, what: str, unit: str = "channels") -> Refusal | None:
    """Why sizes do not cut so many channels; `what` says whose channels they are: 'Gemm_28 has 257 input channels'."""
    typed = written(sizes)
    if len(sizes) < 2:
        return Refusal(f"one part of {typed or 0} cuts nothing; {what}", "give two sizes or more")
    if min(sizes) < 1:
        return Refusal(f"sizes {typed} hold a part without {unit}; {what}", "give each part one or more")
    if sum(sizes) != channels:
        return Refusal(f"sizes {typed} sum to {sum(sizes)}; {what}")
    return None


def written(sizes: tuple[int, ...], limit: int = 8) -> str:
    """'144+113'; the middle of many sizes is left out."""
    if len(sizes) <= limit:
        return "+".join(map(str, sizes))
    return f"{'+'.join(map(str, sizes[: limit - 2]))}+…+{sizes[-1]} ({len(sizes)} parts)"


def machine_limits() -> Limits:
    """The bounds of the machine, which no version of its tools changes."""
    return target().limits
