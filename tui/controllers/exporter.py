"""Exporter: the edited model is written, and edits that were not are asked about before they are lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.session import Session
from npuscope.tui.jobs import run_job

if TYPE_CHECKING:
    from npuscope.files.onnx_file import ExportResult
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.export.screen import ExportScreen
    from npuscope.tui.screens.quit.screen import Leave


class Exporter:
    """Asks where to, writes, says what came of it."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def unless_unexported(self, verb: str, go_on: Callable[[], object]) -> None:
        """Go on; ask first where that loses edits."""
        from npuscope.tui.screens.quit.screen import Leave, QuitScreen

        session = self._document.session
        if session is None or not session.unexported:
            go_on()
            return

        def chosen(leave: Leave | None) -> None:
            if leave is Leave.DROP:
                self._app.journal.drop()
                go_on()
            elif leave is Leave.EXPORT:
                self.ask(then=go_on)

        self._app.push_screen(QuitScreen(tuple(edit.describe() for edit in session.done), verb), chosen)

    def ask(self, then: Callable[[], object] | None = None) -> None:
        """Ask for a path, and write; `then` go on with something else."""
        from npuscope.files.onnx_file import default_path
        from npuscope.tui.screens.export.screen import ExportScreen

        session = self._document.session
        if session is None:
            return

        def closed(path: Path | None) -> None:
            if path is not None and then is not None:
                then()

        verified = self._document.verified
        checked = verified[1] if verified is not None and verified[0] is session.graph else None
        self._app.push_screen(ExportScreen(session, default_path(session.source.path), checked), closed)

    def write(self, wanted: ExportScreen.Wanted) -> None:
        """Write and check a model, its recipe, or both, and a report. Once begun it is finished, whatever is shown."""
        session = wanted.session

        def run(_: Job) -> ExportResult:
            from npuscope.services.writing import write_result

            result = write_result(session, wanted.path, wanted.force, wanted.recipe)
            return _with_report(result, wanted) if wanted.report else result

        run_job(
            self._app,
            run,
            lambda result: self._written(session, result),
            lambda reason: self._show_outcome(session, reason),
            group="export",
            exclusive=False,
        )

    def _written(self, written: Session, result: ExportResult) -> None:
        from npuscope.services.writing import RECIPE_SUFFIX

        session = self._document.session
        ours = session is not None and session.source is written.source
        if session is not None and ours and result.path.suffix != RECIPE_SUFFIX:
            session = self._document.session = replace(session, exported=written.done)
            self._app.journal.keep(session)
            self._app.main.update_status()
        self._show_outcome(written, result)

    def _show_outcome(self, written: Session, result: ExportResult | str) -> None:
        from npuscope.tui.screens.export.screen import ExportScreen

        screen = self._app.screen
        if isinstance(screen, ExportScreen) and screen.session is written:
            screen.show_result(result)
        elif isinstance(result, str):
            self._app.show_message(result, "error")
        else:
            self._app.show_message(f"Written: {result.path}")


def _with_report(result: ExportResult, wanted: ExportScreen.Wanted) -> ExportResult:
    """The result, with the report that was written beside it, under a name that is free."""
    from npuscope.files.atomic import write_beside
    from npuscope.reports.change_report import before_and_after, change_markdown
    from npuscope.reports.html.page import check_html
    from npuscope.services.writing import unused_path

    session = wanted.session
    before, after = before_and_after(session)
    if wanted.report == ".html":
        text = check_html(session, after, before, wanted.checked)
    else:
        text = change_markdown(session, before, after, wanted.checked)
    place = unused_path(result.path.with_suffix(wanted.report))
    write_beside(session.source, place, text.encode("utf-8", "backslashreplace"))
    return replace(result, checks=(*result.checks, f"report beside it: {place.name}"))
