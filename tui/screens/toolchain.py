"""Another version of ST Edge AI Core, or another clock: what would each say of this model?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from npuscope.model.errors import ModelError
from npuscope.session import Session
from npuscope.snapshot import Summary, analyse
from npuscope.target.machine import PROFILES, TOOLCHAINS, Target
from npuscope.target.variants import with_profile, with_toolchain
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.cells import left, right
from npuscope.widgets.choices import Choices
from npuscope.widgets.figures import milliseconds, short
from npuscope.widgets.ink import Line, Span, line, quiet, strong
from npuscope.widgets.key_bar import KeyHint
from npuscope.widgets.words import counts


class ToolchainScreen(Dialog[Target]):
    """Each version with its verdict, as soon as it is known."""

    DEFAULT_CSS = """
    ToolchainScreen > #box { width: 66; }
    ToolchainScreen Choices { height: 12; margin: 1 1 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c,q", "leave", show=False)]
    HINTS = (
        KeyHint("↑↓", "choose", "screen.none"),
        KeyHint("Enter", "take", "screen.take"),
        KeyHint("Esc", "back", "screen.leave"),
    )

    @dataclass
    class Judged(Message):
        """The verdict of one version is known."""

        index: int
        summary: Summary

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        here = session.target
        self._targets = [
            here
            if (version, profile) == (here.toolchain.version, here.profile)
            else _variant(here, version, profile)
            for profile in PROFILES
            for version in TOOLCHAINS
        ]
        self._summaries: dict[int, Summary] = {}

    def heading(self) -> tuple[Line, Line]:
        """What is chosen."""
        return line(strong("Judge for")), line(quiet("ST Edge AI Core version and NPU clock"))

    def content(self) -> Iterable[Widget]:
        """The versions."""
        yield Choices(self._lines(), heading=_HEADING)

    def on_mount(self) -> None:
        """Start at the present target and find out about the others."""
        choices = self.query_one(Choices)
        choices.focus()
        here = self._session.target
        choices.move_to(self._targets.index(here) if here in self._targets else 0)
        self.judge()

    @work(thread=True, exclusive=True, group="versions", description="judge")
    def judge(self) -> None:
        """The verdict of each version, one after the other."""
        for index, judged_for in enumerate(self._targets):
            if get_current_worker().is_cancelled:
                return
            try:
                summary = analyse(self._session.with_target(judged_for)).summary
            except ModelError:
                continue
            if not get_current_worker().is_cancelled:
                self.post_message(self.Judged(index, summary))

    @on(Judged)
    def _judged(self, message: Judged) -> None:
        self._summaries[message.index] = message.summary
        self.query_one(Choices).set_line(message.index, self._line(message.index))

    def _lines(self) -> list[Line]:
        return [self._line(index) for index in range(len(self._targets))]

    def _line(self, index: int) -> Line:
        judged_for, summary = self._targets[index], self._summaries.get(index)
        here = judged_for is self._session.target
        clock = f"{judged_for.clocks.npu_hz / 1e6:.0f} MHz"
        start = line(
            Span("› " if here else "  ", "accent"),
            Span(left(judged_for.toolchain.version, 7), "strong" if here else "text"),
            quiet(left(f"{judged_for.profile}, {clock}", 21)),
        )
        if summary is None:
            return (*start, quiet("…"))
        off = counts(summary.hw, summary.hybrid, summary.on_cpu)
        wide = sum(len(span.text) for span in off)
        return (
            *start,
            *off,
            Span(" " * max(14 - wide, 1)),
            Span(right(short(summary.cycles), 8)),
            Span(right(milliseconds(summary.milliseconds), 10)),
        )

    @on(Choices.Taken)
    def _taken(self, message: Choices.Taken) -> None:
        message.stop()
        self.dismiss(self._targets[message.index])

    def action_take(self) -> None:
        """Take the one under the cursor."""
        self.dismiss(self._targets[self.query_one(Choices).cursor])

    def action_none(self) -> None:
        """A hint for arrows, which a click does not stand for."""


def _variant(base: Target, version: str, profile: str) -> Target:
    """The same memory pools and options, another version and clock."""
    return with_toolchain(with_profile(base, profile), version)


_HEADING = line(
    Span("  " + left("Core", 7) + left("clock", 21) + left("off the NPU", 14) + right("cycles", 8), "title"),
    Span(right("time", 10), "title"),
)
