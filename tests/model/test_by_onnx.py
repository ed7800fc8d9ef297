"""onnx's own inference of one node is asked in a process of its own, which may end."""

from pathlib import Path

import pytest
from builders.models import from_text
from onnx import ModelProto, helper

from npuscope.model.budget import Budget, limited
from npuscope.model.validity import by_onnx
from npuscope.model.validity.faults import fault


def question(op: str, opset: int, *shapes: list[int], **attributes: object) -> bytes:
    model = ModelProto()
    model.opset_import.add(domain="", version=opset)
    names = [f"i{i}" for i in range(len(shapes))]
    model.graph.node.append(helper.make_node(op, names, ["o0"], **attributes))
    for name, shape in zip(names, shapes, strict=True):
        model.graph.input.append(helper.make_tensor_value_info(name, 1, shape))
    return model.SerializeToString()


def test_a_node_that_ends_onnx_has_no_answer_and_the_next_one_has() -> None:
    square = question("EyeLike", 9, [1, 2, 3])
    aborts = question("Split", 18, [3, 2], num_outputs=2)  # in onnx 1.23: an index behind the end of a vector
    first, _, third = by_onnx.answers([square, aborts, square])
    assert first == third == "Input tensor must be 2-dimensional"
    with limited(Budget(seconds=0.001)):
        assert by_onnx.answers([square, square]) == ["", ""]


def test_nodes_alike_are_one_question_and_plain_ones_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def answers(questions: list[bytes]) -> list[str]:
        asked.append(len(questions))
        return ["no such thing."] * len(questions)

    monkeypatch.setattr(by_onnx, "answers", answers)
    monkeypatch.setattr(by_onnx, "_ANSWERED", {})
    graph = from_text(
        """<ir_version: 8, opset_import: ["" : 20]>
g (float[1,4,7,9] x, float[2] r) => (float[1,4,7,9] y, float[1,4,7,9] z)
{ a = Erf(x)  b = Dropout(a)  c = Bernoulli(b)  d = Bernoulli(c)  e = Bernoulli <seed: float = 2.0> (d)  y = Neg(e)  z = Dropout(e, r) }""",
        tmp_path,
    ).graph
    faults = [fault(graph, node) for node in graph.nodes]
    assert asked == [2]
    assert faults[2] == faults[3] == faults[4] == "Bernoulli: no such thing. (onnx's own words)"
    assert faults[0] == faults[1] == faults[5] == ""
    assert faults[6] == "Dropout has a ratio of 2; it must be a scalar"


@pytest.mark.parametrize(
    ("op", "shapes", "wrong"),
    [
        ("Range", ([], [], []), ""),
        ("Range", ([1], [], [1]), ""),
        ("Range", ([], [4], []), "Range has limit of 4; it must be a single value"),
        ("ConstantOfShape", ([3],), ""),
        ("ConstantOfShape", ([2, 3],), "ConstantOfShape has shape of 2x3; it must be a vector"),
        ("OneHot", ([3, 4], [], [2]), ""),
        ("OneHot", ([3, 4], [1], [2]), ""),
        ("OneHot", ([3, 4], [2], [2]), "OneHot has depth of 2; it must be a single value"),
        ("OneHot", ([3, 4], [], [3]), "OneHot has values of 3; there must be two, for off and on"),
        ("Trilu", ([4, 4],), ""),
        ("Trilu", ([4],), "Trilu has data of 4; it must be a matrix or a batch of them"),
        ("NonMaxSuppression", ([1, 5, 4], [1, 1, 5]), ""),
        ("NonMaxSuppression", ([5, 4], [1, 1, 5]), "NonMaxSuppression has boxes of 5x4; it must have three dimensions"),
    ],
)  # fmt: skip
def test_ranks_that_onnx_need_not_be_asked_about(
    op: str, shapes: tuple[list[int], ...], wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a process; what is named here onnx objects to as well, or onnxruntime where it has no opinion."""
    monkeypatch.setattr(by_onnx, "answers", lambda questions: pytest.fail("asked"))
    kind = {"Range": "float", "ConstantOfShape": "int64", "OneHot": "float"}.get(op, "float")
    inputs = ", ".join(f"{kind}[{','.join(map(str, s))}] i{k}" for k, s in enumerate(shapes))
    graph = from_text(
        f"""<ir_version: 8, opset_import: ["" : 14]> g ({inputs}) => (float y)
        {{ o = {op} ({", ".join(f"i{k}" for k in range(len(shapes)))}) y = Identity (o) }}""",
        tmp_path,
    ).graph
    assert fault(graph, graph.nodes[0]) == wrong
