"""Compiler: export, run ST's compiler, hold the prediction against what it wrote: one key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.services.builds import BuildOptions
from npuscope.tui.jobs import run_job, stop_jobs

if TYPE_CHECKING:
    from npuscope.services.stedgeai.compile import Compiled
    from npuscope.session import Session
    from npuscope.tui.app import Npuscope


class Compiler:
    """One run at a time, in a thread; Esc ends it and all it began."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def compile(self) -> None:
        """Compile the model as it is, edits and all, for the target it is judged for."""
        session = self._document.session
        if session is None:
            return
        target = session.target
        asked = replace(
            self._document.asked or BuildOptions(),
            toolchain=target.toolchain.version,
            profile=target.profile,
        )
        folder = session.source.path.parent / f"{session.source.path.stem or 'model'}_stedgeai"
        self._app.main.update_status("compiling …")

        def run(job: Job) -> Compiled:
            from npuscope.services.stedgeai.compile import compile_model
            from npuscope.services.stedgeai.options import choose
            from npuscope.services.stedgeai.program import find_program

            find_program()  # before anything is computed
            return compile_model(choose(session, asked), folder, job=job, force=True)

        run_job(
            self._app,
            run,
            lambda compiled: self._compiled(session, compiled),
            self._failed,
            group="compile",
            on_progress=lambda done, _: self._app.main.update_status(f"compiling … {done} s; Esc ends it"),
        )

    def stop(self) -> None:
        """End a run."""
        if stop_jobs(self._app, "compile"):
            self._app.main.update_status()
            self._app.show_message("The compiler was stopped.")

    def _failed(self, reason: str) -> None:
        self._app.main.update_status()
        self._app.show_message(reason, "error")

    def _compiled(self, compiled: Session, result: Compiled) -> None:
        self._app.main.update_status()
        for line in result.unread:
            self._app.show_message(f"not read: {line}", "warning")
        if result.failure or not result.artefacts:
            self._app.show_message(f"{result.failure}; see {result.log}", "error")
            return
        paths = [str(path) for path in result.artefacts]
        if not compiled.done:
            self._app.opener.open(*paths)
            return
        # Artefacts are held against a model as it was opened: the exported one, which carries its recipe, is opened.
        session = self._document.session
        if session is not None and session.source is compiled.source:
            self._document.session = replace(session, exported=compiled.done)
        self._app.opener.open(str(result.folder / "model.onnx"), *paths)
