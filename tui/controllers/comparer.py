"""Comparer: what ST's tools wrote, held against the model as it was opened, or shown alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.services.open import compare_opened
from npuscope.tui.jobs import run_job
from npuscope.widgets.lists.layer_filter import LayerFilter

if TYPE_CHECKING:
    from npuscope.machine.machine import Target
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.agreement.nothing import Next


class Comparer:
    """Compares anew where another model is open or another target is judged for; edits change nothing of it."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document
        self._show_when_compared = False
        """An artefact was opened beside the model: what it says is what the user wants to see."""

    def forget(self) -> None:
        """Another model is opened; the artefacts are not of it."""
        self._document.forget_artefacts()
        self._app.main.differing = self._document.differing

    def model_opened(self) -> None:
        """Compare with a model that was opened."""
        if self._document.artefacts:
            self._close()
            self.compare()

    def model_analysed(self) -> None:
        """Another version predicts otherwise."""
        document = self._document
        if document.artefacts and document.session and document.session.target is not document.compared_for:
            self.compare()

    def compare(self, show: bool = False) -> None:
        """Hold the artefacts against the model; `show` what came of it then."""
        document = self._document
        self._show_when_compared |= show
        session, artefacts = document.session, document.artefacts
        snapshot = document.snapshot if session is not None else None
        judged_for = session.target if session is not None else document.target
        source = session.source if session is not None else None
        run_job(
            self._app,
            lambda _: compare_opened(session, snapshot, artefacts, judged_for),
            lambda comparison: self._compared(comparison, judged_for),
            lambda reason: self._not_compared(reason, judged_for),
            group="compare",
            only_if=lambda: source is (document.session.source if document.session is not None else None),
        )

    def _not_compared(self, reason: str, judged_for: Target) -> None:
        self._document.compared_for = judged_for
        self._app.main.update_status()
        self._app.show_message(reason, "error")

    def _compared(self, comparison: Comparison, judged_for: Target) -> None:
        self._document.compared_for = judged_for
        self._document.compared(comparison)
        if self._document.session is None:
            self._app.main.differing = self._document.differing
            self._app.main.update_status()
            self._app.main.update_hints()
            self._close()
            self._push(comparison, with_model=False)
            return
        self._app.main.show_document()
        if self._show_when_compared:
            self._show_when_compared = False
            self.show()

    def show(self) -> None:
        """What the tools did, beside the prediction."""
        comparison = self._document.comparison
        if comparison is None:
            from npuscope.tui.screens.agreement.nothing import NothingToCompare

            self._app.push_screen(NothingToCompare(self._document.session is not None), self._next)
        else:
            self._push(comparison, self._document.session is not None)

    def _next(self, choice: Next | None) -> None:
        from npuscope.tui.screens.agreement.nothing import Next

        if choice is Next.OPEN:
            self._app.action_open_file()
        elif choice is Next.COMPILE:
            self._app.action_compile()

    def _push(self, comparison: Comparison, with_model: bool) -> None:
        from npuscope.tui.screens.agreement.screen import AgreementScreen

        self._app.push_screen(AgreementScreen(comparison, with_model), self._chosen)

    def _chosen(self, choice: LayerFilter | str | None) -> None:
        self._app.main.go_to_choice(choice)

    def _close(self) -> None:
        from npuscope.tui.screens.agreement.screen import AgreementScreen

        if isinstance(self._app.screen, AgreementScreen):
            self._app.screen.dismiss(None)
