"""Reloader: the file of the model changed on disk, or is gone; it is said, and read again when the user wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job
from npuscope.model.as_int8.symbolic import as_int8
from npuscope.npu.figures import plural
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.jobs import run_job
from npuscope.widgets.text.keys import keyed

if TYPE_CHECKING:
    from npuscope.tui.app import Npuscope

EVERY = 2.0
"""Seconds between two looks at the file."""

Reloaded = tuple[Session, Snapshot, tuple[Edit, ...], Session]
"""The model as it is now with the edits that could be made, those that could not, and the model as the file has it."""


class Reloader:
    """Looks at the file's size, time and number only; the model is read when asked for."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def watch(self) -> None:
        """Say once that another file took the model's place, or that it is gone; and no more, once it is back."""
        session = self._document.session
        stale = session.source.since_opened if session is not None else ""
        if session is None or stale == self._document.stale:
            return
        self._document.stale = stale
        self._app.main.update_status()
        if stale:
            source = session.source
            hint = (
                keyed("{R} reloads it.")
                if not source.is_current
                else "put it back before you export or verify, its weights are read from there."
                if source.spans or source.weight_files
                else "what is open can still be edited and exported."
            )
            self._app.show_message(f"{source.path.name} {stale}: {hint}", "warning")

    def reload(self) -> None:
        """Read the model again, and make its edits again."""
        session = self._document.session
        if session is None or session.source.file is None:
            self._app.show_message("Nothing to reload: the model did not come from a file.")
            return
        self._app.main.update_status("reloading …")
        run_job(
            self._app,
            lambda job: _again(session, job),
            self._reloaded,
            self._not_reloaded,
            group="analysis",
            only_if=lambda: session is self._document.session,
        )

    def _not_reloaded(self, reason: str) -> None:
        self._app.main.update_status()
        self._app.show_message(reason, "error")

    def _reloaded(self, result: Reloaded) -> None:
        session, snapshot, lost, plain = result
        here = self._app.graph_tree.layer_name
        self._document.open(session, snapshot)
        self._app.if_quantized.read_again(plain)
        self._app.main.show_opened()
        self._app.comparer.model_opened()
        self._app.session_changed(session)
        if here is not None and here in snapshot.by_name:
            self._app.main.go_to(here)
        edits = plural(len(session.done), "edit")
        self._app.forget_messages()  # that it had changed
        text = f"Reloaded, {edits} reapplied." if session.done else "Reloaded."
        if lost:
            text += f" No longer possible: {', '.join(edit.describe() for edit in lost[:3])}"
            text += f" and {len(lost) - 3} more." if len(lost) > 3 else "."
        self._app.show_message(text, "warning" if lost else "information")


def _again(session: Session, job: Job) -> Reloaded:
    """Open the file anew; edits that the model no longer takes are left out."""
    plain = Session.open(open_model(str(session.source.path)), session.target)
    fresh = Session.open(as_int8(plain.source), session.target) if session.graph.as_int8 else plain
    lost: list[Edit] = []
    for edit in session.done:
        job.check()
        result = apply_all(fresh, (edit,))
        if isinstance(result, Refusal):
            lost.append(edit)
        else:
            fresh = result
    return fresh, analyse(fresh), tuple(lost), plain
