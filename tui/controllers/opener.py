"""Opener: which file? A model is read and analysed, artefacts of ST's tools go to the comparer, a recipe is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.files.recent import remember
from npuscope.jobs import Job
from npuscope.services.open import Sorted, open_model, sort_files, target_for, two_models
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse, draft
from npuscope.tui.jobs import run_job, silently

if TYPE_CHECKING:
    from npuscope.services.diff import Difference
    from npuscope.tui.app import Npuscope

DRAFTED_FROM = 600
"""Layers from which a model is shown before they are judged: fewer are judged before anybody sees it."""


class Opener:
    """Reads the files that the user names; what cannot be read is asked for again, with the reason."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document
        self._two: tuple[Session, Session, Difference] | None = None
        """What `npuscope OLD NEW` opened, and how they differ."""

    def ask(self, reason: str = "", path: str | None = None) -> None:
        """Show the file picker, with the reason why the last file could not be opened."""
        from npuscope.tui.screens.open.screen import OpenScreen, start_of

        session = self._document.session
        beside = path or (str(session.source.path) if session is not None else self._document.path)
        opened = session.source.path.absolute() if session is not None else None
        self._app.push_screen(OpenScreen(start_of(beside), reason, opened), self._chosen)

    def _chosen(self, path: str | None) -> None:
        from npuscope.services.writing import RECIPE_SUFFIX

        session = self._document.session
        if path is None:
            return
        if not path.endswith(RECIPE_SUFFIX):
            self._document.inputs = None
            self.open(path)
        elif session is not None:
            self._app.recipes.use(path, session)
        else:
            self.ask(f"{path} is a recipe; open the model it was made for first")

    def open(self, *paths: str) -> None:
        """Read files: a model, artefacts, or both. Artefacts are held against the model that is open."""
        if self._document.session is None:
            self._document.path = paths[0]
        self._app.main.update_status("opening …")
        run_job(
            self._app,
            lambda _: two_models(paths) or sort_files(paths),
            self._sorted,
            lambda reason: self._not_opened(reason, paths[0]),
            group="analysis",
        )

    def _sorted(self, files: Sorted | tuple[str, str]) -> None:
        """Models and artefacts were told apart by what is in them."""
        if isinstance(files, tuple):
            self._open_two(*files)
            return
        for reason in files.refused:
            self._app.show_message(reason, "warning")
        document, comparer = self._document, self._app.comparer
        if files.model is not None and document.session is not None:
            comparer.forget()
        document.add_artefacts(files.artefacts)
        if document.session is None and document.artefacts and document.asked is not None:
            document.target = target_for(document.artefacts, document.asked)
        if files.model is not None:
            self._open_model(files.model)
        elif document.session is not None:
            comparer.compare(show=True)
        else:
            document.path = document.artefacts[0].path
            comparer.compare()

    def _open_two(self, before: str, after: str) -> None:
        """Two models: the second is explored, the first is what it is held against."""
        self._document.path = after
        self._app.comparer.forget()
        judged_for = self._document.target

        def run(_: Job) -> tuple[Session, Session, Difference]:
            from npuscope.services.diff import diff

            one, other = (Session.open(open_model(path), judged_for) for path in (before, after))
            return one, other, diff(one, other)

        run_job(
            self._app,
            run,
            self._two_opened,
            lambda reason: self._not_opened(reason, after),
            group="analysis",
        )

    def _two_opened(self, opened: tuple[Session, Session, Difference]) -> None:
        one, other, difference = opened
        self._opened((other, difference.after))
        self._two = (one, other, difference)
        self.show_difference()

    def show_difference(self) -> None:
        """Both models side by side, as they were opened."""
        if self._two is None or self._document.session is None:
            self._app.show_message(
                "Nothing to show: npuscope OLD.onnx NEW.onnx opens two models side by side."
            )
            return
        one, other, difference = self._two
        if self._document.session.source is not other.source:
            self._app.show_message(
                "Another model is open now; npuscope OLD.onnx NEW.onnx opens two side by side."
            )
            return
        from npuscope.tui.screens.difference.screen import DifferenceScreen

        names = one.source.path.name, other.source.path.name
        self._app.push_screen(DifferenceScreen(difference, *names), self._app.main.go_to_choice)

    def _open_model(self, path: str) -> None:
        self._document.path = path
        self._app.main.update_status("opening …")
        judged_for = self._document.target

        first = self._document.session is None

        def run(_: Job) -> tuple[Session, Snapshot]:
            session = Session.open(open_model(path), judged_for)
            slow = first and len(session.layers.layers) >= DRAFTED_FROM
            return session, draft(session) if slow else analyse(session, keep=True)

        run_job(self._app, run, self._read, lambda reason: self._not_opened(reason, path), group="analysis")

    def _read(self, opened: tuple[Session, Snapshot]) -> None:
        """The model is judged, or so large that its layers are shown before they are."""
        session, snapshot = opened
        if not snapshot.draft:
            self._opened(opened)
            return
        self._app.main.show_draft(snapshot)
        self._app.call_after_refresh(self._judge, session)

    def _judge(self, session: Session) -> None:
        path = str(session.source.path)
        run_job(
            self._app,
            lambda _: (session, analyse(session, keep=True)),
            self._opened,
            lambda reason: self._not_opened(reason, path),
            group="analysis",
        )

    def _opened(self, opened: tuple[Session, Snapshot]) -> None:
        self._document.open(*opened)
        self._app.opened()
        path = opened[0].source.path
        if opened[0].source.file is not None:
            run_job(
                self._app, lambda _: remember(path), lambda _: None, silently, group="recent", exclusive=False
            )

    def _not_opened(self, reason: str, path: str) -> None:
        if self._app.main.snapshot.draft:
            self._app.main.show_document()
        self._app.main.update_status()
        self.ask(reason, path)
