"""The cursor on a node, a tensor or a constant: the pane says what it is, in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from npuscope.snapshot import Snapshot
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.part_text import part_lines
from npuscope.widgets.panes.selection import Part
from npuscope.widgets.text.spans import length, plain
from tests.model.test_inspection import SAMPLES, model_with_a_function


def pane_text(app: Any) -> str:
    pane = app.query_one(Eligibility)
    heading = plain(pane.heading(0, 40)) + "\n"
    return heading + "\n".join(plain(pane.body(i, pane.line_width)) for i in range(pane.count))


async def test_the_pane_follows_the_cursor_to_nodes_and_tensors(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        tree = app.graph_tree
        tree.go_to_layer("Conv2D_23")
        await pilot.press("right")
        at = next(i for i, row in enumerate(tree.rows) if row.kind is Kind.NODE and row.op == "Conv")
        tree.move_to(at)
        await settle(pilot)
        text = pane_text(app)
        assert text.startswith("Node ─")
        for word in ("strides", "pads", "group", "dilations", "by default"):
            assert word in text
        await pilot.press("right", "down", "down")
        await settle(pilot)
        assert tree.row.kind is Kind.TENSOR
        assert "made by" in pane_text(app) and tree.row.label in pane_text(app)
        tree.go_to_layer("Conv2D_23")
        await settle(pilot)
        assert "257 input channels" in pane_text(app)
        assert pane_text(app).startswith("Eligibility")


async def test_a_constant_shows_its_values_and_their_histogram(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        tree = pilot.app.graph_tree
        tree.go_to_layer("Conv2D_23")
        await pilot.press("right", "down", "down", "right", "down")
        await settle(pilot)
        text = pane_text(pilot.app)
        assert "66 049 values" in text.replace("\N{NO-BREAK SPACE}", " ")
        assert "▁" in text or "█" in text
        assert "257 scales" in text


async def test_a_function_opens_in_the_tree(tmp_path: Path, explore: Any, settle: Any) -> None:
    path = tmp_path / "f.onnx"
    onnx.save(model_with_a_function(), path)
    async with explore(path) as pilot:
        tree = pilot.app.graph_tree
        await pilot.press("down", "right", "right", "right", "end", "right", "right", "right")
        await settle(pilot)
        assert any(row.kind is Kind.BODY and row.op == "function" for row in tree.rows)
        assert [row.label for row in tree.rows if row.kind is Kind.NODE] == ["Twice_0", "sum"]
        tree.move_to(len(tree.rows) - 1)
        await settle(pilot)
        assert "float32 2×3" in pane_text(pilot.app)


def test_lines_fit_any_width() -> None:
    from npuscope.machine.machine import target
    from npuscope.services.open import open_model
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    snapshot: Snapshot = analyse(Session.open(open_model(SAMPLES / "mobilenet_mini_int8.onnx"), target()))
    graph = snapshot.graph
    for width in (20, 34, 60, 110):
        for node in graph.nodes[:40]:
            parts = [Part(node, graph), *(Part(node, graph, name) for name in (*node.inputs, *node.outputs))]
            for part in parts:
                assert all(length(line) <= width for line in part_lines(part, width)), (part.tensor, width)
