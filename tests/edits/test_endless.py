"""What edits look for in a graph ends, however paths part and meet, and where they lead in a circle."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.edits.toolkit import relayout
from npuscope.edits.toolkit.elementwise import written_as
from npuscope.edits.toolkit.intervals import output_range
from npuscope.edits.toolkit.shared_grids import dequantize_before, shared_grid
from npuscope.model.graph import Graph
from npuscope.model.layers import fold

HEAD = """<ir_version: 8, opset_import: ["" : 13]> g (int8[1, 4] x) => (int8[1, 4] y)
<float s = {0.1}, int8 z = {0}, float one = {1.0}, float three = {3.0}, float six = {6.0}, float nought = {0.0}>"""


def _graph(folder: Path, *lines: str) -> Graph:
    return from_text(HEAD + "{ " + "\n".join(lines) + " }", folder).graph


def _between(folder: Path, steps: list[str], last: str) -> Graph:
    first, end = "t0 = DequantizeLinear(x, s, z)", f"y = QuantizeLinear({last}, s, z)"
    return _graph(folder, first, *steps, end)


DIAMOND = (
    "a{0} = MaxPool <kernel_shape = [1]> (t{0})  b{0} = Identity(t{0})  t{1} = Concat <axis = 0> (a{0}, b{0})"
)


@pytest.mark.parametrize("step", ["t{1} = Identity(t{0})", DIAMOND], ids=["in a row", "parting and meeting"])
def test_a_grid_shared_by_thousands(step: str, tmp_path: Path) -> None:
    count = 40 if step is DIAMOND else 3000
    graph = _between(tmp_path, [step.format(n, n + 1) for n in range(count)], f"t{count}")
    group = shared_grid(graph, graph.nodes[0])
    assert group.stored == {"x", "y"} and {f"t{n}" for n in range(count + 1)} <= group.floats
    backwards = next(node for node in graph.nodes if node.op == "QuantizeLinear")
    assert backwards.name in group.nodes


def test_a_circle_of_movers(tmp_path: Path) -> None:
    graph = _graph(tmp_path, "a = Identity(b)", "b = Identity(a)", "y = QuantizeLinear(a, s, z)")
    assert dequantize_before(graph, "a") is None
    assert len(list(relayout.before(graph, "a", None))) <= relayout.MOST_MOVES + 1
    assert len(list(relayout.behind(graph, "b", None))) <= relayout.MOST_MOVES + 1


def test_a_range_whose_paths_double_at_each_layer(tmp_path: Path) -> None:
    """Sixty operands of each of seven layers: 60^7 paths."""
    steps = [f"t{n + 1} = Max({', '.join([f't{n}'] * 60)})" for n in range(7)]
    graph = _between(tmp_path, steps, "t7")
    layers = fold(graph)
    assert output_range(layers.of_node[graph.producer("t7").name], layers) is not None  # type: ignore[union-attr]


def test_a_function_whose_paths_double_at_each_operator(tmp_path: Path) -> None:
    """Fifty operands of each of seven Max: 50^7 paths to what nobody knows."""
    steps = [f"t{n + 1} = Max({', '.join([f't{n}'] * 50)})" for n in range(7)]
    graph = _between(tmp_path, [*steps, "u = Sin(t0)", "v = Add(u, t7)"], "v")
    node = graph.producer("v")
    assert node is not None and written_as(graph, node, lambda x: x, 1e-3) is None
