"""Write the edited model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from npuscope.jobs import Job
from npuscope.npu.figures import plural
from npuscope.places import expanded, is_file
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import bytes_
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

if TYPE_CHECKING:
    from npuscope.files.onnx_file import ExportResult
    from npuscope.numbers.verify_models import Verification

REPORTS = ("", ".md", ".html")
"""Endings of what can be written beside the model, '' for none."""

REPORT_HINTS = {"": "report too", ".md": "as HTML", ".html": "no report"}
"""What the key does next."""

REPORT_TEXTS = {
    ".md": "a report of before and after next to it (.md): times, epochs, edits, changed layers",
    ".html": "the whole report, before and after, next to it (.html)",
}


class ExportScreen(Dialog[Path]):
    """Asks for a path, says what was written and checked. Ends with the path of a model that was written."""

    DEFAULT_CSS = """
    ExportScreen > #box { width: 84; }
    ExportScreen Entry { margin: 1 1 0 1; }
    ExportScreen Page { height: auto; min-height: 3; max-height: 20; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", show=False, priority=True),
        Binding("ctrl+r", "replace", show=False, priority=True),
        Binding("ctrl+t", "recipe", show=False, priority=True),
        Binding("ctrl+o", "report", show=False, priority=True),
        Binding("c", "copy", show=False),
    ]

    @dataclass
    class Wanted(Message):
        """The model is to be written there."""

        session: Session
        path: Path
        force: bool
        recipe: bool = False
        """The edits too, as a recipe beside it."""
        report: str = ""
        """A report too, by its ending; '' for none."""
        checked: Verification | None = None
        """What a run kept of the outputs, for the report."""

    def __init__(self, session: Session, path: Path, checked: Verification | None = None) -> None:
        super().__init__()
        self.session = session
        self.checked = checked
        """What a run of the session as it is kept of the outputs."""
        self._path = path
        self._writing = False
        self.with_recipe = False
        self.report = ""
        """The ending of the report that is written too."""
        self._copied = ""
        self._asked_about: str | None = None
        """A path that exists, as it was typed."""
        self.result: ExportResult | str | None = None

    def heading(self) -> tuple[Line, Line]:
        """What is written."""
        return line(strong("Export")), line(quiet(f"the model with {plural(len(self.session.done), 'edit')}"))

    def hints(self) -> tuple[KeyHint, ...]:
        """What can be done now."""
        if self._writing:
            return (KeyHint("Esc", "continue in the background", "screen.leave"),)
        if self._done is not None:
            return (
                KeyHint("c", "copy before and after for a chat", "screen.copy"),
                KeyHint("Enter Esc", "back", "screen.leave"),
            )
        if self._exists:
            return (
                KeyHint("Ctrl+R", "replace it", "screen.replace"),
                KeyHint("Enter", "write to another name", "screen.write"),
                KeyHint("Esc", "back", "screen.leave"),
            )
        return (
            KeyHint("Enter", "write", "screen.write"),
            KeyHint("Ctrl+T", "no recipe" if self.with_recipe else "recipe too", "screen.recipe"),
            KeyHint("Ctrl+O", REPORT_HINTS[self.report], "screen.report"),
            KeyHint("Esc", "back", "screen.leave"),
        )

    def content(self) -> Iterable[Widget]:
        """Path, then what came of it."""
        yield Entry("path  ", str(self._path))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Type at once."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)

    @property
    def _done(self) -> ExportResult | None:
        return self.result if self.result is not None and not isinstance(self.result, str) else None

    @property
    def _target(self) -> Path:
        return expanded(self.query_one(Entry).value.strip())

    @property
    def _exists(self) -> bool:
        return self._asked_about is not None and self._asked_about == self.query_one(Entry).value

    @on(Input.Changed)
    def _typed(self) -> None:
        if not self._exists:
            self._asked_about = None
            if isinstance(self.result, str):
                self.result = None
            self._show()

    def action_write(self) -> None:
        """Write; a second Enter closes the result."""
        if self._done is not None:
            self.action_leave()
        elif not self._writing and self.query_one(Entry).value.strip():
            if is_file(self._target) and self._target.absolute() != self.session.source.path.absolute():
                self._asked_about = self.query_one(Entry).value
                self.result = f"{self._target} exists."
                self._show()
            else:
                self._start(force=False)

    def action_replace(self) -> None:
        """Write over the file that is there."""
        if self._exists and not self._writing:
            self._start(force=True)

    def action_recipe(self) -> None:
        """Write a recipe beside the model, or not."""
        if not self._writing and self._done is None:
            self.with_recipe = not self.with_recipe
            self._show()

    def action_report(self) -> None:
        """Write a report beside the model: as Markdown, as HTML, or none."""
        if not self._writing and self._done is None:
            self.report = REPORTS[(REPORTS.index(self.report) + 1) % len(REPORTS)]
            self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A letter is text until the model is written."""
        return not (action == "copy" and self._done is None) and bool(
            super().check_action(action, parameters)
        )

    def action_copy(self) -> None:
        """What changed, in a few lines of Markdown, into the terminal's clipboard."""

        def run(_: Job) -> str:
            from npuscope.reports.change_report import before_and_after, change_brief

            return change_brief(self.session, *before_and_after(self.session), self.checked)

        run_job(self, run, self._to_clipboard, group="copy")

    def _to_clipboard(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self._copied = (
            "Copied: what changed, as Markdown (OSC 52; tmux passes it on with 'set -g set-clipboard on')."
        )
        self._show()

    def _start(self, force: bool) -> None:
        self._writing = True
        self._asked_about = None
        self.result = None
        self.query_one(Input).disabled = True
        self._show()
        self.post_message(
            self.Wanted(self.session, self._target, force, self.with_recipe, self.report, self.checked)
        )

    def show_result(self, result: ExportResult | str) -> None:
        """Say what came of it."""
        self._writing = False
        self.result = result
        field = self.query_one(Input)
        if self._done is None:
            field.disabled = False
            field.focus()
        self._show()

    def _show(self) -> None:
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()

    def _text(self, width: int) -> list[Line]:
        done = self._done
        if self._writing:
            return [line(Span("writing and checking …", "accent"))]
        if done is not None:
            lines = list(
                wrap(
                    line(Span("● written  ", "hw"), strong(str(done.path)), quiet(f"  {bytes_(done.size)}")),
                    width,
                )
            )
            lines.append(BLANK)
            for check in done.checks:
                lines += wrap(line(Span("✓ ", "hw"), quiet(check)), width, 2)
            for complaint in done.complaints:
                lines += wrap(
                    line(Span("▲ ", "attention"), quiet(f"as before the edits: {complaint}")), width, 2
                )
            if self._copied:
                lines += [BLANK, *wrap(line(quiet(self._copied)), width)]
            return lines
        if self.result is not None:
            assert isinstance(self.result, str)
            role = ("▲ ", "attention") if self._exists else ("✗ ", "sw")
            return list(wrap(line(Span(*role), self.result), width, 2))
        lines = []
        for edit in self.session.done[-8:]:
            lines += wrap(line(quiet("· "), quiet(edit.describe())), width, 2)
        lines.append(BLANK)
        if self.with_recipe:
            lines += wrap(line(quiet("and the edits as a recipe next to it (.toml), to reapply them")), width)
        if self.report:
            lines += wrap(line(quiet(f"and {REPORT_TEXTS[self.report]}")), width)
        if not self.with_recipe:
            lines += wrap(
                line(quiet("A path that ends in .toml writes the edits alone, as a recipe.")), width
            )
        return lines

    def action_leave(self) -> None:
        """Back; a file once begun is finished all the same."""
        self.dismiss(self._done.path if self._done is not None else None)
