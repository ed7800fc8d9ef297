"""Every flow by the keyboard alone at 80x24: open, triage, understand, fix, verify, export, compare, plan, cut."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import onnx
import pytest
from builders import computed_once, models
from builders.artefacts.texts import REPORT_21
from builders.networks.yolo_like import yolo_like
from builders.shown_text import page_text

from npuscope.jobs import Job
from npuscope.model.load import load
from npuscope.planning.cut import Cut, CutTimes, PricedCut, cut, tensors_named
from npuscope.planning.plan import Budget
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.agreement.nothing import NothingToCompare
from npuscope.tui.screens.agreement.screen import AgreementScreen
from npuscope.tui.screens.cut.screen import CutScreen
from npuscope.tui.screens.fixes.screen import FixesScreen
from npuscope.tui.screens.plan.screen import PlanScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.page import Page
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import plain

SMALL = (80, 24)


def text_of(pane: Pane) -> str:
    return "\n".join(plain(pane.body(i, pane.line_width)) for i in range(pane.count))


def header(app: Any) -> str:
    return plain(app.main.query_one(StatusLine).bar(78)).replace("\N{NO-BREAK SPACE}", " ")


async def typed(pilot: Any, path: Path) -> None:
    """A path into the line of the picker, and Enter."""
    pilot.app.screen.query(Entry).first().input.value = ""
    names = {"/": "slash", "_": "underscore", ".": "full_stop", "-": "minus"}
    await pilot.press(*(names.get(letter, letter) for letter in str(path)), "enter")


async def test_open(denoiser: Path, explore: Any, settle: Any) -> None:
    """From nothing: the picker comes, a path is typed."""
    async with explore(None, SMALL) as pilot:
        await typed(pilot, denoiser)
        await settle(pilot)
        assert pilot.app.session is not None and "3 of 32 layers on the CPU" in header(pilot.app)


async def test_triage_and_understand(denoiser: Path, explore: Any, settle: Any) -> None:
    """What is wrong, where, why, and by which rule."""
    async with explore(denoiser, SMALL) as pilot:
        app = pilot.app
        await pilot.press("n")
        await settle(pilot)
        report = app.main.report
        assert report.placement.on_cpu and "257" in text_of(app.query_one(Eligibility))
        await pilot.press("x")
        await settle(pilot)
        assert app.screen is not app.main
        await pilot.press("escape", "full_stop")
        await settle(pilot)
        snapshot = app.snapshot
        assert snapshot.time_of(app.main.report) == max(map(snapshot.time_of, snapshot.layers))
        await pilot.press("right", "down", "right", "down")
        await settle(pilot)
        assert app.selection.part is not None, "down to the tensors of its nodes"


async def test_fix_verify_export(denoiser: Path, tmp_path: Path, explore: Any, settle: Any) -> None:
    """The best fix of the worst layer, checked and written."""
    async with explore(denoiser, SMALL) as pilot:
        app = pilot.app
        before = app.snapshot.summary
        app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("f")
        await settle(pilot)
        assert isinstance(app.screen, FixesScreen)
        await pilot.press("enter")
        await settle(pilot)
        assert app.snapshot.summary.on_cpu < before.on_cpu
        assert f"{before.milliseconds:.2f} → " in header(app)
        await pilot.press("v")
        await settle(pilot)
        assert not isinstance(app.screen.result, str) and app.screen.result is not None
        await pilot.press("escape", "e")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("escape")
        assert not app.session.unexported
        written = tmp_path / "denoiser_lstm_int8_fixed.onnx"
        onnx.checker.check_model(onnx.load(written))
        await pilot.press("equals_sign")
        await settle(pilot)
        assert app.screen.both.after.summary.milliseconds < app.screen.both.before.summary.milliseconds


async def test_plan(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, SMALL) as pilot:
        await pilot.press("p", "1")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen) and screen.plan is not None
        every = screen.taken
        await pilot.press("b", *"3x", "enter")
        assert "give a number with its unit" in text_of(screen.query_one(Page))
        await pilot.press("backspace", "0", "space", "d", "B", "enter")
        await settle(pilot)
        assert screen.kept is not None and screen.kept.met and screen.taken == every
        assert "budget 30 dB: the least time that keeps it" in text_of(screen.query_one(Page))
        await pilot.press("b", "escape")
        assert pilot.app.screen is screen, "Esc leaves the line that is typed into first"
        await pilot.press("enter")
        await settle(pilot)
        assert len(pilot.app.session.done) == len(screen.taken) > 0
        before = milliseconds(screen.plan.before.milliseconds).removesuffix("\N{NO-BREAK SPACE}ms")
        assert f"{before} → " in header(pilot.app)


TWO_RESIZES = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,8,8] x) => (int8[1,16,32,32] y) <float s = {0.1}, int8 z = {5}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [one] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  q = QuantizeLinear(r, s, z)
  g = DequantizeLinear(q, s, z)
  [two] t = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (g, , k)
  y = QuantizeLinear(t, s, z) }"""


async def test_all_that_a_plan_leaves_out_gets_its_loss(tmp_path: Path, explore: Any, settle: Any) -> None:
    """Each result comes on its own, and none makes the next one unwanted."""
    async with explore(models.save_text(TWO_RESIZES, tmp_path / "m.onnx"), SMALL) as pilot:
        await pilot.press("p")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen) and screen.plan is not None
        assert len(screen.plan.set_aside) == 2
        assert text_of(screen.query_one(Page)).count("≈") == 2


async def test_compare_with_what_the_tools_did(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    """An artefact is opened beside the model, and its screen shown by a key."""
    path = tmp_path / "report.txt"
    path.write_text(REPORT_21)
    async with explore(denoiser, SMALL) as pilot:
        await pilot.press("a")
        await settle(pilot)
        assert isinstance(pilot.app.screen, NothingToCompare)
        said = text_of(pilot.app.screen.query_one(Page))
        assert "c_info.json" in said and "E  exports the model" in said
        await pilot.press("o")
        await settle(pilot)
        await typed(pilot, path)
        await settle(pilot)
        if not isinstance(pilot.app.screen, AgreementScreen):
            await pilot.press("a")
            await settle(pilot)
        assert isinstance(pilot.app.screen, AgreementScreen)
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen is pilot.app.main


async def test_cut(tmp_path: Path, explore: Any, settle: Any) -> None:
    """Behind the selected layer, run in a row, both parts written beside the model; the model stays as it was."""
    path = yolo_like(tmp_path / "detector.onnx")
    bytes_before = path.read_bytes()
    async with explore(path, SMALL) as pilot:
        app = pilot.app
        app.graph_tree.go_to_layer("/model.8/act/Mul")
        await pilot.press("C")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, CutScreen) and 0 in screen.cuts
        await pilot.press("tab")
        await settle(pilot)
        cut = screen.cuts[1]
        assert isinstance(cut, PricedCut)
        assert [layer.op for layer in cut.cut.tail.layers.layers if layer.op == "Softmax"] == ["Softmax"]
        assert not isinstance(screen.checked[1], str) and screen.checked[1].bit_exact
        text = "\n".join(plain(line) for line in screen._text(74))
        assert "on the Cortex-M55" in text and "Softmax" in text
        await pilot.press("w")
        await settle(pilot)
        names = [part.name for part in screen.written]
        assert names == ["detector_head.onnx", "detector_tail.onnx"]
        for part in screen.written:
            assert load(part).graph.nodes
        await pilot.press("w")
        await settle(pilot)
        assert [part.name for part in screen.written] == ["detector_head2.onnx", "detector_tail2.onnx"]
        await pilot.press("escape")
    assert path.read_bytes() == bytes_before


async def test_a_search_for_cuts_counts_shows_what_it_has_and_stops(
    tmp_path: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, on_its_way = yolo_like(tmp_path / "detector.onnx"), threading.Event()

    def slow(session: Session, snapshot: Snapshot, job: Job) -> Iterator[PricedCut]:
        behind = cut(session, tensors_named(session.layers, ["/model.8/act/Mul"]))
        assert isinstance(behind, Cut)
        for number in job.each(range(12)):
            if number == 1:
                yield PricedCut(behind, CutTimes(9.0, 5.0, 2.0))
            if number == 2:
                on_its_way.set()
                while True:
                    sleep(0.01)
                    job.check()

    monkeypatch.setattr("npuscope.tui.screens.cut.screen.better_cuts", slow)
    async with explore(path, SMALL) as pilot:
        await pilot.press("C")
        screen = pilot.app.screen
        assert isinstance(screen, CutScreen)
        assert "of 12 cuts" in "\n".join(plain(line) for line in screen._text(74)), "from the first frame on"
        while not (on_its_way.is_set() and 0 in screen.cuts):
            await pilot.pause(0.02)
        text = "\n".join(plain(line) for line in screen._text(74))
        assert "of 12 cuts" in text and "The best so far:" in text
        assert re.search(r"saves 2\.0+ ms", text)
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen is screen and not screen.searching
        assert not isinstance(screen.checked[0], str) and screen.checked[0].bit_exact
        assert "so far" not in "\n".join(plain(line) for line in screen._text(74))
        await pilot.press("escape")
        assert pilot.app.screen is pilot.app.main


async def test_a_cut_that_cannot_be_made_is_said(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, SMALL) as pilot:
        await pilot.press("C")
        await settle(pilot)
        await pilot.press("w", "tab", "w")
        await settle(pilot)
        assert not pilot.app.screen.written
        await pilot.press("escape")


@pytest.mark.parametrize("key", ["H", "equals_sign", "C", "d", "R"])
async def test_keys_that_need_a_model_do_nothing_without_one(key: str, explore: Any, settle: Any) -> None:
    async with explore(None, SMALL) as pilot:
        await pilot.press("escape", key)
        await settle(pilot)
        assert pilot.app.session is None


async def test_enter_while_the_search_runs_says_so(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = threading.Event()

    def endless(_session: Any, _snapshot: Any, _budget: Any, job: Job, _found: Any) -> None:
        going.set()
        while True:
            job.check()
            sleep(0.01)

    monkeypatch.setattr("npuscope.tui.screens.plan.search.find_plan", endless)
    async with explore(denoiser) as pilot:
        await pilot.press("p", "enter")
        assert isinstance(pilot.app.screen, PlanScreen) and going.wait(30)
        assert "still running" in page_text(pilot.app.screen)
        keys = [hint.key for hint in pilot.app.screen.query_one(KeyBar).hints]
        assert keys == ["Tab", "Esc"], "nothing can be applied yet"
        await pilot.press("tab")
        assert "still running" not in page_text(pilot.app.screen)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, PlanScreen)


async def test_a_search_that_ran_out_of_time_goes_on_for_longer(
    make_chain: Any, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def find(session: Any, snapshot: Any, budget: Any, job: Job, found: Any) -> Any:
        asked.append(budget.seconds)
        return replace(plan(session, snapshot, Budget(budget.allowed)), finished=len(asked) > 1)

    monkeypatch.setattr("npuscope.tui.screens.plan.search.find_plan", find)
    async with explore(make_chain(["a", "b"]), SMALL) as pilot:
        await pilot.press("p")
        await settle(pilot)
        screen = pilot.app.screen
        assert "Time ran out" in page_text(screen) and "searches on, for longer" in page_text(screen)
        await pilot.press("r")
        await settle(pilot)
        assert asked[1] > 2 * asked[0]
        assert "ran out" not in page_text(screen)
        assert "r" not in [hint.key for hint in screen.query_one(KeyBar).hints]


async def test_what_a_search_has_found_so_far_can_be_made_and_is_kept_by_escape(
    denoiser: Path, explore: Any, settle: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(session: Any, snapshot: Any, budget: Any, job: Job, found: Any) -> None:
        whole = computed_once.plan(session, snapshot, budget)
        first = replace(whole, steps=whole.steps[:2], finished=False)
        found(first)
        found(replace(first, after=whole.before, steps=whole.steps[:1]))  # worse than what is known
        while True:
            job.check()
            sleep(0.01)

    def keys() -> list[str]:
        return [hint.key for hint in pilot.app.screen.query_one(KeyBar).hints]

    monkeypatch.setattr("npuscope.tui.screens.plan.search.find_plan", endless)
    async with explore(denoiser, SMALL) as pilot:
        await pilot.press("p")
        screen = pilot.app.screen
        assert isinstance(screen, PlanScreen)
        await until(pilot, lambda: screen.plan is not None)
        assert screen.search.running and screen.taken == {0, 1}
        assert "of 32 layers" in page_text(screen) and "r" not in keys()
        await pilot.press("space")
        assert screen.taken == {1} and screen.search.running
        await pilot.press("escape")
        assert pilot.app.screen is screen and screen.search.stopped and screen.taken == {1}
        assert "found so far" in page_text(screen) and "r" in keys()
        await pilot.press("escape", "p")
        await settle(pilot)
        again = pilot.app.screen
        assert isinstance(again, PlanScreen) and again.search.stopped and again.taken == {0, 1}
        await pilot.press("r")
        assert again.search.running and again.taken == {0, 1}
        await pilot.press("enter")
        await settle(pilot)
        assert len(pilot.app.session.done) == 2
