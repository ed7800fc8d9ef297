"""Quantizer: a float model made an int8 one, which is written beside it and opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.model.errors import ModelError
from npuscope.model.layers import is_qdq
from npuscope.places import is_there
from npuscope.tui.jobs import run_job

if TYPE_CHECKING:
    from npuscope.services.quantizing import Quantized
    from npuscope.tui.app import Npuscope
    from npuscope.tui.screens.quantize.screen import QuantizeScreen

MOST_NAMES = 99


class Quantizer:
    """Shows what each setting gives, and opens the model of the one that is chosen."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def show(self) -> None:
        """Try every setting on the model as it was opened."""
        from npuscope.tui.screens.quantize.screen import QuantizeScreen

        session = self._app.if_quantized.float_session
        if session is None:
            return
        if any(is_qdq(node) for node in session.source.graph.nodes):
            self._app.show_message("Nothing to quantize: the model holds Q/DQ already.")
            return
        if session.done:
            self._app.show_message(
                "Only the model in the file can be quantized: export the edits first, or undo them.",
                "warning",
            )
            return
        self._app.push_screen(QuantizeScreen(session, self._document.inputs), self._chosen)

    def on_inputs(self, screen: QuantizeScreen) -> None:
        """Ask for samples; try again on those."""
        from npuscope.tui.screens.inputs.screen import InputsScreen

        def chosen(path: str | None) -> None:
            if path is not None:
                self._document.inputs = screen.inputs = path or None
                screen.start()

        self._app.push_screen(InputsScreen(screen.session.source, self._document.inputs), chosen)

    def _chosen(self, result: Quantized | None) -> None:
        if result is None:
            return
        place = result.session.source.path

        def run(_: Job) -> str:
            from npuscope.files.onnx_file import write

            target = free_name(place)
            write(result.session, target)
            return str(target)

        run_job(self._app, run, self._written, group="export")

    def _written(self, path: str) -> None:
        self._app.show_message(f"Written {Path(path).name}.")
        self._app.open(path)


def free_name(place: Path) -> Path:
    """A name beside a model that no file has: 'model_int8.onnx'. Raises ModelError."""
    for number in range(1, MOST_NAMES):
        suffix = "" if number == 1 else f"_{number}"
        target = place.with_name(f"{place.stem}_int8{suffix}.onnx")
        if not is_there(target) and not target.is_symlink():
            return target
    raise ModelError(f"{place}: {MOST_NAMES} int8 models next to it already; move some away")
