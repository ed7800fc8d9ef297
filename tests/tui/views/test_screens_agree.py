"""Every time, share and count of cycles on a screen is one of the ledger's, every dB is of a comparison that was made.

tests/test_one_truth.py holds those of layers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import pytest
from builders import computed_once
from builders.known_figures import DECIBELS, FIGURE, SHARE, Known
from builders.models import SAMPLES
from builders.networks.float_networks import NETWORKS
from builders.networks.yolo_like import yolo_like
from builders.tflite.mobile import thermal

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.model.load import load
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.layer_accuracy import layer_accuracy
from npuscope.numbers.price import Price, price
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.verify_models import samples_for_both
from npuscope.numbers.verify_regions import verify_local
from npuscope.planning.history import opened
from npuscope.tui.screens.measured import SAMPLES as MEASURED
from npuscope.widgets.text.figures import percent

SCREENS: dict[str, tuple[str, ...]] = {
    "main": (), "fixes": ("f",), "model fixes": ("home", "f"), "split": ("s",), "history": ("H",),
    "before, after": ("equals_sign",), "bounds": ("b",), "blocks": ("d",), "layers": ("L",), "memory": ("m", "space"),
    "reasons": ("W",), "by placement": ("W", "2"), "by gain": ("W", "4"), "epochs": ("i",), "toolchain": ("c",),
}  # fmt: skip

LAYER = "Gemm_28"


def shown(screen: Any) -> str:
    """The text of a screen; of a dialog that of its box."""
    lines = [strip.text for strip in screen._compositor.render_strips()]
    boxes = screen.query("#box")
    if not boxes:
        return "\n".join(lines)
    box = boxes.first().region
    return "\n".join(line[box.x : box.right] for line in lines[box.y : box.bottom])


async def test_every_figure_on_every_screen_is_of_the_ledger(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    """An edit was made, so that there is a before and an after, and things are left to do."""
    texts, known = dict[str, str](), Known()
    async with explore(denoiser, size=(160, 60)) as pilot:
        app = pilot.app
        known.add_plan(computed_once.plan(app.session, app.snapshot))
        await pilot.press("p")
        await settle(pilot)
        texts["plan"] = shown(app.screen)
        await pilot.press("escape")
        app.editor.make(PadChannels(LAYER, 258))
        await settle(pilot)
        for name, keys in SCREENS.items():
            app.main.graph_tree.go_to_layer(LAYER)
            await settle(pilot)
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
            texts[name] = shown(app.screen)
            while app.screen is not app.main:
                await pilot.press("escape")
                await settle(pilot)
        before, after = opened(app.session), app.snapshot
        known.add_model(before)
        known.add_model(after)
        known.add_models(before, after)
        known.add_shares(before)
        known.add_shares(after)
        known.add_fixes(app.session, after, LAYER)
        known.add_targets(app.session)
    assert {name: found for name, text in texts.items() if (found := list(known.strange(text)))} == {}
    assert [name for name, text in texts.items() if not FIGURE.search(text)] == []
    assert {"main", "epochs", "reasons"} <= {name for name, text in texts.items() if SHARE.search(text)}
    off = sum(after.share(report) for report in after.off_npu)
    assert f"{percent(off)} % of the time" in texts["reasons"]


def yolo() -> bytes:
    with TemporaryDirectory() as folder:
        return yolo_like(Path(folder) / "yolo.onnx").read_bytes()


OTHERS: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("attention.onnx", (SAMPLES / "attention_block_int8.onnx").read_bytes),
    ("convnet.onnx", (SAMPLES / "convnet_qoperator.onnx").read_bytes),
    ("mobilenet.onnx", (SAMPLES / "mobilenet_mini_int8.onnx").read_bytes),
    ("as_int8.onnx", (SAMPLES / "denoiser_lstm_float.onnx").read_bytes),
    ("float.onnx", lambda: NETWORKS["squeezed"]().SerializeToString()),
    ("thermal.tflite", thermal),
    ("yolo.onnx", yolo),
)
"""Small models of every kind: QDQ, QLinear, float, float as if quantized, TFLite; one has a tail for the CPU."""

UNEDITED = tuple(name for name in SCREENS if name not in ("history", "before, after", "main"))


@pytest.mark.parametrize("number", range(len(OTHERS)), ids=[name for name, _ in OTHERS])
async def test_every_figure_of_other_models_is_of_their_ledger(
    number: int, tmp_path: Path, explore: Any, settle: Any
) -> None:
    """Each on a few of the screens, so that together they are walked over all."""
    name, made = OTHERS[number]
    (tmp_path / name).write_bytes(made())
    texts, known = dict[str, str](), Known()
    async with explore(tmp_path / name, size=(120, 40)) as pilot:
        app = pilot.app
        if name.startswith("as_int8"):
            await pilot.press("I")
            await settle(pilot)
        slowest = max(app.snapshot.layers, key=lambda report: (report.off_npu, report.line.milliseconds))
        for which in ("main", "fixes", *UNEDITED[number % 3 :: 3]):
            app.main.graph_tree.go_to_layer(slowest.name)
            await settle(pilot)
            for key in SCREENS[which]:
                await pilot.press(key)
                await settle(pilot)
            texts[which] = shown(app.screen)
            while app.screen is not app.main:
                await pilot.press("escape")
                await settle(pilot)
        known.add_model(app.snapshot)
        known.add_shares(app.snapshot)
        known.add_fixes(app.session, app.snapshot, slowest.name)
        if "model fixes" in texts:
            known.add_model_fixes(app.session, app.snapshot)
        if {"memory", "toolchain"} & texts.keys():
            known.add_targets(app.session)
    assert {which: found for which, text in texts.items() if (found := list(known.strange(text)))} == {}
    assert FIGURE.search(texts["main"])


async def test_every_ratio_on_every_screen_is_of_a_comparison(
    tmp_path: Path, explore: Any, settle: Any
) -> None:
    """The price of a fix, what it costs in the history and what verifying it shows are one figure, for one set of samples."""
    places = tmp_path / "residual_float.onnx", tmp_path / "residual_int8.onnx"
    onnx.save(NETWORKS["residual"](), places[0])
    source = load(places[0])
    onnx.save(quantize(source, random_samples(source, 2), Settings()).proto, places[1])
    texts, known = dict[str, str](), Known()
    known.decibels += [40.0, LEAST_DECIBELS]  # what the words say a ratio means, and the bound of a plan
    async with explore(places[1], size=(160, 60)) as pilot:
        app = pilot.app
        await pilot.press("A", "enter")
        await settle(pilot)
        texts["accuracy"] = shown(app.screen)
        pair = load(places[0]), app.session.source
        lossy = layer_accuracy(*pair, samples_for_both(*pair, MEASURED))
        for layer in lossy.layers:
            known.decibels += [layer.sqnr_db or 0.0, layer.own_sqnr_db or 0.0]
        await pilot.press("escape")
        app.graph_tree.go_to_layer("Conv_3")
        edit = SplitInput("Conv_3", (5, 3))
        priced = price(app.session, edit)
        assert isinstance(priced, Price) and priced.outputs is not None
        for keys, name in ((("f",), "fixes"), (("s", "tab", *"5+3"), "split")):
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
            for other, found in app.screen.prices.items():
                again = price(app.session, other)
                assert isinstance(again, Price)
                assert found.decibels == pytest.approx(again.decibels)
                assert found.worst == pytest.approx(again.worst)
                known.decibels += [one for one in (again.decibels, again.worst) if one is not None]
            texts[name] = shown(app.screen)
            await pilot.press("escape" if name == "fixes" else "enter")
            await settle(pilot)
        assert [type(one) for one in app.session.done] == [SplitInput]
        result = verify_local(app.session)
        assert result.whole_model is not None
        outputs = [*result.whole_model.outputs, *(one for region in result.regions for one in region.outputs)]
        known.decibels += [one.sqnr_db for one in outputs if one.sqnr_db is not None]
        assert priced.worst == pytest.approx(result.whole_model.sqnr_db_min)
        for key, name in (("v", "verify"), ("b", "blame")):
            await pilot.press(key)
            await settle(pilot)
            texts[name] = shown(app.screen)
        await pilot.press("escape", "H")
        await settle(pilot)
        texts["history"] = shown(app.screen)
    assert {name: found for name, text in texts.items() if (found := list(known.strange(text)))} == {}
    shows_some = {name for name, text in texts.items() if DECIBELS.search(text)}
    assert {"accuracy", "verify", "history"} <= shows_some, texts["split"]
