"""What each layer of a quantized model loses itself, against the float model it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from npuscope.jobs import Job
from npuscope.places import expanded
from npuscope.session import Session
from npuscope.tui.screens.accuracy.text import about, heading, rows
from npuscope.tui.screens.measured import SAMPLES, MeasuredDialog
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.numbers.layer_accuracy import Accuracy


class AccuracyScreen(MeasuredDialog[str, "Accuracy"]):
    """Asks for the float model, then lists the layers, largest own error first; ends with the layer to go to."""

    DEFAULT_CSS = """
    AccuracyScreen > #box { width: 96; height: auto; max-height: 38; }
    AccuracyScreen Entry { margin: 1 1 0 1; }
    AccuracyScreen Choices { height: 1fr; min-height: 3; margin: 1 0 0 1; }
    AccuracyScreen Page { height: 9; margin: 1 0 0 1; }
    AccuracyScreen.-short Page { height: 5; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "take", show=False, priority=True)]

    class Measured(Message):
        """The layers of the session's model were measured."""

        def __init__(self, session: Session, accuracy: Accuracy) -> None:
            super().__init__()
            self.session, self.accuracy = session, accuracy

    def __init__(self, session: Session, reference: str, inputs: str | None = None) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
        self.session, self.inputs, self._reference = session, inputs, reference
        self.accuracy: Accuracy | None = None

    def heading(self) -> tuple[Line, Line]:
        """What is listed."""
        return line(strong("Accuracy")), line(quiet("what each layer loses itself, and what it inherited"))

    def hints(self) -> tuple[KeyHint, ...]:
        """Enter and Esc mean what is next."""
        if self.running:
            return (KeyHint("Esc", "stop", "screen.leave"),)
        if self.accuracy is None:
            return (KeyHint("Enter", "run both", "screen.take", 9), KeyHint("Esc", "back", "screen.leave", 9))
        return (
            KeyHint("Enter", "go to layer", "screen.take", 9),
            KeyHint("/", "filter", "screen.narrow", 7),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """The float model, the layers, and the one under the cursor."""
        yield Entry("float model  ", self._reference, "path of the model this one was quantized from")
        yield Choices((), heading(84))
        yield Page(self.page)

    def on_mount(self) -> None:
        """Type at once."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)

    def action_take(self) -> None:
        """Run both models; then go to the layer under the cursor."""
        if self.running:
            return
        if self.accuracy is not None:
            cursor = self.query_one(Choices).cursor
            if 0 <= cursor < len(self.accuracy.layers):
                self.dismiss(self.accuracy.layers[cursor].name)
            return
        typed = self.query_one(Entry).value.strip()
        if typed:
            self.run_both(str(expanded(typed)))

    def run_both(self, reference: str) -> None:
        """Every layer of the model as it is now, against the float model."""

        def run(job: Job) -> Accuracy:
            from npuscope.model.load import source_of
            from npuscope.model.serialize import to_model
            from npuscope.numbers.layer_accuracy import layer_accuracy
            from npuscope.numbers.sample_sources import samples_from
            from npuscope.numbers.verify_models import samples_for_both
            from npuscope.services.open import open_model

            float_model, session = open_model(reference), self.session
            int8 = session.source
            if session.done:
                int8 = source_of(int8.path, to_model(int8, session.graph))
            if self.inputs:
                samples = samples_from(self.inputs, float_model)
            else:
                samples = samples_for_both(float_model, int8, SAMPLES)
            return layer_accuracy(float_model, int8, samples, job)

        self.measure(run)

    def measured(self, accuracy: Accuracy) -> None:
        """List the layers in place of the question."""
        self.accuracy = accuracy
        self.query_one(Entry).display = False
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width))
        choices.show(self._lines())
        choices.focus()
        self.refresh_page()
        self.post_message(self.Measured(self.session, accuracy))

    def _lines(self) -> list[Line]:
        width = self.query_one(Choices).line_width
        return rows(self.accuracy.layers if self.accuracy is not None else (), width)

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width) if self.accuracy is not None else ())
        choices.show(self._lines(), choices.cursor)

    def page(self, width: int) -> list[Line]:
        """What is asked, how far the run is, or the layer under the cursor."""
        if self.failed:
            return list(wrap(line(Span("✗ ", "sw"), self.failed), width, 2))
        if self.running:
            done, total = self.progress
            return [progress_line(done, total, "samples", width)]
        if self.accuracy is None:
            text = "Both models run on the same samples; each layer is also run on the float model's own values, to separate what it loses itself from what it inherited."
            return list(wrap(line(quiet(text)), width))
        cursor = self.query_one(Choices).cursor
        layers = self.accuracy.layers
        chosen = layers[cursor] if 0 <= cursor < len(layers) else None
        layer = self.session.layers.by_name.get(chosen.name) if chosen is not None else None
        return about(chosen, layer, self.inputs, width)
