"""Dilated convolutions that are written as SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND.

TensorFlow spreads every d-th value over the batch, convolves each part, and puts them together again: one convolution
with dilation d, whose pads are those of the first operator less the crops of the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.tflite.schema import Operator, Subgraph

_CONVOLUTIONS = {"CONV_2D": (2, 1), "DEPTHWISE_CONV_2D": (2, 1)}
"""Slots of the strides: height, width."""
VALID = 1


def dilations_joined(graph: Subgraph) -> Subgraph:
    """The graph with one convolution for each such three, where nothing else reads what lies between."""
    if not any(operator.kind == "SPACE_TO_BATCH_ND" for operator in graph.operators):
        return graph
    readers: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        for number in operator.inputs:
            readers.setdefault(number, []).append(operator)
    dropped: set[int] = set()
    joined: dict[int, Operator] = {}
    for operator in graph.operators:
        triple = _three(graph, operator, readers) if operator.kind == "SPACE_TO_BATCH_ND" else None
        if triple is not None:
            convolution, last = triple
            made = _joined(graph, operator, convolution, last)
            if made is not None:
                joined[convolution.index] = made
                dropped |= {operator.index, last.index}
    kept = tuple(joined.get(op.index, op) for op in graph.operators if op.index not in dropped)
    return replace(graph, operators=kept)


def _three(
    graph: Subgraph, first: Operator, readers: dict[int, list[Operator]]
) -> tuple[Operator, Operator] | None:
    convolution = _only(graph, first, readers)
    if (
        convolution is None
        or convolution.kind not in _CONVOLUTIONS
        or convolution.input(0) != first.outputs[0]
    ):
        return None
    last = _only(graph, convolution, readers)
    return (convolution, last) if last is not None and last.kind == "BATCH_TO_SPACE_ND" else None


def _only(graph: Subgraph, operator: Operator, readers: dict[int, list[Operator]]) -> Operator | None:
    if len(operator.outputs) != 1 or operator.outputs[0] in graph.outputs:
        return None
    reader_list = readers.get(operator.outputs[0], ())
    return reader_list[0] if len(reader_list) == 1 and not reader_list[0].custom else None


def _joined(graph: Subgraph, first: Operator, convolution: Operator, last: Operator) -> Operator | None:
    block, pads = _values(graph, first.input(1)), _values(graph, first.input(2))
    again, crops = _values(graph, last.input(1)), _values(graph, last.input(2))
    if block is None or pads is None or crops is None or block != again or not last.outputs:
        return None
    if (
        len(block) != 2
        or len(pads) != 4
        or len(crops) != 4
        or min(*block, *pads, *crops) < 0
        or min(block) < 1
    ):
        return None
    strides = [convolution.integer(slot) for slot in _CONVOLUTIONS[convolution.kind]]
    own = (5, 4) if convolution.kind == "CONV_2D" else (6, 5)
    dilations = [convolution.integer(slot, default=1) for slot in own]
    if strides != [1, 1] or dilations != [1, 1] or convolution.integer(0, "int8") != VALID:
        return None
    around = [pads[0] - crops[0], pads[2] - crops[2], pads[1] - crops[1], pads[3] - crops[3]]
    if min(around) < 0 or not _same_grids(graph, first, last):
        return None
    return replace(
        convolution,
        inputs=(first.input(0), *convolution.inputs[1:]),
        outputs=last.outputs,
        dilations=(block[0], block[1]),
        pads=tuple(around),
    )


def _same_grids(graph: Subgraph, *movers: Operator) -> bool:
    """Both operators that move values keep their quantization, as TFLite asks for."""
    for operator in movers:
        read, made = (graph.tensors[number].quant for number in (operator.input(0), operator.outputs[0]))
        if (read is None) != (made is None) or (
            read is not None and made is not None and not read.same_as(made)
        ):
            return False
    return True


def _values(graph: Subgraph, number: int) -> Sequence[int] | None:
    array = graph.tensors[number].array() if number >= 0 else None
    if array is None or array.dtype.kind not in "iu" or array.size > 8:
        return None
    return [int(value) for value in array.reshape(-1)]
