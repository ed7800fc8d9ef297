"""Graphs that are too large, too deep, run in circles, or name what is not there; weights that are not where they should be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from corpus.case import EITHER, OPENS, Case, Write, content, model, node, quantized, saved
from corpus.nodes import MAP, ints, real

HUGE = (1 << 63) - 1
REAL: tuple[str, tuple[int, ...]] = ("float", (1, 4))


def sizes() -> Iterator[tuple[str, ModelProto]]:
    """Sizes that no memory holds."""
    for power in (31, 33, 40, 53, 62, 63):
        big = (1 << power) - 1
        yield f"input of 2^{power}", model([node("Relu", ["x"])], {"x": ("float", (1, big))})
        yield f"inputs of 2^{power} four times", model([node("Relu", ["x"])], {"x": ("float", (big,) * 4)})
        yield f"Reshape to 2^{power}", quantized("Reshape", MAP, "k", constants={"k": ints(big, -1)})
        yield f"Expand to 2^{power}", quantized("Expand", (1, 1), "k", constants={"k": ints(big, big)})
        yield f"Tile by 2^{power}", quantized("Tile", (1, 4), "k", constants={"k": ints(big, big)})
        yield f"Pad by 2^{power}", quantized("Pad", (1, 4), "k", constants={"k": ints(big, big, big, big)})
        yield f"pads of 2^{power}", quantized("MaxPool", MAP, kernel_shape=[2, 2], pads=[big] * 4)
        yield f"kernel of 2^{power}", quantized("AveragePool", MAP, kernel_shape=[big, big], pads=[big] * 4)
        yield f"stride of 2^{power}", quantized("MaxPool", MAP, kernel_shape=[2, 2], strides=[big, big])
        yield f"dilation of 2^{power}", quantized(
            "Conv", MAP, "w", constants={"w": real(4, 16, 3, 3)}, dilations=[big, big], pads=[big] * 4)  # fmt: skip
        yield (
            f"groups of 2^{power}",
            quantized("Conv", MAP, "w", constants={"w": real(4, 16, 3, 3)}, group=big),
        )
        nodes = [node("Range", ["a", "b", "c"], ["r"]), node("Add", ["x", "r"])]
        constants = {"a": np.int64(0), "b": np.int64(big), "c": np.int64(1)}
        yield f"Range of 2^{power}", model(nodes, {"x": ("int64", (1,))}, ["y"], constants)
        nodes = [node("ConstantOfShape", ["k"], ["r"]), node("Add", ["x", "r"])]
        yield (
            f"ConstantOfShape of 2^{power}",
            model(nodes, {"x": ("float", (1,))}, ["y"], {"k": ints(big, big)}),
        )
    factor = np.array([1, 1, 1e30, 1e30], np.float32)
    yield "Resize by 1e30", quantized("Resize", MAP, "", "k", constants={"k": factor})
    endless = np.array([1, 1, np.inf, np.inf], np.float32)
    yield "Resize by infinity", quantized("Resize", MAP, "", "k", constants={"k": endless})
    yield "OneHot of 1e300", model(
        [node("OneHot", ["x", "d", "v"])], {"x": ("int64", (4,))}, ["y"], {"d": np.float64(1e300), "v": real(2)})  # fmt: skip
    yield (
        "Range with a step of 0",
        model(
            [node("Range", ["a", "a", "a"], ["r"]), node("Add", ["x", "r"])],
            {"x": ("float", (1,))},
            ["y"],
            {"a": np.float32(0)},
        ),
    )
    for op, attribute in (
        ("DepthToSpace", "blocksize"),
        ("LSTM", "hidden_size"),
        ("LRN", "size"),
        ("TopK", "axis"),
    ):
        yield f"{op} with {attribute} of 2^63", quantized(op, MAP, **{attribute: HUGE})
    yield "rank 5,000", model([node("Relu", ["x"])], {"x": ("float", (1,) * 5000)})
    yield "Reshape to rank 5,000", quantized("Reshape", MAP, "k", constants={"k": np.ones(5000, np.int64)})
    yield "no elements", quantized("Relu", (1, 0, 8, 8))
    yield "no elements in weights", quantized("Conv", MAP, "w", constants={"w": real(0, 16, 1, 1)})
    yield "a negative size", model([node("Relu", ["x"])], {"x": ("float", (1, -5))})


def blow_ups() -> Iterator[tuple[str, ModelProto]]:
    """Small files whose values double."""
    nodes = [node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(62)]
    yield (
        "Concat that doubles",
        model([*nodes, node("Add", ["x", "c62"])], {"x": ("int64", (1,))}, ["y"], {"c0": ints(1, 2)}),
    )
    nodes = [node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(3000)]
    constants = {"c0": np.ones(4096, np.float32)}
    yield (
        "Add that doubles",
        model([*nodes, node("Add", ["x", "c3000"])], {"x": ("float", (4096,))}, ["y"], constants),
    )
    nodes = [node("Tile", [f"c{i}", "k"], [f"c{i + 1}"]) for i in range(40)]
    yield (
        "Tile that grows",
        model(
            [*nodes, node("Add", ["x", "c40"])], {"x": ("float", (1,))}, ["y"], {"c0": real(2), "k": ints(9)}
        ),
    )
    shape = [node("Shape", ["x"], ["c0"])] + [
        node("Mul", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(80)
    ]
    yield "a shape that is squared", model([*shape, node("Expand", ["x", "c80"])], {"x": ("float", (3,))})
    letters = "".join(chr(97 + i % 26) for i in range(4000))
    yield (
        "Einsum of 4,000 letters",
        model([node("Einsum", ["x"], equation=f"{letters}->a")], {"x": ("float", (2,) * 8)}),
    )
    yield "Einsum of nothing", model([node("Einsum", ["x"], equation="")], {"x": REAL})
    yield "Einsum of commas", model([node("Einsum", ["x"], equation="," * 900)], {"x": REAL})
    outputs = [f"y{i}" for i in range(20000)]
    yield (
        "Split into 20,000",
        model([node("Split", ["x"], outputs, axis=1)], {"x": ("float", (1, 20000))}, outputs),
    )


def circles() -> Iterator[tuple[str, ModelProto]]:
    """Nodes that read what they make."""
    for op, more in (("Relu", ()), ("Identity", ()), ("Reshape", ("k",)), ("Transpose", ()), ("Add", ("y",)), ("Conv", ("w",)),
                     ("DequantizeLinear", ("s", "z")), ("QuantizeLinear", ("s", "z")), ("Cast", ()), ("Shape", ())):  # fmt: skip
        constants = {"k": ints(1, 4), "w": real(4, 4, 1, 1), "s": np.float32(0.1), "z": np.int8(0)}
        attributes = {"to": 1} if op == "Cast" else {}
        yield (
            f"{op} that feeds itself",
            model([node(op, ["y", *more], ["y"], **attributes)], {"x": REAL}, ["y"], constants),
        )
    for length in (2, 3, 50):
        nodes = [node("Relu", [f"t{i}"], [f"t{(i + 1) % length}"]) for i in range(length)]
        yield f"a circle of {length}", model(nodes, {"x": REAL}, ["t0"])
    nodes = [
        node("Transpose", ["b"], ["a"]),
        node("DequantizeLinear", ["a", "s", "z"], ["c"]),
        node("Transpose", ["c"], ["b"]),
    ]
    yield (
        "weights in a circle",
        model(
            [*nodes, node("MatMul", ["x", "b"])], {"x": REAL}, ["y"], {"s": np.float32(1), "z": np.int8(0)}
        ),
    )
    yield "nodes in reverse", model([node("Relu", ["a"]), node("Relu", ["x"], ["a"])], {"x": REAL})
    yield "two makers of one tensor", model([node("Relu", ["x"]), node("Abs", ["x"])], {"x": REAL})
    yield "an input nobody gives", model([node("Relu", ["nowhere"])], {"x": REAL})
    yield "an output nobody makes", model([node("Relu", ["x"], ["a"])], {"x": REAL}, ["y"])
    yield "an output that is an input", model([node("Relu", ["x"])], {"x": REAL}, ["x", "y"])
    yield "an output twice", model([node("Relu", ["x"])], {"x": REAL}, ["y", "y"])
    yield "a node without outputs", model([node("Relu", ["x"], []), node("Relu", ["x"])], {"x": REAL})
    yield (
        "a node without a name for its output",
        model([node("Relu", ["x"], [""]), node("Relu", ["x"])], {"x": REAL}),
    )
    yield (
        "an initializer that is an output",
        model([node("Relu", ["x"])], {"x": REAL}, ["y", "k"], {"k": real(2)}),
    )
    yield (
        "an initializer that is made as well",
        model([node("Relu", ["x"])], {"x": REAL}, ["y"], {"y": real(1, 4)}),
    )
    yield "an input twice", model([node("Add", ["x", "x"])], {"x": REAL})


def names() -> Iterator[tuple[str, ModelProto]]:
    """Names that act on terminals, markup and tables."""
    for what, name in {
        "escapes": "\x1b[31mred\x1b]0;title\x07", "a line break": "a\nb", "markup": "[bold red]x[/]", "null": "a\0b",
        "turned around": "\u202eabc", "100,000 letters": "n" * 100000, "nothing": "", "spaces": "   ", "slashes": "/" * 3000,
        "a row of a table": "a | b | c", "html": "<script>alert(1)</script>", "wide letters": "層" * 500, "a surrogate pair": "😀" * 9,
    }.items():  # fmt: skip
        made = node("Relu", [name or "x"], ["y"], name=name)
        yield f"names: {what}", model([made], {name or "x": REAL})


def deep() -> Iterator[tuple[str, ModelProto]]:
    """Long, wide and nested graphs."""
    nodes = [node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(2000)]
    yield "a chain of 2,000", model(nodes, {"t0": REAL}, ["t2000"])
    inputs = {f"x{i}": REAL for i in range(2000)}
    yield "2,000 inputs", model([node("Sum", list(inputs))], inputs)  # type: ignore[arg-type]
    outputs = [f"y{i}" for i in range(2000)]
    yield "2,000 outputs", model([node("Relu", ["x"], [name]) for name in outputs], {"x": REAL}, outputs)
    body = helper.make_graph(
        [node("Relu", ["x"], ["b"])], "b", [], [helper.make_empty_tensor_value_info("b")]
    )
    for _ in range(30):
        inner = node("If", ["c"], ["b"], then_branch=body, else_branch=body)
        body = helper.make_graph(
            [node("Relu", ["x"], ["q"])], "b", [], [helper.make_empty_tensor_value_info("q")]
        )
        body = helper.make_graph([inner], "b", [], [helper.make_empty_tensor_value_info("b")])
        if body.ByteSize() > 100_000:
            break
    made = node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    yield "nested If", model([made], {"c": ("bool", ()), "x": REAL})
    yield "Loop without a body", model([node("Loop", ["", "c"], ["y"])], {"c": ("bool", ())})
    yield "If without branches", model([node("If", ["c"], ["y"])], {"c": ("bool", ())})
    for depth, width in ((2, 2), (12, 8), (1, 1)):
        yield f"functions {depth} deep, {width} wide", functions(depth, width)
    yield "a function of itself", functions(1, 1, itself=True)


def functions(depth: int, width: int, itself: bool = False) -> ModelProto:
    """A call of a function that calls another, `width` times at each of `depth` levels."""
    made = model([_call(0, "x", "y")], {"x": REAL}, ["y"], domains=["own"])
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    for level in range(depth):
        steps = [_call(0 if itself else level + 1, f"t{i}", f"t{i + 1}") for i in range(width)]
        made.functions.append(helper.make_function("own", f"F{level}", ["t0"], [f"t{width}"], steps, sets))
    if not itself:
        made.functions.append(
            helper.make_function("own", f"F{depth}", ["a"], ["b"], [node("Relu", ["a"], ["b"])], sets)
        )
    return made


def _call(level: int, source: str, target: str) -> onnx.NodeProto:
    made = node(f"F{level}", [source], [target])
    made.domain = "own"
    return made


def initializers() -> Iterator[tuple[str, TensorProto, str]]:
    """Constants whose bytes do not fit what they claim."""

    def tensor(
        dims: tuple[int, ...], kind: int = 1, raw: bytes | None = None, name: str = "k"
    ) -> TensorProto:
        made = TensorProto(name=name, data_type=kind, dims=dims)
        if raw is not None:
            made.raw_data = raw
        return made

    yield "no bytes", tensor((4,)), EITHER
    yield "too few bytes", tensor((4,), raw=b"\0" * 3), EITHER
    yield "too many bytes", tensor((4,), raw=b"\0" * 99), EITHER
    yield "2^62 claimed", tensor((1 << 62,), raw=b"\0" * 16), EITHER
    yield "2^62 by 2^62 claimed", tensor((1 << 62, 1 << 62), raw=b"\0" * 16), EITHER
    yield "a negative size", tensor((-4,), raw=b"\0" * 16), "negative size"
    yield "no elements", tensor((0,), raw=b""), EITHER
    yield "rank 1,000", tensor((1,) * 1000, raw=b"\0" * 4), EITHER
    yield "no type", tensor((4,), 0, b"\0" * 16), EITHER
    yield "type 999", tensor((4,), 999, b"\0" * 16), EITHER
    yield "strings", TensorProto(name="k", data_type=8, dims=(1,), string_data=[b"a"]), EITHER
    yield "int4", tensor((3,), 22, b"\x12\x03"), EITHER
    yield "int4, too few", tensor((9,), 22, b"\x12"), EITHER
    yield "float8", tensor((3,), 17, b"\1\2\3"), EITHER
    yield "complex", tensor((1,), 14, b"\0" * 8), EITHER


def _tall_kernel(rows: int) -> ModelProto:
    """A quantized Conv whose weights claim these rows and have a few bytes."""
    kernel = TensorProto(name="w", data_type=3, dims=(4, 16, rows, 1), raw_data=b"\1" * 64)
    made = quantized("Conv", MAP, "dw")
    made.graph.node.insert(0, node("DequantizeLinear", ["w", "s", "z"], ["dw"]))
    made.graph.initializer.append(kernel)
    return made


def external() -> Iterator[tuple[str, dict[str, str], str]]:
    """Weights in other files."""
    outside = "outside the model's folder"
    yield "in the folder above", {"location": "../w.bin"}, outside
    yield "at an absolute path", {"location": "/etc/passwd"}, outside
    yield "nowhere", {}, outside
    yield "in a file that is not there", {"location": "none.bin"}, EITHER
    yield "in a pipe", {"location": "pipe"}, EITHER
    yield "in the folder itself", {"location": "."}, EITHER
    yield "behind a link to a device", {"location": "device"}, outside
    yield "behind links that run in a circle", {"location": "circle"}, EITHER
    yield "past the end", {"location": "w.bin", "offset": "99999999"}, EITHER
    yield "before the beginning", {"location": "w.bin", "offset": "-8"}, EITHER
    yield "2^64 bytes", {"location": "w.bin", "length": str(1 << 64)}, EITHER
    yield "a length of 10,000 digits", {"location": "w.bin", "length": "9" * 10000}, "unreadable"
    yield "an offset that is not a number", {"location": "w.bin", "offset": "x"}, "unreadable"
    yield "a location of 10,000 letters", {"location": "n" * 10000}, EITHER
    yield "a location with a null", {"location": "a\0b"}, EITHER
    yield "a location up and down", {"location": "a/../../w.bin"}, outside


def _external(entries: dict[str, str]) -> Write:
    def write(folder: Path) -> Path:
        inner = folder / "inner"
        inner.mkdir()
        (inner / "w.bin").write_bytes(b"\0" * 64)
        os.mkfifo(inner / "pipe")
        (inner / "device").symlink_to("/dev/zero")
        (inner / "circle").symlink_to("circle")
        tensor = TensorProto(
            name="k", data_type=TensorProto.FLOAT, dims=(4,), data_location=TensorProto.EXTERNAL
        )
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        made = model([node("Add", ["x", "k"])], {"x": REAL}, raw=[tensor])
        (inner / "model.onnx").write_bytes(made.SerializeToString())
        return inner / "model.onnx"

    return write


def _sparse() -> Iterator[tuple[str, ModelProto, str]]:
    def made(dims: tuple[int, ...], indices: list[int], values: int) -> ModelProto:
        network = model([node("Add", ["x", "k"])], {"x": REAL})
        sparse = network.graph.sparse_initializer.add(dims=dims)
        sparse.values.CopyFrom(helper.make_tensor("k", 1, [values], [1.0] * values))
        sparse.indices.CopyFrom(helper.make_tensor("i", 7, [len(indices)], indices))
        return network

    yield "as it should be", made((4,), [1, 3], 2), OPENS
    yield "an index outside", made((4,), [1, 9], 2), EITHER
    yield "a negative index", made((4,), [-9], 1), EITHER
    yield "more values than indices", made((4,), [1], 3), EITHER
    yield "2^62 elements", made((1 << 62,), [1], 1), EITHER
    yield "a negative size", made((-4,), [1], 1), "negative size"


def cases() -> Iterator[Case]:
    for name, made in sizes():
        yield Case(f"sizes: {name}", saved(made), OPENS)
    for name, made in (*blow_ups(), *circles(), *names(), *deep()):
        yield Case(f"graphs: {name}", saved(made), EITHER)
    for name, tensor, expected in initializers():
        yield Case(
            f"initializers: {name}",
            saved(model([node("Add", ["x", "k"])], {"x": REAL}, raw=[tensor])),
            expected,
        )
    for power in (20, 31, 40, 62):
        yield Case(
            f"initializers: a kernel of 2^{power} rows claimed", saved(_tall_kernel(1 << power)), EITHER
        )
    for name, entries, expected in external():
        yield Case(f"external data: {name}", _external(entries), expected)
    for name, made, expected in _sparse():
        yield Case(f"sparse: {name}", saved(made), expected)
    damaged = quantized("Relu", MAP)
    damaged.graph.node[1].name = "name"
    data = damaged.SerializeToString().replace(b"name", b"\xff\xfe\xfd\xfc")
    yield Case("names: not UTF-8", content(data), "not UTF-8")
    damaged = quantized("Relu", MAP, opset=6)
    damaged.graph.node[1].op_type = "name"
    data = damaged.SerializeToString().replace(b"name", b"\xff\xfe\xfd\xfc")
    yield Case("names: not UTF-8, of an older opset", content(data), "not UTF-8")
    for opset, expected in (
        (0, EITHER),
        (-1, EITHER),
        (6, OPENS),
        (26, OPENS),
        (99, OPENS),
        (1 << 40, EITHER),
    ):
        yield Case(f"opset {opset}", saved(quantized("Relu", MAP, opset=opset)), expected)
    yield Case("no graph", saved(ModelProto(ir_version=8, producer_name="x")), "no graph")
    yield Case("an empty graph", saved(model([], {}, [])), "no graph")
