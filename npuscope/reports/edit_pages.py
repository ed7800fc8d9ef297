"""The page of edits: what each is, what it does to the numbers, and the model it is tried on."""

from __future__ import annotations

import inspect
import sys

from npuscope.edits.registry import KINDS

_HEAD = """# Edits

Generated from the edits' own declarations by `make reference`. Each edit is one frozen value that names a layer; it refuses, with
the reason, if it cannot be applied. `npuscope fix MODEL` lists those worth applying.

| edit | numbers | layers | answers |
|---|---|---|---|
"""


def edits_markdown() -> str:
    """docs/edits.md."""
    rows, pages = [], []
    for kind, cls in sorted(KINDS.items()):
        declaration = cls.declaration
        operators = ", ".join(declaration.operators) or "any"
        answers = ", ".join(declaration.answers) or "-"
        rows.append(f"| [{kind}](#{kind}) | {declaration.exactness.value} | {operators} | {answers} |")
        text = inspect.getdoc(cls) or ""
        pages.append(
            f"## {kind}\n\n{text}\n\n{declaration.exactness.value.capitalize()}: {declaration.because}\n\n"
            f"Example model:\n\n```\n{declaration.example}\n```\n"
        )
    return _HEAD + "\n".join(rows) + "\n\n" + "\n".join(pages)


if __name__ == "__main__":
    sys.stdout.write(edits_markdown())
