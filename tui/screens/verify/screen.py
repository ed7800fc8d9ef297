"""Do the edits keep the numbers? Original and edited model run on the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from npuscope.jobs import Job
from npuscope.npu.figures import plural
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.tui.jobs import run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.verify.text import blame, tables, verdict
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.numbers.blame import Culprit, Parting
    from npuscope.numbers.verify_regions import LocalVerification

SAMPLES = 8
"""Random inputs that are compared."""

_AROUND = 6
"""Lines of the box that are not the text: border, title, keys and what lies between."""


@dataclass(frozen=True, slots=True)
class Blamed:
    """Which edit it was, and where the models diverge; or why that could not be found."""

    culprit: Culprit | None = None
    parting: Parting | None = None
    failed: str = ""


class VerifyScreen(Dialog[None]):
    """Progress, then the result. Esc stops a run."""

    DEFAULT_CSS = """
    VerifyScreen > #box { width: 84; }
    VerifyScreen Page { height: 1fr; min-height: 4; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "blame", show=False),
        Binding("w", "whole", show=False),
        Binding("i", "inputs", show=False),
        Binding("e", "export", show=False),
        Binding("v,q", "leave", show=False),
    ]

    @dataclass
    class InputsWanted(Message):
        """The user wants to choose what the models are run on."""

        screen: VerifyScreen

    def __init__(
        self,
        session: Session,
        inputs: str | None = None,
        on_result: Callable[[LocalVerification], object] = lambda _: None,
    ) -> None:
        super().__init__()
        self._on_result = on_result
        self.session = session
        self.inputs = inputs
        """Where samples lie; random ones without."""
        self._counting = "runs"
        """What the run that goes on counts, '' where none does."""
        self.progress = (0, SAMPLES)
        self.result: LocalVerification | str | None = None
        """A text where it could not be made."""
        self.blamed: Blamed | None = None

    def heading(self) -> tuple[Line, Line]:
        """What is compared."""
        return line(strong("Verify")), line(
            quiet(f"original against {plural(len(self.session.done), 'edit')}")
        )

    def hints(self) -> tuple[KeyHint, ...]:
        """What can be done with the result. Esc means something else while it runs."""
        if self._counting:
            return (KeyHint("Esc", "stop", "screen.leave"),)
        hints = [KeyHint("i", "inputs", "screen.inputs")]
        if not isinstance(self.result, str) and self.result is not None:
            if self.result.whole_model is None:
                hints.append(KeyHint("w", "run the whole model", "screen.whole"))
            if not self.result.bit_exact and self.blamed is None:
                hints.append(KeyHint("b", "which edit, which layer", "screen.blame"))
        hints.append(KeyHint("e", "export", "screen.export"))
        hints.append(KeyHint("↑↓", "scroll", "screen.none", scrolls="Page"))
        return (*hints, KeyHint("Esc", "back", "screen.leave", 9))

    def content(self) -> Iterable[Widget]:
        """Progress or result."""
        yield Page(self._text)

    def on_mount(self) -> None:
        """Start."""
        self.query_one(Page).focus()
        self.start()

    def on_resize(self, event: events.Resize) -> None:
        """The text is as high as it is, or as there is room for, and scrolls."""
        self.query_one(Page).styles.max_height = max(event.size.height - _AROUND, 4)

    def start(self, whole_model: bool | None = None) -> None:
        """Compare, on what `inputs` now names."""
        self.result, self.blamed, self._counting = None, None, "runs"
        self._show()
        self.compare(whole_model)

    def compare(self, whole_model: bool | None = None) -> None:
        """Run the places that edits changed, and the whole model where it is small or `whole_model` says so."""

        def run(job: Job) -> LocalVerification:
            from npuscope.numbers.sample_sources import samples_or_random
            from npuscope.numbers.verify_regions import verify_local

            samples = samples_or_random(self.inputs, self.session.source, SAMPLES)
            return verify_local(self.session, SAMPLES, inputs=samples, whole_model=whole_model, job=job)

        run_job(self, run, self._finished, self._finished, group="verify", on_progress=self._progressed)

    def find(self) -> None:
        """Run the model with fewer and fewer edits, then both models with every layer looked at."""

        def run(job: Job) -> Blamed:
            from npuscope.numbers.blame import bisect, first_difference
            from npuscope.numbers.sample_sources import samples_or_random

            session = self.session
            samples = samples_or_random(self.inputs, session.source, SAMPLES)
            culprit = bisect(session, inputs=samples, job=job)
            return Blamed(
                culprit, first_difference(session.source, session, inputs=samples, job=job.reporting(None))
            )

        run_job(
            self,
            run,
            self._found,
            lambda reason: self._found(Blamed(failed=reason)),
            group="verify",
            on_progress=self._progressed,
        )

    def _progressed(self, done: int, total: int) -> None:
        if self._counting:
            self.progress = (done, total)
            self.query_one(Page).show(self._text)

    def _finished(self, result: LocalVerification | str) -> None:
        self.result, self._counting = result, ""
        if not isinstance(result, str):
            self._on_result(result)
        self._show()

    def _found(self, blamed: Blamed) -> None:
        self.blamed, self._counting = blamed, ""
        self._show()

    def _show(self) -> None:
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()

    def _text(self, width: int) -> list[Line]:
        result = self.result
        if result is None:
            return [*self._bar(width), BLANK, *self._edits(width)]
        if isinstance(result, str):
            return list(wrap(line(Span("✗ ", "sw"), result), width, 2))
        lines = verdict(result, self.inputs, width)
        if self._counting:
            lines += [BLANK, *self._bar(width)]
        elif self.blamed is not None:
            failed = self.blamed.failed
            lines.append(BLANK)
            if failed:
                lines += wrap(line(Span("✗ ", "sw"), failed), width, 2)
            else:
                lines += blame(self.blamed.culprit, self.blamed.parting, width)
        return [*lines, *tables(result, width), BLANK, *self._edits(width)]

    def _bar(self, width: int) -> list[Line]:
        done, total = self.progress
        return [progress_line(done, total, self._counting, width)]

    def _edits(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for edit in self.session.done[-6:]:
            lines += wrap(line(quiet("· "), quiet(f"{edit.describe()}, {edit.exactness.value}")), width, 2)
        return lines

    def action_blame(self) -> None:
        """Find the edit that changes an output first."""
        result = self.result
        if self._counting or result is None or isinstance(result, str) or result.bit_exact or self.blamed:
            return
        self.progress, self._counting = (0, len(self.session.done).bit_length() + 1), "runs"
        self._show()
        self.find()

    def action_whole(self) -> None:
        """Run a model that is large all the same."""
        result = self.result
        if (
            not self._counting
            and result is not None
            and not isinstance(result, str)
            and result.whole_model is None
        ):
            self.start(whole_model=True)

    def action_inputs(self) -> None:
        """Choose what the models are run on."""
        if not self._counting:
            self.post_message(self.InputsWanted(self))

    def action_export(self) -> None:
        """On to the export."""
        if not self._counting:
            app = self.app
            self.dismiss(None)
            app.call_later(app.run_action, "export")

    def action_leave(self) -> None:
        """Stop the run, or close the result."""
        stop_jobs(self, "verify")
        self.dismiss(None)
