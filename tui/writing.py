"""Checking and writing: verify, export, recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work

from npuscope.model.errors import ModelError
from npuscope.tui.keeping import RECIPE_SUFFIX, Keeping
from npuscope.tui.messages import Written
from npuscope.tui.screens.export.screen import ExportScreen

if TYPE_CHECKING:
    from npuscope.files.onnx_file import ExportResult
    from npuscope.session import Session
    from npuscope.tui.screens.verify.screen import VerifyScreen


class Writing(Keeping):
    """The explorer with what leaves it."""

    def action_verify(self) -> None:
        """Compare the edited model with the original."""
        from npuscope.tui.screens.verify.screen import VerifyScreen

        if self.session is None:
            return
        if self.session.done:
            self.push_screen(VerifyScreen(self.session, self.inputs))
        else:
            self.tell("Nothing to verify: no edits yet.")

    def on_verify_screen_inputs_wanted(self, message: VerifyScreen.InputsWanted) -> None:
        """Ask for samples; verify again on those."""
        from npuscope.tui.screens.inputs.screen import InputsScreen

        screen = message.screen

        def chosen(path: str | None) -> None:
            if path is not None:
                self.inputs = screen.inputs = path or None
                screen.start()

        self.push_screen(InputsScreen(screen.session.source, self.inputs), chosen)

    def action_export(self) -> None:
        """Write the edited model."""
        if self.session is None:
            return
        if self.session.done:
            self.export()
        else:
            self.tell("Nothing to export: no edits yet.")

    def export(self, then: Callable[[], object] | None = None) -> None:
        """Ask for a path, and write."""
        from npuscope.files.onnx_file import default_path

        session = self.session
        assert session is not None

        def closed(path: Path | None) -> None:
            if path is not None and then is not None:
                then()

        self.push_screen(ExportScreen(session, default_path(session.source.path)), closed)

    @on(ExportScreen.Wanted)
    def _export_wanted(self, message: ExportScreen.Wanted) -> None:
        self.write(message.session, message.path, message.force, message.recipe)

    @work(thread=True, exclusive=True, group="export", description="write")
    def write(self, session: Session, path: Path, force: bool, recipe: bool) -> None:
        """Write and check a model, its recipe, or both. Once begun it is finished, whatever is on the screen."""
        from npuscope.services.writing import write_result

        try:
            result: ExportResult | str = write_result(session, path, force, recipe)
        except ModelError as error:
            result = str(error)
        self.post_message(Written(session, result))

    @on(Written)
    def _written(self, message: Written) -> None:
        result, session = message.result, self.session
        ours = session is not None and session.source is message.session.source
        if (
            session is not None
            and ours
            and not isinstance(result, str)
            and result.path.suffix != RECIPE_SUFFIX
        ):
            self.session = replace(session, exported=message.session.done)
            self.keep(self.session)
            self.say()
        if isinstance(self.screen, ExportScreen) and self.screen.session is message.session:
            self.screen.show_result(result)
        elif isinstance(result, str):
            self.tell(result, "error")
        else:
            self.tell(f"Written: {result.path}")
