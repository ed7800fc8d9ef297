"""The graph on the screen: the rail, the neighbourhood, and keys that walk along edges."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual.pilot import Pilot

from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.main import following
from npuscope.tui.screens.memory.text import buffer_names
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.lists.rail import rail_line, rail_width
from npuscope.widgets.panes.neighbourhood import Neighbourhood, neighbourhood, tensor_label
from npuscope.widgets.text.spans import length, plain

MODEL = Path(__file__).resolve().parents[3] / "sample_models" / "denoiser_lstm_int8.onnx"


async def opened(pilot: Pilot[None]) -> Npuscope:
    app = pilot.app
    assert isinstance(app, Npuscope)
    end = monotonic() + 400
    while not app.snapshot.layers:
        assert monotonic() < end
        await pilot.pause(0.01)
    return app


async def test_brackets_walk_and_ctrl_o_goes_back() -> None:
    async with Npuscope(str(MODEL), target()).run_test(size=(120, 40)) as pilot:
        app = await opened(pilot)
        app.main.go_to("Gemm_28")
        await pilot.press("right_square_bracket")
        consumer = app.graph_tree.layer_name
        assert consumer is not None and app.snapshot.by_name[consumer].layer.op == "Add"
        await pilot.press("left_square_bracket")
        first = app.graph_tree.layer_name
        producers = app.snapshot.links.producers(app.snapshot.by_name[consumer].layer)
        assert first == producers[0].layer
        await pilot.press("ctrl+o")
        assert app.graph_tree.layer_name == consumer
        await pilot.press("ctrl+o")
        assert app.graph_tree.layer_name == "Gemm_28"
        await pilot.press("alt+o")
        assert app.graph_tree.layer_name == consumer


async def test_a_click_or_enter_on_a_neighbour_goes_there(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        pane, tree = app.main.query_one(Neighbourhood), app.graph_tree

        def at(layer: str) -> tuple[int, int]:
            return 8, pane.heading_lines + pane._places.index(layer) - pane.scroll_offset.y

        app.main.go_to("Add_31")
        await settle(pilot)
        feeding = [link.layer for link in app.snapshot.links.producers(app.snapshot.by_name["Add_31"].layer)]
        assert feeding == ["Gemm_28", "Gemm_30"]
        await pilot.click(Neighbourhood, offset=at("Gemm_30"))
        await settle(pilot)
        assert tree.layer_name == "Gemm_30"
        await pilot.press("ctrl+o", "4", "up", "up", "enter")
        await settle(pilot)
        assert tree.layer_name == "Gemm_28" and pane.has_focus, "the keys stay, to walk on"
        await pilot.press("down", "enter")
        await settle(pilot)
        assert tree.layer_name == "Add_31"
        await pilot.press("enter")
        await settle(pilot)
        (reader,) = {
            link.layer for link in app.snapshot.links.consumers(app.snapshot.by_name["Add_31"].layer)
        }
        assert tree.layer_name == reader, "the cursor keeps the direction"
        await pilot.press("escape", "home")
        await settle(pilot)
        hottest = max(app.snapshot.layers, key=app.snapshot.time_of).name
        await pilot.click(Neighbourhood, offset=at(hottest))
        assert tree.layer_name == hottest


async def test_a_key_acts_on_the_layer_that_a_running_cursor_came_to(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The panes wait while it runs; what acts on them does not."""
    async with explore(denoiser) as pilot:
        monkeypatch.setattr(following, "DELAY", 1e6)
        app = pilot.app
        pane = app.main.query_one(Neighbourhood)
        await pilot.press("home", "n", "n")
        assert app.selection.title != app.graph_tree.layer_name, "the key is held"
        await pilot.press("y")
        assert app.graph_tree.layer_name in app.clipboard
        await pilot.press("n", "n", "4")
        assert app.selection.title == app.graph_tree.layer_name
        assert pane.has_focus
        for _ in range(3):
            await pilot.press("enter")
            here = app.graph_tree.layer_name
            links = app.snapshot.links
            around = {
                link.layer
                for link in (
                    *links.producers(app.snapshot.by_name[here].layer),
                    *links.consumers(app.snapshot.by_name[here].layer),
                )
            }
            await pilot.press("enter")
            assert app.graph_tree.layer_name in around
        app.main._following._stop()


async def test_ctrl_o_goes_back_from_wherever_a_key_or_a_screen_led(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        for keys in (
            ("n",),
            (".",),
            ("/", *"Gemm_74", "enter"),
            ("L", "down", "enter"),
            ("i", "down", "enter"),
        ):
            app.main.go_to("Add_31")
            await settle(pilot)
            await pilot.press(*keys)
            await settle(pilot)
            assert app.graph_tree.layer_name != "Add_31", keys
            await pilot.press("ctrl+o")
            assert app.graph_tree.layer_name == "Add_31", keys


async def test_hottest_layers_come_in_the_order_of_their_time() -> None:
    async with Npuscope(str(MODEL), target()).run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        wanted = sorted(app.graph_tree.outline.order, key=lambda report: -app.snapshot.time_of(report))[:3]
        for report in wanted:
            await pilot.press("full_stop")
            assert app.graph_tree.layer_name == report.name
        await pilot.press("comma")
        assert app.graph_tree.layer_name == wanted[1].name


async def test_a_neighbourhood_is_a_key_away_at_80_columns() -> None:
    async with Npuscope(str(MODEL), target()).run_test(size=(80, 24)) as pilot:
        app = await opened(pilot)
        app.main.go_to("Gemm_28")
        await pilot.press("4")
        await pilot.pause()
        assert app.query_one(Neighbourhood).display
        text = "\n".join(
            plain(line) for line, _ in neighbourhood(app.snapshot, app.snapshot.by_name["Gemm_28"], 42)
        )
        assert "Add_31" in text and "Flatten_26" in text
        assert "CPU→NPU" in text and "NPU→CPU" in text


async def test_the_rail_fills_its_cells_and_every_edge_has_its_ends() -> None:
    async with Npuscope(str(MODEL), target()).run_test(size=(120, 40)) as pilot:
        app = await opened(pilot)
        tree = app.query_one(GraphTree)
        drawn = tree._rail
        assert len(drawn) == len(tree.rows)
        width = rail_width(tree.line_width)
        assert width > 0
        for index in range(len(tree.rows)):
            assert length(rail_line(tree.rows, drawn, index, width)) == width
        at = next(
            i for i, row in enumerate(tree.rows) if row.report is not None and row.report.name == "Add_31"
        )
        assert len(drawn[at].ends) == 2  # the two Gemms


def test_lines_fit_any_width() -> None:
    from npuscope.services.open import open_model
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    snapshot = analyse(Session.open(open_model(MODEL), target()))
    for width in (20, 35, 63, 64, 90, 140):
        for report in snapshot.layers:
            assert all(length(line) <= width for line, _ in neighbourhood(snapshot, report, width))


@pytest.mark.parametrize(
    ("tensor", "label"),
    [
        ("/model.2/act/Mul_output_0_QuantizeLinear_Output", "Mul_output_0"),
        ("net/block1_relu/Relu6;net/block1_bn/FusedBatchNormV3;net/block1_conv/Conv2D", "block1_relu"),
        ("Relu;Conv", "Relu"),
        ("net/add/add", "add"),
        ("", ""),
    ],
)
def test_what_a_tensor_is_called(tensor: str, label: str) -> None:
    assert tensor_label(tensor) == label


def test_buffers_are_named_without_a_quantizers_ending_unless_it_tells_them_apart() -> None:
    full = ["/a/Conv_out_QuantizeLinear_Output", "/a/Mul_out_QuantizeLinear_Output"]
    assert buffer_names(full, 40) == ["/a/Conv_out", "/a/Mul_out"]
    assert len(set(buffer_names([full[0], "/a/Conv_out"], 40))) == 2
