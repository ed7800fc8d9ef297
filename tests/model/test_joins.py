"""Joins and shortcuts: what branches meet, and what one of them goes around."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.yolo_like import yolo_like
from onnx import TensorProto, helper, save

from npuscope.model.inspection.joins import is_join, shortcut, together
from npuscope.model.layers import fold
from npuscope.model.links import Links
from npuscope.model.load import load


def graph_of(folder: Path, *nodes: tuple[str, str, str]) -> Links:
    """Links of float operators given as (name and output, operator, inputs); the last one is the output."""
    made = [helper.make_node(op, inputs.split(), [name], name=name) for name, op, inputs in nodes]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(nodes[-1][0], TensorProto.FLOAT, None)],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "g.onnx")
    return Links(fold(load(folder / "g.onnx").graph))


CASES = [
    ((("a", "Neg", "x"), ("b", "Exp", "a"), ("c", "Add", "a b")), True, ("a", ("b",))),
    ((("a", "Neg", "x"), ("b", "Sigmoid", "a"), ("c", "Mul", "a b")), False, ("a", ("b",))),
    ((("a", "Neg", "x"), ("b", "Exp", "x"), ("c", "Add", "a b")), True, None),
    ((("a", "Neg", "x"), ("b", "Exp", "a"), ("d", "Abs", "b"), ("c", "Add", "d a")), True, ("a", ("b", "d"))),
    ((("a", "Neg", "x"), ("b", "Exp", "a"), ("c", "Add", "b b")), False, None),
]


@pytest.mark.parametrize(("nodes", "joins", "around"), CASES)
def test_small_graphs(
    nodes: tuple[tuple[str, str, str], ...],
    joins: bool,
    around: tuple[str, tuple[str, ...]] | None,
    tmp_path: Path,
) -> None:
    links = graph_of(tmp_path, *nodes)
    by_name = {layer.name: layer for layer in links.layers}
    place = {layer.name: at for at, layer in enumerate(links.layers)}
    last = links.layers[-1]
    assert is_join(links, last, by_name) is joins
    skip = shortcut(links, last, by_name, place)
    assert (None if skip is None else (skip.source, skip.skipped)) == around


def test_a_residual_skips_its_block(tmp_path: Path) -> None:
    links = Links(fold(load(yolo_like(tmp_path / "y.onnx")).graph))
    by_name = {layer.name: layer for layer in links.layers}
    place = {layer.name: at for at, layer in enumerate(links.layers)}
    joins = [layer.name for layer in links.layers if is_join(links, layer, by_name)]
    assert joins == ["/model.2/m.0/Add", "/model.2/m.1/Add", "/model.6/Concat"]
    skip = shortcut(links, by_name["/model.2/m.1/Add"], by_name, place)
    assert skip is not None and skip.source == "/model.2/m.0/Add"
    assert together(skip.skipped) == "/model.2/m.1"
    assert len(skip.skipped) == 6


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a",), "a"),
        (("/b/c", "/b/d"), "/b"),
        (("one", "two", "three"), "one … three"),
        (("/b/c1", "/b/c2"), "/b"),
    ],
)
def test_layers_in_a_word(names: tuple[str, ...], message: str) -> None:
    assert together(names) == message
