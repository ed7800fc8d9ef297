"""The values of a layer on the screen: a picture over the grid, a row a channel, the user's samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.longer import SIZES
from builders.seen_figures import agrees
from builders.shown_text import page_text

from npuscope.tui.screens.inputs.screen import InputsScreen
from npuscope.tui.screens.values.screen import ValuesScreen
from npuscope.tui.screens.values.text import heading, picture, rows
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import length, plain


@pytest.mark.parametrize("size", SIZES)
async def test_weights_and_activations_by_keyboard(
    denoiser: Path, size: tuple[int, int], explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        app.main.go_to("Gemm_30")
        await settle(pilot)
        await pilot.press("V")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ValuesScreen)
        assert [one.label for one in screen.tensors] == ["input", "weight", "output"]
        assert screen.tensors[screen.at].label == "weight"
        weight = screen.tensors[1]
        assert screen.query_one(Choices).count == weight.channels + 1
        assert "all channels" in page_text(screen)
        report = app.snapshot.by_name["Gemm_30"]
        assert report.layer.weight is not None and report.layer.weight.quant is not None
        for channel, step in enumerate(report.layer.weight.quant.scale.ravel()[:16]):
            assert agrees(plain(screen.query_one(Choices).body(channel + 1, 90)).split()[1], float(step))
        await pilot.press("down", "down")
        await settle(pilot)
        assert "channel 1: " in page_text(screen)
        await pilot.press("tab")
        await settle(pilot)
        assert screen.tensors[screen.at].label == "output"
        assert "clipped" in page_text(screen)
        assert "random values" in " ".join(page_text(screen).split())
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is app.main


async def test_the_users_samples_are_run(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        graph = app.session.graph
        rng = np.random.default_rng(1)
        shapes = {name: (2, *graph.type(name).dims[1:]) for name in graph.inputs}
        drawn = {name: rng.integers(-100, 100, shape, np.int8) for name, shape in shapes.items()}
        np.savez(denoiser.parent / "x.npz", **drawn)
        app.main.go_to("Gemm_30")
        await settle(pilot)
        await pilot.press("V")
        await settle(pilot)
        await pilot.press("i")
        await settle(pilot)
        assert isinstance(app.screen, InputsScreen)
        app.screen.dismiss(str(denoiser.parent / "x.npz"))
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ValuesScreen)
        assert not screen.failed
        assert {one.samples for one in screen.tensors} == {0, 2}
        await pilot.press("tab")
        assert "random" not in page_text(screen)
        for tensor in screen.tensors:
            for width in (24, 40, 76, 120):
                lines = [heading(width), *rows(tensor, width), *picture(tensor, None, "x", width)]
                lines += picture(tensor, 0, None, width)
                assert all(length(one) <= max(width, 46) for one in lines)


async def test_what_is_no_layer_has_no_values(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("home", "V")
        await settle(pilot)
        assert pilot.app.screen is pilot.app.main
