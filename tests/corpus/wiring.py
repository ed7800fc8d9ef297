"""Graphs that are small as files and endless for what follows each of their paths: diamonds, doublings, chains, circles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, NodeProto

from corpus.case import EITHER, Case, model, node, saved
from corpus.nodes import MAP, ints, real

GRID = {"s": np.float32(0.1), "z": np.int8(0)}
INT8 = {"x": ("int8", MAP)}
PAIRS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "Identity": ((), {}),
    "Transpose": ((), {"perm": [0, 1, 3, 2]}),
    "Cast": ((), {"to": 1}),
    "Reshape": (("shape",), {}),
    "Mul": (("one",), {}),
    "Slice": (("begin", "end"), {}),
    "MaxPool": ((), {"kernel_shape": [1, 1]}),
}


def _quantized(nodes: list[NodeProto], last: str, constants: dict[str, object] | None = None) -> ModelProto:
    """int8 x -> DQ -> t0, the nodes, and a Q behind them."""
    first, end = node("DequantizeLinear", ["x", "s", "z"], ["t0"]), node("QuantizeLinear", [last, "s", "z"])
    return model([first, *nodes, end], INT8, ["y"], {**GRID, **(constants or {})})  # type: ignore[arg-type]


def _weights(nodes: list[NodeProto], last: str, constants: dict[str, object]) -> ModelProto:
    """Float weights c0 that the nodes make into those of a Conv."""
    return model([*nodes, node("Conv", ["x", last])], {"x": ("float", MAP)}, ["y"], constants)


def chains() -> Iterator[tuple[str, ModelProto]]:
    """As many nodes one behind the other as no stack holds."""
    constants = {"shape": ints(16, 16, 3, 3), "one": np.float32(1), "begin": ints(0), "end": ints(99)}
    for op, (more, attributes) in PAIRS.items():
        if op == "MaxPool":
            continue
        nodes = [node(op, [f"c{n}", *more], [f"c{n + 1}"], **attributes) for n in range(1200)]
        yield f"{op} of weights", _weights(nodes, "c1200", {"c0": real(16, 16, 3, 3), **constants})
        first = node("DequantizeLinear", ["w", "s", "z"], ["c0"])
        weights = {"w": np.ones((16, 16, 3, 3), np.int8), **GRID, **constants}
        yield f"{op} of int8 weights", _weights([first, *nodes], "c1200", weights)
    for op in ("Identity", "Transpose", "MaxPool"):
        nodes = [node(op, [f"t{n}"], [f"t{n + 1}"], **PAIRS[op][1]) for n in range(1200)]
        yield f"{op} on one grid", _quantized(nodes, "t1200")
    yield "Reshape of what a Conv wrote, between grids", _reshaped(1200)


def _reshaped(times: int) -> ModelProto:
    """A Conv, its map brought to other channels again and again, and a Split of the rows of that."""
    constants = {
        "w": np.ones((16, 16, 1, 1), np.int8), "shape0": ints(1, 8, 16, 8), "shape1": ints(1, 16, 8, 8)
    }  # fmt: skip
    nodes = [node("DequantizeLinear", ["w", "s", "z"], ["dw"]), node("Conv", ["t0", "dw"], ["c"])]
    last = "c"
    for n in range(times + 1):
        nodes += [
            node("QuantizeLinear", [last, "s", "z"], [f"q{n}"]),
            node("DequantizeLinear", [f"q{n}", "s", "z"], [f"r{n}"]),
        ]
        last = f"p{n}"
        if n < times:
            nodes.append(node("Reshape", [f"r{n}", f"shape{n % 2}"], [last]))
    nodes.append(node("Split", [f"r{times}"], ["a", "b"], axis=2))
    return _quantized(nodes, "a", constants)


def diamonds() -> Iterator[tuple[str, ModelProto]]:
    """Paths that part and meet again: twice as many behind each meeting."""
    halves = [
        made
        for n in range(30)
        for made in (
            node("Concat", [f"c{n}", f"c{n}"], [f"a{n}"], axis=0),
            node("Slice", [f"a{n}", "begin", "end"], [f"c{n + 1}"]),
        )
    ]
    constants = {"begin": ints(0), "end": ints(16)}
    yield "weights doubled and halved", _weights(halves, "c30", {"c0": real(16, 16, 3, 3), **constants})
    first = node("DequantizeLinear", ["w", "s", "z"], ["c0"])
    weights = {"w": np.ones((16, 16, 3, 3), np.int8), **GRID, **constants}
    yield "int8 weights doubled and halved", _weights([first, *halves], "c30", weights)
    for op, times in (("Add", 2), ("Mul", 2), ("Max", 30), ("Sum", 30)):
        nodes = [node(op, [f"t{n}"] * times, [f"t{n + 1}"]) for n in range(40)]
        yield f"{op} of itself {times} times", _quantized(nodes, "t40")
        yield f"float {op} of itself {times} times", model(nodes, {"t0": ("float", MAP)}, ["t40"])
    parted = [
        made
        for n in range(40)
        for made in (
            node("Split", [f"t{n}"], [f"a{n}", f"b{n}"], axis=1),
            node("Concat", [f"a{n}", f"b{n}"], [f"t{n + 1}"], axis=1),
        )
    ]
    yield "Split and Concat", _quantized(parted, "t40")
    gates = [
        made
        for n in range(20)
        for made in (
            node("Add", [f"t{n}", "three"], [f"a{n}"]),
            node("Clip", [f"a{n}", "nought", "six"], [f"b{n}"]),
            node("Mul", [f"t{n}", f"b{n}"], [f"t{n + 1}"]),
        )
    ]
    numbers = {"three": np.float32(3), "nought": np.float32(0), "six": np.float32(6)}
    yield "gates one behind the other", _quantized(gates, "t20", numbers)
    unknown = [node("Max", [f"t{n}"] * 50, [f"t{n + 1}"]) for n in range(7)]
    sine = [node("Sin", ["t0"], ["u"]), node("Add", ["u", "t7"], ["v"])]
    yield "a function of what nobody knows", _quantized([*unknown, *sine], "v")


def circles() -> Iterator[tuple[str, ModelProto]]:
    """Views and movers in circles, alone, behind a second maker of their tensors, and before layers that look back."""
    ops = {**PAIRS, "Split": ((), {"axis": 1}), "Concat": ((), {"axis": 1}), "Relu": ((), {})}
    constants = {**GRID, "shape": ints(*MAP), "one": np.float32(1), "begin": ints(0, 0), "end": ints(99, 99)}
    for op, (more, attributes) in ops.items():
        ring = [
            node(
                op, [f"t{n}", *more], [f"t{(n + 1) % 3}", *([f"u{n}"] if op == "Split" else [])], **attributes
            )
            for n in range(3)
        ]
        conv = node("Conv", ["f", "w"], ["t0"])
        before = [node("DequantizeLinear", ["x", "s", "z"], ["f"]), conv]
        behind = [node("QuantizeLinear", ["t0", "s", "z"], ["y"])]
        constants = {**constants, "w": real(16, 16, 1, 1)}
        yield f"{op} in a circle", model([*ring, *behind], INT8, ["y"], constants)  # type: ignore[arg-type]
        yield f"{op} in a circle behind a Conv", model([*before, *ring, *behind], INT8, ["y"], constants)  # type: ignore[arg-type]


def wide() -> Iterator[tuple[str, ModelProto]]:
    """Nodes with many outputs."""
    parts = [f"w{n}" for n in range(1200)]
    layers = [node("Mul", ["x", part], [f"y{part}"]) for part in parts]
    nodes = [node("DequantizeLinear", ["w", "s", "z"], ["d"]), node("Split", ["d"], parts, axis=0), *layers]
    yield (
        "int8 weights in 1,200 parts",
        model(
            nodes,
            {"x": ("float", (1, 4))},
            [f"y{part}" for part in parts],
            {**GRID, "w": np.ones((1200, 4), np.int8)},
        ),
    )


def _dequantized_floats() -> ModelProto:
    """Floats that a DequantizeLinear reads, in parts of which one is quantized."""
    parts = ["p0", "y", "p2"]
    nodes = [
        node("Exp", ["x"], ["e"]),
        node("DequantizeLinear", ["e", "s"], ["d"]),
        node("Split", ["d"], parts, axis=1),
        node("QuantizeLinear", ["p0", "s", "z"], ["q"]),
    ]
    return model(nodes, {"x": ("uint8", (1, 6))}, ["y", "q"], GRID)


def cases() -> Iterator[Case]:
    """All of them; each opens or is refused in a line."""
    for kind, made in (
        ("chains", chains()),
        ("diamonds", diamonds()),
        ("circles", circles()),
        ("wide", wide()),
    ):
        for name, graph in made:
            yield Case(f"wiring: {kind}: {name}", saved(graph), EITHER)
    yield Case("wiring: floats that a DequantizeLinear reads, in parts", saved(_dequantized_floats()), EITHER)
