"""Recipes: edits of a file, or of a session that ended early, made again on the model as it was opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.edits.edit import Refusal
from npuscope.jobs import Job
from npuscope.session import Session
from npuscope.tui.jobs import run_job

if TYPE_CHECKING:
    from npuscope.files.recipe import Recipe
    from npuscope.tui.app import Npuscope


class Recipes:
    """Makes the edits of a recipe."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def use(self, path: str, session: Session) -> None:
        """Make the edits of a recipe file on a model as it was opened."""
        self._app.main.update_status("applying the recipe's edits …")
        self.replay(session, path, f"recipe {Path(path).name}")

    def replay(self, session: Session, recipe: Recipe | str, text: str) -> None:
        """Make the edits of a recipe, or of a recipe file; `text` says what they are."""

        def run(_: Job) -> Session | Refusal:
            from npuscope.files.recipe import load, replay

            wanted = load(recipe) if isinstance(recipe, str) else recipe
            return replay(session.source, wanted, session.target)

        def replayed(result: Session | Refusal) -> None:
            if isinstance(result, Refusal):
                self._refused(str(result))
            else:
                self._app.editor.set_session(result, text)

        run_job(
            self._app,
            run,
            replayed,
            self._refused,
            group="recipe",
            only_if=lambda: session is self._document.session,
        )

    def _refused(self, reason: str) -> None:
        self._app.main.update_status()
        self._app.show_message(reason, "warning")
