"""Letters that stand for lines: one each, or two where there are more lines than letters."""

from __future__ import annotations

import string

from npuscope.widgets.text.spans import Line, Span

LETTERS = string.ascii_lowercase + string.ascii_uppercase


def labels(count: int) -> list[str]:
    """So many labels of one length, none the beginning of another."""
    if count <= len(LETTERS):
        return list(LETTERS[:count])
    return [first + second for first in LETTERS for second in LETTERS][:count]


def labelled(line: Line, letters: str, typed: str) -> Line:
    """A line with the letters of its label over its first cells; what of them is typed already is dimmed."""
    rest, left = [], len(letters)
    for span in line:
        rest.append(Span(span.text[left:], span.role))
        left = max(left - len(span.text), 0)
    return (Span(typed, "faint"), Span(letters.removeprefix(typed), "match"), *rest)
