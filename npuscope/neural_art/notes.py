"""What holds for a model as a whole: what is not known of it, and what ST's front end may not read."""

from __future__ import annotations

from npuscope.model.load import Source

NEWEST_READ = 20
"""Newest opset that ST's documentation of its front end names (ST Edge AI Core 2.1, quantization: opset 7 to 20)."""


def notes(source: Source) -> tuple[str, ...]:
    """One sentence each."""
    opset = source.graph.opset
    lines = list(source.notes)
    if opset > NEWEST_READ and not source.graph.imported:
        lines.insert(
            0,
            f"The model uses opset {opset}; ST's documentation names opsets up to {NEWEST_READ}. If its front end refuses the "
            f"model, bring it to opset {NEWEST_READ} with onnx.version_converter.",
        )
    return tuple(lines)
