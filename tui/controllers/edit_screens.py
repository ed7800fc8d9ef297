"""EditScreens: the screens that end with edits to make, or say what edits did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.edits.edit import Edit, Refusal
from npuscope.npu.figures import plural

if TYPE_CHECKING:
    from npuscope.numbers.verify_regions import LocalVerification
    from npuscope.session import Session
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.plan.screen import Chosen
    from npuscope.tui.screens.plan.search import FoundPlans
    from npuscope.tui.screens.verify.screen import VerifyScreen

# Screens, and the edits behind them, are imported where they are shown: the first paint needs none.


class EditScreens:
    """Shows them for what is selected, and hands what was chosen to the editor."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document
        self._plans: FoundPlans | None = None

    def _apply(self, edit: Edit | None) -> None:
        if edit is not None:
            self._app.editor.apply([edit], edit.describe())

    def fixes(self) -> None:
        """Edits that help the selected layer, or the whole model where none is selected."""
        document, report = self._document, self._app.main.report
        session, snapshot = document.session, document.snapshot
        if session is None:
            return
        if report is not None:
            from npuscope.tui.screens.fixes.screen import FixesScreen

            self._app.push_screen(FixesScreen(session, snapshot, report, document.inputs), self._apply)
        elif snapshot.layers:
            from npuscope.tui.screens.model_fixes.screen import ModelFixesScreen

            self._app.main.weigh()
            self._app.push_screen(ModelFixesScreen(session, snapshot, document.inputs), self._apply)

    def split(self) -> None:
        """Sizes to split the selected layer into."""
        from npuscope.edits.toolkit.weighted import weighted_layer
        from npuscope.tui.screens.split.screen import Channels, SplitScreen

        document, report = self._document, self._app.main.report
        session = document.session
        if session is None or report is None:
            return
        layer = weighted_layer(session.graph, session.layers, report.name)
        if isinstance(layer, Refusal):
            self._app.show_message(str(layer), "warning")
            return
        there = Channels(layer.in_channels, layer.out_channels)
        screen = SplitScreen(session, document.snapshot, report, there, document.inputs)
        self._app.push_screen(screen, self._apply)

    def plan(self) -> None:
        """Edits for the whole model, found by a search."""
        from npuscope.tui.screens.plan.screen import PlanScreen
        from npuscope.tui.screens.plan.search import FoundPlans

        def chosen(choice: Chosen | None) -> None:
            if choice is not None:
                edits = [choice.plan.steps[index].edit for index in choice.taken]
                self._app.editor.apply(edits, f"plan of {plural(len(edits), 'edit')}")

        session, snapshot = self._document.session, self._document.snapshot
        if session is not None and snapshot.layers:
            if self._plans is None or not self._plans.fits(session):
                self._plans = FoundPlans(session)
            screen = PlanScreen(session, snapshot, self._document.inputs, self._plans)
            self._app.push_screen(screen, chosen)

    def history(self) -> None:
        """The edits made so far: which to keep, in which order."""
        from npuscope.tui.screens.history.screen import HistoryScreen

        session = self._document.session

        def chosen(other: Session | None) -> None:
            if other is not None and self._document.session is session:
                self._app.editor.set_session(other, "other edits of the history")

        if session is not None:
            self._app.push_screen(HistoryScreen(session, self._document.snapshot), chosen)

    def compare(self) -> None:
        """The epochs before the edits, and after them."""
        from npuscope.tui.screens.compare.screen import CompareScreen

        session = self._document.session
        if session is not None and session.done:
            screen = CompareScreen(session, self._document.snapshot)
            self._app.push_screen(screen, self._app.main.go_to_choice)
        elif session is not None:
            self._app.show_message("Nothing to compare: no edits yet.")

    def cut(self) -> None:
        """The model in two: the best cut, or one behind the selected layer."""
        from npuscope.tui.screens.cut.screen import CutScreen

        session, snapshot = self._document.session, self._document.snapshot
        if session is not None and snapshot.layers:
            report = self._app.main.report
            self._app.push_screen(CutScreen(session, snapshot, report.name if report is not None else None))

    def verify(self) -> None:
        """The edited model against the original."""
        from npuscope.tui.screens.verify.screen import VerifyScreen

        session = self._document.session
        if session is not None and session.done:

            def noted(result: LocalVerification) -> None:
                if result.whole_model is not None:
                    self._document.verified = session.graph, result.whole_model

            self._app.push_screen(VerifyScreen(session, self._document.inputs, noted))
        elif session is not None:
            self._app.show_message("Nothing to verify: no edits yet.")

    def verify_on_inputs(self, screen: VerifyScreen) -> None:
        """Ask for samples; verify again on those."""
        from npuscope.tui.screens.inputs.screen import InputsScreen

        def chosen(path: str | None) -> None:
            if path is not None:
                self._document.inputs = screen.inputs = path or None
                screen.start()

        self._app.push_screen(InputsScreen(screen.session.source, self._document.inputs), chosen)
