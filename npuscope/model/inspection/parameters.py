"""How many parameters a model has."""

from __future__ import annotations

from npuscope.model.graph import CONTROL_FLOW, Graph
from npuscope.model.layer import BORDER_OPS, is_qdq, quantization_inputs


def parameters(graph: Graph) -> int:
    """Elements of all constants, scales and zero points left out: what the compiler calls 'params #'."""
    scales: set[str] = set()
    for node in graph.nodes:
        op = node.op
        if op in BORDER_OPS:
            if is_qdq(node):
                scales.update(node.inputs[1:])
        elif op[:1] == "Q":
            scales.update([node.input(i) for i in quantization_inputs(node)])
    # What only bodies of control flow read does not count: where there are none, all readers are known already.
    plain = CONTROL_FLOW.isdisjoint([node.op for node in graph.nodes])
    read = graph.consumers if plain else set().union(*[node.inputs for node in graph.nodes])
    results = graph.output_set
    return sum(
        [
            constant.size
            for name, constant in graph.constants.items()
            if (name in read and name not in scales) or name in results
        ]
    )
