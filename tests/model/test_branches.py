"""An If whose condition is known is the branch it takes; others stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from builders.models import analysed, from_text, save_text
from onnx.reference import ReferenceEvaluator

from npuscope.model.load import Source, load
from npuscope.model.serialize import to_model

HEAD = '<ir_version: 8, opset_import: ["" : 13]>'
YES = "c = Constant <value = bool[1] {1}> ()"
NO = "c = Constant <value = bool[1] {0}> ()"


def text(condition: str, then: str, otherwise: str, around: str = "", shape: str = "1,4") -> str:
    """x -> r = Relu(x) -> If -> y."""
    return f"""{HEAD}
g (float[{shape}] x, bool d) => (float[{shape}] y) <float[{shape}] w = {{1, 2, 3, 4}}> {{
    {condition}
    r = Relu(x)
    {around}
    q = If (c) <then_branch = t () => (float[{shape}] a) {{ {then} }},
                else_branch = e () => (float[{shape}] b) {{ {otherwise} }}>
    y = Add(q, w)
}}"""


def kinds(source: Source) -> list[str]:
    return [node.op for node in source.graph.nodes if node.op != "Constant"]


def result(model: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"x": np.float32([[-1.5, 2, 0.25, 3]]), "d": np.array(True)}
    (made,) = session.run(None, {value.name: feeds[value.name] for value in session.get_inputs()})
    return np.asarray(made)


TWO = "m = Abs(r) a = Neg(m)"
FROM_SHAPE = (
    "s = Shape(x) i = Constant <value = int64[1] {1}> () n = Gather(s, i) "
    "f = Constant <value = int64[1] {4}> () c = Equal(n, f)"
)
BODIES: dict[str, tuple[str, list[str]]] = {
    "a constant": (text(YES, TWO, "b = Exp(r)"), ["Relu", "Abs", "Neg", "Add"]),
    "the other branch": (text(NO, TWO, "b = Exp(r)"), ["Relu", "Exp", "Add"]),
    "of sizes": (
        text(FROM_SHAPE, TWO, "b = Exp(r)"),
        ["Shape", "Gather", "Equal", "Relu", "Abs", "Neg", "Add"],
    ),
    "computed of a constant": (
        text("k = Constant <value = bool[1] {0}> () c = Not(k)", TWO, "b = Exp(r)"),
        ["Not", "Relu", "Abs", "Neg", "Add"],
    ),
    "a tensor from outside": (text(YES, "a = Identity(r)", "b = Exp(r)"), ["Relu", "Identity", "Add"]),
    "a constant as the result": (
        text(YES, "a = Constant <value = float[1,4] {5, 6, 7, 8}> ()", "b = Exp(r)"),
        ["Relu", "Add"],
    ),
    "names that two branches share": (
        text(
            YES,
            "p = Sin(r) a = Neg(p)",
            "b = Exp(r)",
            "w2 = If (c) <then_branch = u () => (float[1,4] a) { p = Cos(r) a = Exp(p) }, "
            "else_branch = o () => (float[1,4] a) { p = Tan(r) a = Exp(p) }>",
        ).replace("Add(q, w)", "Add(q, w2)"),
        ["Relu", "Cos", "Exp", "Sin", "Neg", "Add"],
    ),
    "names of a branch of the data behind it": (
        text(
            YES,
            "p = Sin(r) a = Neg(p)",
            "b = Exp(r)",
            "",
        ).replace(
            "y = Add(q, w)",
            "q2 = If (d) <then_branch = u () => (float[1,4] a) { p = Cos(q) a = Exp(p) }, "
            "else_branch = o () => (float[1,4] a) { p = Tan(q) a = Exp(p) }> y = Add(q2, w)",
        ),
        ["Relu", "Sin", "Neg", "If", "Add"],
    ),
    "a branch in a branch": (
        text(
            YES,
            "k = Constant <value = bool[1] {0}> () a = If (k) <"
            "then_branch = u () => (float[1,4] v) { v = Exp(r) }, "
            "else_branch = o () => (float[1,4] v) { m = Sin(r) v = Cos(m) }>",
            "b = Exp(r)",
        ),
        ["Relu", "Sin", "Cos", "Add"],
    ),
    "a branch of the data in it": (
        text(
            YES,
            "m = Abs(r) a = If (d) <then_branch = u () => (float[1,4] v) { v = Exp(m) }, "
            "else_branch = o () => (float[1,4] v) { v = Sin(m) }>",
            "b = Exp(r)",
        ),
        ["Relu", "Abs", "If", "Add"],
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_branch_that_is_taken_computes_what_the_if_did(name: str, tmp_path: Path) -> None:
    model, expected = BODIES[name]
    source = load(save_text(model, tmp_path / "m.onnx"))
    assert kinds(source) == expected
    assert "as onnxsim writes it" in source.notes[0]
    written = to_model(source, source.graph)
    onnx.checker.check_model(written, full_check=True)
    np.testing.assert_array_equal(result(written), result(onnx.parser.parse_model(model)))


def test_a_body_within_a_branch_may_define_what_the_if_is_called(tmp_path: Path) -> None:
    """onnxruntime, which takes such branches itself, confuses the two: the reference does not."""
    loop = """p = Abs(r) k = Constant <value = int64[1] {3}> () t = Constant <value = bool[1] {1}> ()
        n = Squeeze(k) u = Squeeze(t)
        a = Loop (n, u, p) <body = l (int64 i, bool ok, float[1,4] q) => (bool on, float[1,4] s)
            { on = Identity(ok) s = Add(q, p) }>"""
    model = text(YES, loop.replace("a = Loop", "z = Loop"), "b = Exp(r) z2 = Exp(r)")
    model = model.replace("q = If", "q, q3 = If").replace(
        "t () => (float[1,4] a)", "t () => (float[1,4] p, float[1,4] z)"
    )
    model = model.replace("e () => (float[1,4] b)", "e () => (float[1,4] b, float[1,4] z2)").replace(
        "Add(q, w)", "Add(q, q3)"
    )
    source = load(save_text(model, tmp_path / "m.onnx"))
    assert kinds(source)[:4] == ["Relu", "Abs", "Squeeze", "Squeeze"]
    written = to_model(source, source.graph)
    onnx.checker.check_model(written, full_check=True)
    feeds = {"x": np.float32([[-1.5, 2, 0.25, 3]]), "d": np.array(True)}
    (made,) = ReferenceEvaluator(written).run(None, feeds)
    np.testing.assert_array_equal(made, [[0, 10, 1.25, 15]])
    np.testing.assert_array_equal(result(written), made)


def test_what_a_branch_stores_comes_with_it(tmp_path: Path) -> None:
    """Two branches with a stored tensor of one name."""
    model = onnx.parser.parse_model(text(YES, TWO, "b = Exp(r)"))
    (node,) = (node for node in model.graph.node if node.op_type == "If")
    body = node.attribute[0].g
    del body.node[:]
    body.initializer.append(onnx.numpy_helper.from_array(np.float32([[9, 8, 7, 6]]), "w"))
    body.node.append(onnx.helper.make_node("Mul", ["r", "w"], ["a"]))
    onnx.save(model, tmp_path / "m.onnx")
    source = load(tmp_path / "m.onnx")
    mul = next(node for node in source.graph.nodes if node.op == "Mul")
    np.testing.assert_array_equal(source.graph.constants[mul.inputs[1]].array(), [[9, 8, 7, 6]])
    np.testing.assert_array_equal(source.graph.constants["w"].array(), [[1, 2, 3, 4]])
    np.testing.assert_array_equal(result(to_model(source, source.graph)), result(model))


@pytest.mark.parametrize(
    "model",
    [
        text("c = Identity(d)", TWO, "b = Exp(r)"),
        text("c = Constant <value = float[1] {1}> ()", TWO, "b = Exp(r)"),
    ],
)
def test_an_if_that_is_decided_at_run_time_stays_on_the_cpu(model: str, tmp_path: Path) -> None:
    source = from_text(model, tmp_path)
    assert "If" in kinds(source)
    assert not any("onnxsim" in note for note in source.notes)
    (layer,) = (layer for layer in analysed(source).layers if layer.layer.op == "If")
    assert layer.off_npu


def test_branches_within_branches_end(tmp_path: Path) -> None:
    inner = "v0 = Exp(r)"
    for depth in range(12):
        inner = (
            f"k{depth} = Constant <value = bool[1] {{1}}> () v{depth + 1} = If (k{depth}) <"
            f"then_branch = u{depth} () => (float[1,4] v{depth}) {{ {inner} }}, "
            f"else_branch = o{depth} () => (float[1,4] z{depth}) {{ z{depth} = Sin(r) }}>"
        )
    source = from_text(text(YES, f"{inner} a = Neg(v12)", "b = Exp(r)"), tmp_path)
    assert "If" in kinds(source) and "5 more" in source.notes[0]
