"""The edits made so far: what each gave and cost, and which of them to keep, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import Job
from npuscope.model.brief import fitted_text
from npuscope.npu.figures import plural
from npuscope.npu.times import add_up, change_sign
from npuscope.numbers.differences import OutputDifference
from npuscope.planning.history import Step, losses, remade, steps
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_each, run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.fix_lines import EXACTNESS_ROLES, without_layer
from npuscope.widgets.lists.moves import moved, moves_room
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import clip, left, right, whole
from npuscope.widgets.text.figures import THIN, added, became, decibels, time_cell
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.layer_names import kept_apart, names_of_few
from npuscope.widgets.text.spans import Line, Span, fit, length, line, quiet, strong, wrap
from npuscope.widgets.text.words import change_role

_TIME, _LOSS = 11, 9


@lru_cache(maxsize=4)
def _shown_edits(edits: tuple[Edit, ...], width: int) -> list[str]:
    """What the edits of a list do, each unlike the others."""
    among = names_of_few(tuple(edit.layer for edit in edits if edit.layer))
    cut = [clip(fitted_text(edit.describe(), edit.layer, among, width), width) for edit in edits]
    layer_first = [
        f"{edit.layer}: {without_layer(edit)}" if edit.layer else edit.describe() for edit in edits
    ]
    return kept_apart(cut, layer_first, width)


class HistoryScreen(Dialog[Session]):
    """Ends with the session to go on with. Edits that are off are kept: redo brings them back."""

    DEFAULT_CSS = """
    HistoryScreen > #box { width: 100%; max-width: 120; height: auto; }
    HistoryScreen RowList { height: auto; min-height: 3; max-height: 24; margin: 1 0 0 1; }
    HistoryScreen Page { height: 5; margin: 1 1 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", show=False),
        Binding("delete,x", "drop", show=False),
        Binding("K,shift+up", "carry(-1)", show=False),
        Binding("J,shift+down", "carry(1)", show=False),
        Binding("q", "leave", show=False),
    ]

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        super().__init__()
        self._opened, self._snapshot = session, snapshot
        self.session = session
        """The session as the list has it."""
        self.edits: list[tuple[Edit, bool]] = [(edit, True) for edit in session.done]
        self.edits += [(edit, False) for edit in reversed(session.undone)]
        self.steps: dict[Edit, Step] = {}
        self.losses: dict[Edit, OutputDifference | str] = {}
        self._said = ""

    def heading(self) -> tuple[Line, Line]:
        """How many edits, and what they gave together."""
        done = sum(on for _, on in self.edits)
        before, after = self._total()
        about = became(before, after) if after is not None else "…"
        about += " predicted" if self._snapshot.measured else ""
        if after is not None and change_sign(after - before):
            about += f" ({added(after - before)})"
        return line(strong("History"), quiet(f"  {plural(done, 'edit')}")), line(quiet(about))

    @property
    def _changes(self) -> dict[Edit, float]:
        """What each gives, as it is written."""
        return dict(zip(self.steps, add_up([step.milliseconds for step in self.steps.values()]), strict=True))

    def _total(self) -> tuple[float, float | None]:
        known = [self.steps[edit] for edit in self.session.done if edit in self.steps]
        if not self.session.done:
            before = self._snapshot.before or self._snapshot.summary
            return before.milliseconds, before.milliseconds
        if len(known) < len(self.session.done):
            return (known[0].before.milliseconds if known else 0.0), None
        return known[0].before.milliseconds, known[-1].after.milliseconds

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys that do something here."""
        any_, changed = bool(self.edits), self.session is not self._opened
        return (
            KeyHint("Enter", "apply", "screen.take", 9, changed),
            KeyHint("Space", "on, off", "screen.switch", 8, any_),
            KeyHint("x", "drop", "screen.drop", 7, any_),
            KeyHint("K J", "up, down", "screen.carry(-1)", 7, len(self.edits) > 1),
            KeyHint(
                "Esc",
                "back, all as it was" if changed else "back",
                "screen.leave",
                9,
                short="discard" if changed else "back",
            ),
        )

    def content(self) -> Iterable[Widget]:
        """The edits; below them the one under the cursor."""
        yield RowList(lambda index, width: self._line(index, width), self._names)
        yield Page(self._about)

    def on_mount(self) -> None:
        """Find out what each gave, then what it cost."""
        self.query_one(RowList).focus()
        self._show(max(len(self.session.done) - 1, 0))
        self._judge()

    # -- what is shown

    def _room(self, width: int) -> int:
        return max(width - 5 - self._moves - _TIME - _total(width) - _LOSS, 16)

    @property
    def _moves(self) -> int:
        return moves_room((step.before, step.after) for step in self.steps.values())

    def _names(self, width: int) -> Line:
        text = "     " + left("edit", self._room(width)) + left("moves", self._moves)
        return line(
            Span(
                text + right("time", _TIME) + right("then", _total(width)) + right("numbers", _LOSS), "title"
            )
        )

    def _line(self, index: int, width: int) -> Line:
        edit, on_ = self.edits[index]
        room = self._room(width)
        role = "text" if on_ else "faint"
        mark = Span("● " if on_ else "○ ", "accent" if on_ else "faint")
        name = left(_shown_edits(tuple(one for one, _ in self.edits), room - 1)[index], room)
        start = line(quiet(right(str(index + 1), 2) + " " if index < 99 else "   "), mark, Span(name, role))
        step = self.steps.get(edit) if on_ else None
        if step is None:
            return fit((*start, quiet("…" if on_ else "off")), width)
        place = moved(step.before, step.after) if self._moves else ()
        loss = self.losses.get(edit)
        cell = "…" if loss is None else "?" if isinstance(loss, str) else decibels(loss.sqnr_db)
        return fit(
            (
                *start,
                *place,
                Span(" " * max(self._moves - length(place), 0)),
                Span(
                    right(added(self._changes[edit]), _TIME),
                    change_role(step.milliseconds),
                ),
                quiet(right(time_cell(step.after.milliseconds), _total(width)) if _total(width) else ""),
                Span(right(cell, _LOSS), "quiet" if cell in ("…", "?") else EXACTNESS_ROLES[edit.exactness]),
            ),
            width,
        )

    def _about(self, width: int) -> list[Line]:
        if self._said:
            return list(wrap(line(Span("✗ ", "sw"), self._said), width, 2))
        lists = self.query(RowList)
        index = lists.first().cursor if lists else -1
        if not 0 <= index < len(self.edits):
            text = keyed("No edits yet: {f} shows those that help a layer, {p} looks for a plan.")
            return list(wrap(line(quiet(text)), width))
        edit, on_ = self.edits[index]
        lines = list(wrap(line(strong(edit.describe()), quiet(f"  {edit.exactness.value}")), width))
        if not on_:
            return [*lines, *wrap(line(quiet("Off: Space reapplies it; so does r in the tree.")), width)]
        step, loss = self.steps.get(edit), self.losses.get(edit)
        if step is not None:
            change = became(step.before.milliseconds, step.after.milliseconds)
            lines += wrap(line(quiet("time     "), change), width, 9)
        if isinstance(loss, str):
            lines += wrap(line(quiet("numbers  "), loss), width, 9)
        elif loss is not None:
            where = f"at {whole(loss.name)}: " if not loss.bit_exact else ""
            text = f"{where}{decibels(loss.sqnr_db)}, on the model as it was before this edit"
            lines += wrap(line(quiet("numbers  "), text.replace(THIN, " ")), width, 9)
        return lines

    def _show(self, cursor: int) -> None:
        self.query_one(RowList).show_rows(len(self.edits), min(cursor, len(self.edits) - 1))
        self._update_details()

    def _update_details(self) -> None:
        from npuscope.widgets.bars.title_bar import TitleBar

        self.query_one(RowList).refresh()
        self.query_one(Page).show(self._about)
        self.query_one(KeyBar).hints = self.hints()
        bar = self.query_one(TitleBar)
        bar.title, bar.about = self.heading()

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self._said = ""
        self.query_one(Page).show(self._about)

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    # -- what each gave and cost

    def _judge(self) -> None:
        session = self.session

        def judged(job: Job) -> Iterator[tuple[Edit, Step | OutputDifference | str]]:
            for step in steps(session, job):
                yield step.edit, step
            yield from zip(session.done, losses(session, None, job), strict=True)

        run_each(self, judged, lambda pair: self._judged(*pair), group="history")

    def _judged(self, edit: Edit, result: Step | OutputDifference | str) -> None:
        if isinstance(result, Step):
            self.steps[edit] = result
        else:
            self.losses[edit] = result
        self._update_details()

    # -- changing the list

    @property
    def _at(self) -> int:
        return self.query_one(RowList).cursor

    def action_switch(self) -> None:
        """Take an edit away, or make it again."""
        if 0 <= self._at < len(self.edits):
            on_ = self.edits[self._at][1]
            self._try(
                [(e, not on_) if i == self._at else (e, o) for i, (e, o) in enumerate(self.edits)], self._at
            )

    def action_drop(self) -> None:
        """Take an edit out of the list."""
        if 0 <= self._at < len(self.edits):
            self._try([pair for i, pair in enumerate(self.edits) if i != self._at], self._at)

    def action_carry(self, step: int) -> None:
        """Make an edit earlier (-1) or later (1)."""
        there = self._at + step
        if 0 <= self._at < len(self.edits) and 0 <= there < len(self.edits):
            changed = list(self.edits)
            changed[self._at], changed[there] = changed[there], changed[self._at]
            self._try(changed, there)

    def _try(self, edits: list[tuple[Edit, bool]], cursor: int) -> None:
        """Make the edits that are on, in their order; the list stays as it is where they cannot be made."""
        done = [edit for edit, on_ in edits if on_]
        off = [edit for edit, on_ in reversed(edits) if not on_]
        stop_jobs(self, "history")

        def made(result: Session | Refusal) -> None:
            if isinstance(result, Refusal):
                self._said = str(result)
                self._update_details()
                self._judge()
                return
            self._said, self.session, self.edits = "", result, edits
            self.steps.clear()
            self.losses.clear()
            self._show(cursor)
            self._judge()

        run_job(self, lambda job: remade(self._opened, done, off, job), made, group="remake")

    def action_take(self) -> None:
        """Go on with the edits as they are listed."""
        if self.session is self._opened:
            self.dismiss(None)
        else:
            self.dismiss(self.session)


def _total(width: int) -> int:
    """Cells of the column with the model's time after each edit, 0 where names need them."""
    return 10 if width >= 92 else 0
