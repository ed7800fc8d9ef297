"""Figures as text."""

from __future__ import annotations


def thousands(value: float) -> str:
    """The exact figure with its thousands apart: 263 168."""
    return f"{value:,}".replace(",", " ")


def plural(count: int, noun: str) -> str:
    """'1 layer', '3 layers'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size_words(count: int) -> str:
    """Bytes with their unit, powers of 1024, three places with their zeros: 9.30 KiB, 256 KiB, 1.00 MiB."""
    if count < 1000:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for bigger in ("MiB", "GiB"):
        if size >= 999.5:
            size, unit = size / 1024, bigger
    figure = thousands(round(size)) if size >= 999.5 else f"{size:#.3g}".rstrip(".")
    return f"{figure} {unit}"
