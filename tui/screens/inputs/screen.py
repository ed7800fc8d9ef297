"""What are the models run on? A path to samples, or random values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from npuscope.jobs import Job
from npuscope.model.load import Source
from npuscope.places import expanded
from npuscope.tui.jobs import run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

READER = ".py"


class InputsScreen(Dialog[str]):
    """Ends with a path that holds samples of the model, or '' for random ones."""

    DEFAULT_CSS = """
    InputsScreen > #box { width: 84; }
    InputsScreen Entry { margin: 1 1 0 1; }
    InputsScreen Page { height: auto; min-height: 3; max-height: 12; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", show=False, priority=True)]
    HINTS = (
        KeyHint("Enter", "use them", "screen.take"),
        KeyHint("Esc", "back", "screen.leave"),
    )

    def __init__(self, source: Source, path: str | None) -> None:
        super().__init__()
        self._source, self._path = source, path or ""
        self._reading = False
        self.failed = ""

    def heading(self) -> tuple[Line, Line]:
        """What is asked."""
        return line(strong("Inputs")), line(quiet("for calibrating scales and comparing models"))

    def content(self) -> Iterable[Widget]:
        """Path, then what may lie there."""
        yield Entry("path  ", self._path, "random")
        yield Page(self._text)

    def on_mount(self) -> None:
        """Type at once."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.failed = ""
        self.query_one(Page).show(self._text)

    def action_take(self) -> None:
        """Read what lies there; nothing typed means random."""
        typed = self.query_one(Entry).value.strip()
        if not typed:
            self.dismiss("")
        elif typed.endswith(READER):
            # It would run code in this process, which may also be served to a browser.
            self.failed = (
                "A .py file is run on the command line only: npuscope quantize MODEL --reader FILE.py."
            )
            self.query_one(Page).show(self._text)
        elif not self._reading:
            self._reading, self.failed = True, ""
            self.query_one(Page).show(self._text)
            self.read(str(expanded(typed)))

    def read(self, path: str) -> None:
        """Read the samples once, to know that they fit the model."""

        def tried(_: Job) -> str:
            from npuscope.numbers.sample_sources import samples_from

            samples_from(path, self._source)
            return path

        run_job(self, tried, self._fit, self._unfit, group="inputs")

    def _fit(self, path: str) -> None:
        self._reading = False
        self.dismiss(path)

    def _unfit(self, reason: str) -> None:
        self._reading, self.failed = False, reason
        self.query_one(Page).show(self._text)

    def _text(self, width: int) -> list[Line]:
        if self._reading:
            return [line(Span("reading …", "accent"))]
        if self.failed:
            return list(wrap(line(Span("✗ ", "sw"), self.failed), width, 2))
        text = (
            "A .npz (one array per input, the first axis counts samples), a .npy for a model of one input, or a folder "
            "of them. Empty: random values in the range of each input."
        )
        images = (
            "A folder of images, followed by their preprocessing, for pixels from 0 to 1: photos mean=0.485,0.456,0.406 "
            "std=0.229,0.224,0.225; order=bgr, layout=nhwc if needed."
        )
        return [*wrap(line(quiet(text)), width), BLANK, *wrap(line(quiet(images)), width)]

    def action_leave(self) -> None:
        """Back; what was chosen before stays."""
        stop_jobs(self, "inputs")
        self.dismiss(None)
