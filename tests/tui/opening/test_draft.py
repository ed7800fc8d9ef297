"""A large model is shown before it is judged: no figure and no place is stated until it is known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse, draft
from npuscope.tui.app import Npuscope
from npuscope.tui.controllers import opener
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.text.spans import plain

KEYS = "jjkGgglh]n[bBxmwtrscfpHeLZDauUy"


class Blocked:
    """An analysis that waits until it may go on."""

    def __init__(self) -> None:
        self.may, self.fails = threading.Event(), False

    def analyse(self, session: Any, keep: bool = False) -> Any:
        self.may.wait(60)
        if self.fails:
            raise ModelError("it took too long")
        return analyse(session, keep=keep)


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blocked]:
    one = Blocked()
    monkeypatch.setattr(opener, "DRAFTED_FROM", 1)
    monkeypatch.setattr(opener, "analyse", one.analyse)
    yield one
    one.may.set()


def seen(app: Any) -> str:
    tree = app.graph_tree
    lines = [tree.body(i, 80) for i in range(len(tree.rows))]
    lines += [line for pane in app.main.query(Pane) for line in pane._lines]
    return "\n".join(plain(line) for line in lines)


async def test_layers_are_shown_before_they_are_judged(
    denoiser: Path, blocked: Blocked, settle: Any, until: Any
) -> None:
    app = Npuscope(str(denoiser), target("2.1", "overdrive"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.main.snapshot.draft and app.graph_tree.rows)
        text = seen(app)
        assert "Conv" in text
        assert not any(word in text for word in ("NPU", "CPU", "HYB", "---", "µs")), text
        assert "computing where 32 layers run" in app.main.status.busy
        app.graph_tree.go_to_layer(app.graph_tree.outline.order[20].name)
        await pilot.pause()
        assert "Still computing" in seen(app)
        where = app.graph_tree.layer_name
        blocked.may.set()
        await settle(pilot)
        assert app.session is not None
        assert app.graph_tree.layer_name == where, "the cursor stays where it was"
        assert "NPU" in seen(app)
        assert "…" not in plain(app.graph_tree.body(app.graph_tree.cursor, 80))
        assert app.main.status.busy == ""


async def test_every_key_is_taken_meanwhile(
    denoiser: Path, blocked: Blocked, settle: Any, until: Any
) -> None:
    app = Npuscope(str(denoiser), target("2.1", "overdrive"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.main.snapshot.draft and app.graph_tree.rows)
        for key in KEYS:
            await pilot.press(key)
            assert not app._exit
            while len(app.screen_stack) > 1:
                await pilot.press("escape")
                await pilot.pause()
        blocked.may.set()
        await settle(pilot)
        assert [error for _, error in app.faults] == []
        assert app.session is not None


async def test_a_key_that_cannot_work_yet_says_so_and_is_dimmed(
    denoiser: Path, blocked: Blocked, settle: Any, until: Any
) -> None:
    app = Npuscope(str(denoiser), target("2.1", "overdrive"))
    async with app.run_test(size=(200, 24)) as pilot:
        await until(pilot, lambda: app.main.snapshot.draft and app.graph_tree.rows)
        bar = app.main.query_one(KeyBar)
        assert {hint.key for hint in bar.hints if hint.enabled} == {"/", "4", "o", "t", "?", "q"}
        for key in ("full_stop", "n", "f", "p", "v", "L"):
            app.clear_notifications()
            await pilot.press(key)
            assert [n.message for n in app._notifications] == [
                "Not yet: computing where 32 layers run. You can browse them meanwhile."
            ], key
        blocked.may.set()
        await settle(pilot)
        assert {".", "n", "f", "p"} <= {hint.key for hint in bar.hints if hint.enabled}
        await pilot.press("full_stop")
        assert app.graph_tree.layer_name == "Gemm_28"


async def test_what_cannot_be_judged_is_asked_for_again(
    denoiser: Path, blocked: Blocked, settle: Any, until: Any
) -> None:
    app = Npuscope(str(denoiser), target("2.1", "overdrive"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.main.snapshot.draft and app.graph_tree.rows)
        blocked.fails = True
        blocked.may.set()
        await settle(pilot)
        assert isinstance(app.screen, OpenScreen)
        assert not app.main.snapshot.layers, "nothing is left of what is not open"


def test_a_draft_states_nothing(denoiser: Path) -> None:
    session = Session.open(load(denoiser), target())
    shown = draft(session)
    assert shown.draft
    assert [r.layer for r in shown.layers] == list(session.layers.layers)
    assert all(r.cost is None and not r.findings and r.line.milliseconds == 0 for r in shown.layers)
    assert not analyse(session).draft
