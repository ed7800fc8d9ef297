"""What changed between opset 1 and opset 7, operator by operator.

Attributes that the newer form lacks and that change no result (consumed_inputs, is_test, output_sequence) go without a row here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from npuscope.model.upgrade.writing import NoFormError, Writing

BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"})
"""Operators whose second operand spreads over the first where `broadcast` says so, from `axis` on."""


def _broadcast(w: Writing) -> None:
    """Sizes meet from the last axis on since opset 7; a second operand that began at `axis` gets the axes behind it."""
    if not w.integer("broadcast", 0) or not w.has("axis"):
        return
    data, other = w.shape(w.input(0)), w.shape(w.input(1))
    if other is not None and all(size == 1 for size in other):
        return
    if data is None or other is None:
        unknown = w.input(0 if data is None else 1)
        raise NoFormError(
            f"{w.node.op_type} spreads its second operand from an axis on, and the rank of {unknown[:80]!r} is not known"
        )
    axis = w.integer("axis", 0)
    begin = axis + len(data) if axis < 0 else axis
    behind = len(data) - begin - len(other)
    if behind > 0:
        axes = list(range(len(other), len(other) + behind))
        w.node.input[1] = w.make("Unsqueeze", w.input(1), axes=axes)


def _slopes(w: Writing) -> None:
    """Slopes were one for each channel, axis 1; since opset 7 they spread as numpy's operands do."""
    data, slope = w.shape(w.input(0)), w.shape(w.input(1))
    if slope is None or len(slope) != 1 or slope[0] == 1:
        return
    if data is None:
        raise NoFormError(
            f"PRelu has a slope for each channel, and the rank of {w.input(0)[:80]!r} is not known"
        )
    if len(data) > 2:
        w.node.input[1] = w.make("Unsqueeze", w.input(1), axes=list(range(1, len(data) - 1)))


def _cast(w: Writing) -> None:
    name = w.text("to")
    numbers = dict(TensorProto.DataType.items())
    if name.upper() in numbers:
        w.put("to", numbers[name.upper()])
    elif name:
        raise NoFormError(f"Cast has element type {name[:40]!r}, which ONNX does not define")


def _concat(w: Writing) -> None:
    if not w.has("axis"):
        w.put("axis", 1)


def _pad(w: Writing) -> None:
    if w.has("paddings"):
        pads = w.integers("paddings")
        w.drop("paddings")
        w.put("pads", pads)


def _power(w: Writing) -> None:
    """The exponent of a norm, a whole number since opset 2."""
    if w.has("p"):
        power = w.real("p", 2.0)
        if not power.is_integer():
            raise NoFormError(f"{w.node.op_type} has a p of {power:g}; since opset 2 it is a whole number")
        w.put("p", int(power))


def _selu(w: Writing) -> None:
    """The defaults had four digits fewer."""
    for name, value in (("alpha", 1.6732), ("gamma", 1.0507)):
        if not w.has(name):
            w.put(name, value)


def _reshape(w: Writing) -> None:
    if w.has("shape") and not w.input(1):
        target = w.constant(np.array(w.integers("shape"), np.int64))
        w.node.input[:] = [w.input(0), target]
        w.drop("shape")


def _split(w: Writing) -> None:
    """Lengths could be an input, of the type of the data."""
    if not w.input(1):
        return
    lengths = w.value(w.input(1))
    if lengths is None:
        raise NoFormError("Split takes lengths that are computed; since opset 2 they are an attribute")
    w.node.input[:] = [w.input(0)]
    w.put("split", [int(length) for length in lengths.reshape(-1)])


def _tile(w: Writing) -> None:
    """One axis was repeated, named by inputs; since opset 6 there is a count for each axis."""
    data, counts, axis = w.shape(w.input(0)), w.value(w.input(1)), w.value(w.input(2))
    if data is None or counts is None or axis is None or counts.size != 1 or axis.size != 1:
        raise NoFormError("Tile repeats an axis that is not known before the model runs")
    repeats = np.ones(len(data), np.int64)
    place = int(axis.reshape(-1)[0])
    if not -len(data) <= place < len(data):
        raise NoFormError(f"Tile repeats axis {place} of data of rank {len(data)}")
    repeats[place] = int(counts.reshape(-1)[0])
    w.node.input[:] = [w.input(0), w.constant(repeats)]


def _upsample(w: Writing) -> None:
    if w.has("height_scale") and w.has("width_scale"):
        scales = [1.0, 1.0, w.real("height_scale", 1.0), w.real("width_scale", 1.0)]
        w.drop("height_scale", "width_scale")
        w.put("scales", scales)


CHANGES: dict[str, tuple[int, Callable[[Writing], None]]] = {
    **dict.fromkeys(BROADCASTING, (6, _broadcast)),
    "PRelu": (6, _slopes),
    "Cast": (5, _cast),
    "Concat": (3, _concat),
    "Pad": (1, _pad),
    "LpPool": (1, _power),
    "GlobalLpPool": (1, _power),
    "Selu": (5, _selu),
    "Reshape": (4, _reshape),
    "Split": (1, _split),
    "Tile": (5, _tile),
    "Upsample": (6, _upsample),
}
"""Operator -> the last opset that has the older form, and what becomes of it."""
