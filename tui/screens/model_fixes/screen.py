"""The edits of the whole model, each with the verdict it would give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.gain import LAYERS
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.jobs import Job
from npuscope.model.brief import Names, fitted_text
from npuscope.model.errors import ModelError
from npuscope.npu.verdict import Severity
from npuscope.planning.whole_model import free_sizes, parse_dimensions, whole_model_edits
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.tui.jobs import run_each, silently, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.split.text import exactness_of, measured, numbers_cell
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.fix_lines import EXACTNESS_ROLES, SIGNS
from npuscope.widgets.lists.moves import Changes, change_lines, moved, moves_room
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import clip, left, right, shown
from npuscope.widgets.text.figures import time_change
from npuscope.widgets.text.gains import gains_of
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, length, line, quiet, strong, wrap
from npuscope.widgets.text.words import SEVERITY_GLYPHS, change_role

if TYPE_CHECKING:
    from npuscope.numbers.price import Price

_TIME, _NUMBERS = 11, 13
_ROOMY = 84
"""Cells from which on the list says in words what becomes of the numbers; the lines below always do."""


class ModelFixesScreen(Dialog[Edit]):
    """Ends with the edit to make. Where sizes are to be given, a line asks for them."""

    DEFAULT_CSS = """
    ModelFixesScreen > #box { width: 100%; max-width: 112; }
    ModelFixesScreen Choices { height: auto; min-height: 2; max-height: 8; margin: 1 0 0 1; }
    ModelFixesScreen Entry { margin: 1 1 0 1; display: none; }
    ModelFixesScreen.-asking Entry { display: block; }
    ModelFixesScreen Page { height: auto; min-height: 6; max-height: 18; margin: 1 0 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False, priority=True),
        Binding("p", "plan", show=False),
        Binding("f,q", "leave", show=False),
    ]

    def __init__(self, session: Session, snapshot: Snapshot, inputs: str | None = None) -> None:
        super().__init__()
        self._inputs = inputs
        self._session, self._snapshot = session, snapshot
        self._of_model = whole_model_edits(session)
        self.edits: tuple[Edit, ...] = ()
        self._take_in()
        self._free = free_sizes(session.graph)
        self.results: dict[Edit, Changes | str] = {}
        self.prices: dict[Edit, Price] = {}
        """What the edits that are not exact do to the numbers, as far as they were tried."""
        self.asking = False
        self._said = ""

    def _take_in(self) -> bool:
        """The edits of the model, then the best known of its layers; whether there are more than before."""
        before = len(self.edits)
        new = (one for one in gains_of(self._snapshot).best(LAYERS) if one not in self.edits)
        self.edits = (*(self.edits or self._of_model), *new)[: len(self._of_model) + LAYERS]
        self._among = Names(edit.layer for edit in self.edits if edit.layer)
        return len(self.edits) > before

    def gains_changed(self) -> None:
        """More is known of what the layers' edits save."""
        if not self.asking and self._take_in():
            self.query_one(KeyBar).hints = self.hints()
            if self.focused is None or isinstance(self.focused, Page):
                self.query_one(Choices).focus()
            self.lay_out()
            self._judge_all()
        elif not self.edits:
            self.query_one(Page).show(self._text)  # none is left to be found

    def heading(self) -> tuple[Line, Line]:
        """What they are of."""
        name = shown(self._session.source.path.name, 40)
        return line(strong("Fixes for the whole model")), line(quiet(name))

    def hints(self) -> tuple[KeyHint, ...]:
        """What can be done now."""
        if self.asking:
            return (KeyHint("Enter", "apply", "screen.take"), KeyHint("Esc", "back", "screen.leave"))
        taken = (KeyHint("Enter", "apply", "screen.take"),) if self.edits else ()
        return (
            *taken,
            KeyHint("p", "plan through all layers", "screen.plan"),
            KeyHint("Esc", "back", "screen.leave"),
        )

    def content(self) -> Iterable[Widget]:
        """The edits; below them the one under the cursor."""
        yield Choices((), self._names())
        yield Entry("sizes  ", "", " ".join(f"{name}=…" for name in self._free))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Find out what each would change."""
        self.lay_out()
        (self.query_one(Choices) if self.edits else self.query_one(Page)).focus()
        self._judge_all()

    def _judge_all(self) -> None:
        """First what each would change, then, as it takes longer, what it does to the numbers."""
        run_each(self, self._judge, self._judged, self._measure, group="whole")

    def _measure(self) -> None:
        def tried(job: Job) -> Iterator[tuple[Edit, Price]]:
            from npuscope.numbers.price import prices

            made = [one for one in self.edits if isinstance(self.results.get(one), Changes)]
            yield from prices(
                self._session, [one for one in made if one not in self.prices], self._inputs, job
            )

        run_each(self, tried, self._priced, on_failed=silently, group="whole")

    def _priced(self, priced: tuple[Edit, Price]) -> None:
        edit, price = priced
        self.prices[edit] = price
        self._put_in_order()

    def _judge(self, job: Job) -> Iterator[tuple[Edit, Changes | str]]:
        """Make one after the other, each on the model as it is."""
        for edit in job.each([edit for edit in self.edits if edit not in self.results]):
            yield edit, self._tried(edit)

    def _tried(self, edit: Edit) -> Changes | str:
        after = self._session.edit(edit)
        if isinstance(after, Refusal):
            return str(after)
        try:
            return Changes.between(self._snapshot, analyse(after, self._snapshot))
        except ModelError as error:
            return str(error)

    def _judged(self, judged: tuple[Edit, Changes | str]) -> None:
        """What an edit would change is known, or why it cannot be made."""
        edit, result = judged
        self.results[edit] = result
        self._put_in_order()

    def _put_in_order(self) -> None:
        """Those that save most first, those that lose too much last."""
        chosen = self.chosen if self.query_one(Choices).cursor > 0 else None  # who has moved stays on an edit
        self.edits = tuple(sorted(self.edits, key=self._rank))
        self.lay_out(chosen)

    def _rank(self, edit: Edit) -> tuple[bool, float]:
        """Whether it loses too much; milliseconds of the model with it: an edit not judged yet saves nothing, and sizes that must be given come first."""
        result = self.results.get(edit)
        if edit == FixDimensions() and self._free:
            return False, 0.0
        after = result.after if isinstance(result, Changes) else self._snapshot.summary
        return edit in self.prices and self.prices[edit].loses_too_much, after.milliseconds

    def lay_out(self, chosen: Edit | None = None) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        if self.edits and not choices.display:
            self.call_after_refresh(self.lay_out)  # only then is its width known
        choices.display = bool(self.edits)
        choices.head(self._names())
        cursor = self.edits.index(chosen) if chosen is not None else max(choices.cursor, 0)
        choices.show([self._line(edit) for edit in self.edits], cursor)
        self.query_one(Page).show(self._text)

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self.query_one(Page).show(self._text)

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._said = ""
        self.query_one(Page).show(self._text)

    @property
    def chosen(self) -> Edit | None:
        """The edit under the cursor."""
        lists = self.query(Choices)
        index = lists.first().cursor if lists else -1
        return self.edits[index] if 0 <= index < len(self.edits) else None

    def _widths(self) -> tuple[int, int, int]:
        """Cells of the edit, of what moves and of the numbers; the column of what moves only where something does."""
        lists = self.query(Choices)
        width = lists.first().line_width if lists else 80
        moves = moves_room(
            (one.before, one.after) for one in self.results.values() if isinstance(one, Changes)
        )
        numbers = _NUMBERS if width >= _ROOMY else 2
        return max(width - moves - _TIME - numbers, 14), moves, numbers

    def _names(self) -> Line:
        room, moves, numbers = self._widths()
        text = left("edit", room) + left("moves", moves) + right("time", _TIME)
        return line(Span(text + ("  numbers" if numbers == _NUMBERS else ""), "title"))

    def _line(self, edit: Edit) -> Line:
        (room, moves, numbers), result = self._widths(), self.results.get(edit)
        name = "fix the sizes of the inputs" if edit == FixDimensions() and self._free else edit.describe()
        start = Span(left(clip(fitted_text(name, edit.layer, self._among, room - 1), room - 1), room))
        if not isinstance(result, Changes):
            return line(start, quiet("…" if result is None else "to be given" if self._free else "✗"))
        place = moved(result.before, result.after) if moves else ()
        change = result.after.milliseconds - result.before.milliseconds
        price = self.prices.get(edit)
        if numbers == _NUMBERS:
            word = numbers_cell(edit.exactness, price)
        else:
            word = Span(SIGNS[edit.exactness], EXACTNESS_ROLES[edit.exactness])
            if price is not None and price.loses_too_much:
                word = Span(SEVERITY_GLYPHS[Severity.WARNING], "sw")
        return (
            start,
            *place,
            Span(" " * max(moves - length(place), 0)),
            Span(right(time_change(change), _TIME), change_role(change)),
            Span("  " if numbers == _NUMBERS else " "),
            word,
        )

    def _text(self, width: int) -> list[Line]:
        if self._said:
            return list(wrap(line(Span("✗ ", "sw"), self._said), width, 2))
        edit = self.chosen
        if edit is None and gains_of(self._snapshot).looking:
            return [line(quiet("Looking for what makes the model faster …"))]
        if edit is None:
            text = "No edit of the whole model is worth making."
            hint = keyed(
                "{p} looks through all layers; Esc, then {f} on a layer lists what helps that layer."
            )
            return [line(text), *wrap(line(Span("→ ", "accent"), quiet(hint)), width, 2)]
        word, meaning = exactness_of(edit)
        price = self.prices.get(edit)
        numbers = measured(price) if price is not None else (quiet(meaning),)
        lines = [*wrap(line(f"{edit.describe()}: ", quiet(f"{word}, "), *numbers), width), BLANK]
        if self.asking or (edit == FixDimensions() and self._free):
            names = ", ".join(listed(self._free, 30))
            return list(wrap(line(f"Free: {names}. ", quiet("The compiler takes fixed sizes only.")), width))
        result = self.results.get(edit)
        if isinstance(result, str):
            return [*lines, *wrap(line(Span("✗ ", "sw"), result), width, 2)]
        return (
            [*lines, *change_lines(result, width, 12)] if result is not None else [*lines, line(quiet("…"))]
        )

    def action_take(self) -> None:
        """Make the edit under the cursor; ask for sizes first where it takes some."""
        edit = self.chosen
        if self.asking:
            self._take_sizes()
        elif edit == FixDimensions() and self._free:
            self._ask(True)
        elif edit is not None and not isinstance(self.results.get(edit), str):
            self.dismiss(edit)

    def _take_sizes(self) -> None:
        edit = parse_dimensions(self.query_one(Entry).value)
        result = edit if isinstance(edit, Refusal) else self._session.edit(edit)
        if isinstance(edit, Refusal) or isinstance(result, Refusal):
            self._said = str(result)
            self.query_one(Page).show(self._text)
        else:
            self.dismiss(edit)

    def _ask(self, asking: bool) -> None:
        self.asking, self._said = asking, ""
        self.set_class(asking, "-asking")
        self.query_one(KeyBar).hints = self.hints()
        entry = self.query_one(Entry)
        if asking:
            entry.put("".join(f"{name}= " for name in self._free).rstrip() if len(self._free) == 1 else "")
            entry.input.focus()
        else:
            self.query_one(Choices).focus()
        self.query_one(Page).show(self._text)

    def action_plan(self) -> None:
        """To the plan."""
        app = self.app
        self.dismiss(None)
        app.call_later(app.run_action, "plan")

    def action_leave(self) -> None:
        """Back to the list, or back."""
        if self.asking:
            self._ask(False)
        else:
            stop_jobs(self, "whole")
            self.dismiss(None)
