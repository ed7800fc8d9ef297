"""JournalKeeper: edits outlive the program; what no export holds yet is kept, and offered when the model is opened again."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.npu.figures import plural
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.tui.jobs import run_job

if TYPE_CHECKING:
    from npuscope.files.recipe import Recipe
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.restore.screen import Answer


@dataclass(frozen=True, slots=True)
class Pending:
    """Edits from a session that ended without an export."""

    recipe: Recipe
    since: datetime | None


class JournalKeeper:
    """Writes the journal after each edit, and reads it once the model is open."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document
        self._writing = Lock()
        self._dropped: Session | None = None

    def keep(self, session: Session) -> None:
        """Write the journal; only the newest state counts."""

        def run(_: Job) -> None:
            from npuscope.files import journal

            with self._writing:
                if session is self._document.session and session is not self._dropped:
                    journal.write(session)

        run_job(self._app, run, lambda _: None, group="journal")

    def drop(self) -> None:
        """The user wants the edits no more."""
        from npuscope.files import journal

        with self._writing:
            self._dropped = self._document.session
            if self._dropped is not None:
                journal.clear(self._dropped)

    def look_back(self, session: Session) -> None:
        """Is there a journal of this very file?"""

        def run(_: Job) -> Pending | None:
            from npuscope.files import journal

            recipe = journal.pending(session.source)
            if recipe is None:
                return None
            try:
                since = datetime.fromtimestamp(journal.place(session.source).stat().st_mtime)
            except (OSError, RuntimeError):
                since = None
            return Pending(recipe, since)

        run_job(
            self._app,
            run,
            lambda pending: self._offer(session, pending),
            group="recipe",
            only_if=lambda: session is self._document.session,
        )

    def _offer(self, session: Session, pending: Pending | None) -> None:
        if pending is None:
            return
        from npuscope.files import journal
        from npuscope.tui.screens.restore.screen import Answer, RestoreScreen

        recipe = pending.recipe

        def answered(answer: Answer | None) -> None:
            if session is not self._document.session:
                return
            if answer is Answer.RESTORE:
                text = f"restored: {plural(len(recipe.entries), 'edit')}"
                self._app.recipes.replay(session, recipe, text)
            elif answer is Answer.DISCARD:
                journal.clear(session)

        edits = tuple(edit.describe() for edit in recipe.edits)
        self._app.push_screen(RestoreScreen(session.source.path.name, edits, pending.since), answered)
