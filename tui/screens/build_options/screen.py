"""Build options: what the model is compiled with, and what each change of them changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.jobs import Job
from npuscope.machine.build import Build
from npuscope.machine.machine import Target, target_of
from npuscope.services.build_settings import Setting, settings, with_setting
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.moves import Changes, change_lines
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import left, shown
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap

UNSAID = "not set"
NAME, VALUE = 18, 18


class BuildScreen(Dialog[Target]):
    """Each option with its value; below, what the options chosen change in the verdict."""

    DEFAULT_CSS = """
    BuildScreen > #box { width: 84; height: auto; }
    BuildScreen Choices { height: auto; max-height: 12; margin: 0 1; }
    BuildScreen Page { height: 1fr; min-height: 3; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("B,q", "leave", show=False),
        Binding("right,l,space", "turn(1)", show=False),
        Binding("left,h", "turn(-1)", show=False),
        Binding("backspace", "restore", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.build: Build = session.target.build
        self.changes: Changes | None = None
        """What the build shown changes, None while that is computed."""

    def heading(self) -> tuple[Line, Line]:
        """What is chosen."""
        return line(strong("Build options")), line(quiet("as given to stedgeai"))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys; there is nothing to restore where nothing was changed."""
        return (
            KeyHint("↑↓", "choose", "screen.none"),
            KeyHint("← →", "change", "screen.turn(1)"),
            KeyHint("⌫", "as it was", "screen.restore", enabled=self.build != self._session.target.build),
            KeyHint("Enter", "take", "screen.take"),
            KeyHint("Esc", "back", "screen.leave"),
        )

    def content(self) -> Iterable[Widget]:
        """The options."""
        yield Choices(self._lines())
        yield Page(self._text)

    def on_mount(self) -> None:
        """The keys go to the list."""
        self.query_one(Choices).focus()
        self._judge()

    def action_turn(self, step: int) -> None:
        """The next or the previous value of the option under the cursor."""
        setting = settings(self.build)[self.query_one(Choices).cursor]
        self._set(with_setting(self.build, setting.name, setting.next(step)))

    def action_restore(self) -> None:
        """All options as they were."""
        self._set(self._session.target.build)

    def _set(self, build: Build) -> None:
        self.build, self.changes = build, None
        choices = self.query_one(Choices)
        choices.show(self._lines(), choices.cursor)
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()
        self._judge()

    def _judge(self) -> None:
        """The verdict of this build; a newer change gives up the one that runs."""
        session, build = self._session, self.build

        def work(job: Job) -> Changes:
            return Changes.between(analyse(session), analyse(session.with_target(target_of(build))))

        run_job(self, work, self._judged, group="build", only_if=lambda: self.build == build)

    def _judged(self, changes: Changes) -> None:
        self.changes = changes
        self.query_one(Page).show(self._text)

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self.query_one(Page).show(self._text)

    def _lines(self) -> list[Line]:
        before = {setting.name: setting.value for setting in settings(self._session.target.build)}
        return [self._line(setting, before[setting.name]) for setting in settings(self.build)]

    def _line(self, setting: Setting, before: str) -> Line:
        value = shown(setting.value or UNSAID, VALUE - 2)
        changed = setting.value != before
        return line(
            Span("▎ " if changed else "  ", "changed"),
            Span(left(setting.name, NAME)),
            Span(left(value, VALUE), "changed" if changed else "text" if setting.value else "quiet"),
            quiet(setting.flag),
        )

    def _text(self, width: int) -> list[Line]:
        """What the build changes, or that nothing was changed."""
        if self.build == self._session.target.build:
            text = "← and → change an option. What is not set follows from the model and ST's defaults."
            return list(wrap(line(quiet(text)), width, 0))
        if self.changes is None:
            return [line(quiet("…"))]
        return change_lines(self.changes, width, 2000)

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_take(self) -> None:
        """Judge for this build."""
        same = self.build == self._session.target.build
        self.dismiss(None if same else target_of(self.build))
