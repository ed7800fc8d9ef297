"""What each layer loses, on the screen: against the float model beside it, in the table of layers, on the grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.longer import SIZES
from builders.networks.float_networks import NETWORKS
from builders.shown_text import page_text

from npuscope.edits.kinds.pad_channels import PadOutputs
from npuscope.model.layers import fold
from npuscope.model.load import load
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.layer_accuracy import LayerAccuracy
from npuscope.numbers.quantize import Settings, quantize
from npuscope.tui.controllers.accuracy_keeper import beside_it
from npuscope.tui.screens.accuracy.screen import AccuracyScreen
from npuscope.tui.screens.accuracy.text import histogram, rows
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_columns import OWN
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.text.spans import plain


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A float model and its int8 one."""
    places = tmp_path / "residual_float.onnx", tmp_path / "residual_int8.onnx"
    onnx.save(NETWORKS["residual"](), places[0])
    source = load(places[0])
    onnx.save(quantize(source, random_samples(source, 2), Settings()).proto, places[1])
    return places


@pytest.mark.parametrize("size", SIZES)
async def test_layers_are_listed_by_what_they_lose_and_kept_for_the_table(
    pair: tuple[Path, Path], size: tuple[int, int], explore: Any, settle: Any
) -> None:
    async with explore(pair[1], size) as pilot:
        app = pilot.app
        await pilot.press("A")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, AccuracyScreen)
        assert screen.query_one(Entry).value == str(pair[0])
        await pilot.press("enter")
        await settle(pilot)
        assert screen.accuracy is not None
        own = [layer.own_sqnr_db for layer in screen.accuracy.layers]
        assert own == sorted(own)
        choices = screen.query_one(Choices)
        assert choices.count == len(own) > 8
        assert plain(choices.heading(0, choices.line_width)).startswith("layer")
        at = next(i for i, layer in enumerate(screen.accuracy.layers) if layer.name.startswith("Conv"))
        await pilot.press(*["down"] * at)
        assert "weights of" in page_text(screen)
        await pilot.press("enter")
        await settle(pilot)
        assert app.main.report is not None
        assert app.main.report.name == screen.accuracy.layers[at].name
        tree = app.graph_tree
        assert " dB" in plain(tree.heading(0, tree.line_width))
        own_db = next(f"{layer.own_sqnr_db:.1f}" for layer in screen.accuracy.layers[at:])
        assert own_db in plain(tree.body(tree.cursor, tree.line_width))
        app.main.action_layers()
        await settle(pilot)
        table = app.screen.query_one(LayerTable)
        assert "own dB" in plain(table.heading(0, table.line_width))
        table.sort_by(OWN)
        first = next(layer for layer in screen.accuracy.layers if layer.own_sqnr_db is not None)
        assert table.report is not None
        assert app.snapshot.own_decibels[table.report.name] == pytest.approx(first.own_sqnr_db)
        assert f"{first.own_sqnr_db:.1f}" in plain(table.body(0, table.line_width))
        await pilot.press("escape")
        app.make(PadOutputs("Conv_0", 9))
        await settle(pilot)
        assert app.session.done
        assert app.snapshot.own_decibels == {}


async def test_another_model_and_none_are_said(pair: tuple[Path, Path], explore: Any, settle: Any) -> None:
    async with explore(pair[1]) as pilot:
        await pilot.press("A")
        await settle(pilot)
        screen = pilot.app.screen
        screen.query_one(Entry).input.value = str(pair[0].parent / "none.onnx")
        await pilot.press("enter")
        await settle(pilot)
        assert "check the path" in page_text(screen)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, AccuracyScreen)


async def test_a_float_model_has_nothing_to_lose(pair: tuple[Path, Path], explore: Any, settle: Any) -> None:
    async with explore(pair[0]) as pilot:
        await pilot.press("A")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, AccuracyScreen)


def test_the_float_model_is_looked_for_beside(tmp_path: Path) -> None:
    for name in ("net.onnx", "other_float.onnx"):
        (tmp_path / name).write_bytes(b"")
    originals = {
        name: beside_it(tmp_path / name) for name in ("net_int8.onnx", "other_q.onnx", "third_int8.onnx")
    }
    assert originals == {
        "net_int8.onnx": str(tmp_path / "net.onnx"),
        "other_q.onnx": str(tmp_path / "other_float.onnx"),
        "third_int8.onnx": "",
    }


def test_outputs_of_one_layer_are_told_apart() -> None:
    split = [LayerAccuracy("Split_55", tensor, 34.0, 30.0, None, None, 1) for tensor in ("a_out", "b_out")]
    lines = [
        plain(each) for each in rows([*split, LayerAccuracy("Conv_3", "t", 30.0, 30.0, None, None, 2)], 78)
    ]
    assert "Split_55 (a_out)" in lines[0] and "Split_55 (b_out)" in lines[1]
    assert "(t)" not in lines[2]


def test_the_histogram_counts_the_weights_on_their_grid(pair: tuple[Path, Path]) -> None:
    graph = load(pair[1]).graph
    layer = fold(graph).by_name["Conv_3"]
    assert layer.weight is not None
    assert layer.weight.constant is not None
    assert layer.weight.quant is not None
    values, scale = layer.weight.constant.array()[2], float(layer.weight.quant.scale[2])
    figures = LayerAccuracy("Conv_3", "t", 30.0, 30.0, None, None, 2)
    title, bars, ruler = (plain(one) for one in histogram(figures, layer, 64))
    assert len(bars) == 64
    taken = {int((value + 128.0) // 4) for value in values.reshape(-1)}
    assert {at for at, bar in enumerate(bars) if bar != " "} == taken
    assert bars[int(np.bincount((values.reshape(-1).astype(int) + 128) // 4).argmax())] == "█"
    assert "channel 2" in title
    assert f"{scale * 127:.3g}"[:3] in ruler
    assert ruler.startswith("-")
    assert ruler[32] == "0"
