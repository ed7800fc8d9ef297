"""What the front end computes from shapes and constants, before the compiler places layers."""

from __future__ import annotations

from npuscope.model.layer import Layer
from npuscope.npu.rule import Context

ON_INTEGERS = frozenset({"int64", "int32", "bool", "string"})


SHAPE_MAKERS = frozenset({"Shape", "Size", "ConstantOfShape", "Range"})


def folded_away(layer: Layer) -> bool:
    """Computes shapes or other constants, on integers: folded before the compiler places layers."""
    known: bool | None = layer.facts.get(_FOLDED)
    if known is None:
        known = layer.facts[_FOLDED] = _folded_away(layer)
    return known


_FOLDED = "folded away"


def _folded_away(layer: Layer) -> bool:
    if layer.kind in SHAPE_MAKERS:
        return True
    operands = (*layer.inputs, *layer.outputs)
    return bool(operands) and all(
        o.quant is None and (o.type.dtype in ON_INTEGERS or o.constant is not None) for o in operands
    )


def known_when_compiling(layer: Layer, context: Context) -> bool:
    """Computes from shapes and constants alone, so that the front end can put its value in its place."""
    if not folded_away(layer):
        return False
    pending, seen = [layer], {layer.name}
    while pending and len(seen) < 256:
        one = pending.pop()
        if one.kind in SHAPE_MAKERS:
            continue
        for operand in (*one.inputs, *one.parameters):
            if operand.constant is not None:
                continue
            writer = context.layers.writers.get(operand.tensor)
            if writer is None or not folded_away(writer):
                return False
            if writer.name not in seen:
                seen.add(writer.name)
                pending.append(writer)
    return True
