"""What the tests of the terminal application share."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import onnx
import pytest
from builders import computed_once, opened_once, rest
from onnx import TensorProto, helper
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


WAIT = 400.0
"""Seconds until a test gives up, on a machine that is busy with other things: less than the time that a test may take."""

Settle = Callable[[Pilot[int]], Awaitable[None]]
Explore = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture(autouse=True)
def exact_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot waits until the application is at rest, and no longer."""
    rest.use(monkeypatch)


@pytest.fixture(scope="session", autouse=True)
def plans_and_fixes_found_once() -> Iterator[None]:
    """The plan of a sample and the fixes of its layers are the same for every application."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npuscope.tui.screens.plan.search.find_plan", computed_once.plan)
        patch.setattr("npuscope.tui.screens.fixes.screen.propose_edits", computed_once.propose_edits)
        for module in ("npuscope.services.fix_hints", "npuscope.tui.screens.fixes.screen"):
            patch.setattr(f"{module}.outcome", computed_once.outcome_of)
        yield


@pytest.fixture(scope="session", autouse=True)
def models_opened_once() -> Iterator[None]:
    """What is read and judged of a file is the same for every application."""
    with pytest.MonkeyPatch.context() as patch:
        opened_once.use(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def rules_parsed_once() -> Iterator[None]:
    """Style sheets are the same for every application: each is parsed once for each set of colours."""
    parsed: dict[object, list[RuleSet]] = {}
    parse = Stylesheet._parse_rules
    colours: list[dict[str, str]] = []
    last: list[tuple[dict[str, str], int]] = []

    def number_of(variables: dict[str, str]) -> int:
        """In place of hundreds of names and colours, which take as long to hash as the rest."""
        if not last or last[0][0] is not variables:
            if variables not in colours:
                colours.append(variables)
            last[:] = [(variables, colours.index(variables))]
        return last[0][1]

    def known(sheet: Stylesheet, *what: Any, **named: Any) -> list[RuleSet]:
        key = (what, tuple(named.items()), number_of(sheet._variables))
        if key not in parsed:
            parsed[key] = parse(sheet, *what, **named)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", known)
        yield


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The developer's terminal and folders have no say."""
    for name in (
        "NO_COLOR",
        "TEXTUAL_THEME",
        "COLORFGBG",
        "LC_ALL",
        "LC_CTYPE",
        "NPUSCOPE_ASCII",
        "TEXTUAL_FILTERS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def denoiser(tmp_path: Path) -> Path:
    """A copy of the sample that falls off the NPU."""
    return Path(shutil.copy(SAMPLES / "denoiser_lstm_int8.onnx", tmp_path / "denoiser_lstm_int8.onnx"))


def chain(path: Path, names: Sequence[str], op: str = "Relu", width: int = 4) -> Path:
    """A model of one-input operators one after the other, with these node names."""
    tensors = [f"t{i}" for i in range(len(names) + 1)]
    nodes = [
        helper.make_node(op, [before], [after], name=name)
        for name, before, after in zip(names, tensors, tensors[1:], strict=False)
    ]
    ends = [
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1, width])
        for tensor in (tensors[0], tensors[-1])
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.fixture
def make_chain(tmp_path: Path) -> Callable[..., Path]:
    """Write a model of one-input operators."""

    def make(names: Sequence[str], op: str = "Relu", file: str = "chain.onnx") -> Path:
        return chain(tmp_path / file, names, op)

    return make


async def settled(pilot: Pilot[int]) -> None:
    """Until no worker runs, no message waits and the panes show what the cursor is on; each screen is drawn once at a size."""
    until = monotonic() + WAIT
    while monotonic() < until:
        await rest.rest_behind_a_key()
        running = [worker for worker in pilot.app.workers if not worker.is_finished]
        waiting = [pump for pump in (pilot.app, *pilot.app.screen_stack) if pump._message_queue.qsize()]
        if not running and not waiting:
            pending = (pilot.app.main._following.pending, getattr(pilot.app.screen, "_pending", None))
            if not any(
                timer is not None and timer._task is not None and not timer._task.done() for timer in pending
            ):
                await rest.rest_behind_a_key()
                if all(worker.is_finished for worker in pilot.app.workers):
                    await rest.rest_drawn_once()
                    return
            await asyncio.sleep(0.002)
        for worker in running:
            try:
                await worker.wait()
            except WorkerCancelled:
                continue
    raise AssertionError("the application did not come to rest")


async def until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    """Wait for what a thread, another process or a timer brings about, however busy the machine is."""
    end = monotonic() + WAIT
    while not condition():
        assert monotonic() < end, "it did not come"
        await pilot.pause(0.01)


@pytest.fixture(name="until")
def until_() -> Callable[[Pilot[int], Callable[[], object]], Awaitable[None]]:
    """Wait for a condition."""
    return until


@pytest.fixture
def settle() -> Settle:
    """Wait for the application to come to rest."""
    return settled


@pytest.fixture
def explore() -> Explore:
    """Run the application on a file."""

    @asynccontextmanager
    async def run(
        path: Path | str | None, size: tuple[int, int] = (120, 40), toolchain: str = "2.1"
    ) -> AsyncIterator[Pilot[int]]:
        app = Npuscope(str(path) if path is not None else None, target(toolchain, "overdrive"))
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            yield pilot
            await pilot.pause()  # draws how it ended
            assert [error for _, error in app.faults] == []

    return run
