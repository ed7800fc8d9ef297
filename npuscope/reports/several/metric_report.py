"""The scores of two models by the user's own function, to read and as "npuscope.metric/1"."""

from __future__ import annotations

from typing import Any

from npuscope.model.names import printable
from npuscope.numbers.user_supplied.metric import Scores

SCHEMA = "npuscope.metric/1"


def metric_json(scores: Scores) -> dict[str, Any]:
    """The object `verify --metric --json` prints."""
    return {"schema": SCHEMA, "samples": scores.samples, "a": dict(scores.a), "b": dict(scores.b)}


def metric_text(scores: Scores) -> str:
    """A line a score."""
    rows = [("score", "A", "B", "B - A")]
    rows += [
        (printable(name), f"{a:.6g}", f"{scores.b[name]:.6g}", f"{scores.b[name] - a:+.3g}")
        for name, a in scores.a.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            (name.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=True)))
        )
        for name, *cells in rows
    ]
    return "\n".join((*lines, "", f"over {scores.samples} labelled samples")) + "\n"
