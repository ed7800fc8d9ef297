"""Every time, share and count of cycles on a screen is one of the ledger's, every dB is of a comparison that was made.

tests/test_one_truth.py holds those of layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import pytest
from builders import computed_once
from builders.artefacts.compared import artefact
from builders.known_figures import DECIBELS, FIGURE, SHARE, Known
from builders.longer import LONG
from builders.models import SAMPLES
from builders.networks.float_networks import NETWORKS
from builders.networks.yolo_like import yolo_like
from builders.screens_of_runs import Runs, older, see_accuracy, see_difference, see_quantized, see_values
from builders.tflite.mobile import thermal

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.neural_art.artefacts.values import Content, ReportedEpoch
from npuscope.neural_art.comparison.compare import compare
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.layer_accuracy import layer_accuracy
from npuscope.numbers.price import Price, price
from npuscope.numbers.quantize import METHODS, Settings, quantize
from npuscope.numbers.verify_models import samples_for_both
from npuscope.numbers.verify_regions import verify_local
from npuscope.planning.history import opened
from npuscope.planning.plan import Allowed, Budget, Plan
from npuscope.planning.proposals import propose_splits
from npuscope.services.diff import difference
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.difference.screen import DifferenceScreen
from npuscope.tui.screens.guarded import GuardedScreen
from npuscope.tui.screens.measured import SAMPLES as MEASURED
from npuscope.widgets.text.figures import percent

PLANNED = {"denoiser.onnx": Budget(), "attention.onnx": Budget(Allowed.EXACT)}
"""How far the search for a plan goes: the denoiser's is found for other tests, too; the rest are broken off."""

Walk = tuple[tuple[str, ...], ...]

SCREENS: dict[str, Walk] = {
    "main": ((), ("4",), ("1",)), "fixes": (("f",),), "model fixes": (("home", "f"),), "split": (("s",),), "plan": (("p",),),
    "cut": (("C",),), "channels": (("M",), ("tab",)), "bounds": (("b",), ("tab",)), "blocks": (("d",),),
    "layers": (("L",), ("right",)), "memory": (("m",), ("space",)), "toolchain": (("c",),), "epochs": (("i",),),
    "reasons": (("W",), ("2",), ("3",), ("4",)),
}  # fmt: skip
"""The keys that lead to each, and those that show more of it."""

EDITED: dict[str, Walk] = {
    "edited": ((),), "before, after": (("equals_sign",),), "edited epochs": (("i",),), "edited reasons": (("W",),),
    "edited layers": (("L",),), "history": (("H",),),
}  # fmt: skip
"""Those that show what edits made, or the model with them."""

BUILT: dict[str, Walk] = {"agreement": (("a",), ("tab",), ("i",), ("escape", "tab"))}
"""Those that show what the tools made of the model."""

OF_RUNS = ("difference", "quantized", "accuracy", "values")
"""Those that run the model, or hold two."""

ALWAYS = {"main", "epochs", "reasons"}
"""What is looked for on them is asked of every model."""

MAY_BE_EMPTY = {"fixes", "model fixes", "split", "plan", "cut", "channels", "edited reasons"}
"""Where a layer or a model may leave nothing to show a figure of."""


def shown(screen: Any) -> str:
    """The text of a screen; of a dialog that of its box."""
    lines = [strip.text for strip in screen._compositor.render_strips()]
    boxes = screen.query("#box")
    if not boxes:
        return "\n".join(lines)
    box = boxes.first().region
    return "\n".join(line[box.x : box.right] for line in lines[box.y : box.bottom])


def as_built(snapshot: Snapshot) -> Content:
    """What a tool would state that made the predicted epochs, each a little slower."""
    return Content(
        "c_info",
        epochs=tuple(
            ReportedEpoch(
                epoch.index,
                epoch.placement.value,
                epoch.op,
                compute_cycles=epoch.compute_cycles + 7,
                cycles=epoch.cycles + 11,
                milliseconds=epoch.milliseconds * 1.1,
            )
            for epoch in snapshot.epochs
        ),
    )


def yolo() -> bytes:
    with TemporaryDirectory() as folder:
        return yolo_like(Path(folder) / "yolo.onnx").read_bytes()


MODELS: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("denoiser.onnx", (SAMPLES / "denoiser_lstm_int8.onnx").read_bytes),
    ("attention.onnx", (SAMPLES / "attention_block_int8.onnx").read_bytes),
    ("convnet.onnx", (SAMPLES / "convnet_qoperator.onnx").read_bytes),
    ("mobilenet.onnx", (SAMPLES / "mobilenet_mini_int8.onnx").read_bytes),
    ("as_int8.onnx", (SAMPLES / "denoiser_lstm_float.onnx").read_bytes),
    ("float.onnx", lambda: NETWORKS["squeezed"]().SerializeToString()),
    ("thermal.tflite", thermal),
    ("yolo.onnx", yolo),
)
"""Small models of every kind: QDQ, QLinear, float, float as if quantized, TFLite; one has a tail for the CPU."""


def chosen(number: int, screens: Iterable[str]) -> list[str]:
    """Those that a model is walked through: all at length; in the suite a third, so that each is shown of two models or three."""
    return [name for place, name in enumerate(screens) if LONG or name in ALWAYS or (place + number) % 3 == 0]


@pytest.mark.parametrize(
    "screens", [SCREENS, EDITED, BUILT, OF_RUNS], ids=["opened", "edited", "built", "runs"]
)
def test_each_screen_is_shown_of_two_models(screens: Iterable[str]) -> None:
    counts = Counter(name for number in range(len(MODELS)) for name in chosen(number, screens))
    assert counts.keys() == {*screens} and min(counts.values()) >= 2


def test_a_float_model_is_quantized_and_one_in_int8_is_measured() -> None:
    names = [name for name, _ in MODELS]
    assert "quantized" in chosen(names.index("float.onnx"), OF_RUNS)
    assert "accuracy" in chosen(names.index("attention.onnx"), OF_RUNS)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """No model is run and no frame is written, as that takes most of the time. The plans that are shown."""
    found: list[Plan] = []

    def find(session: Session, snapshot: Snapshot, _: Budget, *how: Any) -> Plan:
        budget = PLANNED.get(session.source.path.name, Budget(Allowed.EXACT, seconds=0.2))
        found.append(computed_once.plan(session, snapshot, budget, *how))
        return found[-1]

    def unknown(*_: Any, **__: Any) -> Any:
        raise ModelError("not run")

    monkeypatch.setattr("npuscope.tui.screens.plan.search.find_plan", find)
    monkeypatch.setattr("npuscope.tui.screens.plan.measuring.Measuring.measure", lambda *_: None)
    monkeypatch.setattr("npuscope.tui.screens.cut.screen.verify_cut", unknown)
    monkeypatch.setattr("npuscope.numbers.price.prices", lambda *_: iter(()))
    monkeypatch.setattr("npuscope.tui.screens.history.screen.losses", unknown)
    monkeypatch.setattr("npuscope.services.quantizing.METHODS", METHODS[:1])
    monkeypatch.setattr(GuardedScreen, "_compositor_refresh", lambda _: None)
    monkeypatch.setattr(GuardedScreen, "_below", None)  # what shows through behind a dialog
    return found


@pytest.mark.parametrize("number", range(len(MODELS)), ids=[name for name, _ in MODELS])
async def test_every_figure_on_every_screen_is_of_the_ledger(
    number: int, tmp_path: Path, explore: Any, settle: Any, plans: list[Plan]
) -> None:
    """Each model on its screens as it was opened; then with an edit, so that there is a before and an after."""
    name, made = MODELS[number]
    (tmp_path / name).write_bytes(made())
    known, built_known, after_known = Known(), Known(), Known()
    async with explore(tmp_path / name, size=(120, 40)) as pilot:
        app = pilot.app
        if name.startswith("as_int8"):
            await pilot.press("I")
            await settle(pilot)

        async def walk(screens: Mapping[str, Walk], layer: str) -> dict[str, list[str]]:
            texts = {}
            for which in chosen(number, screens):
                stages = screens[which]
                app.main.graph_tree.go_to_layer(layer)
                texts[which] = list[str]()
                for keys in stages:
                    await pilot.press(*keys)
                    await settle(pilot)
                    if which == "split" and app.screen is not app.main:
                        app.screen.evaluate_whole_model(app.screen.result)  # as once the keys rest
                        await settle(pilot)
                    texts[which].append(shown(app.screen))
                while app.screen is not app.main:
                    await pilot.press("escape")
            return texts

        session, snapshot = app.session, app.snapshot
        slowest = max(snapshot.layers, key=lambda report: (report.off_npu, report.line.milliseconds)).name
        texts = await walk(SCREENS, slowest)
        known.add_all(session, snapshot, slowest)
        for plan in plans:
            known.add_plan(plan)
        built = as_built(snapshot)
        compared = compare(snapshot, (artefact(built),))
        app.document.compared(compared)
        agreed = await walk(BUILT, slowest)
        app.document.forget_artefacts()
        built_known.add_model(snapshot)
        built_known.add_shares(snapshot)
        built_known.add_tools(snapshot, built.epochs)
        built_known.shares += [one.evidence.confidence for one in compared.layers if one.evidence is not None]
        fixes = computed_once.propose_edits(session, snapshot, slowest)
        splits = (one for layer in snapshot.by_name for one in propose_splits(session, snapshot, layer))
        app.editor.make(next(chain(fixes, splits)).edit)
        await settle(pilot)
        assert app.session.done
        layer = app.snapshot.layers[0].name
        edited = await walk(EDITED, layer)
        before, after = opened(app.session), app.snapshot
        for one in (before, after):
            after_known.add_model(one)
            after_known.add_shares(one)
        after_known.add_models(before, after)
        runs, shown_of_runs = Runs(), chosen(number, OF_RUNS)
        if "difference" in shown_of_runs:
            app.push_screen(DifferenceScreen(difference(before, after), "before", "after"))
            await settle(pilot)
            edited["difference"] = [shown(app.screen)]
            await pilot.press("escape")
        after_known.add_fixes(app.session, after, layer)
        old = older(app.session, tmp_path / "older.onnx")
        await pilot.press("u")  # else it is asked whether to make the edit again
        await settle(pilot)
        if name.startswith("as_int8"):
            await pilot.press("I")
            await settle(pilot)
        if "difference" in shown_of_runs:
            await see_difference(pilot, settle, runs, old, tmp_path / name)
        if "values" in shown_of_runs:
            await see_values(pilot, settle, runs, slowest)
        if "accuracy" in shown_of_runs:
            await see_accuracy(pilot, settle, runs, old)
        if "quantized" in shown_of_runs:
            await see_quantized(pilot, settle, runs)
    assert runs.wrong == []
    for seen, of in ((texts, known), (agreed, built_known), (edited, after_known), (runs.texts, runs.known)):
        every = [(which, text) for which, shown_there in seen.items() for text in shown_there]
        assert [(which, found) for which, text in every if (found := list(of.strange(text)))] == []
        texts_of = {which: "\n".join(shown_there) for which, shown_there in seen.items()}
        empty = {one for one, text in texts_of.items() if not (FIGURE.search(text) or DECIBELS.search(text))}
        assert empty <= MAY_BE_EMPTY
    assert SHARE.search(texts["epochs"][0])
    if snapshot.off_npu:
        off = sum(snapshot.share(report) for report in snapshot.off_npu)
        assert f"{percent(off)} % of the time" in texts["reasons"][0]
        assert SHARE.search(texts["main"][0])


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
