"""N707: a graph input of one dimension (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import quoted
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    for operand in layer.inputs:
        shape = operand.type.shape
        if shape is None or len(shape) != 1:
            continue
        name = next((n for n in (operand.seen, operand.tensor) if n in context.graph.input_set), None)
        if name is not None:
            yield Finding(
                "N707",
                Severity.WARNING,
                f"graph input {quoted(name)!r} has one dimension",
                "Inputs of rank 1 were reported to stop the front end of 4.0.1.",
                "export it with a leading dimension of 1",
                None,
                Confidence.THIRD_PARTY,
            )
            return


RULE = Rule(
    code="N707",
    title="Input of one dimension (4.0.1)",
    what="Looks for a layer that reads a graph input of rank 1.",
    why="The compiler takes the first dimension as the batch; with 4.0.1 inputs of rank 1 were reported to fail.",
    fix="Add a dimension: (1, N) instead of (N).",
    source="FACTS 5 (LarocheC/stm32n6-deployment-zoo, Core 4.0.1)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    by_form=True,
    front_end=True,
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[8] x) => (float[8] y)
{ y = Sigmoid(x) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8] x) => (float[1,8] y)
{ y = Sigmoid(x) }""",
)
