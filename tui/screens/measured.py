"""A dialog over what runs of a model show: their progress or why there are none, then a list with a page about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from textual import on

from npuscope.jobs import Job
from npuscope.tui.jobs import run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog, Result
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import Line

SAMPLES = 8
"""Random inputs that are run where the user names none."""

Measure = TypeVar("Measure")


class MeasuredDialog(Dialog[Result], Generic[Result, Measure]):
    """Runs the model in a thread; Esc stops the run and closes it."""

    running = False
    failed = ""
    """Why the model was not run."""
    progress = (0, SAMPLES)

    def measure(self, work: Callable[[Job], Measure]) -> None:
        """Do `work` in a thread; `measured` gets what it returns."""
        self.running, self.failed, self.progress = True, "", (0, SAMPLES)
        self.refresh_page()
        run_job(self, work, self._done, self._not_run, group="measure", on_progress=self._progressed)

    def measured(self, result: Measure) -> None:
        """Show what the run found."""
        raise NotImplementedError

    def page(self, width: int) -> list[Line]:
        """The text about the line under the cursor, the run, or why there is none."""
        raise NotImplementedError

    def refresh_page(self) -> None:
        """Write the page and the keys anew."""
        self.query_one(Page).show(self.page)
        self.query_one(KeyBar).hints = self.hints()

    def _done(self, result: Measure) -> None:
        self.running = False
        self.measured(result)

    def _progressed(self, done: int, total: int) -> None:
        self.progress = (done, total)
        self.query_one(Page).show(self.page)

    def _not_run(self, reason: str) -> None:
        self.failed, self.running = reason, False
        self.refresh_page()

    @on(Choices.Moved)
    def _moved(self) -> None:
        self.refresh_page()

    def action_leave(self) -> None:
        """Stop the run, or close the dialog."""
        stop_jobs(self, "measure")
        self.dismiss(None)
