"""IfQuantized: a float model judged as if quantized, and back; nothing of it can be run or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.model.as_int8.symbolic import as_int8
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.jobs import run_job, silently
from npuscope.widgets.text.keys import keyed

if TYPE_CHECKING:
    from npuscope.tui.app import Npuscope


class IfQuantized:
    """Turns the document from the float model into the same as if quantized; edits of the latter wait for it."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document
        self._float: Session | None = None
        """What the model that is shown was made of."""
        self._left: tuple[Session, Session] | None = None
        """A float model, and what had become of it as if quantized when that was left."""

    @property
    def float_session(self) -> Session | None:
        """The model as its file has it, whatever is shown of it."""
        session = self._document.session
        assumed = session is not None and session.graph.as_int8
        return self._float if assumed else session

    def opened(self) -> None:
        """Another model: say that there is this view of a model most layers of which are float."""
        self._float = self._left = None
        if self._document.to_quantize:
            hint = keyed("press {I} to judge it as if quantized, {Q} to quantize it.")
            self._app.show_message(f"Most layers are float and would run on the CPU: {hint}")

    def toggle(self) -> None:
        """As if quantized, or as the file is again."""
        session = self._document.session
        if session is None:
            return
        if session.graph.as_int8 and self._float is not None:
            self._left = self._float, session
            self._show(self._float)
        elif session.done:
            self._app.show_message(
                "Only the model in the file can be judged: export the edits first, or undo them.", "warning"
            )
        elif self._left is not None and self._left[0].source is session.source:
            self._float = session
            self._show(self._left[1].with_target(session.target))
        else:
            self._float = session
            self._show(session, assume=True)

    def read_again(self, fresh: Session) -> None:
        """The file was read again: what was left of it is of the old one."""
        self._float, self._left = fresh, None

    def refuses(self) -> bool:
        """What is shown can be neither run nor written, and it is said."""
        session = self._document.session
        if session is None or not session.graph.as_int8:
            return False
        hint = keyed("{Q} makes the int8 model.")
        self._app.show_message(
            f"A model judged as if quantized can be neither run nor written: {hint}", "warning"
        )
        return True

    def _show(self, session: Session, assume: bool = False) -> None:
        before, target = self._document.session, self._document.target

        def run(_: Job) -> tuple[Session, Snapshot]:
            made = Session.open(as_int8(session.source), target) if assume else session.with_target(target)
            return made, analyse(made)

        self._app.main.update_status("judging …")
        run_job(
            self._app,
            run,
            self._shown,
            self._not_shown,
            group="analysis",
            only_if=lambda: before is self._document.session,
        )

    def _shown(self, shown: tuple[Session, Snapshot]) -> None:
        here = self._app.graph_tree.layer_name
        self._document.open(*shown)
        self._app.main.show_opened()
        if here is not None and here in self._document.snapshot.by_name:
            self._app.main.go_to(here)
        self._app.comparer.model_analysed()
        self.weigh()
        if self._document.snapshot.graph.as_int8:
            self._app.show_message(
                keyed("Judged as if quantized. Press {I} to go back to the float model, {Q} to quantize it.")
            )

    def _not_shown(self, reason: str) -> None:
        self._app.main.update_status()
        self._app.show_message(reason, "warning")

    def weigh(self) -> None:
        """Say what the figures assume, and what zero points will decide, for the newest analysis."""
        session, snapshot = self._document.session, self._document.snapshot
        if session is None or not session.graph.as_int8 or session.graph is not snapshot.graph:
            return

        def run(_: Job) -> str:
            from npuscope.services.zero_points import zero_point_range

            span = zero_point_range(session, snapshot)
            return span.words if span is not None else ""

        def weighed(words: str) -> None:
            if self._document.snapshot is snapshot:
                self._document.assumption = words
                self._app.main.show_document()

        run_job(self._app, run, weighed, silently, group="zero points")
