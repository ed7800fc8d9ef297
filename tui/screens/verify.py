"""Do the edits keep the numbers? Original and edited model run on the same inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from npuscope.model.errors import ModelError
from npuscope.session import Session
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.cells import left, right, shown
from npuscope.widgets.figures import grouped, three
from npuscope.widgets.ink import BLANK, Line, Span, line, quiet, strong, wrap
from npuscope.widgets.key_bar import KeyBar, KeyHint
from npuscope.widgets.page import Page
from npuscope.widgets.progress import progress_line
from npuscope.widgets.words import plural

if TYPE_CHECKING:
    from npuscope.edits.compare import OutputDifference
    from npuscope.edits.verify import Verification

SAMPLES = 8
"""Random inputs that are compared."""

PROGRESS_EVERY = 0.1
"""Seconds between two reports of progress, so that a fast run does not flood a slow line."""


class VerifyScreen(Dialog[None]):
    """Progress, then the result. Esc stops a run."""

    DEFAULT_CSS = """
    VerifyScreen > #box { width: 84; }
    VerifyScreen Page { height: auto; min-height: 4; max-height: 30; margin: 1 0 1 1; }
    """

    @dataclass
    class Progressed(Message):
        """Some samples were run."""

        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            """The newest count is enough."""
            return isinstance(message, VerifyScreen.Progressed)

    @dataclass
    class Finished(Message):
        """The comparison is made, or could not be."""

        result: Verification | str

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.progress = (0, SAMPLES)
        self.result: Verification | str | None = None
        """A text where it could not be made."""

    def heading(self) -> tuple[Line, Line]:
        """What is compared."""
        return line(strong("Verify")), line(
            quiet(f"original against {plural(len(self._session.done), 'edit')}")
        )

    def hints(self) -> tuple[KeyHint, ...]:
        """Esc means something else while it runs."""
        return (KeyHint("Esc", "stop" if self.result is None else "back", "screen.leave"),)

    def content(self) -> Iterable[Widget]:
        """Progress or result."""
        yield Page(self._text)

    def on_mount(self) -> None:
        """Start."""
        self.query_one(Page).focus()
        self.compare()

    @work(thread=True, exclusive=True, group="verify", description="compare")
    def compare(self) -> None:
        """Run both models."""
        worker = get_current_worker()
        last = 0.0

        def progressed(done: int, total: int) -> None:
            nonlocal last
            if not worker.is_cancelled and monotonic() - last >= PROGRESS_EVERY:
                last = monotonic()
                self.post_message(self.Progressed(done, total))

        from npuscope.edits.runner import StoppedError
        from npuscope.edits.verify import verify

        session = self._session
        try:
            result: Verification | str = verify(
                session.source, session, SAMPLES, progress=progressed, should_stop=lambda: worker.is_cancelled
            )
        except StoppedError:
            return
        except ModelError as error:
            result = str(error)
        if not worker.is_cancelled:
            self.post_message(self.Finished(result))

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        if self.result is None:
            self.progress = (message.done, message.total)
            self.query_one(Page).show(self._text)

    @on(Finished)
    def _finished(self, message: Finished) -> None:
        self.result = message.result
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()

    def _text(self, width: int) -> list[Line]:
        result = self.result
        if result is None:
            done, total = self.progress
            return [progress_line(done, total, "samples", width), BLANK, *self._edits(width)]
        if isinstance(result, str):
            return list(wrap(line(Span("✗ ", "sw"), result), width, 2))
        return [*_result(result, width), BLANK, *self._edits(width)]

    def _edits(self, width: int) -> list[Line]:
        found: list[Line] = []
        for edit in self._session.done[-6:]:
            found += wrap(line(quiet("· "), quiet(f"{edit.describe()}, {edit.exactness.value}")), width, 2)
        return found

    def action_leave(self) -> None:
        """Stop the run, or close the result."""
        self.workers.cancel_group(self, "verify")
        self.dismiss(None)


def _result(result: Verification, width: int) -> list[Line]:
    found: list[Line] = []
    if result.bit_exact:
        found += wrap(line(Span("● bit-exact  ", "hw"), "every output keeps its value"), width, 2)
    else:
        worst = max(output.max_steps for output in result.outputs)
        found += wrap(
            line(
                Span("≈ not bit-exact  ", "attention"),
                strong(f"{_decibels(result.sqnr_db_min)} at worst"),
                quiet(f", largest difference {_steps(worst)}"),
            ),
            width,
            2,
        )
    drawn = "from a file" if result.seed is None else f"random, seed {result.seed}"
    found.append(line(quiet(f"{plural(result.samples, 'sample')}, {drawn}; both models in onnxruntime")))
    found.append(BLANK)
    name = max(width - 40, 10)
    found.append(
        line(
            Span(
                left("output", name) + right("differ", 18) + right("largest", 10) + right("SQNR", 12), "title"
            )
        )
    )
    found += [_output(output, name) for output in result.outputs]
    if not result.bit_exact:
        found.append(BLANK)
        about = "largest: in steps of the output's scale. SQNR: signal against difference; at 40 dB the difference is 1 %."
        found += wrap(line(quiet(about)), width)
    return found


def _output(output: OutputDifference, name: int) -> Line:
    differ = f"{grouped(output.differing)} of {grouped(output.elements)}"
    exact = output.bit_exact
    return line(
        left(shown(output.name, name - 1), name),
        quiet(right("none" if exact else differ, 18)),
        Span(right("0" if exact else three(output.max_steps), 10)),
        Span(right("exact" if exact else _decibels(output.sqnr_db), 12), "hw" if exact else "text"),
    )


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"


def _steps(value: float) -> str:
    return "1 step" if value == 1 else f"{three(value)} steps"
