"""AccuracyKeeper: each layer's own error against the float model, asked for and kept until the model changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.model.layers import is_qdq
from npuscope.places import is_file

if TYPE_CHECKING:
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.accuracy.screen import AccuracyScreen
    from npuscope.tui.screens.values.screen import ValuesScreen

ENDINGS = ("_int8", "_q", "_quantized", "_quant")
"""What names of quantized models have more than those of float ones, as a rule."""


class AccuracyKeeper:
    """Shows what each layer loses; the document keeps it for the table of layers."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def show(self) -> None:
        """Ask for the float model."""
        from npuscope.tui.screens.accuracy.screen import AccuracyScreen

        session = self._document.session
        if session is None:
            return
        if not any(is_qdq(node) for node in session.graph.nodes):
            self._app.show_message("Nothing to compare: the model holds no Q/DQ. Q quantizes it.")
            return
        beside = beside_it(session.source.path)
        screen = AccuracyScreen(session, beside, self._document.inputs)
        self._app.push_screen(screen, self._app.main.go_to_choice)

    def show_values(self) -> None:
        """The values of the selected layer on their grids."""
        from npuscope.tui.screens.values.screen import ValuesScreen

        session, report = self._document.session, self._app.main.report
        if session is None:
            self._app.show_message("Not yet: no model is open.")
            return
        if report is None:
            self._app.show_message("V shows the values of a layer: select one.")
            return
        self._app.push_screen(ValuesScreen(session, self._document.snapshot, report, self._document.inputs))

    def on_inputs(self, screen: ValuesScreen) -> None:
        """Ask for samples; look again on those."""
        from npuscope.tui.screens.inputs.screen import InputsScreen

        def chosen(path: str | None) -> None:
            if path is not None:
                self._document.inputs = screen.inputs = path or None
                screen.start()

        self._app.push_screen(InputsScreen(screen.session.source, self._document.inputs), chosen)

    def measured(self, message: AccuracyScreen.Measured) -> None:
        """Keep it for the table of layers, as long as the model stays what it was."""
        if message.session is self._document.session:
            self._document.measured_accuracy(
                {
                    layer.name: layer.own_sqnr_db
                    for layer in reversed(message.accuracy.layers)
                    if layer.own_sqnr_db is not None
                }
            )
            self._app.main.show_document()


def beside_it(place: Path) -> str:
    """The float model that seems to lie beside a quantized one, '' where none does."""
    for ending in ENDINGS:
        stem = place.stem.partition(ending)[0] if ending in place.stem else ""
        for name in (f"{stem}.onnx", f"{stem}_float.onnx") if stem else ():
            if is_file(candidate := place.with_name(name)) and candidate != place:
                return str(candidate)
    return ""
