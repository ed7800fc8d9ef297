"""The graph tree: rows, opening, moving, finding."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from npuscope.tui.screens import guarded
from npuscope.widgets.bars.search_bar import SearchBar, SearchCount
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.lists.rail import rail_width
from npuscope.widgets.text.spans import plain


def tree_of(pilot: Any) -> GraphTree:
    tree = pilot.app.graph_tree
    assert isinstance(tree, GraphTree)
    return tree


def texts(tree: GraphTree) -> list[str]:
    return [plain(tree.body(i, tree.line_width)) for i in range(tree.count)]


async def test_layers_are_grouped_by_scope(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser, (160, 40)) as pilot:
        tree = tree_of(pilot)
        assert [row.label for row in tree.rows if row.kind is Kind.SCOPE] == [
            "input",
            "lstm_0",
            "lstm_1",
            "mask",
        ]
        assert sum(row.kind is Kind.LAYER for row in tree.rows) == 32
        (line,) = [text for text in texts(tree) if "Gemm_28" in text]
        assert "257→1024" in line
        assert "✗ CPU" in line
        assert "Gemm " in line


async def test_a_layer_opens_to_its_nodes_and_their_tensors(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        tree = tree_of(pilot)
        tree.go_to_layer("Gemm_28")
        await pilot.press("right")
        nodes = [row for row in tree.rows if row.kind is Kind.NODE]
        assert sorted({row.op for row in nodes}) == ["DequantizeLinear", "Gemm", "QuantizeLinear"]
        await pilot.press("right", "right")
        await settle(pilot)
        tensors = [row for row in tree.rows if row.kind is Kind.TENSOR]
        assert {row.op for row in tensors} == {"in", "out"}
        assert any("int8 1×257" in row.detail for row in tensors)
        assert pilot.app.selection.report.name == "Gemm_28", "the panes stay with the layer"
        await pilot.press("left", "left", "left")
        assert tree.layer_name == "Gemm_28"
        assert not any(row.kind is Kind.NODE for row in tree.rows)


async def test_a_closed_scope_says_what_it_hides(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        tree = tree_of(pilot)
        tree.go_to_key("s:lstm_0")
        await pilot.press("enter")
        (line,) = [text for text in texts(tree) if "lstm_0" in text]
        assert "✗ 1 CPU" in line
        assert "13 layers" in line
        await pilot.press("n")
        assert tree.layer_name == "Gemm_28", "the next one off the NPU opens what hides it"


async def test_subgraphs_open(tmp_path: Path, explore: Any) -> None:
    body = [
        helper.make_graph(
            [helper.make_node(op, ["x"], ["b"], name=f"inner_{op}")],
            f"{op}_branch",
            [],
            [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 4])],
        )
        for op in ("Relu", "Neg")
    ]
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], name="choice", then_branch=body[0], else_branch=body[1])],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )
    path = tmp_path / "if.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    async with explore(path) as pilot:
        tree = tree_of(pilot)
        tree.go_to_layer("choice")
        await pilot.press("right", "right", "right")
        bodies = [row for row in tree.rows if row.kind is Kind.BODY]
        assert {row.label for row in bodies} == {"Relu_branch", "Neg_branch"}
        tree.go_to_key(bodies[0].key)
        await pilot.press("right")
        assert any(row.label.startswith("inner_") for row in tree.rows)


async def test_the_cursor_and_what_is_open_survive_an_edit(denoiser: Path, explore: Any, settle: Any) -> None:
    from npuscope.edits.kinds.split_output import SplitOutput

    async with explore(denoiser, (120, 24)) as pilot:
        tree = tree_of(pilot)
        tree.go_to_key("s:lstm_1")
        await pilot.press("enter")
        tree.go_to_layer("Conv2D_79")
        await pilot.press("right")
        row = tree.cursor - tree.scroll_offset.y
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        assert tree.layer_name == "Conv2D_79"
        assert tree.cursor - tree.scroll_offset.y == row, "the row is where it was on the screen"
        assert "s:lstm_1" not in tree.opened
        assert "l:Conv2D_79" in tree.opened
        changed = [
            report.name for report in pilot.app.snapshot.layers if report.name in pilot.app.snapshot.changed
        ]
        assert changed
        assert all(name.startswith("Gemm_30_") for name in changed)
        marked = [text for text in texts(tree) if text.startswith("▎")]
        assert len(marked) == len(changed)


async def test_search(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        tree, bar = tree_of(pilot), pilot.app.query_one(SearchBar)
        tree.go_to_layer("Add_31")
        await pilot.press("slash", *"gemm")
        assert bar.is_open
        assert tree.layer_name == "Gemm_51", "the first from the cursor on"
        await pilot.press("down")
        assert tree.layer_name == "Gemm_53"
        await pilot.press("up", "up")
        assert tree.layer_name == "Gemm_30"
        assert bar.query_one(SearchCount).place == (1, 5)
        await pilot.press("enter")
        assert not bar.is_open
        assert tree.layer_name == "Gemm_30"
        assert tree.has_focus

        await pilot.press("slash", *"sigmoid")
        assert tree.layer_name == "Sigmoid_33"
        await pilot.press("escape")
        assert tree.layer_name == "Gemm_30"
        await pilot.press("slash", *"nothing like it")
        assert bar.query_one(SearchCount).place == (0, 0)
        await pilot.press("escape")
        await pilot.press("slash", *"mask conv", "enter")
        assert tree.layer_name == "Conv2D_79", "words in scope and operator"


@pytest.mark.parametrize("scoped", [False, True])
async def test_five_thousand_layers(scoped: bool, make_chain: Callable[..., Path], explore: Any) -> None:
    """Many layers open at once and every key is answered at once."""
    names = [f"/block_{i // 50}/part_{i % 7}/relu_{i}" if scoped else f"relu_{i}" for i in range(5_000)]
    async with explore(make_chain(names)) as pilot:
        tree = tree_of(pilot)
        if scoped:
            assert tree.count < 200
        else:
            assert tree.count == 5_001
        started = time.thread_time()
        for _ in range(20):
            tree.action_page(1)
            tree.action_move(1)
        tree.go_to_layer(names[4_500])
        assert tree.layer_name == names[4_500]
        tree.action_edge(1)
        assert time.thread_time() - started < 1.0


async def test_the_mouse_selects_and_opens(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        tree = tree_of(pilot)
        index = next(i for i, row in enumerate(tree.rows) if row.label == "Gemm_28")
        await pilot.click(GraphTree, offset=(12, index + 1))
        assert tree.layer_name == "Gemm_28"
        assert not any(row.kind is Kind.NODE for row in tree.rows)
        await pilot.click(GraphTree, offset=(3 + rail_width(tree.line_width), index + 1))
        assert any(row.kind is Kind.NODE for row in tree.rows)


async def test_next_and_previous_from_anywhere(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        tree = tree_of(pilot)
        await pilot.press("N")
        assert tree.layer_name == "Conv2D_79"
        await pilot.press("N")
        assert tree.layer_name == "Gemm_28"
        tree.go_to_key("s:lstm_1")
        await pilot.press("N")
        assert tree.layer_name == "Gemm_28"
        tree.go_to_key("s:lstm_1")
        await pilot.press("n")
        assert tree.layer_name == "Conv2D_79"


async def test_keys_held_down_end_where_they_should(denoiser: Path, explore: Any, settle: Any) -> None:
    """The panes may lag behind a running cursor, but not what a key acts on."""
    async with explore(denoiser) as pilot:
        for _ in range(10):
            pilot.app.graph_tree.action_move(1)
        pilot.app.main.action_off_npu(1)
        assert pilot.app.main.report.name == "Conv2D_79" or pilot.app.main.report.name == "Gemm_28"
        await settle(pilot)
        assert pilot.app.selection.report is pilot.app.main.report


async def test_a_step_and_what_the_panes_say_of_it_are_one_frame(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "UPDATE_PERIOD", 0.0)
    async with explore(denoiser) as pilot:
        main = pilot.app.main
        await pilot.press("home")
        await settle(pilot)
        before = main.selection.title
        frames: list[str] = []
        draw = type(main)._on_timer_update

        def drawn(screen: Any) -> None:
            frames.append(screen.selection.title)
            draw(screen)

        monkeypatch.setattr(type(main), "_on_timer_update", drawn)
        main._following._last_move = 0.0
        await pilot.press("down")
        assert main.selection.title != before
        assert frames == [main.selection.title]
