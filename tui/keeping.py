"""Edits outlive the program: a journal of what no export holds yet, and recipes made again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from npuscope.edits.edit import Refusal
from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError
from npuscope.session import Session
from npuscope.tui.explorer import Explorer, fault
from npuscope.tui.messages import Opened
from npuscope.widgets.text.words import plural

if TYPE_CHECKING:
    from npuscope.files.recipe import Recipe
    from npuscope.tui.screens.restore.screen import Answer

RECIPE_SUFFIX = ".toml"


@dataclass
class Pending(Message):
    """The model has edits from a session that ended without an export."""

    session: Session
    recipe: Recipe
    since: datetime | None


@dataclass
class Replayed(Message):
    """The edits of a recipe were made, or cannot be."""

    before: Session
    after: Session | Refusal | str
    text: str


class Keeping(Explorer):
    """The explorer with a memory."""

    def __init__(self, path: str | None, judged_for: Target) -> None:
        super().__init__(path, judged_for)
        self.recipe: str | None = None
        """A recipe to make once the model is open."""
        self._writing = Lock()
        self._dropped: Session | None = None

    # -- the journal

    def become(self, session: Session, text: str = "") -> None:
        """Go on with another session, and keep its edits."""
        super().become(session, text)
        self.keep(session)

    @work(thread=True, exclusive=True, group="journal", description="keep")
    def keep(self, session: Session) -> None:
        """Write the journal; only the newest state counts."""
        from npuscope.files import journal

        with self._writing:
            if session is self.session and session is not self._dropped:
                journal.write(session)

    def drop(self) -> None:
        """The user wants the edits no more."""
        from npuscope.files import journal

        with self._writing:
            self._dropped = self.session
            if self.session is not None:
                journal.clear(self.session)

    @on(Opened)
    def _look_back(self, message: Opened) -> None:
        recipe, self.recipe = self.recipe, None
        if recipe is not None:
            self.use_recipe(recipe, message.session)
        else:
            # The first paint does not wait for a journal; there rarely is one.
            self.call_after_refresh(self.look_back_in_thread, message.session)

    @work(thread=True, exclusive=True, group="recipe", description="look back in thread")
    def look_back_in_thread(self, session: Session) -> None:
        """Is there a journal of this very file?"""
        from npuscope.files import journal

        found = journal.pending(session.source)
        if found is None or get_current_worker().is_cancelled:
            return
        try:
            since = datetime.fromtimestamp(journal.place(session.source).stat().st_mtime)
        except (OSError, RuntimeError):
            since = None
        self.post_message(Pending(session, found, since))

    @on(Pending)
    def _pending_found(self, message: Pending) -> None:
        from npuscope.files import journal
        from npuscope.tui.screens.restore.screen import Answer, RestoreScreen

        session, recipe = message.session, message.recipe
        if session is not self.session:
            return

        def chosen(answer: Answer | None) -> None:
            if session is not self.session:
                return
            if answer is Answer.RESTORE:
                self.replay_in_thread(session, recipe, f"restored: {plural(len(recipe.entries), 'edit')}")
            elif answer is Answer.DISCARD:
                journal.clear(session)

        edits = tuple(edit.describe() for edit in recipe.edits)
        self.push_screen(RestoreScreen(edits, message.since), chosen)

    # -- recipes

    def use_recipe(self, path: str, session: Session) -> None:
        """Make the edits of a recipe file on a model as it was opened."""
        self.say(busy="making the recipe's edits …")
        self.replay_in_thread(session, path, f"recipe {Path(path).name}")

    @work(thread=True, exclusive=True, group="recipe", description="replay in thread")
    def replay_in_thread(self, session: Session, recipe: Recipe | str, text: str) -> None:
        """Make the edits of a recipe on the model as it was opened."""
        from npuscope.files.recipe import load, replay

        try:
            wanted = load(recipe) if isinstance(recipe, str) else recipe
            after: Session | Refusal | str = replay(session.source, wanted, session.target)
        except ModelError as error:
            after = str(error)
        except Exception as error:  # noqa: BLE001 - the edits made so far are worth more than a clean end
            after = fault(error)
        if not get_current_worker().is_cancelled:
            self.post_message(Replayed(session, after, text))

    @on(Replayed)
    def _replayed(self, message: Replayed) -> None:
        if message.before is not self.session:
            return
        if isinstance(message.after, Session):
            self.become(message.after, message.text)
        else:
            self.say()
            self.tell(str(message.after), "warning")
