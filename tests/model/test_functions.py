"""Functions of the model: which never end, and which have the name of an operator of ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import analysed, from_text

SETS = '<ir_version: 10, opset_import: ["" : 17, "own" : 1]>'
WRITTEN = "inline_local_functions"
NEVER = "calls itself, or another that does"


def function(name: str, body: str, domain: str = "own") -> str:
    sets = '["" : 17, "own" : 1]'
    return f'<domain: "{domain}", opset_import: {sets}> {name} (p) => (q) {{ {body} }}'


IF = "c = Constant <value_int = 1> () q = If (c) <then_branch = t () => (r) { r = own.F(p) }, "
IF += "else_branch = e () => (s) { s = Neg(p) }>"


@pytest.mark.parametrize(
    ("called", "functions", "code", "message", "way"),
    [
        ("own.F", [("F", "q = Neg(p)")], "N313", "F is a function of the model", WRITTEN),
        ("own.F", [("F", "q = own.F(p)")], "N114", NEVER, ""),
        ("own.F", [("F", "q = own.G(p)"), ("G", IF)], "N114", NEVER, ""),
        ("own.F", [("F", "q = own.G(p)"), ("G", "q = own.G(p)")], "N114", NEVER, ""),
        ("own.F", [("F", "q = own.G(p)"), ("G", "q = Neg(p)"), ("H", "q = own.H(p)")], "N313",
         "F is a function of the model", WRITTEN),
        ("Relu", [("Relu", "q = Neg(p)", "")], "N313", "Relu is an operator of ONNX and a function", "another name"),
        ("Relu", [("Relu", "q = Relu(p)", "")], "N114", NEVER, ""),
        ("Mine", [("Mine", "q = Neg(p)", "")], "N114", "no operator 'Mine'", ""),
    ],
)  # fmt: skip
def test_a_function_is_named(
    called: str, functions: list[tuple[str, ...]], code: str, message: str, way: str, tmp_path: Path
) -> None:
    bodies = "\n".join(function(*one) for one in functions)
    source = from_text(
        f"{SETS}\ng (float[2,3] x) => (float[2,3] y) {{ y = {called}(x) }}\n{bodies}", tmp_path
    )
    (finding,) = analysed(source).layers[0].findings
    assert (finding.code, message in finding.message, way in finding.fix) == (code, True, True)
    assert (WRITTEN in finding.fix) == (way == WRITTEN)


def test_a_quantizer_that_is_a_function_too_is_named(tmp_path: Path) -> None:
    bodies = function("DequantizeLinear", "q = Identity(p)", "")
    source = from_text(
        f"{SETS}\ng (int8[2,3] x) => (int8[2,3] y) <float s = {{0.1}}, int8 z = {{0}}>"
        f"{{ f = DequantizeLinear(x, s, z) r = Relu(f) y = QuantizeLinear(r, s, z) }}\n{bodies}",
        tmp_path,
    )
    (finding,) = analysed(source).layers[0].findings
    assert finding.code == "N313" and finding.message.startswith("DequantizeLinear is an operator of ONNX")
