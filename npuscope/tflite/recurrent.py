"""UNIDIRECTIONAL_SEQUENCE_LSTM as Keras writes it: no projection, peepholes or layer normalization."""

from __future__ import annotations

import numpy as np

from npuscope.tflite.context import Context, UnscaledError, UnsupportedError
from npuscope.tflite.flatbuffer import Array, DamagedError
from npuscope.tflite.operators import ACTIVATIONS
from npuscope.tflite.schema import Operator, real_values

_ORDER = (0, 3, 1, 2)
"""ONNX has the gates as input, output, forget, cell; TFLite as input, forget, cell, output."""

LEAST_CLIP = 10.0
"""Keras's own limit of the cell state, which trained states stay below; ONNX clips elsewhere."""


def sequence_lstm(context: Context, operator: Operator) -> None:
    """An LSTM that begins with a state of zeros. Slots: activation, cell clip, projection clip, time major."""
    absent = (*range(9, 12), 16, 17, *range(20, 24))
    if any(operator.input(position) >= 0 for position in absent):
        raise UnsupportedError("has peepholes, a projection or a layer normalization")
    activation, clip = operator.integer(0, "int8"), operator.real(1)
    if ACTIVATIONS[activation : activation + 1] != ("TANH",) or (0 < clip < LEAST_CLIP):
        raise UnsupportedError("has another activation, or clips its cell state")
    source, number = operator.input(0), operator.outputs[0]
    shape, result_shape = context.shape(source), context.shape(number)
    if len(shape) != 3 or len(result_shape) != 3:
        raise DamagedError(f"runs {operator.name} on {len(shape)} axes")
    weights = _gates(context, operator, 1, 2)
    recurrent, biases = _gates(context, operator, 5, 2), _gates(context, operator, 12, 1)
    hidden = result_shape[2]
    if weights.shape != (4 * hidden, shape[2]) or recurrent.shape != (4 * hidden, hidden):
        raise DamagedError(f"states weights of {operator.name} that do not fit its {hidden} units")
    if biases.shape != (4 * hidden,):
        raise DamagedError(f"states biases of {operator.name} that do not fit its {hidden} units")
    rows_first = operator.flag(3)
    time, batch = (0, 1) if rows_first else (1, 0)
    real = context.read(source, False)
    if not rows_first:
        turned = context.fresh(f"{operator.name}_steps")
        context.node("Transpose", [real], [turned], f"{operator.name}_transpose", perm=[1, 0, 2])
        real = context.between(
            turned, source, f"{operator.name}_steps_stored", [shape[1], shape[0], shape[2]]
        )
    initializers = [
        context.initializer(f"{operator.name}_{what}", values[np.newaxis])
        for what, values in (
            ("weights", weights),
            ("recurrent", recurrent),
            ("bias", np.concatenate([biases, np.zeros_like(biases)])),
        )
    ]
    steps = context.fresh(f"{operator.name}_result")
    context.node("LSTM", [real, *initializers], [steps], operator.name, hidden_size=hidden)
    one = context.initializer(f"{operator.name}_axis", np.array([1], np.int64))
    flat = context.write(number, False) if rows_first else context.fresh(f"{operator.name}_states")
    context.node("Squeeze", [steps, one], [flat], f"{operator.name}_squeeze")
    if not rows_first:
        sizes = [shape[time], shape[batch], hidden]
        flat, states = (
            context.write(number, False),
            context.between(flat, number, f"{operator.name}_stored", sizes),
        )
        context.node("Transpose", [states], [flat], f"{operator.name}_transpose_back", perm=[1, 0, 2])
    context.close(number, flat, False)


def _gates(context: Context, operator: Operator, first: int, rank: int) -> Array:
    """The four gates' constants on one another, as floats, in ONNX's order."""
    gates = []
    for gate in _ORDER:
        number = operator.input(first + gate)
        constant = context.constant(number) if number >= 0 else None
        if constant is None:
            raise UnsupportedError("shares gates, or computes its weights")
        if constant.array.ndim != rank:
            raise DamagedError(f"states weights of {constant.array.ndim} axes for {operator.name}")
        array, quant = constant.array, constant.quant
        if quant is None and array.dtype.kind != "f":
            raise UnscaledError("states no scale for its weights")
        context.spend(4 * array.size)
        gates.append(array.astype(np.float32) if quant is None else real_values(array, quant, quant.axis))
    if any(array.shape != gates[0].shape for array in gates):
        raise DamagedError(f"states gates of different sizes for {operator.name}")
    return np.concatenate(gates)


CONVERTERS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": sequence_lstm}
