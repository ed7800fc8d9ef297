"""Where a quantizer puts Q/DQ pairs around single operators, held to the real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.model.as_int8.symbolic import as_int8
from npuscope.model.graph import Graph
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize

ONES = "{1, 2, 3, 4, 5, 6, 7, 8}"
CASES = {
    "Where of two activations": "c = Conv(x, w) b = Greater(x, nought) r = Relu(c) y = Where(b, r, c)",
    "Where of one that is not quantized": "b = Greater(x, nought) e = CastLike(x, x) y = Where(b, e, x)",
    "Gather of a table": "i = ArgMax <axis = 1> (x) t = Gather(table, i) y = Relu(t)",
    "Gather of an activation": "c = Conv(x, w) y = Gather <axis = 1> (c, index)",
    "GatherElements of what is not quantized": "i = ArgMax <axis = 1> (x) y = GatherElements <axis = 1> (x, i)",
    "Pad with a value": "c = Conv(x, w) p = Pad(c, pads, half) y = Conv(p, w)",
    "Pad with zero": "c = Conv(x, w) p = Pad(c, pads, nought) y = Conv(p, w)",
    "Pad without a value": "c = Conv(x, w) p = Pad(c, pads) y = Conv(p, w)",
    "Pad that reflects": 'c = Conv(x, w) p = Pad <mode = "reflect"> (c, pads) y = Conv(p, w)',
    "Split": "c = Conv(x, w) a, b = Split <axis = 1, num_outputs = 2> (c) y = Mul(a, b)",
    "TopK": "c = Conv(x, w) y, i = TopK <axis = 1> (c, one)",
    "a Relu that others read along": "c = Conv(x, w) r = Relu(c) y = Add(r, c)",
    "a Relu of an input": "r = Relu(x) y = Conv(r, w)",
    "a Relu at the end": "c = Conv(x, w) y = Relu(c)",
    "a Relu of what is not quantized": "e = Cast <to = 1> (x) y = Relu(e)",
    "two Relus": "c = Conv(x, w) r = Relu(c) y = Clip(r, nought, half)",
    "LayerNormalization": "c = Conv(x, w) y = LayerNormalization(c, four, four)",
    "LayerNormalization by what is computed": "k = Abs(four) y = LayerNormalization(x, k)",
    "a bias that is computed": "k = Abs(two) y = Conv(x, w, k)",
    "a bias": "y = Conv(x, w, two)",
    "weights that are computed": "k = Abs(w) y = Conv(x, k)",
    "ConvTranspose": "y = ConvTranspose(x, w)",
    "MatMul by a table": "y = MatMul(x, table)",
    "MatMul of two activations": "t = Transpose <perm = [0, 1, 3, 2]> (x) y = MatMul(x, t)",
    "MaxPool and Reshape": "c = Conv(x, w) p = MaxPool <kernel_shape = [1, 1]> (c) y = Reshape(p, shape)",
    "no floats": "s = Shape(x) c = Cast <to = 1> (s) y = Mul(c, c)",
}  # fmt: skip
HEAD = f"""<ir_version: 8, opset_import: ["" : 18]> g (float[1,2,4,4] x) => (float[] y)
<float[2,2,1,1] w = {{1, -2, 3, 4}}, float[4,2] table = {ONES}, float nought = {{0}}, float half = {{0.5}},
float[4] four = {{1, 2, 3, 4}}, float[2] two = {{1, 2}}, int64[1] one = {{1}}, int64[1] index = {{1}}, int64[2] shape = {{1, 32}},
int64[8] pads = {{0, 0, 1, 1, 0, 0, 1, 1}}> {{"""


def quantized(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Operator -> what writes each of its inputs; a Relu that went is not there."""
    return {
        node.name: tuple(
            maker.op if (maker := graph.producer(name)) is not None else "constant or input"
            for name in node.inputs
            if name
        )
        for node in graph.nodes
        if node.op not in ("QuantizeLinear", "DequantizeLinear", "Constant")
    }


@pytest.mark.parametrize("name", CASES)
def test_pairs_stand_where_the_quantizer_puts_them(name: str, tmp_path: Path) -> None:
    text = f"{HEAD}{CASES[name]} }}".replace(
        "float[] y", "float[a,b,c,d] y" if "Reshape" not in name else "float[a,b] y"
    )
    source = from_text(
        text.replace("float[a,b,c,d] y", "float[a] y") if name == "no floats" else text, tmp_path
    )
    real = quantize(source, random_samples(source, 1, 0), Settings())
    assert quantized(as_int8(source).graph) == quantized(real.graph)
