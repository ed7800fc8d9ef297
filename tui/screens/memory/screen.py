"""Where weights and activations lie, and what other memories, clocks or a controller would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from npuscope.jobs import Job
from npuscope.machine.machine import Target
from npuscope.machine.what_if import Options, options_of, with_options
from npuscope.neural_art.schedule.buffer_lifetimes import Lifetimes, buffer_lifetimes
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.jobs import run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.memory.text import memory_text, outcome, switches
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import bytes_
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap

MPOOL = 4
"""The switch that takes a path."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """The model under some switches."""

    judged_for: Target
    snapshot: Snapshot
    lifetimes: Lifetimes


class MemoryScreen(Dialog[Target]):
    """Ends with the target to judge for."""

    DEFAULT_CSS = """
    MemoryScreen > #box { width: 100; height: auto; max-height: 36; }
    MemoryScreen #memory { height: 1fr; margin: 1 0 0 1; }
    MemoryScreen Choices { height: auto; margin: 1 0 0 1; }
    MemoryScreen #outcome { height: 2; margin: 1 0 0 1; }
    MemoryScreen Entry { margin: 0 1; display: none; }
    MemoryScreen Entry.-open { display: block; }
    MemoryScreen.-short #memory { margin: 0 0 0 1; }
    MemoryScreen.-short Choices { margin: 0 0 0 1; }
    MemoryScreen.-short #outcome { margin: 0 0 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "turn", show=False),
        *(Binding(str(index + 1), f"turn({index})", show=False) for index in range(5)),
        Binding("tab", "scroll(1)", show=False, priority=True),
        Binding("shift+tab", "scroll(-1)", show=False, priority=True),
        Binding("m,q", "leave", show=False),
    ]

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
        self._session, self._snapshot = session, snapshot
        self.wanted = self._at_first = options_of(session.target)
        self.target = session.target
        self.after: Snapshot | None = snapshot
        """The model under the switches; None while that is not known."""
        self._taking = False
        """Taken before it was known what it brings."""
        self._shown = snapshot
        self._lifetimes: Lifetimes | None = None
        self._reason = ""

    def heading(self) -> tuple[Line, Line]:
        """How much there is."""
        memory = self._snapshot.memory
        about = f"weights {bytes_(memory.weights_bytes)}, activations {bytes_(memory.activations_bytes)}"
        return line(strong("Memory"), quiet("  and what if")), line(quiet(about))

    def hints(self) -> tuple[KeyHint, ...]:
        """Enter is of use once something is turned."""
        changed = self.wanted != self._at_first
        return (
            KeyHint("Space", "toggle", "screen.turn", 8),
            KeyHint("Enter", "take as target", "screen.take", 7, changed, short="take"),
            KeyHint("Tab", "scroll", "screen.scroll(1)", 2, scrolls="#memory"),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """Pools and time, switches, what they do."""
        yield Page(self._memory, id="memory")
        yield Choices(switches(self.wanted, self._session.target))
        yield Entry("file  ", placeholder="path of an .mpool file")
        yield Page(self._outcome, id="outcome")

    def on_mount(self) -> None:
        """The arrows move among the switches."""
        self.query_one(Choices).focus()
        self.analyse(self.wanted)

    # -- turning switches

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_turn(self, index: int | None = None) -> None:
        """Turn a switch, and see what comes of it."""
        choices = self.query_one(Choices)
        if index is not None:
            choices.move_to(index)
        index = choices.cursor
        wanted = self.wanted
        if index == MPOOL:
            if not wanted.mpool:
                self._ask()
                return
            wanted = replace(wanted, mpool="")
        else:
            wanted = (
                replace(wanted, on_chip=not wanted.on_chip),
                replace(wanted, nominal=not wanted.nominal),
                replace(wanted, epoch_controller=not wanted.epoch_controller),
                replace(wanted, slow_flash=not wanted.slow_flash),
            )[index]
        self._want(wanted)

    def _want(self, wanted: Options) -> None:
        self.wanted, self.after, self._reason, self._taking = wanted, None, "", False
        choices = self.query_one(Choices)
        choices.show(switches(wanted, self._session.target), choices.cursor)
        self._refresh()
        self.analyse(wanted)

    def _ask(self) -> None:
        entry = self.query_one(Entry)
        entry.add_class("-open")
        entry.input.focus()

    @on(Input.Submitted)
    def _typed(self, message: Input.Submitted) -> None:
        message.stop()
        self.query_one(Entry).remove_class("-open")
        self.query_one(Choices).focus()
        path = message.value.strip()
        if path:
            self._want(replace(self.wanted, mpool=path))

    def analyse(self, wanted: Options) -> None:
        """The model under the switches, and its buffers over time; of no use once they are turned again."""
        session = self._session

        def run(job: Job) -> Analysed:
            judged_for = with_options(session.target, wanted)
            snapshot = (
                self._snapshot if judged_for is session.target else analyse(session.with_target(judged_for))
            )
            job.check()
            costs = {report.name: report.cost for report in snapshot.layers}
            buffers = buffer_lifetimes(snapshot.graph, session.layers, costs, snapshot.epochs, judged_for)
            return Analysed(judged_for, snapshot, buffers)

        run_job(
            self,
            run,
            self._analysed,
            self._not_analysed,
            group="memory",
            only_if=lambda: wanted == self.wanted,
        )

    def _analysed(self, result: Analysed) -> None:
        self.target, self.after = result.judged_for, result.snapshot
        self._shown, self._lifetimes = result.snapshot, result.lifetimes
        self._refresh()
        if self._taking:
            self.action_take()

    def _not_analysed(self, reason: str) -> None:
        if self.wanted != self._at_first:
            self._want(replace(self.wanted, mpool="") if self.wanted.mpool else self._at_first)
        self._reason = reason
        self._refresh()

    # -- showing and leaving

    def _refresh(self) -> None:
        self.query_one("#memory", Page).show(self._memory)
        self.query_one("#outcome", Page).show(self._outcome)
        self.query_one(KeyBar).hints = self.hints()

    def _memory(self, width: int) -> list[Line]:
        return memory_text(self._shown, self._lifetimes, width, 3 if self.has_class("-short") else 6)

    def _outcome(self, width: int) -> list[Line]:
        if self._reason:
            return list(wrap(line(Span("✗ ", "sw"), self._reason), width, 2))
        after = self.after.summary if self.after is not None else None
        return outcome(self._snapshot.summary, after, self.wanted != self._at_first, width)

    def action_take(self) -> None:
        """Judge for this target from now on, as soon as it is known what that brings."""
        self._taking = self.wanted != self._at_first
        if self._taking and self.after is not None:
            self.dismiss(self.target)

    def action_scroll(self, step: int) -> None:
        """Scroll pools and time."""
        page = self.query_one("#memory", Page)
        (page.scroll_page_down if step > 0 else page.scroll_page_up)(animate=False)

    def action_leave(self) -> None:
        """Out of the line first, then back."""
        entry = self.query_one(Entry)
        if entry.has_class("-open"):
            entry.remove_class("-open")
            self.query_one(Choices).focus()
        else:
            stop_jobs(self, "memory")
            self.dismiss(None)
