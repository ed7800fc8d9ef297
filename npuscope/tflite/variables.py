"""Variables of a streaming model, which keep their values between calls, as inputs and outputs of the graph.

VAR_HANDLE names a variable, READ_VARIABLE and ASSIGN_VARIABLE read and write it, CALL_ONCE gives it its first value.
An ONNX graph keeps nothing: what is read before it is written becomes an input, what is written last an output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npuscope.tflite.schema import Operator, Subgraph, Tensor

_OF_VARIABLES = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})


def variables_at_the_border(graph: Subgraph) -> Subgraph:
    """The graph without operators on variables; as it is where it has none, or one whose handle is not known."""
    handles = {op.outputs[0]: _name(op) for op in graph.operators if op.kind == "VAR_HANDLE" and op.outputs}
    using = [
        op for op in graph.operators if op.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE") and not op.custom
    ]
    if not using or any(op.input(0) not in handles for op in using):
        return graph
    renamed: dict[int, int] = {}
    read: dict[str, int] = {}
    written: dict[str, int] = {}
    kept: list[Operator] = []
    for operator in graph.operators:
        if operator.kind not in _OF_VARIABLES or operator.custom:
            inputs = tuple(renamed.get(number, number) for number in operator.inputs)
            kept.append(operator if inputs == operator.inputs else replace(operator, inputs=inputs))
        elif operator.kind == "READ_VARIABLE" and operator.outputs:
            name, number = handles[operator.input(0)], operator.outputs[0]
            known = written.get(name, read.get(name))
            if known is None:
                read[name] = number
            else:
                renamed[number] = known
        elif operator.kind == "ASSIGN_VARIABLE" and operator.input(1) >= 0:
            value = operator.input(1)
            written[handles[operator.input(0)]] = renamed.get(value, value)
    outputs = tuple(renamed.get(number, number) for number in graph.outputs)
    more = [number for number in written.values() if number not in outputs]
    return replace(
        graph,
        operators=tuple(kept),
        inputs=(*graph.inputs, *read.values()),
        outputs=(*outputs, *dict.fromkeys(more)),
        variables=len({*read, *written}),
        first=_first(graph, {name: graph.tensors[number] for name, number in read.items()}),
    )


def _first(graph: Subgraph, read: dict[str, Tensor]) -> str:
    """What CALL_ONCE gives the variables that are read before they are written."""
    given: dict[str, bool] = {}
    for operator in graph.operators:
        body = (
            graph.body(operator.integer(0)) if operator.kind == "CALL_ONCE" and not operator.custom else None
        )
        for handle, values in _assigned(body) if body is not None else ():
            given[handle] = values
    if not set(read) <= set(given):
        return ""
    return "zero" if all(given[name] for name in read) else "other"


def _assigned(body: Subgraph) -> Iterator[tuple[str, bool]]:
    """Each variable that a subgraph gives a constant, and whether that is the number 0."""
    handles = {op.outputs[0]: _name(op) for op in body.operators if op.kind == "VAR_HANDLE" and op.outputs}
    for operator in body.operators:
        if operator.kind != "ASSIGN_VARIABLE" or operator.input(0) not in handles or operator.input(1) < 0:
            continue
        tensor = body.tensors[operator.input(1)]
        values = tensor.array()
        if values is not None:
            zero = 0 if tensor.quant is None else tensor.quant.zero_point.reshape(-1)[0]
            yield handles[operator.input(0)], bool((values == zero).all())


KEEPING = {"SVDF": 4, "RNN": 4, "UNIDIRECTIONAL_SEQUENCE_RNN": 4}
"""Operators that keep a tensor of their own from call to call, and which operand it is."""


def states_at_the_border(graph: Subgraph) -> Subgraph:
    """The graph with the states of operators as inputs, and what they become as outputs: second ones of these operators."""
    kept = [op.input(KEEPING[op.kind]) for op in graph.operators if op.kind in KEEPING and not op.custom]
    written = {number for operator in graph.operators for number in operator.outputs} | set(graph.inputs)
    tensors, operators, states, following = list(graph.tensors), [], [], []
    for operator in graph.operators:
        state = operator.input(KEEPING[operator.kind]) if operator.kind in KEEPING else -1
        own = state >= 0 and not operator.custom and kept.count(state) == 1 and state not in written
        if not own or graph.tensors[state].data is not None or len(operator.outputs) != 1:
            operators.append(operator)
            continue
        number, tensor = len(tensors), graph.tensors[state]
        tensors.append(replace(tensor, index=number, name=_free(f"{tensor.name}_next", tensors)))
        operators.append(replace(operator, outputs=(*operator.outputs, number)))
        states.append(state)
        following.append(number)
    if not states:
        return graph
    return replace(
        graph,
        tensors=tuple(tensors),
        operators=tuple(operators),
        inputs=(*graph.inputs, *states),
        outputs=(*graph.outputs, *following),
        variables=graph.variables + len(states),
        first=graph.first if graph.variables else "zero",
    )


def _free(name: str, tensors: list[Tensor]) -> str:
    taken = {tensor.name for tensor in tensors}
    made, count = name, 1
    while made in taken:
        count += 1
        made = f"{name}_{count}"
    return made


def _name(operator: Operator) -> str:
    options = operator.options
    return options.text(1) or str(operator.index) if options is not None else str(operator.index)


VARIABLES_KEY, FIRST_KEY = "tflite.variables", "tflite.variables.first"
"""Metadata of a converted model: how many variables of the file are inputs and outputs of it, and what they hold at first."""
