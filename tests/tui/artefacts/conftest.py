"""Fixtures: files of ST's tools, and the application run on several files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from builders.artefacts.tool_files import LOG, REPORT

from npuscope.machine.machine import target
from npuscope.services.builds import BuildOptions
from npuscope.tui.app import Npuscope

Read = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(REPORT)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "lowering.log"
    path.write_text(LOG)
    return path


@pytest.fixture
def beside(settle: Any) -> Read:
    """Run the application on several files."""

    @asynccontextmanager
    async def run(*paths: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Any]:
        app = Npuscope(str(paths[0]), target(profile="overdrive"), [str(path) for path in paths[1:]])
        app.document.asked = BuildOptions()
        async with app.run_test(size=size) as pilot:
            for _ in range(3):
                await settle(pilot)
            yield pilot

    return run
