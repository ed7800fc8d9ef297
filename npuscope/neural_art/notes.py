"""What holds for a model as a whole: what is not known of it, and what ST's front end may not read."""

from __future__ import annotations

from npuscope.model.inference.free_sizes import free_sizes
from npuscope.model.load import Source
from npuscope.model.names import quoted, typed

NEWEST_READ = 20
"""Newest opset that ST's documentation of its front end names (ST Edge AI Core 2.1, quantization: opset 7 to 20)."""


def notes(source: Source) -> tuple[str, ...]:
    """One sentence each, or a few."""
    return (*_open_sizes(source), *lasting_notes(source))


def lasting_notes(source: Source) -> tuple[str, ...]:
    """All but what an edit answers."""
    opset = source.graph.opset
    lines = list(source.notes)
    if opset > NEWEST_READ and not source.graph.imported:
        lines.insert(
            0,
            f"The model uses opset {opset}; ST's documentation names opsets up to {NEWEST_READ}. If its front end refuses the "
            f"model, bring it to opset {NEWEST_READ} with onnx.version_converter.",
        )
    return (*_without_scales(source), *_names_twice(source), *lines)


def _without_scales(source: Source) -> tuple[str, ...]:
    if not source.intermediate or source.graph.imported or not _floats_are_weights(source):
        return ()
    beside = quoted(f"{source.path.stem}_Q.json")
    line = (
        "ST's front end wrote this file. The scales of a quantized model are in the _Q.json it writes with it; without them layers "
        f"count as float. Put {beside!r} beside it, or open the model it was made from."
    )
    return (line,)


def _floats_are_weights(source: Source) -> bool:
    """An edited model, exported with its scales, has none."""
    graph = source.graph
    return any(
        (weight := graph.constants.get(node.input(1))) is not None and weight.dtype.startswith("float")
        for node in graph.nodes
        if node.op in WEIGHTED and node.standard
    )


WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


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
