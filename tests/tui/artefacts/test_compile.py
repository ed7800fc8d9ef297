"""One key: export, compile with ST's compiler, compare. The compiler is a stand-in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from builders.artefacts.compared import REPORT
from builders.artefacts.fake_compiler import install

from npuscope.tui.screens.agreement.screen import AgreementScreen

pytestmark = pytest.mark.skipif(
    os.name != "posix" or sys.platform == "darwin", reason="the stand-in is a script"
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "made" / "network_generate_report.txt"
    path.parent.mkdir()
    path.write_text(REPORT)
    return path


async def test_compile_and_compare(
    denoiser: Path, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explore: Any, settle: Any
) -> None:
    install(tmp_path, monkeypatch, [report])
    async with explore(denoiser) as pilot:
        await pilot.press("E")
        await settle(pilot)
        assert isinstance(pilot.app.screen, AgreementScreen)
        assert pilot.app.comparison is not None and pilot.app.comparison.totals.epochs == 23
        assert (denoiser.parent / f"{denoiser.stem}_stedgeai" / "st_ai_output" / "stedgeai.log").exists()


async def test_an_edited_model_is_exported_first(
    denoiser: Path, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explore: Any, settle: Any
) -> None:
    from npuscope.edits.kinds.pad_channels import PadChannels

    install(tmp_path, monkeypatch, [report])
    before = denoiser.read_bytes()
    async with explore(denoiser) as pilot:
        pilot.app.make(PadChannels("Gemm_28", 264))
        await settle(pilot)
        layers = len(pilot.app.snapshot.layers)
        await pilot.press("E")
        await settle(pilot)
        assert pilot.app.session.source.path.name == "model.onnx"
        assert len(pilot.app.snapshot.layers) == layers and pilot.app.comparison is not None
        await pilot.press("escape")
    assert denoiser.read_bytes() == before


async def test_without_a_compiler_it_is_said(
    denoiser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explore: Any, settle: Any
) -> None:
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    async with explore(denoiser) as pilot:
        await pilot.press("E")
        await settle(pilot)
        assert any("STEDGEAI_CORE_DIR" in note.message for note in pilot.app._notifications)
        assert not list(tmp_path.glob("*_stedgeai"))


async def test_esc_ends_it(
    denoiser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explore: Any, settle: Any, until: Any
) -> None:
    child = tmp_path / "child"
    install(tmp_path, monkeypatch, sleep=300, child=child)
    async with explore(denoiser) as pilot:
        await pilot.press("E")
        await until(pilot, lambda: child.exists() and child.read_text())
        await pilot.press("escape")
        await settle(pilot)
        await until(pilot, lambda: not alive(int(child.read_text())))
        assert pilot.app.comparison is None


def alive(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
