"""Split a layer: proposals, sizes typed by hand, and what they would change, as one types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.toolkit.sizes import parse_sizes, written
from npuscope.jobs import Job
from npuscope.model.convolution import channels_text
from npuscope.model.errors import ModelError
from npuscope.planning.outcome import Outcome, outcome
from npuscope.planning.proposals import Preview, preview, propose_splits
from npuscope.planning.ranked_fixes import by_worth
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.jobs import run_each, run_job, silently
from npuscope.tui.screens.dialog import Dialog
from npuscope.tui.screens.split.text import WIDEST, comparison, heading, proposal_line
from npuscope.widgets.bars.axis_bar import AxisBar
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong
from npuscope.widgets.text.words import where

if TYPE_CHECKING:
    from npuscope.numbers.price import Price

PREVIEW_DELAY = 0.06
"""Seconds without a key after which typed sizes are looked at."""

PRICE_DELAY = 0.3
"""Seconds after which a split is tried on numbers."""


@dataclass(frozen=True, slots=True)
class Channels:
    """What there is to split."""

    inputs: int
    outputs: int


class SplitScreen(Dialog[Edit]):
    """Ends with the edit to make."""

    DEFAULT_CSS = """
    SplitScreen > #box { width: 88; height: auto; max-height: 36; }
    SplitScreen AxisBar { margin: 0 1; }
    SplitScreen Entry { margin: 0 1 1 1; }
    SplitScreen Choices { height: auto; min-height: 2; max-height: 9; margin: 0 0 1 1; }
    SplitScreen Page { height: 1fr; margin: 0 0 0 1; }
    SplitScreen.-short Choices { max-height: 6; }
    SplitScreen.-short Entry { margin: 0 1; }
    """

    # The arrows belong to the proposals while the input has the keys.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", show=False, priority=True),
        Binding("down", "choose(1)", show=False, priority=True),
        Binding("tab,shift+tab", "axis", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("enter", "take", show=False, priority=True),
    ]
    HINTS = (
        KeyHint("Enter", "apply", "screen.take", 9),
        KeyHint("↑↓", "proposals", "screen.choose(1)", 5),
        KeyHint("Tab", "inputs or outputs", "screen.axis", 5),
        KeyHint("Esc", "back", "screen.leave", 9),
    )

    def __init__(
        self,
        session: Session,
        snapshot: Snapshot,
        report: LayerReport,
        there: Channels,
        inputs: str | None = None,
    ) -> None:
        super().__init__()
        self._inputs = inputs
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
        self._session, self._snapshot, self._report, self._there = session, snapshot, report, there
        self._proposals: tuple[Preview, ...] | None = None
        """None while they are looked for."""
        self._own: Preview | None = None
        """What was typed last, where it is none of the proposals."""
        self._inward = True
        self._written: dict[bool, str] = {}
        """The sizes that stood in the line for the other channels."""
        self._wanted: Edit | None = None
        """Taken before its preview was there; applied when it is."""
        self._pending: Timer | None = None
        self._rest: Timer | None = None
        self.prices: dict[Edit, Price] = {}
        """What splits did to the numbers, as far as they were tried."""
        self.outcomes: dict[Edit, Outcome] = {}
        """What splits make of the layer and the model, as far as that was judged."""
        self.result: Preview | Refusal | None = None
        """What the sizes in the line would change; None while that is not known."""

    def heading(self) -> tuple[Line, Line]:
        """Which layer, and where it runs now."""
        report = self._report
        about = (
            where(report.placement),
            quiet(f"  {report.layer.op}, {channels_text(report.layer)} channels"),
        )
        return line(strong(f"Split {shown_layer(self._snapshot, report.name, 40)}")), about

    def content(self) -> Iterable[Widget]:
        """Axis, sizes, proposals, before and after."""
        yield AxisBar(self._there.inputs, self._there.outputs)
        yield Entry("sizes   ", placeholder="144+113, or x3 for three equal parts")
        yield Choices((line(quiet("looking for splits …")),), heading(WIDEST))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Type at once; look for proposals meanwhile."""
        self.query_one(Input).focus()
        self.query_one(Choices).move_to(-1)
        self.propose()

    # -- proposals

    def propose(self) -> None:
        """Find the splits worth trying; none where the layer cannot be judged."""

        def propose(_: Job) -> tuple[Preview, ...]:
            try:
                return propose_splits(self._session, self._snapshot, self._report.name)
            except ModelError:
                return ()

        run_job(self, propose, self._proposed, group="proposals")

    def _proposed(self, proposals: tuple[Preview, ...]) -> None:
        self._proposals = proposals
        self.lay_out()
        if proposals and not self.query_one(Entry).value:
            self._choose(0)

    def lay_out(self) -> None:
        """The columns take the room there is."""
        choices = self.query_one(Choices)
        choices.head(heading(choices.line_width))
        if self._proposals is not None:
            lines = [self._line(proposal, choices.line_width) for proposal in self._listed]
            choices.show(lines or [line(quiet("nothing to propose for this layer"))], choices.cursor)

    def _line(self, proposal: Preview, width: int) -> Line:
        edit = proposal.edit
        return proposal_line(proposal, width, self.prices.get(edit), self.outcomes.get(edit))

    @property
    def _listed(self) -> tuple[Preview, ...]:
        """The proposals, below them what was typed."""
        return (*(self._proposals or ()), *((self._own,) if self._own is not None else ()))

    def _list_typed(self, typed: Preview) -> None:
        """Put what was typed into the list, and the cursor on it."""
        if self._proposals is None:
            return
        if all(proposal.edit != typed.edit for proposal in self._proposals):
            self._own = typed
            self.lay_out()
        index = next(index for index, listed in enumerate(self._listed) if listed.edit == typed.edit)
        self.query_one(Choices).move_to(index)

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        self._choose(message.index)
        self.query_one(Input).focus()

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_choose(self, step: int) -> None:
        """Another proposal."""
        if self._listed:
            index = self.query_one(Choices).cursor
            self._choose(0 if index < 0 else min(max(index + step, 0), len(self._listed) - 1))

    def _choose(self, index: int) -> None:
        """Take a proposal's sizes over."""
        if self._proposals is None or index >= len(self._listed):
            return
        proposal = self._listed[index]
        edit = proposal.edit
        assert isinstance(edit, (SplitInput, SplitOutput))
        self._set_axis(isinstance(edit, SplitInput))
        entry = self.query_one(Entry)
        entry.put(written(edit.sizes, limit=1 << 20))
        entry.input.action_select_all()  # what the user types takes the proposal's place
        self.query_one(Choices).move_to(index)
        self._show(proposal)

    # -- typing

    @on(AxisBar.Chosen)
    def _axis_clicked(self, message: AxisBar.Chosen) -> None:
        if message.inward != self._inward:
            self.action_axis()
        self.query_one(Input).focus()

    def action_axis(self) -> None:
        """Along the other channels, with the sizes written for these, the first proposal, or halves."""
        entry = self.query_one(Entry)
        self._written[self._inward] = entry.value
        self._set_axis(not self._inward)
        if isinstance(self.typed(), Refusal):
            proposed = (isinstance(proposal.edit, SplitInput) for proposal in self._proposals or ())
            index = next((index for index, inward in enumerate(proposed) if inward is self._inward), None)
            if (known := self._written.get(self._inward)) is not None:
                entry.put(known)
            elif index is not None:
                self._choose(index)
            else:
                entry.put("x2")
        self._look_soon()

    def _set_axis(self, inward: bool) -> None:
        self._inward = inward
        self.query_one(AxisBar).inward = inward

    @on(Input.Changed)
    def _look_soon(self) -> None:
        """Look at the sizes once the keys rest; a refusal shows at once."""
        edit = self.typed()
        if isinstance(self.result, Preview) and self.result.edit == edit:
            return
        self.query_one(Choices).move_to(-1)
        if self._pending is not None:
            self._pending.stop()
        if edit is None or isinstance(edit, Refusal):
            self._show(edit)
        else:
            self._show(None)
            self._pending = self.set_timer(PREVIEW_DELAY, lambda: self.look(edit))

    def typed(self) -> Edit | Refusal | None:
        """The edit that the line describes."""
        text = self.query_one(Entry).value.strip()
        if not text:
            return None
        sizes = parse_sizes(text, self._there.inputs if self._inward else self._there.outputs)
        if isinstance(sizes, Refusal):
            return sizes
        name = self._report.name
        return SplitInput(name, sizes) if self._inward else SplitOutput(name, sizes)

    def look(self, edit: Edit) -> None:
        """Find out what an edit would change; of no use once something else is typed."""

        def previewed(result: Preview | Refusal) -> None:
            self._show(result)
            if isinstance(result, Preview):
                self._list_typed(result)
            if edit == self._wanted:
                self.action_take()

        run_job(
            self,
            lambda _: preview(self._session, self._snapshot, edit),
            previewed,
            lambda reason: previewed(Refusal(reason)),
            group="preview",
            only_if=lambda: edit == self.typed(),
        )

    def _show(self, result: Preview | Refusal | None) -> None:
        self.result = result
        self.query_one(Page).show(self._text)
        if self._rest is not None:
            self._rest.stop()
        if isinstance(result, Preview):
            self._rest = self.set_timer(PRICE_DELAY, lambda: self.evaluate_whole_model(result))
        entry = self.query_one(Entry)
        sizes = result.edit if isinstance(result, Preview) else None
        if (
            isinstance(sizes, (SplitInput, SplitOutput))
            and written(sizes.sizes, 1 << 20) != entry.value.strip()
        ):
            entry.note = line(quiet("= "), written(sizes.sizes, 5))
        elif isinstance(result, Refusal):
            entry.note = (Span("✗", "sw"),)
        else:
            entry.note = BLANK

    def _text(self, width: int) -> list[Line]:
        result = self.result
        price = self.prices.get(result.edit) if isinstance(result, Preview) else None
        made = self.outcomes.get(result.edit) if isinstance(result, Preview) else None
        return comparison(result, self._report, width, price, made)

    def evaluate_whole_model(self, split: Preview) -> None:
        """Judge the whole model with a split, try it on numbers where it is not exact, then judge the other proposals."""

        def evaluated(job: Job) -> Iterator[tuple[Edit, Outcome | Price]]:
            yield from self._judged(job, [split])
            yield from self._tried(job, split)
            yield from self._judged(job, self._listed)

        # Applying it, or verifying, says what is wrong.
        run_each(self, evaluated, self._known, on_failed=silently, group="price")

    def _judged(self, job: Job, splits: Iterable[Preview]) -> Iterator[tuple[Edit, Outcome]]:
        for split in job.each([one for one in splits if one.edit not in self.outcomes]):
            try:
                made = outcome(self._session, self._snapshot, split)
            except ModelError:
                continue
            if made is not None:
                yield split.edit, made

    def _tried(self, job: Job, split: Preview) -> Iterator[tuple[Edit, Price]]:
        if split.edit not in self.prices:
            from npuscope.numbers.price import prices

            yield from prices(self._session, [split.edit], self._inputs, job)

    def _known(self, known: tuple[Edit, Outcome | Price]) -> None:
        edit, value = known
        if isinstance(value, Outcome):
            self.outcomes[edit] = value
        else:
            self.prices[edit] = value
        self._rank_again()
        choices = self.query_one(Choices)
        for index, split in enumerate(self._listed):
            if split.edit == edit:
                choices.set_line(index, self._line(split, choices.line_width))
        if isinstance(self.result, Preview) and self.result.edit == edit:
            self.query_one(Page).show(self._text)

    def _rank_again(self) -> None:
        """A split that slows the model or loses too much is no first choice; the cursor stays on what is typed."""
        choices, listed = self.query_one(Choices), self._listed
        chosen = listed[choices.cursor] if 0 <= choices.cursor < len(listed) else None
        losing = {one for one, price in self.prices.items() if price.loses_too_much}
        self._proposals = by_worth(self._proposals or (), self.outcomes, losing)
        if self._listed != listed:
            self.lay_out()
            if chosen is not None:
                choices.move_to(self._listed.index(chosen))

    # -- leaving

    def action_take(self) -> None:
        """Make the edit that is typed, as soon as it is known to be possible."""
        edit = self.typed()
        if edit is None or isinstance(edit, Refusal):
            return
        if isinstance(self.result, Preview) and self.result.edit == edit:
            self.dismiss(edit)
        elif not isinstance(self.result, Refusal):
            self._wanted = edit
            self.look(edit)

    def action_page(self, step: int) -> None:
        """Scroll what does not fit."""
        page = self.query_one(Page)
        (page.scroll_page_down if step > 0 else page.scroll_page_up)(animate=False)
