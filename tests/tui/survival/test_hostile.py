"""Names from model files are shown, never obeyed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from textual.widget import Widget

from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.text.spans import plain, safe

NAMES = [
    "[bold red]markup[/]",
    "[@click=app.exit()]click[/]",
    "[/nonsense",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "bell\x07back\x08tab\tnew\nline\r",
    "x" * 5000,
    "a/" * 300 + "deep",
    "/" * 40,
    "\u202eright to left\u202c",
    "שלום עולם",
    "名前" * 60,
    "e\u0301" * 80,
    "\u200b\u2060\ufeff",
    "👩‍👩‍👧‍👦" * 20,
    "$variable {braces} %s \\",
    "",
]


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (20, 6)])
async def test_hostile_names(
    size: tuple[int, int], make_chain: Callable[..., Path], explore: Any, settle: Any
) -> None:
    async with explore(make_chain(NAMES), size) as pilot:
        app = pilot.app
        tree = app.graph_tree
        assert len(app.snapshot.layers) == len(NAMES)
        for _ in range(len(tree.rows)):
            await pilot.press("right")
            tree.action_move(1)
            await settle(pilot)
            assert_clean(app.screen)
        for name in app.graph_tree.outline.position:
            tree.go_to_layer(name)
            assert tree.layer_name == name
        await settle(pilot)
        await pilot.press("slash", *"red", "enter")
        assert_clean(app.screen)


async def test_hostile_names_in_messages(make_chain: Callable[..., Path], explore: Any, settle: Any) -> None:
    path = make_chain(NAMES, file="[bold]evil[:].onnx")
    async with explore(path) as pilot:
        app = pilot.app
        for name in list(app.graph_tree.outline.position):
            app.graph_tree.go_to_layer(name)
            await pilot.press("s", "w")
        await settle(pilot)
        assert_clean(app.screen)
        assert "[bold]evil" in app.main.status.file


@pytest.mark.parametrize("op", ["Nope[red]\x1b[0m", "R" * 300])
async def test_hostile_operators(op: str, make_chain: Callable[..., Path], explore: Any, settle: Any) -> None:
    async with explore(make_chain(["a", "b"], op=op)) as pilot:
        await pilot.press("n")
        await settle(pilot)
        assert_clean(pilot.app.screen)


def assert_clean(screen: Widget) -> None:
    """What goes to the terminal holds no character it could act on, and fills each line exactly."""
    width = screen.size.width
    for strip in screen._compositor.render_strips():  # type: ignore[attr-defined]
        assert strip.cell_length == width
        assert strip.text == "".join(c if c.isprintable() else "!" for c in strip.text)


def test_safe_is_the_last_guard() -> None:
    assert safe("\x1b[31m") == "\ufffd[31m"
    assert safe("plain") == "plain"
    assert plain(()) == ""


async def test_a_model_without_layers_and_one_without_sizes(
    tmp_path: Path, explore: Any, settle: Any
) -> None:
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", None])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", None])]
    for name, nodes, outputs, texts in (
        ("none.onnx", [], ends, "the model has no layers"),
        ("sizes.onnx", [helper.make_node("Relu", ["x"], ["y"])], out, "? ms"),
    ):
        graph = helper.make_graph(nodes, "g", ends, outputs)
        path = tmp_path / name
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
        async with explore(path, (80, 24)) as pilot:
            bar = pilot.app.screen.query_one(StatusLine)
            assert texts in plain(bar.bar(78))


async def test_without_a_model_the_title_says_what_to_do(tmp_path: Path, explore: Any, settle: Any) -> None:
    async with explore(tmp_path / "not there.onnx", (80, 24)) as pilot:
        await pilot.press("escape")
        await settle(pilot)
        text = plain(pilot.app.screen.query_one(StatusLine).bar(78))
        assert "no model is open: o opens one" in text
        assert "not there" not in text
        hints = {hint.label for hint in pilot.app.screen.query_one(KeyBar).hints}
        assert hints == {"open", "theme", "help", "quit"}, "nothing is named that does nothing"
