"""Editor: edits, their undoing, another target; each makes a new session, which is analysed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job, Progress
from npuscope.machine.machine import Target
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.jobs import run_job, stop_jobs

if TYPE_CHECKING:
    from npuscope.services.apply import Applied
    from npuscope.tui.app import Npuscope

CALIBRATION_SAMPLES = 8
"""Random inputs from which partial sums get their scales, as `npuscope split` does it."""


class Editor:
    """Turns what the user wants into a new session of the document."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def apply(self, edits: Sequence[Edit], text: str) -> None:
        """Make edits; those that take scales for partial sums get them from runs of the model first."""
        from npuscope.numbers.calibrate_all import takes_scales

        session, supplied = self._document.session, self._document.inputs is not None
        if session is None or not edits:
            return
        calibrating = any(takes_scales(edit, supplied) for edit in edits)
        if len(edits) == 1 and not calibrating:
            self.make(edits[0])
        else:
            self._app.main.update_status("calibrating …" if calibrating else "applying …")
            self._make_in_thread(session, tuple(edits), text)

    def make(self, edit: Edit) -> None:
        """Make an edit, or say why it cannot be made."""
        if self._document.session is not None:
            self._made(self._document.session.edit(edit), edit.describe())

    def _make_in_thread(self, session: Session, edits: tuple[Edit, ...], text: str) -> None:
        doing = ""

        def run(job: Job) -> Applied:
            from npuscope.services.apply import Calibration, apply_edits

            def reporting(what: str) -> Progress:
                def report(done: int, total: int) -> None:
                    nonlocal doing
                    doing = what
                    job.report(done, total)

                return report

            calibration = Calibration(self._document.inputs, CALIBRATION_SAMPLES)
            calibrating = job.reporting(reporting("calibrating"))
            return apply_edits(session, edits, calibration, calibrating, reporting("applying"))

        def applied(result: Applied) -> None:
            if result.warning:
                self._app.show_message(result.warning, "warning")
            self._made(result.session, text)

        run_job(
            self._app,
            run,
            applied,
            lambda reason: self._made(Refusal(reason), text),
            group="edit",
            on_progress=lambda done, total: self._app.main.update_status(f"{doing} {done} of {total}"),
            only_if=lambda: session is self._document.session,
        )

    def stop(self) -> None:
        """Give up a calibration that runs."""
        if stop_jobs(self._app, "edit"):
            self._app.main.update_status()
            self._app.show_message("Stopped: nothing was changed.")

    def _made(self, result: Session | Refusal, text: str) -> None:
        if isinstance(result, Refusal):
            self._app.main.update_status()
            self._app.show_message(str(result), "warning")
        else:
            self.set_session(result, text)

    def undo(self) -> None:
        """Take the last edit back."""
        session = self._document.session
        if session is not None and session.done:
            self.set_session(session.undo(), f"undone: {session.done[-1].describe()}")

    def redo(self) -> None:
        """Make the edit undone last again."""
        session = self._document.session
        if session is None or not session.undone:
            return
        edit, again = session.undone[-1], session.redo()
        if again is session:
            self._app.show_message(
                f"Cannot be applied to the model as it is now: {edit.describe()}", "warning"
            )
        else:
            self.set_session(again, f"redone: {edit.describe()}")

    def judge_for(self, judged_for: Target) -> None:
        """Judge the model, and those opened after it, for another target."""
        session = self._document.session
        if session is not None and judged_for is not session.target:
            self._document.target = judged_for
            self.set_session(session.with_target(judged_for))

    def set_session(self, session: Session, text: str = "") -> None:
        """Go on with another session, and analyse it; `text` says what made it."""
        document = self._document
        previous, document.session = document.snapshot, session
        known = document.analyses.known(session, previous)
        if known is not None:
            stop_jobs(self._app, "analysis")
            self._app.session_changed(session)
            self._analysed(known, text)
            return
        self._app.main.update_status_soon("analysing …")
        run_job(
            self._app,
            lambda _: analyse(session, previous),
            lambda snapshot: self._analysed(snapshot, text),
            self._not_analysed,
            group="analysis",
            only_if=lambda: session is self._document.session,
        )
        self._app.session_changed(session)

    def _analysed(self, snapshot: Snapshot, text: str) -> None:
        self._document.analysed(snapshot, text)
        self._app.analysed()

    def _not_analysed(self, reason: str) -> None:
        self._app.main.update_status()
        self._app.show_message(reason, "error")
