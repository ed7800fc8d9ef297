"""What the conversions of operators share: an output with its activation, and where channels first is followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npuscope.tflite.context import Context, UnsupportedError, dtype_of
from npuscope.tflite.operators import ACTIVATIONS
from npuscope.tflite.schema import Operator, Quantization

BOUNDS = {"RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0), "RELU_0_TO_1": (0.0, 1.0)}
"""Activations that clip, with their limits."""


def follows(context: Context, operator: Operator, number: int) -> bool:
    """An elementwise operator writes channels first where an operand of the output's rank is held so."""
    rank = context.rank(number)
    return rank > 2 and any(
        context.cf(source) and context.rank(source) == rank for source in operator.inputs if source >= 0
    )


def emit(
    context: Context,
    operator: Operator,
    op: str,
    inputs: Sequence[str],
    number: int,
    cf: bool,
    activation: int = 0,
    **attributes: Any,
) -> None:
    """One ONNX node, then the activation, then the QuantizeLinear of output `number`."""
    result = context.write(number, cf)
    if activation:
        before = context.fresh(f"{context.tensor(number).name}_before_activation")
        context.node(op, inputs, [before], operator.name, **attributes)
        activate(context, operator, activation, before, result, number)
    else:
        context.node(op, inputs, [result], operator.name, **attributes)
    context.close(number, result, cf)


def activate(
    context: Context, operator: Operator, activation: int, before: str, result: str, number: int
) -> None:
    """An activation that the file folds into an operator.

    Raises UnsupportedError for one not known, TANH among them: the kernels leave it out.
    """
    kind = ACTIVATIONS[activation] if 0 <= activation < len(ACTIVATIONS) else str(activation)
    name = f"{operator.name}_{kind.lower()}"
    if kind == "RELU":
        context.node("Relu", [before], [result], name)
    elif kind in BOUNDS:
        clip(context, before, result, name, *BOUNDS[kind], number)
    else:
        raise UnsupportedError(f"has the fused activation {kind}")


def clip(
    context: Context, before: str, result: str, name: str, least: float, most: float, number: int
) -> None:
    """A Clip; on a quantized output its limits are the integers that TFLite clips at."""
    quant = context.quant(number)
    if quant is not None:
        least, most = (_on_grid(bound, quant, context.tensor(number).dtype) for bound in (least, most))
    limits = [
        context.initializer(f"{result}_{end}", np.array(bound, np.float32))
        for end, bound in (("min", least), ("max", most))
    ]
    context.node("Clip", [before, *limits], [result], name)


def _on_grid(bound: float, quant: Quantization, dtype: str) -> float:
    scale, zero = np.float32(quant.scale[0]), int(quant.zero_point[0])
    limits = np.iinfo(dtype_of(dtype))
    with np.errstate(all="ignore"):
        steps = float(np.float32(bound) / scale) if scale else 0.0
    steps = min(max(steps, -1e6), 1e6)
    stored = min(max(zero + int(np.floor(abs(steps) + 0.5) * np.sign(steps)), limits.min), limits.max)
    return float(np.float32(stored - zero) * scale)
