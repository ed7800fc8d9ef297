"""Another version of ST Edge AI Core, or another clock: what would each say of this model?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.jobs import Job
from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
from npuscope.machine.machine import Target
from npuscope.machine.variants import with_profile, with_toolchain
from npuscope.model.errors import ModelError
from npuscope.session import Session
from npuscope.snapshot import Summary, analyse
from npuscope.tui.jobs import run_each, silently
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.moves import Changes, change_lines
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import short, time_cell
from npuscope.widgets.text.spans import Line, Span, length, line, quiet, strong
from npuscope.widgets.text.words import counts


class ToolchainScreen(Dialog[Target]):
    """Each version with its verdict, as soon as it is known; below, what it changes."""

    DEFAULT_CSS = """
    ToolchainScreen > #box { width: 84; }
    ToolchainScreen Choices { height: auto; max-height: 16; margin: 1 1 0 1; }
    ToolchainScreen Page { height: auto; min-height: 7; max-height: 16; margin: 1 0 1 1; }
    ToolchainScreen.-short {
        & Choices { margin: 0 1; max-height: 12; }
        & Page { height: 7; margin: 1 0 0 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c,q", "leave", show=False)]
    HINTS = (
        KeyHint("↑↓", "choose", "screen.none"),
        KeyHint("Enter", "take", "screen.take"),
        KeyHint("Esc", "back", "screen.leave"),
    )

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]
        self._session = session
        here = session.target
        self._targets = [
            here
            if (version, profile) == (here.toolchain.version, here.profile)
            else _variant(here, version, profile)
            for profile in PROFILES
            for version in TOOLCHAINS
        ]
        self.changes: dict[int, Changes] = {}

    def heading(self) -> tuple[Line, Line]:
        """What is chosen."""
        return line(strong("Target")), line(quiet("ST Edge AI Core version and NPU clock"))

    def content(self) -> Iterable[Widget]:
        """The versions."""
        width = _FULL + self._off
        yield Choices(self._lines(width), heading=self._names(width))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Start at the present target and find out about the others."""
        choices = self.query_one(Choices)
        choices.focus()
        here = self._session.target
        choices.move_to(self._targets.index(here) if here in self._targets else 0)
        run_each(self, self._judge, self._judged, on_failed=silently, group="versions")

    def _judge(self, job: Job) -> Iterator[tuple[int, Changes]]:
        """The verdict of each version, one after the other."""
        session = self._session
        before = analyse(session)
        for index, judged_for in enumerate(job.each(self._targets)):
            try:
                same = judged_for is session.target
                changes = Changes.between(
                    before, before if same else analyse(session.with_target(judged_for))
                )
            except ModelError:
                continue
            yield index, changes

    def _judged(self, judged: tuple[int, Changes]) -> None:
        index, changes = judged
        room = self._off
        self.changes[index] = changes
        choices = self.query_one(Choices)
        if self._off > room:
            self.lay_out()
        choices.set_line(index, self._line(index, choices.line_width))
        if index == choices.cursor:
            self.query_one(Page).show(self._text)

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self.query_one(Page).show(self._text)

    def _text(self, width: int) -> list[Line]:
        """What the version under the cursor changes."""
        lists = self.query(Choices)
        index = lists.first().cursor if lists else -1
        change = self.changes.get(index)
        if change is None:
            return [line(quiet("…"))]
        if self._targets[index] is self._session.target:
            return [line(quiet("Current target."))]
        return change_lines(change, width, 2000)

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(self._names(choices.line_width))
        choices.show(self._lines(choices.line_width), choices.cursor)

    def _lines(self, width: int) -> list[Line]:
        return [self._line(index, width) for index in range(len(self._targets))]

    @property
    def _off(self) -> int:
        """Cells of the column of layers off the NPU: those of its longest line."""
        return max((_OFF, *(length(_tally(one.after)) + 1 for one in self.changes.values())))

    def _names(self, width: int) -> Line:
        room = width - self._off
        cycles = right("cycles", 8) if room >= _SOME else ""
        names = left("Core", 7) + left("clock", _clock(room)) + left("off the NPU", self._off)
        return line(Span(f"  {names}{cycles}{right('time', 10)}", "title"))

    def _line(self, index: int, width: int) -> Line:
        judged_for, changes = self._targets[index], self.changes.get(index)
        here = judged_for is self._session.target
        clock = f"{judged_for.clocks.npu_hz / 1e6:.0f} MHz"
        room = width - self._off
        start = line(
            Span("› " if here else "  ", "accent"),
            Span(left(judged_for.toolchain.version, 7), "strong" if here else "text"),
            quiet(left(f"{judged_for.profile}, {clock}" if room >= _FULL else clock, _clock(room))),
        )
        if changes is None:
            return (*start, quiet("…"))
        summary = changes.after
        off = _tally(summary)
        return (
            *start,
            *off,
            Span(" " * (self._off - length(off))),
            Span(right(short(summary.cycles), 8) if room >= _SOME else ""),
            Span(right(time_cell(summary.milliseconds), 10)),
        )

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.dismiss(self._targets[message.index])

    def action_take(self) -> None:
        """Take the one under the cursor."""
        self.dismiss(self._targets[self.query_one(Choices).cursor])


def _variant(base: Target, version: str, profile: str) -> Target:
    """The same memory pools and options, another version and clock."""
    return with_toolchain(with_profile(base, profile), version)


_OFF = 14
"""Cells of the column of layers off the NPU, at least."""

_FULL, _SOME = 48, 37
"""Cells beside those of the layers off the NPU from which the clock's profile is named, and the cycles."""


def _tally(summary: Summary) -> Line:
    return counts(summary.hw, summary.hybrid, summary.on_cpu)


def _clock(room: int) -> int:
    return 21 if room >= _FULL else 10
