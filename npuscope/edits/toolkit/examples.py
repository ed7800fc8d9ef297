"""Small models as ONNX text, for the example of a declaration."""

from __future__ import annotations

from math import prod


def quantized(
    operator: str, takes: str, gives: str, weights: str = "", constants: str = "", opset: int = 13
) -> str:
    """A layer 'op' in QDQ form: `operator` reads 'f' (of shape `takes`) and 'w' (int8 `weights` behind a DQ)."""
    initializers = ["float s = {0.1}", "int8 z = {5}", "float ws = {0.01}", "int8 wz = {0}"]
    dequantize = ""
    if weights:
        initializers.append(numbers("int8", weights, "wq"))
        dequantize = "  w = DequantizeLinear(wq, ws, wz)\n"
    initializers += [constants] if constants else []
    return (
        f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
        f"g (int8[{takes}] x) => (int8[{gives}] y) <{', '.join(initializers)}>\n"
        f"{{ f = DequantizeLinear(x, s, z)\n{dequantize}  [op] r = {operator}\n  y = QuantizeLinear(r, s, z) }}"
    )


def numbers(dtype: str, shape: str, name: str) -> str:
    """A constant of small numbers, none of them alike beside each other."""
    count = prod(int(size) for size in shape.split(","))
    return f"{dtype}[{shape}] {name} = {{{', '.join(str(i * 7 % 23 - 11) for i in range(count))}}}"
