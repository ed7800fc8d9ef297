"""N107: a size that is not known before the model runs."""

from __future__ import annotations

from npuscope.model.graph import Node
from npuscope.model.inference.free_sizes import followers, freed_by
from npuscope.model.layers import Layer
from npuscope.model.names import printable, printable_kind, quoted, shortened, typed
from npuscope.model.tensors import Dim
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    operand = (*layer.inputs, *layer.outputs)[cause.count("operand")]
    name, shape = quoted(operand.seen), operand.type.shape
    why, fix = (
        "The compiler needs every size when it compiles; only a free batch is taken as 1.",
        _fix(context),
    )
    open_sizes = freed_by(context.graph)
    fixable = not operand.type.empty and not operand.type.too_large and bool(open_sizes)
    if fixable and operand.seen in followers(context.graph):
        # Said in the same words of every layer: one size that is fixed answers all of them.
        message = f"{printable_kind(layer)} has no size until {_words(open_sizes)} is fixed"
    elif (counted := _counts(operand.seen, context)) is not None:
        sizes = f": {_sizes(shape)}" if shape is not None else ""
        message = (
            f"{name!r} has a size that is not fixed{sizes}; it is known once {printable(counted.op)} has run"
        )
        why = "The compiler needs every size when it compiles; how much such an operator finds depends on the data."
        fix = "end the model before it and leave it to the application: 'npuscope cut' writes both parts"
    elif shape is None:
        message = f"the shape of {name!r} is not known"
    elif operand.type.empty:
        message = f"{name!r} has no elements: {_sizes(shape)}"
        why = "A size of 0 leaves nothing to compute; the compiler refuses such a tensor."
        fix = "check the sizes that were fixed: a Slice or Split of it takes nothing"
    elif operand.type.too_large:
        message = f"{name!r} is too large to compute with: {_sizes(shape)}"
        why, fix = "No device can hold that many elements.", "check the sizes and pads that lead to it"
    else:
        message = f"{name!r} has a size that is not fixed: {_sizes(shape)}"
    return Finding("N107", Severity.ERROR, message, why, fix, cause.placement, Confidence.DOCUMENTED)


COUNTING = frozenset({"NonMaxSuppression", "NonZero", "Unique", "Compress"})
"""Operators that write as many values as they find."""

MOST_STEPS = 16


def _counts(tensor: str, context: Context) -> Node | None:
    """The operator whose finds a tensor's size follows."""
    for _ in range(MOST_STEPS):
        node = context.graph.producer(tensor)
        if node is None or (node.op in COUNTING and node.standard):
            return node
        tensor = node.input(0)
    return None


def _sizes(shape: tuple[Dim, ...]) -> str:
    # unk__0 is ONNX's own word for a size it could not infer.
    shown = "x".join("?" if d is None or str(d).startswith("unk__") else printable(str(d)) for d in shape)
    return shortened(shown, 60)


def _words(sizes: tuple[str, ...]) -> str:
    more = f" (and {len(sizes) - 1} more)" if len(sizes) > 1 else ""
    return f"{quoted(sizes[0])!r}{more}"


def _fix(context: Context) -> str:
    graph = context.graph
    words = freed_by(graph) or tuple(
        dim or f"{name}:{axis}"
        for name in graph.inputs
        for axis, dim in enumerate(graph.type(name).shape or ())
        if not isinstance(dim, int)
    )
    if not words:
        return "export the model with fixed sizes"
    sizes = " ".join(typed(f"{quoted(word)}=...") for word in words[:MOST_NAMED])
    return f"fix the sizes of the inputs (edit fix-dimensions {sizes}), or export the model with fixed sizes"


MOST_NAMED = 4
"""Free sizes that a fix writes out."""


RULE = Rule(
    code="N107",
    title="Size not fixed",
    what="Looks for an input or output of unknown rank or size after shape inference, or one that is empty or too large to compute.",
    why="Neural-ART models have static shapes. A free first size of a graph input is taken as batch 1.",
    fix="Export with fixed sizes.",
    source="FACTS 3.1 (ST documentation)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.UNKNOWN_SHAPE, Why.FREE_SIZE}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,H,4] x) => (int8[1,8,H,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[N,8,4,4] x) => (int8[N,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
