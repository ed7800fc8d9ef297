"""Plain values as TOML, as far as recipes need it; the standard library reads TOML but does not write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = object
"""A text, a number, a truth value, or a list of them."""

_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def table(entries: Mapping[str, Value]) -> list[str]:
    """One 'key = value' line an entry. Keys must be bare: letters, digits, '-' and '_'."""
    return [f"{key} = {value(entry)}" for key, entry in entries.items()]


def value(entry: Value) -> str:
    """A value as TOML writes it; a float reads back as the same one."""
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if isinstance(entry, (int, float)):
        return repr(entry)
    if isinstance(entry, str):
        return text(entry)
    if isinstance(entry, Sequence):
        return f"[{', '.join(value(item) for item in entry)}]"
    raise TypeError(f"{type(entry).__name__} has no form in a recipe")


def text(entry: str) -> str:
    """A quoted string; what TOML forbids in one is escaped."""
    return f'"{"".join(_ESCAPES.get(c) or _escaped(c) for c in entry)}"'


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029) else character


def comment(line: str) -> str:
    """A line for people, on one line whatever it holds."""
    return "# " + "".join(c if c.isprintable() else " " for c in line)
