"""The values of a layer's tensors over their quantization grids: weights as stored, activations as samples make them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from npuscope.jobs import Job
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.screens.measured import SAMPLES, MeasuredDialog
from npuscope.tui.screens.values.text import heading, picture, rows
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.numbers.tensor_values import OnGrid


SHORT = 20
"""Rows of a terminal below which the picture gives way to the list of channels."""


class ValuesScreen(MeasuredDialog[None, "tuple[tuple[OnGrid, ...], str]"]):
    """A tensor at a time: its histogram over the grid, below it every channel."""

    DEFAULT_CSS = """
    ValuesScreen > #box { width: 96; height: auto; max-height: 44; }
    ValuesScreen TabBar { margin: 0 0 1 0; }
    ValuesScreen Page { height: 9; margin: 0 1; }
    ValuesScreen Choices { height: 1fr; min-height: 3; margin: 1 0 0 1; }
    ValuesScreen.-short TabBar { margin: 0; }
    ValuesScreen.-short Page { height: 5; }
    ValuesScreen.-short Choices { margin: 0 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "inputs", show=False),
        Binding("V,q", "leave", show=False),
        Binding("tab,right", "other(1)", show=False, priority=True),
        Binding("shift+tab,left", "other(-1)", show=False, priority=True),
        *(Binding(str(index + 1), f"tensor({index})", show=False) for index in range(9)),
    ]

    running = True
    """From the first frame on."""

    @dataclass
    class InputsWanted(Message):
        """The user wants to choose what the model runs on."""

        screen: ValuesScreen

    def __init__(
        self, session: Session, snapshot: Snapshot, report: LayerReport, inputs: str | None = None
    ) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (SHORT, "-tall")]
        self.session, self.inputs, self._snapshot, self._report = session, inputs, snapshot, report
        self.tensors: tuple[OnGrid, ...] = ()
        self.at = 0

    def heading(self) -> tuple[Line, Line]:
        """Which layer."""
        return line(strong(f"Values of {shown_layer(self._snapshot, self._report.name, 40)}")), line(
            quiet("on their quantization grids")
        )

    def hints(self) -> tuple[KeyHint, ...]:
        """What there is to do."""
        if not self.tensors and not self.running:
            return (KeyHint("Esc", "back", "screen.leave", 9),)
        more = (KeyHint("Tab", "other tensor", "screen.other(1)", 7),) if len(self.tensors) > 1 else ()
        return (
            KeyHint("↑↓", "channel", "screen.none", 5),
            *more,
            KeyHint("i", "inputs", "screen.inputs", 8),
            KeyHint("Esc", "stop" if self.running else "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """Tensors, the picture, the channels."""
        yield TabBar(())
        yield Page(self.page)
        yield Choices((), heading(84))

    def on_mount(self) -> None:
        """Look at once."""
        self.query_one(Choices).focus()
        self.start()

    def start(self) -> None:
        """Read the weights, and run the model on what `inputs` now names."""

        def run(job: Job) -> tuple[tuple[OnGrid, ...], str]:
            from npuscope.model.errors import ModelError
            from npuscope.numbers.sample_sources import samples_or_random
            from npuscope.numbers.tensor_values import activations_on_grid, weights_on_grid

            layer = self._report.layer
            weights = weights_on_grid(layer)
            of_weights = (weights,) if weights is not None else ()
            try:
                samples = samples_or_random(self.inputs, self.session.source, SAMPLES)
                seen = activations_on_grid(self.session, layer, samples, job)
            except ModelError as error:
                return of_weights, str(error)
            order = {"input": 0, "weight": 1, "output": 2}
            return tuple(sorted((*of_weights, *seen), key=lambda one: order[one.label.split()[0]])), ""

        self.measure(run)

    def measured(self, result: tuple[tuple[OnGrid, ...], str]) -> None:
        """Show the weights first, where there are any."""
        self.tensors, self.failed = result
        labels = [one.label for one in self.tensors]
        self._show(labels.index("weight") if "weight" in labels else 0)

    def _show(self, index: int) -> None:
        self.at = index
        bar = self.query_one(TabBar)
        bar.names = tuple(f"{one.label}, {one.channels}" for one in self.tensors)
        bar.current = index
        bar.refresh()
        choices = self.query_one(Choices)
        choices.display = bool(self.tensors)
        choices.head(heading(choices.line_width) if self.tensors else ())
        choices.show(self._lines(), 0)
        self.refresh_page()

    def _lines(self) -> list[Line]:
        width = self.query_one(Choices).line_width
        return rows(self.tensors[self.at], width) if self.tensors else []

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width) if self.tensors else ())
        choices.show(self._lines(), choices.cursor)

    def page(self, width: int) -> list[Line]:
        """How far the run is, then the picture of the tensor."""
        if self.running:
            given = "your samples" if self.inputs else f"{SAMPLES} samples of random values"
            doing = f"The model runs on {given}, for the values that this layer reads and writes."
            return [progress_line(*self.progress, "samples", width), BLANK, *wrap(line(quiet(doing)), width)]
        lines: list[Line] = []
        if self.failed:
            lines += [*wrap(line(Span("✗ ", "sw"), self.failed), width, 2), BLANK]
        if self.tensors:
            cursor = self.query_one(Choices).cursor
            height = 4 if self.size.height >= SHORT else 1
            chosen = cursor - 1 if cursor > 0 else None
            lines += picture(self.tensors[self.at], chosen, self.inputs, width, height)
        elif not self.failed:
            lines += wrap(line(quiet("No tensor of this layer is quantized to 8 bits or less.")), width)
        return lines

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """A tensor was clicked."""
        message.stop()
        self._show(message.index)

    def action_other(self, step: int) -> None:
        """The next tensor."""
        if self.tensors:
            self._show((self.at + step) % len(self.tensors))

    def action_tensor(self, index: int) -> None:
        """A tensor by its number."""
        if index < len(self.tensors):
            self._show(index)

    def action_inputs(self) -> None:
        """Choose what the model runs on."""
        if not self.running:
            self.post_message(self.InputsWanted(self))
