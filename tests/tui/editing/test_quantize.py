"""From a float model to an int8 one on the screen: every setting, progress, stop, write and open."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.networks.float_networks import NETWORKS, FloatNetwork
from builders.seen_figures import agrees
from builders.shown_text import page_text
from textual.widgets import Input

from npuscope.jobs import Job
from npuscope.model.load import load
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.numbers.verify_models import verify
from npuscope.services import quantizing
from npuscope.tui.screens.inputs.screen import InputsScreen
from npuscope.tui.screens.quantize.screen import QuantizeScreen
from npuscope.tui.screens.quantize.text import title
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain


@pytest.fixture
def float_model(tmp_path: Path) -> Path:
    path = tmp_path / "gates.onnx"
    onnx.save(NETWORKS["gates"](), path)
    return path


@pytest.fixture
def one_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is the same of each."""
    monkeypatch.setattr(quantizing, "METHODS", quantizing.METHODS[:1])


async def test_every_setting_is_a_row_and_the_chosen_one_is_written_and_opened(
    float_model: Path, explore: Any, settle: Any
) -> None:
    (float_model.parent / "gates_int8.onnx").write_bytes(b"someone else's")
    async with explore(float_model) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, QuantizeScreen)
        choices = screen.query_one(Choices)
        assert choices.count == len(screen.results) >= 6
        narrow = [title(result, 29) for result in screen.results]
        assert len(set(narrow)) == len(narrow)
        assert all(len(words) <= 29 for words in narrow)
        assert "random" in page_text(screen)
        await pilot.press("down")
        chosen = screen.results[1]
        assert chosen.settings.title.split(",")[0] in plain(choices.body(1, 80))
        row = re.search(r"(\S+\sms) +(\d+(?:\s\d{3})*) +(\S+)\sdB", plain(choices.body(1, 80)))
        assert row is not None
        await pilot.press("enter")
        await settle(pilot)
        await settle(pilot)
        app = pilot.app
        assert app.document.path is not None
        assert Path(app.document.path).name == "gates_int8_2.onnx"
        assert app.snapshot.summary.layers == chosen.snapshot.summary.layers
        assert app.snapshot.summary.on_cpu == chosen.snapshot.summary.on_cpu
        assert agrees(row[1], app.snapshot.ledger.milliseconds)
        assert agrees(row[2], sum(epoch.compute_cycles for epoch in app.snapshot.epochs))
        source, written = load(float_model), load(Path(app.document.path))
        checked = verify(source, written, inputs=samples_or_random(None, source, chosen.samples))
        assert agrees(row[3], checked.sqnr_db_min)
    assert (float_model.parent / "gates_int8.onnx").read_bytes() == b"someone else's"


@pytest.mark.usefixtures("one_method")
async def test_it_is_calibrated_on_the_users_samples(float_model: Path, explore: Any, settle: Any) -> None:
    samples = float_model.parent / "x.npy"
    np.save(samples, np.random.default_rng(0).standard_normal((3, 1, 24)).astype(np.float32))
    async with explore(float_model, (80, 24)) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        await pilot.press("i")
        await settle(pilot)
        assert isinstance(pilot.app.screen, InputsScreen)
        pilot.app.screen.dismiss(str(samples))
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, QuantizeScreen)
        assert screen.results[0].samples == 3
        assert "x.npy" in page_text(screen)
        assert "random" not in page_text(screen)


async def test_escape_stops_the_trials(
    float_model: Path, explore: Any, settle: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = []

    def endless(*_: Any, job: Job, **__: Any) -> Any:
        job.report(2, 9)
        try:
            while True:
                job.check()
                time.sleep(0.01)
        finally:
            stopped.append(True)

    monkeypatch.setattr(quantizing, "try_settings", endless)
    async with explore(float_model) as pilot:
        await pilot.press("Q")
        screen = pilot.app.screen
        assert isinstance(screen, QuantizeScreen)
        await until(pilot, lambda: screen.progress == (2, 9))
        assert "2 of 9 settings" in page_text(screen)
        assert [hint.label for hint in screen.query_one(KeyBar).hints] == ["stop"]
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, QuantizeScreen)
        await until(pilot, lambda: stopped == [True])


async def test_a_quantized_model_and_an_edited_one_are_not_quantized(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, QuantizeScreen)


async def test_samples_that_do_not_fit_are_said(float_model: Path, explore: Any, settle: Any) -> None:
    wrong = float_model.parent / "wrong.npy"
    np.save(wrong, np.zeros((2, 7), np.float32))
    async with explore(float_model) as pilot:
        pilot.app.document.inputs = str(wrong)
        await pilot.press("Q")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, QuantizeScreen)
        assert "wrong.npy" in page_text(screen)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, QuantizeScreen)


@pytest.mark.usefixtures("one_method")
async def test_a_setting_is_repaired_in_its_own_time(tmp_path: Path, explore: Any, settle: Any) -> None:
    path = tmp_path / "unlike.onnx"
    net = FloatNetwork(11)
    factors = np.exp2(np.linspace(-5, 5, 8)).reshape(-1, 1, 1, 1)
    first = net.constant(net.rng.normal(0, 0.3, (8, 3, 3, 3)) * factors)
    hidden = net.add("Relu", net.add("Conv", "x", first, pads=[1] * 4))
    second = net.constant(net.rng.normal(0, 0.3, (4, 8, 1, 1)) / factors.reshape(1, -1, 1, 1))
    onnx.save(net.model((1, 3, 12, 12), net.add("Conv", hidden, second)), path)
    async with explore(path, (80, 24)) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, QuantizeScreen)
        count, before = len(screen.results), screen.results[0]
        assert "repair" in [hint.label for hint in screen.query_one(KeyBar).hints]
        await pilot.press("r")
        await settle(pilot)
        assert len(screen.results) == count + 1
        best = screen.results[0]
        assert best.repairs
        assert best.sqnr_db is not None
        assert before.sqnr_db is not None
        assert best.sqnr_db > before.sqnr_db + 3
        assert best.snapshot.summary.milliseconds <= before.snapshot.summary.milliseconds + 1e-9
        choices = screen.query_one(Choices)
        assert plain(choices.body(0, choices.line_width)).startswith("repaired: minmax, ")
        assert "equalize the channels" in page_text(screen)


@pytest.mark.usefixtures("one_method")
async def test_images_and_their_preparation_are_typed(tmp_path: Path, explore: Any, settle: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "residual.onnx"
    onnx.save(NETWORKS["residual"](), path)
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / f"{index}.png")
    async with explore(path, (80, 24)) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        await pilot.press("i")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, InputsScreen)
        screen.query_one(Input).value = str(folder)
        await pilot.press("enter")
        await settle(pilot)
        assert "how they are prepared" in screen.failed
        (tmp_path / "reader.py").write_text("raise SystemExit(3)")
        screen.query_one(Input).value = str(tmp_path / "reader.py")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "command line only" in screen.failed
        screen.query_one(Input).value = str(folder)
        await settle(pilot)
        await pilot.press(
            "end", "space", *"mean", "equals_sign", *"0.5", "space", *"std", "equals_sign", *"0.25"
        )
        assert screen.query_one(Input).value == f"{folder} mean=0.5 std=0.25"
        await pilot.press("enter")
        await settle(pilot)
        chosen = pilot.app.screen
        assert isinstance(chosen, QuantizeScreen)
        assert chosen.results[0].samples == 3
