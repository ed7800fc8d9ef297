"""Which movers at the ends of a network move integers."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from npuscope.machine.build import FLOAT32, Build
from npuscope.machine.machine import target_of
from npuscope.model.load import load
from npuscope.neural_art.mapping.type_borders import ends_in_integers, starts_in_integers
from npuscope.npu.rule import Context
from npuscope.session import Session

HEAD = '<ir_version: 8, opset_import: ["" : 13]>\n'
GRID = "float s = {0.1}, int8 z = {0}, int64[3] k = {1, 4, 6}, int64[3] l = {1, 6, 4}"


def ends(body: str, outputs: str = "float[1,6,4] y") -> str:
    return f"{HEAD}g (int8[1,4,6] x) => ({outputs}) <{GRID}> {{ f = DequantizeLinear(x, s, z) {body} }}"


def starts(body: str, inputs: str = "float[1,4,6] x") -> str:
    return f"{HEAD}g ({inputs}) => (int8[1,6,4] y) <{GRID}> {{ {body} }}"


def context_of(text: str, tmp_path: Path, build: Build) -> Context:
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    session = Session.open(load(path), target_of(build))
    return Context(session.graph, session.layers, session.target)


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        (ends("y = Reshape(f, l)"), True),
        (ends("r = Reshape(f, l) t = Reshape(r, k) y = Reshape(t, l)"), False),
        # Not the last; read by an operator that computes, by two, and beside the output.
        (ends("r = Reshape(f, l) y = Erf(r)"), False),
        (ends("r = Reshape(f, l) y = Erf(r) w = Sin(r)", "float[1,6,4] y, float[1,6,4] w"), False),
        (ends("y = Reshape(f, l) w = Erf(y)", "float[1,6,4] y, float[1,6,4] w"), False),
        # Quantized again behind it.
        (ends("r = Reshape(f, l) y = QuantizeLinear(r, s, z)", "int8[1,6,4] y"), False),
        (ends("y = Erf(f)", "float[1,4,6] y"), False),
    ],
)  # fmt: skip
def test_the_first_mover_behind_a_dequantize(text: str, moves: bool, tmp_path: Path) -> None:
    context = context_of(text, tmp_path, Build())
    first = next(layer for layer in context.layers.layers if layer.kind != "DequantizeLinear")
    assert ends_in_integers(first, context) is moves


def test_an_output_in_floats_ends_in_floats(tmp_path: Path) -> None:
    context = context_of(ends("y = Reshape(f, l)"), tmp_path, Build(output_data_types=(FLOAT32,)))
    assert not ends_in_integers(context.layers.layers[-1], context)


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        (starts("r = Reshape(x, l) y = QuantizeLinear(r, s, z)"), True),
        (starts("r = Erf(x) t = Reshape(r, l) y = QuantizeLinear(t, s, z)"), False),
        (starts("f = DequantizeLinear(x, s, z) r = Reshape(f, l) y = QuantizeLinear(r, s, z)", "int8[1,4,6] x"), False),
        # Another layer reads the input as it is.
        (starts("r = Reshape(x, l) e = Erf(x) t = Reshape(e, l) a = Add(r, t) y = QuantizeLinear(a, s, z)"), False),
    ],
)  # fmt: skip
def test_the_first_mover_of_an_input(text: str, moves: bool, tmp_path: Path) -> None:
    context = context_of(text, tmp_path, Build())
    first = next(layer for layer in context.layers.layers if layer.kind in ("Reshape", "Erf"))
    assert starts_in_integers(first, context) is moves
