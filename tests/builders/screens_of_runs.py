"""The screens that run a model, or hold two that were opened against each other, with what they have to show."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from builders.known_figures import Known
from builders.seen_figures import agrees
from builders.shown_text import lines, page_text
from npuscope.model.layers import is_qdq
from npuscope.model.load import load
from npuscope.model.serialize import to_model
from npuscope.numbers.layer_accuracy import layer_accuracy
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.numbers.tensor_values import OnGrid, activations_on_grid, weights_on_grid
from npuscope.numbers.verify_models import samples_for_both, verify
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.tui.screens.measured import SAMPLES
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_columns import OWN
from npuscope.widgets.text.figures import percent
from npuscope.widgets.text.spans import plain

Settle = Callable[[Any], Awaitable[None]]
SPANNED = re.compile(r"(\S+) % of \d+ levels spanned")


@dataclass
class Runs:
    """What the screens showed, what of it is wrong, and which of them showed figures."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    wrong: list[object] = field(default_factory=list)

    def hold(self, what: object, text: str, value: float | None) -> None:
        """Complain where a text is not a value."""
        if not agrees(text, value):
            self.wrong.append((what, text, value))

    def say(self, screen: str, text: str) -> None:
        """A screen showed this."""
        self.texts.setdefault(screen, []).append(text)


def older(edited: Session, place: Path) -> Path:
    """A model as it may have been before: an edit made, unless it is float as if quantized, and every weight a little off."""
    graph = edited.graph
    plain_source = load(edited.source.path) if graph.as_int8 else edited.source
    model = to_model(plain_source, plain_source.graph if graph.as_int8 else graph)
    for one in model.graph.initializer:
        values = numpy_helper.to_array(one)
        if values.size >= 16 and values.dtype.kind in "if":
            coarse = values // 2 * 2 if values.dtype.kind == "i" else values * 1.01
            one.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(coarse.astype(values.dtype)), one.name))
    onnx.save(model, place)
    return place


async def see_difference(pilot: Any, settle: Settle, runs: Runs, old: Path, new: Path) -> None:
    """D: two files, as `npuscope OLD NEW` opens them."""
    app = pilot.app
    app.opener.open(str(old), str(new))
    await settle(pilot)
    for keys in ((), ("tab",), ("escape", "D")):
        await pilot.press(*keys)
        await settle(pilot)
        assert type(app.screen).__name__ == "DifferenceScreen", (
            keys,
            app.screen,
            [n.message for n in app._notifications],
        )
        runs.say("difference", "\n".join([page_text(app.screen), *lines(app.screen)]))
    before, after = (app.screen._found.before, app.screen._found.after)
    assert after.ledger == app.snapshot.ledger
    for snapshot in (before, after):
        runs.known.add_model(snapshot)
    runs.known.add_models(before, after)
    await pilot.press("escape")


def _grids(session: Session, layer: Any) -> dict[str, OnGrid]:
    samples = samples_or_random(None, session.source, SAMPLES)
    grids = [weights_on_grid(layer), *activations_on_grid(session, layer, samples)]
    return {grid.label: grid for grid in grids if grid is not None}


async def see_values(pilot: Any, settle: Settle, runs: Runs, layer: str) -> None:
    """V: each tensor of a layer, each of its channels."""
    app = pilot.app
    app.main.graph_tree.go_to_layer(layer)
    await pilot.press("V")
    await settle(pilot)
    screen = app.screen
    grids = _grids(app.session, app.snapshot.by_name[layer].layer)
    assert {one.label for one in screen.tensors} == set(grids)
    for _ in grids:
        shown = screen.tensors[screen.at]
        grid = grids[shown.label]
        text = page_text(screen)
        spanned = SPANNED.search(text)
        assert spanned is not None
        runs.hold((layer, shown.label, "spanned"), f"{spanned[1]}%", grid.used())
        if clipped := re.search(r"(\S+) % of the values clipped", text):
            runs.hold((layer, shown.label, "clipped"), f"{clipped[1]}%", grid.clipped())
        choices = screen.query_one(Choices)
        for channel in range(min(choices.count - 1, 8)):
            cells = plain(choices.body(channel + 1, 90)).split()
            runs.hold((layer, channel, "step"), cells[1], float(grid.scales[channel]))
            runs.hold((layer, channel, "used"), f"{cells[4]}%", grid.used(channel))
        await pilot.press("tab")
    await pilot.press("escape")


async def see_accuracy(pilot: Any, settle: Settle, runs: Runs, reference: Path) -> None:
    """A: each layer against the reference; the table of layers, and the values of the worst one, repeat it."""
    app = pilot.app
    await pilot.press("A")
    await settle(pilot)
    screen = app.screen
    if not any(is_qdq(node) for node in app.session.graph.nodes):
        assert screen is app.main
        return
    screen.run_both(str(reference))
    await settle(pilot)
    one, other = open_model(str(reference)), app.session.source
    found = layer_accuracy(one, other, samples_for_both(one, other, SAMPLES))
    choices = screen.query_one(Choices)
    assert choices.count == len(found.layers), page_text(screen)
    for index, layer in enumerate(found.layers):
        row = plain(choices.body(index, 90)).rstrip()
        own, ratio, clipped, used = re.search(
            r"(exact|\S+\sdB) +(exact|\S+\sdB) +(\S+) +(\S+) +\S+$", row
        ).groups()  # type: ignore[union-attr]
        for what, text, value in (("own", own, layer.own_sqnr_db), ("SQNR", ratio, layer.sqnr_db)):
            if (text == "exact") != (value is None):
                runs.wrong.append((layer.name, what, text, value))
            elif value is not None:
                assert float(text.split()[0]) == round(value, 1)
        for what, text, share in (("clipped", clipped, layer.clipped), ("range", used, layer.used_range)):
            if text != ("-" if share is None else percent(share)):
                runs.wrong.append((layer.name, what, text, share))
    runs.known.decibels += [x for y in found.layers for x in (y.own_sqnr_db, y.sqnr_db) if x is not None]
    rows = [plain(choices.body(index, 90)) for index in range(choices.count)]
    runs.say("accuracy", "\n".join([page_text(screen), *rows]))
    worst = found.layers[0]
    spanned = SPANNED.search(page_text(screen))
    await pilot.press("escape")
    kept: dict[str, float] = {}
    for layer in found.layers:
        if layer.own_sqnr_db is not None:
            kept.setdefault(layer.name, layer.own_sqnr_db)
    for report in app.snapshot.layers:
        text = OWN.cell(report, app.snapshot, 8).text.strip()
        if text != (f"{kept[report.name]:.1f}" if report.name in kept else "·"):
            runs.wrong.append((report.name, "own dB in the table", text, kept.get(report.name)))
    if spanned is not None:
        grid = weights_on_grid(app.snapshot.by_name[worst.name].layer)
        assert grid is not None
        channel = worst.weight_outlier[0] if worst.weight_outlier is not None else worst.worst_channel
        runs.hold(
            (worst.name, "spanned"),
            f"{spanned[1]}%",
            grid.used(channel if len(grid.quant.scale) > 1 else None),
        )


async def see_quantized(pilot: Any, settle: Settle, runs: Runs) -> None:
    """Q: every setting of a float model; the chosen one is what is opened then, and A says the same of it."""
    app = pilot.app
    source = app.session.source
    await pilot.press("Q")
    await settle(pilot)
    screen = app.screen
    if any(is_qdq(node) for node in source.graph.nodes):
        assert screen is app.main
        return
    choices = screen.query_one(Choices)
    assert choices.count == len(screen.results) > 1
    samples = samples_or_random(None, source, SAMPLES)
    for index, result in enumerate(screen.results):
        ledger = result.snapshot.ledger
        row = plain(choices.body(index, 90))
        time, cycles, ratio, memory = re.search(
            r"(\S+\sms) +(\d+(?:\s\d{3})*) +(\S+)\sdB +(\S+\s\S+)$", row
        ).groups()  # type: ignore[union-attr]
        checked = verify(source, result.session.source, inputs=samples)
        runs.hold((row, "ms"), time, ledger.milliseconds)
        runs.hold((row, "cycles"), cycles, sum(epoch.compute_cycles for epoch in result.snapshot.epochs))
        runs.hold((row, "dB"), ratio, checked.sqnr_db_min)
        runs.hold(
            (row, "memory"), memory.replace("KiB", "k"), result.snapshot.summary.activations_bytes / 1.024
        )
        runs.known.add_model(result.snapshot)
        runs.known.decibels.append(checked.sqnr_db_min or 0.0)
    runs.say("quantize", "\n".join([row, page_text(screen)]))
    chosen = screen.results[choices.cursor]
    await pilot.press("enter")
    await settle(pilot)
    await settle(pilot)
    assert app.session.source is not source
    assert app.snapshot.ledger == chosen.snapshot.ledger
    runs.hold(
        "verify after quantize", f"{chosen.sqnr_db:.1f}", verify(source, app.session.source).sqnr_db_min
    )
    await see_accuracy(pilot, settle, runs, source.path)
