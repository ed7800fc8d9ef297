"""Figures as text."""

from __future__ import annotations


def thousands(value: float) -> str:
    """The exact figure with its thousands apart: 263 168."""
    return f"{value:,}".replace(",", " ")
