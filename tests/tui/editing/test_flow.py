"""The user's case from first to last key."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from builders.longer import SIZES

from npuscope.edits.apply_all import apply_all
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.export.screen import ExportScreen
from npuscope.tui.screens.split.screen import SplitScreen
from npuscope.tui.screens.verify.screen import VerifyScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.panes.details import Details
from npuscope.widgets.text.spans import plain

OFF = ["Conv2D_23", "Gemm_28", "Conv2D_79"]


def app_of(pilot: Any) -> Any:
    app = pilot.app
    assert isinstance(app, Npuscope)
    return app


def pane_text(app: Npuscope, index: int) -> str:
    pane = app.screen_stack[0].query_one(Details).panes[index]
    return "\n".join(plain(pane.body(i, 200)) for i in range(pane.count))


@pytest.mark.parametrize("size", SIZES)
async def test_find_split_verify_export(
    size: tuple[int, int],
    denoiser: Path,
    tmp_path: Path,
    explore: Any,
    settle: Callable[[Any], Awaitable[None]],
) -> None:
    """Three layers are on the CPU; one is split by typing its sizes, checked, written, and opened again."""
    target = tmp_path / "fixed.onnx"
    async with explore(denoiser, size) as pilot:
        app = app_of(pilot)
        assert [report.name for report in app.snapshot.off_npu] == OFF
        assert "3 of 32 layers on the CPU" in plain(app.screen.query_one("StatusLine").bar(size[0] - 2))  # type: ignore[attr-defined]

        for name in OFF:
            await pilot.press("n")
            await settle(pilot)
            assert app.graph_tree.layer_name == name
            assert app.selection.report is not None
            assert app.selection.report.name == name
            assert "257" in pane_text(app, 0)
            assert "257" in app.selection.report.findings[0].message
        await pilot.press("n")
        assert app.graph_tree.layer_name == OFF[0]
        await pilot.press("n")
        assert app.graph_tree.layer_name == "Gemm_28"

        await pilot.press("s")
        await settle(pilot)
        assert isinstance(app.screen, SplitScreen)
        await pilot.press(*"144", "plus", *"113")
        await settle(pilot)
        assert app.screen.query_one(Entry).value == "144+113"
        await pilot.press("enter")
        await settle(pilot)
        assert app.session is not None
        (edit,) = app.session.done
        assert isinstance(edit, SplitInput)
        assert edit.sizes == (144, 113)
        assert len(edit.scales) == 2, "partial sums are calibrated"
        parts = [app.snapshot.by_name[f"Gemm_28_part{i}"] for i in (0, 1)]
        assert [part.placement for part in parts] == [Placement.HW, Placement.HW]
        assert app.snapshot.summary.on_cpu == 2
        assert app.graph_tree.layer_name is not None
        assert app.graph_tree.layer_name.startswith("Gemm_28_")
        assert "3 → 2 of" in plain(app.screen.query_one("StatusLine").bar(118))  # type: ignore[attr-defined]
        assert "144+113" in pane_text(app, 0)

        await pilot.press("u")
        await settle(pilot)
        assert app.session.done == ()
        assert app.graph_tree.layer_name == "Gemm_28"
        assert app.snapshot.summary.on_cpu == 3
        await pilot.press("r")
        await settle(pilot)
        assert app.session.done == (edit,)
        assert app.snapshot.summary.on_cpu == 2

        await pilot.press("v")
        await settle(pilot)
        assert isinstance(app.screen, VerifyScreen)
        result = app.screen.result
        assert result is not None
        assert not isinstance(result, str)
        assert result.whole_model is not None and (result.whole_model.sqnr_db_min or 99) > 20
        await pilot.press("escape")

        await pilot.press("e")
        await settle(pilot)
        assert isinstance(app.screen, ExportScreen)
        app.screen.query_one(Entry).input.value = str(target)
        await pilot.press("enter")
        await settle(pilot)
        assert target.is_file()
        await pilot.press("enter")
        await settle(pilot)
        assert not app.session.unexported
        shown = [(r.name, r.placement) for r in app.snapshot.layers]
        await pilot.press("q")
        await settle(pilot)
        assert app.return_code == 0

    async with explore(target, size) as pilot:
        app = app_of(pilot)
        assert [(r.name, r.placement) for r in app.snapshot.layers] == shown
        assert app.snapshot.summary.on_cpu == 2


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Calibrations run until the event is set or someone stops them."""
    go_on = threading.Event()

    def slow(session: Session, edits: Any, _samples: Any, job: Any, *_: Any) -> Any:
        while not go_on.wait(0.01):
            job.check()
        return apply_all(session, edits)

    monkeypatch.setattr("npuscope.services.apply.calibrate_all", slow)
    return go_on


async def test_a_calibration_whose_model_moved_on_makes_no_edit(
    denoiser: Path, explore: Any, settle: Any, blocked: threading.Event
) -> None:
    async with explore(denoiser) as pilot:
        app = app_of(pilot)
        blocked.set()
        app.editor.apply([SplitInput("Gemm_28", (144, 113))], "split")
        await settle(pilot)
        assert app.session is not None
        assert len(app.session.done) == 1
        blocked.clear()
        app.editor.apply([SplitInput("Conv2D_23", (144, 113))], "split")
        await pilot.press("u")
        assert app.session.done == ()
        blocked.set()
        await settle(pilot)
        assert app.session.done == ()
        assert app.snapshot.summary.on_cpu == 3


async def test_escape_stops_a_calibration(
    denoiser: Path, explore: Any, settle: Any, blocked: threading.Event
) -> None:
    """Esc gives the split up; the keys work meanwhile."""
    async with explore(denoiser) as pilot:
        app = app_of(pilot)
        app.editor.apply([SplitInput("Gemm_28", (144, 113))], "split")
        await pilot.press("n", "n")
        assert app.graph_tree.layer_name == "Gemm_28"
        assert "calibrating" in app.main.status.busy
        await pilot.press("escape")
        await settle(pilot)
        assert app.session is not None
        assert app.session.done == ()
        assert app.main.status.busy == ""


async def test_what_is_said_takes_the_place_of_what_was(denoiser: Path, explore: Any, settle: Any) -> None:
    """Keys held down do not fill the screen with remarks; a warning stays beside what is said after it."""
    async with explore(denoiser, (80, 24)) as pilot:
        app = app_of(pilot)
        await pilot.press("t", "t", "e", "e")
        messages = [notification.message for notification in app._notifications]
        assert messages == ["Nothing to export: no edits yet."]
        app.show_message("a warning", "warning")
        await pilot.press("t")
        messages = [notification.message for notification in app._notifications]
        assert messages[-2] == "a warning"
        assert messages[-1].startswith("Theme")


async def test_an_edit_of_layers_in_several_places(denoiser: Path, explore: Any, settle: Any) -> None:
    """Padding Gemm_28 touches Conv2D_23, which stays on the CPU: the pane says that one of the two moved."""
    async with explore(denoiser) as pilot:
        app = app_of(pilot)
        await pilot.press("n", "n", "f")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert [edit.kind for edit in app.session.done] == ["pad-in"]
        text = " ".join(pane_text(app, 0).split())
        assert "✗ CPU 2 layers" in text
        assert "→ ✗ 1 CPU ● 1 NPU" in text
