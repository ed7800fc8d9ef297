"""Numbers as ST's tools print them. Each function gives None for what is not such a number."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,18})(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][-+]?\d{1,3})?", re.ASCII
)
_INTEGER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[-+]?(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,20})", re.ASCII)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {"B": 1, "BYTES": 1, "KB": 1 << 10, "KIB": 1 << 10, "KBYTES": 1 << 10, "MB": 1 << 20, "MIB": 1 << 20,
          "MBYTES": 1 << 20, "GB": 1 << 30, "GIB": 1 << 30, "GBYTES": 1 << 30}  # fmt: skip
"""The tools mean powers of two by kB and MB: their pool of 0x70000 bytes prints as 448.000 kB."""


def integer(text: str) -> int | None:
    """'1,250,317' or '0x71000000'."""
    match = _INTEGER.fullmatch(text.strip())
    if match is None:
        return None
    value = int(match[0], 0) if match[0][:2].lower() == "0x" else int(match[0].replace(",", ""))
    return value if abs(value) < 1 << 63 else None


def count(text: str) -> int | None:
    """An integer that counts something: not negative."""
    value = integer(text)
    return value if value is not None and value >= 0 else None


def real(text: str) -> float | None:
    """'0.024541926', '1.3e+02'; finite."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    value = float(match[0].replace(",", ""))
    return value if math.isfinite(value) else None


def scaled(text: str, unit: str) -> int | None:
    """'49.15 Kcycles' with unit 'cycles' is 49150."""
    number, _, word = text.strip().partition(" ")
    value = real(number)
    prefix = word.strip().removesuffix(unit)
    if value is None or value < 0 or not word.strip().endswith(unit) or prefix not in _UNITS:
        return None
    return round(value * _UNITS[prefix])


def byte_count(number: str, unit: str) -> int | None:
    """('448.000', 'kB') is 458752."""
    value = real(number)
    factor = _BYTES.get(unit.upper())
    return None if value is None or value < 0 or factor is None else round(value * factor)


def dimensions(text: str, separator: str = "x") -> tuple[int, ...] | None:
    """'1x3x128x128'."""
    parts = text.strip().split(separator)
    if len(parts) > 16 or not all(part.strip().isdecimal() and len(part.strip()) < 12 for part in parts):
        return None
    return tuple(int(part) for part in parts)


def digest(text: str) -> str:
    """The 32 digits of an MD5, with or without '0x' before them; '' for anything else."""
    digits = text.strip().lower().removeprefix("0x")
    return digits if len(digits) == 32 and all(c in "0123456789abcdef" for c in digits) else ""
