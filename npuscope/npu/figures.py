"""Figures as text."""

from __future__ import annotations


def thousands(value: float) -> str:
    """The exact figure with its thousands apart: 263 168."""
    return f"{value:,}".replace(",", " ")


def plural(count: int, noun: str) -> str:
    """'1 layer', '3 layers'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
