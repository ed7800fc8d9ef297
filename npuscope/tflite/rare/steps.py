"""Operators that keep a state from call to call: an input, and a last output, of the graph (`variables`)."""

from __future__ import annotations

from npuscope.tflite.context import Context, UnsupportedError
from npuscope.tflite.emit import activate
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.operators import ACTIVATIONS
from npuscope.tflite.rare.chain import Chain
from npuscope.tflite.schema import Operator


def svdf(context: Context, operator: Operator) -> None:
    """A filter over the last steps of each feature. Operands: data, weights, weights over time, bias, state.

    Slots: rank (filters that one unit adds up), activation.
    """
    number, state, following = _of_state(context, operator, 4)
    features, times = context.shape(operator.input(1)), context.shape(operator.input(2))
    batch, units = context.shape(number) if context.rank(number) == 2 else (0, 0)
    each = operator.integer(0)
    if len(features) != 2 or len(times) != 2 or each < 1 or features[0] != each * units != 0:
        raise DamagedError(f"states weights of {operator.name} that do not fit its {units} units")
    filters, steps = times
    if filters != features[0] or context.shape(state) != (batch, filters * steps) or steps < 1:
        raise DamagedError(f"states a state of {context.shape(state)} for {operator.name}")
    chain = Chain(context, operator)
    weights = chain.make("Transpose", context.read(operator.input(1), False), perm=[1, 0])
    feature = chain.make("MatMul", context.read(operator.input(0), False), weights)
    feature = context.between(feature, state, f"{operator.name}_feature", [batch, filters])
    rows = [batch, filters, steps]
    kept = chain.make("Reshape", context.read(state, False), chain.constant("rows", rows))
    older = chain.make(
        "Slice", kept, *(chain.constant(w, [v]) for w, v in (("from", 1), ("to", steps), ("along", 2)))
    )
    newest = chain.make("Unsqueeze", feature, chain.constant("last", [2]))
    memory = chain.make("Concat", older, newest, axis=2)
    weighted = chain.make("Mul", memory, context.read(operator.input(2), False))
    parts = chain.make("Reshape", weighted, chain.constant("parts", [batch, units, each * steps]))
    made = chain.make("ReduceSum", parts, chain.constant("axis", [2]), keepdims=0)
    if operator.input(3) >= 0:
        made = chain.make("Add", made, context.read(operator.input(3), False))
    # The integer kernel leaves the activation to the limits of int8.
    _activated(context, operator, made, number, 0 if context.quant(number) else operator.integer(1, "int8"))
    result = context.write(following, False)
    context.node(
        "Reshape",
        [memory, chain.constant("flat", [batch, filters * steps])],
        [result],
        f"{operator.name}_state",
    )
    context.close(following, result, False)


def rnn(context: Context, operator: Operator) -> None:
    """One step. Operands: data, weights, recurrent weights, bias, state. Slot: activation."""
    number, state, following = _of_state(context, operator, 4)
    _floats(context, operator)
    chain = Chain(context, operator)
    turned = [chain.make("Transpose", context.read(operator.input(i), False), perm=[1, 0]) for i in (1, 2)]
    data, before = context.read(operator.input(0), False), context.read(state, False)
    both = chain.make("Add", chain.make("MatMul", data, turned[0]), chain.make("MatMul", before, turned[1]))
    _activated(
        context, operator, chain.make("Add", both, context.read(operator.input(3), False)), number,
        operator.integer(0, "int8"),
    )  # fmt: skip
    _copied(context, operator, context.read(number, False), following)


def sequence_rnn(context: Context, operator: Operator) -> None:
    """All steps. Slots: time first, activation."""
    number, state, following = _of_state(context, operator, 4)
    _floats(context, operator)
    kind = {"TANH": "Tanh", "RELU": "Relu"}.get(_activation(operator.integer(1, "int8")))
    shape = context.shape(operator.input(0))
    if kind is None or len(shape) != 3 or context.rank(number) != 3:
        raise UnsupportedError("has another activation than TANH and RELU, or no steps")
    chain, time_first = Chain(context, operator), operator.flag(0)
    data = context.read(operator.input(0), False)
    if not time_first:
        data = chain.make("Transpose", data, perm=[1, 0, 2])
    zero = chain.constant("first", [0])
    weights, recurrent, before = (
        chain.make("Unsqueeze", context.read(i, False), zero)
        for i in (operator.input(1), operator.input(2), state)
    )
    units = context.shape(number)[2]
    bias = context.read(operator.input(3), False)
    nothing = chain.make("Sub", bias, bias)
    biases = chain.make("Unsqueeze", chain.make("Concat", bias, nothing, axis=0), zero)
    steps, last = context.fresh(f"{operator.name}_steps"), context.fresh(f"{operator.name}_last")
    context.node(
        "RNN", [data, weights, recurrent, biases, "", before], [steps, last], operator.name,
        hidden_size=units, activations=[kind],
    )  # fmt: skip
    result = context.write(number, False)
    flat = result if time_first else context.fresh(f"{operator.name}_states")
    context.node("Squeeze", [steps, chain.constant("direction", [1])], [flat], f"{operator.name}_squeeze")
    if not time_first:
        context.node("Transpose", [flat], [result], f"{operator.name}_transpose_back", perm=[1, 0, 2])
    context.close(number, result, False)
    _copied(context, operator, chain.make("Squeeze", last, zero), following)


def _of_state(context: Context, operator: Operator, position: int) -> tuple[int, int, int]:
    """The output, the state, and the state that follows."""
    if len(operator.outputs) != 2:
        raise UnsupportedError("keeps a state that is no variable of its own")
    return operator.outputs[0], operator.input(position), operator.outputs[1]


def _floats(context: Context, operator: Operator) -> None:
    if any(context.tensor(i).dtype != "float32" for i in (*operator.inputs, *operator.outputs)):
        raise UnsupportedError("computes on other than floats")


def _activation(number: int) -> str:
    return ACTIVATIONS[number] if 0 <= number < len(ACTIVATIONS) else str(number)


def _activated(context: Context, operator: Operator, made: str, number: int, activation: int) -> None:
    result = context.write(number, False)
    if _activation(activation) == "TANH":
        context.node("Tanh", [made], [result], operator.name)
    elif activation:
        activate(context, operator, activation, made, result, number)
    else:
        context.node("Identity", [made], [result], operator.name)
    context.close(number, result, False)


def _copied(context: Context, operator: Operator, real: str, following: int) -> None:
    result = context.write(following, False)
    context.node("Identity", [real], [result], f"{operator.name}_state")
    context.close(following, result, False)


CONVERTERS = {"SVDF": svdf, "RNN": rnn, "UNIDIRECTIONAL_SEQUENCE_RNN": sequence_rnn}
