"""Jobs: work in a thread, and how its results come back to the screen, or the application, that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, TypeVar

from textual.dom import DOMNode
from textual.worker import Worker, get_current_worker

from npuscope.jobs import Job, Progress, StoppedError
from npuscope.model.budget import giving_way
from npuscope.model.errors import ModelError, one_line
from npuscope.tui import key_priority
from npuscope.tui.survival import SurvivingApp

PROGRESS_EVERY = 0.1
"""Seconds between two reports of progress, so that a fast run does not flood a slow line."""

Result = TypeVar("Result")
Receiver = Callable[..., Any]


def run_job(
    host: DOMNode,
    work: Callable[[Job], Result],
    on_done: Callable[[Result], object],
    on_failed: Callable[[str], object] | None = None,
    *,
    group: str,
    on_progress: Progress | None = None,
    only_if: Callable[[], bool] | None = None,
    exclusive: bool = True,
) -> None:
    """Do `work` in a thread; `on_done` gets what it returns, in turn with the host's messages.

    1. `work` tells its `Job` of progress and asks it whether to stop. A newer job of the same group stops an
       `exclusive` one, leaving a screen stops its jobs; what a stopped one still returns is dropped.
    2. `on_failed` gets the reason of a ModelError, or a sentence about an error of ours; without it, the
       application shows that.
    3. Nothing is handed back where `only_if` is False by then: what was asked about has changed.
    """

    def run() -> None:
        worker = get_current_worker()
        hand_back = _ToHost(host, worker, only_if)
        report = None if on_progress is None else throttled(hand_back.to(on_progress))
        try:
            with giving_way(key_priority.pausing()):
                result = work(Job(report, lambda: worker.is_cancelled))
        except StoppedError:
            return
        except ModelError as error:
            hand_back.to(on_failed or _error_shower(host))(str(error))
        except Exception as error:  # noqa: BLE001 - the edits made so far are worth more than a clean end
            from npuscope.tui.crash import record

            record(error)
            hand_back.to(_error_shower(host) if on_failed in (None, silently) else on_failed)(fault(error))
        else:
            hand_back.to(on_done)(result)

    host.run_worker(run, thread=True, exclusive=exclusive, group=group, description=group)


def run_each(
    host: DOMNode,
    work: Callable[[Job], Iterator[Result]],
    on_each: Callable[[Result], object],
    on_done: Callable[[], object] | None = None,
    on_failed: Callable[[str], object] | None = None,
    *,
    group: str,
    on_progress: Progress | None = None,
) -> None:
    """Do `work` in a thread as `run_job` does; `on_each` gets one result after the other, as soon as it is known."""

    def run(job: Job) -> None:
        hand_back = _ToHost(host, get_current_worker(), None)
        for result in work(job):
            job.check()
            hand_back.to(on_each)(result)

    def done(_: None) -> None:
        if on_done is not None:
            on_done()

    run_job(host, run, done, on_failed, group=group, on_progress=on_progress)


def handing_over(host: DOMNode, receiver: Receiver) -> Receiver:
    """In the thread of a job: a function that has `receiver` called by its host, as long as the job is wanted."""
    return _ToHost(host, get_current_worker(), None).to(receiver)


def silently(_: str) -> None:
    """For `on_failed`: a ModelError is not worth a word here. An error of ours is shown all the same."""


def stop_jobs(host: DOMNode, group: str) -> bool:
    """Stop the jobs of a group; whether there were any."""
    return any(not worker.is_finished for worker in host.workers.cancel_group(host, group))


def throttled(report: Progress) -> Progress:
    """A report of progress that passes on one in `PROGRESS_EVERY` seconds."""
    last = 0.0

    def passed_on(done: int, total: int) -> None:
        nonlocal last
        if monotonic() - last >= PROGRESS_EVERY:
            last = monotonic()
            report(done, total)

    return passed_on


def fault(error: Exception) -> str:
    """What to say where npuscope itself is wrong."""
    message = one_line(f"{type(error).__name__}: {error}", 160)
    return f"npuscope failed on this model ({message}); please report it with the model"


class _ToHost:
    """From the thread of a worker to its host, as long as that wants it."""

    def __init__(self, host: DOMNode, worker: Worker[Any], only_if: Callable[[], bool] | None) -> None:
        self._host, self._worker, self._only_if = host, worker, only_if

    def to(self, receiver: Receiver) -> Receiver:
        """A function, to be called in the thread, that has `receiver` called by the host."""
        return lambda *values: self._wanted() and self._host.call_later(self._deliver, receiver, *values)

    def _wanted(self) -> bool:
        return not self._worker.is_cancelled and not getattr(self._host, "left", False)

    def _deliver(self, receiver: Receiver, *values: object) -> None:
        if self._wanted() and (self._only_if is None or self._only_if()):
            receiver(*values)


def _error_shower(host: DOMNode) -> Receiver:
    """Shows a line about an error."""
    app = host.app
    assert isinstance(app, SurvivingApp)
    return lambda text: app.show_message(text, "error")
