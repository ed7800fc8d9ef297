"""The changes of type that operators carry which only move values."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.lowering.software import FLOAT, as_float
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, size
from npuscope.neural_art.mapping.type_borders import read_as_floats


def is_float_input(lowering: Lowering, operand: Operand) -> bool:
    """An input of the network that stays float, as it comes."""
    name = lowering.name(operand.tensor)
    return name not in lowering.written and operand.bare and read_as_floats(operand.seen, lowering.layers)


def parts_of_floats(lowering: Lowering, layer: Layer, parts: Iterable[str]) -> None:
    """Parts of an input that stays float are floats, but for those that were quantized before they were taken."""
    if (
        layer.name not in lowering.replaced
        and layer.input is not None
        and is_float_input(lowering, layer.input)
    ):
        lowering.floats.update(parts)


def border(lowering: Lowering, layer: Layer) -> None:
    """The change of type that a moving operator carries: a Q behind float data, a DQ before a float result."""
    source, result = layer.input, layer.output
    if source is None or result is None:
        return
    name = lowering.name(source.tensor)
    left = is_float_input(lowering, source)
    if (name in lowering.floats or left) and result.quant is not None:
        made = f"{layer.name}#quantized"
        step = Step("QuantizeLinear", layer.name, FLOAT, (Read(name, False),), (made,), elements=size(source))
        lowering.replaced[layer.name] = lowering.add(step)
        return
    stored = name in lowering.written and name not in lowering.floats
    if stored and source.quant is not None and result.bare:
        lowering.replaced[layer.name] = as_float(lowering, layer, source, own=False)


def changed_parts(lowering: Lowering, layer: Layer) -> tuple[Operand, ...]:
    """Of several results those that have a type of their own: quantized parts of floats, float parts of integers."""
    if len(layer.outputs) < 2 or layer.input is None:
        return ()
    name = lowering.name(layer.input.tensor)
    floats = name in lowering.floats
    if not floats and (name not in lowering.written or layer.input.quant is None):
        return ()
    changed = tuple([o for o in layer.outputs if (o.quant is not None if floats else o.bare)])
    return changed if len(changed) < len(layer.outputs) else ()


def change_part(lowering: Lowering, layer: Layer, moved: str, part: Operand) -> None:
    """The change of type behind a part that was moved as it lay."""
    op, width = ("QuantizeLinear", 1) if part.quant is not None else ("DequantizeLinear", FLOAT_BYTES)
    step = Step(
        op, layer.name, FLOAT, (Read(moved, False),), (part.tensor,), elements=size(part), width=width
    )
    lowering.add(step)
    lowering.stored((part,))
    if part.quant is None:
        lowering.floats.add(part.tensor)
