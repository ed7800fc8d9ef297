"""From a float model to an int8 one: every setting tried, the trade-off at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from npuscope.jobs import Job
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.tui.jobs import run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.quantize.text import about, heading, row
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.numbers.runner import Sample
    from npuscope.services.quantizing import Failed, Quantized

SAMPLES = 8
"""Random inputs that are calibrated on, where nobody names others."""

TRIALS = 9


class QuantizeScreen(Dialog["Quantized"]):
    """Ends with the int8 model to write and to open. Esc stops the trials."""

    DEFAULT_CSS = """
    QuantizeScreen > #box { width: 96; }
    QuantizeScreen Choices { height: auto; min-height: 2; max-height: 13; margin: 1 0 0 1; }
    QuantizeScreen Page { height: auto; min-height: 3; max-height: 9; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "inputs", show=False),
        Binding("r", "repair", show=False),
        Binding("enter", "take", show=False, priority=True),
        Binding("q,Q", "leave", show=False),
    ]

    @dataclass
    class InputsWanted(Message):
        """The user wants to choose what the model is calibrated on."""

        screen: QuantizeScreen

    def __init__(self, session: Session, inputs: str | None = None) -> None:
        super().__init__()
        self.session = session
        self.inputs = inputs
        """Where samples lie; random ones without."""
        self.progress, self._counted = (0, TRIALS), "settings"
        self.results: tuple[Quantized, ...] = ()
        self.refused: tuple[Failed, ...] = ()
        self.failed = ""
        self.running = True

    def heading(self) -> tuple[Line, Line]:
        """What is tried."""
        return line(strong("Quantize")), line(quiet("to int8: every method, and where zero points are 0"))

    def hints(self) -> tuple[KeyHint, ...]:
        """Esc means something else while it runs."""
        if self.running:
            return (KeyHint("Esc", "stop", "screen.leave"),)
        taken: tuple[KeyHint, ...] = ()
        if self.results:
            taken = (
                KeyHint("Enter", "write and open", "screen.take", 9),
                KeyHint("r", "repair", "screen.repair", 7),
            )
        return (*taken, KeyHint("i", "inputs", "screen.inputs", 8), KeyHint("Esc", "back", "screen.leave", 9))

    def content(self) -> Iterable[Widget]:
        """The settings, and what they were measured on."""
        yield Choices((), heading(84))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Try at once."""
        self.query_one(Choices).focus()
        self.start()

    def start(self) -> None:
        """Try every setting, calibrated on what `inputs` now names."""
        self.results, self.refused, self.failed, self.running = (), (), "", True
        self.progress, self._counted = (0, TRIALS), "settings"
        self.query_one(Choices).show(())
        self._refresh()

        def run(job: Job) -> tuple[Quantized | Failed, ...]:
            from npuscope.services.quantizing import try_settings

            source = self.session.source
            samples, drawn = self._samples()
            return try_settings(source, self.session.target, samples, drawn=drawn, job=job)

        run_job(self, run, self._finished, self._not_made, group="quantize", on_progress=self._progressed)

    def _samples(self) -> tuple[tuple[Sample, ...], str]:
        """What is calibrated on, and where that comes from. Raises ModelError."""
        from npuscope.numbers.quantize import RANDOM
        from npuscope.numbers.sample_sources import samples_or_random

        samples = samples_or_random(self.inputs, self.session.source, SAMPLES)
        return samples, "from files" if self.inputs else f"{RANDOM}0"

    def action_repair(self) -> None:
        """Look for more dB of the setting under the cursor, in the time that it takes."""
        index = self.query_one(Choices).cursor
        if self.running or not 0 <= index < len(self.results):
            return
        start = self.results[index]
        self.running, self.failed = True, ""
        self.progress, self._counted = (0, 1), "rounds of repair"
        self._refresh()

        def run(job: Job) -> Quantized:
            from npuscope.services.repairing import repair

            samples, drawn = self._samples()
            return repair(
                self.session.source, start, samples, drawn, start.snapshot.summary.milliseconds, job
            )

        run_job(self, run, self._repaired, self._not_made, group="quantize", on_progress=self._progressed)

    def _repaired(self, result: Quantized) -> None:
        self.running = False
        if result.repairs:
            self.results = (result, *self.results)
            self.query_one(Choices).show(self._lines())
        else:
            self.failed = "No repair that was tried gains 0.2 dB in the same time; quantize --repair --max-ms takes more time."
        self._refresh()

    def _progressed(self, done: int, total: int) -> None:
        self.progress = (done, total)
        self.query_one(Page).show(self._text)

    def _finished(self, results: Sequence[Quantized | Failed]) -> None:
        from npuscope.services.quantizing import Failed, Quantized

        self.results = tuple(result for result in results if isinstance(result, Quantized))
        self.refused = tuple(result for result in results if isinstance(result, Failed))
        self.running = False
        self.query_one(Choices).show(self._lines())
        self._refresh()

    def _not_made(self, reason: str) -> None:
        self.failed, self.running = reason, False
        self._refresh()

    def _lines(self) -> list[Line]:
        width = self.query_one(Choices).line_width
        return [row(result, width) for result in self.results]

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width))
        choices.show(self._lines(), choices.cursor)

    def _refresh(self) -> None:
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()

    @on(Choices.Moved)
    def _moved(self) -> None:
        self._refresh()

    def _text(self, width: int) -> list[Line]:
        if self.failed:
            return list(wrap(line(Span("✗ ", "sw"), self.failed), width, 2))
        if self.running:
            done, total = self.progress
            return [progress_line(done, total, self._counted, width)]
        index = self.query_one(Choices).cursor
        chosen = self.results[index] if 0 <= index < len(self.results) else None
        lines = list(about(chosen, self.inputs, width))
        for refused in self.refused:
            text = f"{refused.settings.title}: {refused.reason}"
            lines += [BLANK, *wrap(line(Span("✗ ", "sw"), text), width, 2)]
        return lines

    def action_inputs(self) -> None:
        """Choose what the model is calibrated on."""
        if not self.running:
            self.post_message(self.InputsWanted(self))

    def action_take(self) -> None:
        """Write the model of the setting under the cursor, and open it."""
        index = self.query_one(Choices).cursor
        if not self.running and 0 <= index < len(self.results):
            self.dismiss(self.results[index])

    def action_leave(self) -> None:
        """Stop the trials, or close the table."""
        stop_jobs(self, "quantize")
        self.dismiss(None)
