"""What holds for a model as a whole: what is not known of it, and what ST's front end may not read."""

from __future__ import annotations

from npuscope.model.inference.free_sizes import free_sizes
from npuscope.model.load import Source
from npuscope.model.names import quoted, typed

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
    return (*_open_sizes(source), *_names_twice(source), *lines)


def _names_twice(source: Source) -> tuple[str, ...]:
    if source.graph.tflite:
        return ()
    numbered = [node for node in source.graph.nodes if "#" in node.name]  # as a repeated name is
    twice = [node.proto.name for node in numbered if node.proto.name not in ("", node.name)]
    if not twice:
        return ()
    name = quoted(twice[0])
    return (
        f"Several nodes have the same name, such as {name!r}; onnxruntime refuses such a model. Name each node once.",
    )


def _open_sizes(source: Source) -> tuple[str, ...]:
    free = free_sizes(source.graph)
    if not free:
        return ()
    inputs = list(dict.fromkeys(name for name, _ in free))
    words = list(dict.fromkeys(word for _, word in free))
    more = f" and of {len(inputs) - 1} more" if len(inputs) > 1 else ""
    sizes = " ".join(typed(f"{quoted(word)}=N") for word in words[:MOST_NAMED])
    line = (
        f"Sizes of input {quoted(inputs[0])!r}{more} are not fixed. What follows from them has neither a place "
        f"on the NPU nor a time before they are: 'npuscope fix MODEL fix-dimensions {sizes} -o OUT'."
    )
    return (line,)


MOST_NAMED = 4
"""Free sizes that are written out."""
