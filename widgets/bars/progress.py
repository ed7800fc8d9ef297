"""How far something has come, in one line."""

from __future__ import annotations

from npuscope.widgets.text.spans import Line, Span, line, quiet


def progress_line(done: int, total: int, what: str, width: int) -> Line:
    """A bar and its figures."""
    text = f"  {done} of {total} {what}"
    room = max(min(width - len(text), 40), 4)
    full = round(room * done / total) if total else 0
    return line(Span("█" * full, "accent"), Span("─" * (room - full), "rule"), quiet(text))
