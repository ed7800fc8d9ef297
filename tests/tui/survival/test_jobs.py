"""run_job: what comes back from a thread, and what does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual.pilot import Pilot

from npuscope.jobs import Job
from npuscope.model.errors import ModelError
from npuscope.tui.jobs import run_each, run_job, silently, stop_jobs, throttled
from npuscope.tui.survival import SurvivingApp


async def finished(pilot: Pilot[int]) -> None:
    """Until no job runs and what they handed back was received."""
    end = monotonic() + 400
    while list(pilot.app.workers):
        assert monotonic() < end, "a job did not end"
        await pilot.pause(0.005)
    await pilot.pause()


def messages(app: SurvivingApp) -> list[str]:
    return [notification.message for notification in app._notifications]


def fail(error: Exception) -> Callable[[Job], None]:
    def work(_: Job) -> None:
        raise error

    return work


async def test_the_result_comes_back_in_the_thread_of_the_screen() -> None:
    app, threads, results = SurvivingApp(), [], []

    def work(job: Job) -> int:
        threads.append(threading.current_thread())
        job.check()
        return 7

    async with app.run_test() as pilot:
        here = threading.current_thread()
        run_job(app, work, lambda result: results.append((result, threading.current_thread())), group="a")
        await finished(pilot)
        assert results == [(7, here)]
        assert threads[0] is not here


@pytest.mark.parametrize(
    ("error", "receiver", "failed", "shown"),
    [
        (ModelError("no such layer"), True, ["no such layer"], []),
        (ModelError("no such layer"), False, [], ["no such layer"]),
        (ModelError("no such layer"), silently, [], []),
        (KeyError("ours"), True, ["npuscope failed on this model (KeyError: 'ours')"], []),
        (KeyError("ours"), False, [], ["npuscope failed on this model (KeyError: 'ours')"]),
        (KeyError("ours"), silently, [], ["npuscope failed on this model (KeyError: 'ours')"]),
    ],
)
async def test_failures(error: Exception, receiver: Any, failed: list[str], shown: list[str]) -> None:
    app, results, reasons = SurvivingApp(), [], []
    on_failed = reasons.append if receiver is True else receiver or None
    async with app.run_test() as pilot:
        run_job(app, fail(error), results.append, on_failed, group="a")
        await finished(pilot)
        assert results == []
        assert [reason.partition(";")[0] for reason in reasons] == failed
        assert [text.partition(";")[0] for text in messages(app)] == shown
        assert not app.faults


async def test_an_error_of_ours_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = SurvivingApp()
    async with app.run_test() as pilot:
        run_job(app, fail(KeyError("ours")), lambda _: None, group="a")
        await finished(pilot)
    assert "KeyError: 'ours'" in (tmp_path / "npuscope" / "crash.txt").read_text()


@pytest.mark.parametrize("how", ["newer", "stopped", "changed"])
async def test_what_is_not_wanted_any_more_is_dropped(how: str) -> None:
    app, results, ended = SurvivingApp(), [], threading.Event()
    wanted = True

    def work(job: Job) -> str:
        ended.wait(120)
        return "first"

    async with app.run_test() as pilot:
        run_job(app, work, results.append, group="a", only_if=lambda: wanted)
        await pilot.pause()
        if how == "newer":
            run_job(app, lambda _: "second", results.append, group="a")
        elif how == "stopped":
            assert stop_jobs(app, "a")
            assert not stop_jobs(app, "b")
        else:
            wanted = False
        ended.set()
        await finished(pilot)
        assert results == (["second"] if how == "newer" else [])


async def test_a_job_that_is_not_exclusive_is_finished() -> None:
    app, results, go_on = SurvivingApp(), [], threading.Event()

    def work(_: Job) -> str:
        go_on.wait(120)
        return "first"

    async with app.run_test() as pilot:
        run_job(app, work, results.append, group="a", exclusive=False)
        run_job(app, lambda _: "second", results.append, group="a", exclusive=False)
        go_on.set()
        await finished(pilot)
        assert sorted(results) == ["first", "second"]


async def test_results_that_come_one_by_one() -> None:
    app, results, done = SurvivingApp(), [], []

    def work(job: Job) -> Iterator[int]:
        yield from job.each(range(5))

    async with app.run_test() as pilot:
        run_each(app, work, results.append, lambda: done.append(len(results)), group="a")
        await finished(pilot)
        assert results == [0, 1, 2, 3, 4]
        assert done == [5], "it is over after the last of them"


async def test_progress_is_reported_now_and_then() -> None:
    app, counts = SurvivingApp(), []

    def work(job: Job) -> None:
        for done in range(10_000):
            job.report(done, 10_000)

    async with app.run_test() as pilot:
        run_job(app, work, lambda _: None, group="a", on_progress=lambda *count: counts.append(count))
        await finished(pilot)
    assert counts[0] == (0, 10_000)
    assert len(counts) < 1000


def test_throttled(monkeypatch: pytest.MonkeyPatch) -> None:
    now, passed_on = 100.0, []
    monkeypatch.setattr("npuscope.tui.jobs.monotonic", lambda: now)
    report = throttled(lambda done, total: passed_on.append(done))
    for done in range(40):
        report(done, 40)
        now += 0.03
    assert passed_on == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]
