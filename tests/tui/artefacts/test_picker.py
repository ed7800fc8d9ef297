"""What ST's tools printed, in the file picker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from builders.artefacts.tool_files import ALONE, LOG, REPORT

from npuscope.tui.screens.agreement.screen import AgreementScreen
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.widgets.bars.entry import Entry

Read = Callable[..., AbstractAsyncContextManager[Any]]


async def test_the_picker_lists_artefacts_with_their_kind(
    tmp_path: Path, denoiser: Path, beside: Read, settle: Any
) -> None:
    for name, content in (
        *ALONE.items(),
        ("report.txt", REPORT),
        ("log.txt", LOG),
        ("notes.txt", "shopping\n"),
    ):
        (tmp_path / name).write_text(content)
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    async with beside(denoiser) as pilot:
        await pilot.press("o")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        screen.query_one(Entry).input.value = f"{tmp_path}/"
        await settle(pilot)
        kinds = {entry.name: entry.kind for entry in screen._entries if not entry.folder}
        assert kinds.pop(denoiser.name) == "model"
        assert kinds == {
            "c_info.json": "c_info.json", "network.csv": "network.csv", "network.c": "network.c",
            "x.mpool": "memory pools", "x.mdesc": "machine description", "profiles.json": "compilation profiles",
            "atonn_options.ini": "compiler options", "x_Q.json": "Q.json", "board.txt": "timing on a board",
            "report.txt": "report", "log.txt": "lowering log", "trace.c": "network.c",
        }  # fmt: skip
        screen.query_one(Entry).input.value = f"{tmp_path}/report.txt"
        await settle(pilot)
        await pilot.press("enter")
        for _ in range(3):
            await settle(pilot)
        assert isinstance(pilot.app.screen, AgreementScreen), "held against the model that is open"
        assert len(pilot.app.snapshot.layers) == 32
        assert pilot.app.comparison.totals.epochs == 23


async def test_the_picker_starts_where_the_artefact_lies(report: Path, beside: Read, settle: Any) -> None:
    async with beside(report) as pilot:
        await pilot.press("o")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        assert screen.query_one(Entry).value == f"{report.parent}/"
        assert [entry.name for entry in screen._entries if not entry.folder] == ["report.txt"]
