"""Before and after the edits: two timelines on one scale, and which epochs took the place of which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.planning.history import opened
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_job
from npuscope.tui.screens.listing import Listing
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.lists.timelines import BeforeAfter
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import BLANK, Line, fit, line, quiet, strong


class CompareScreen(Listing[str]):
    """Ends with the name of the layer to go to."""

    DEFAULT_CSS = """
    CompareScreen > #box { width: 100%; max-width: 160; height: auto; }
    CompareScreen #head { height: 7; margin: 1 1 0 1; }
    CompareScreen RowList { height: 1fr; min-height: 3; margin: 1 0 0 1; }
    CompareScreen #about { height: auto; max-height: 6; margin: 0 1; }
    """

    ABOUT = "#about"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "change(1)", show=False),
        Binding("N", "change(-1)", show=False),
        Binding("equals_sign,q", "leave", show=False),
    ]

    def __init__(self, session: Session, snapshot: Snapshot) -> None:
        super().__init__()
        self._session, self._after = session, snapshot
        self.both: BeforeAfter | None = None

    def heading(self) -> tuple[Line, Line]:
        """What was saved."""
        both = self.both
        if both is None:
            return line(strong("Before and after")), line(quiet("…"))
        saved = both.before.summary.milliseconds - both.after.summary.milliseconds
        about = f"{milliseconds(abs(saved))} {'less' if saved >= 0 else 'more'}"
        return line(strong("Before and after")), line(quiet(about))

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys that do something here."""
        changed = self.both is not None and any(not stretch.same for stretch in self.both.stretches)
        return (
            KeyHint("Enter", "to its layer", "screen.take", 9, bool(self._layer)),
            KeyHint("n", "next change", "screen.change(1)", 7, changed),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    @property
    def _layer(self) -> str:
        index = self.cursor
        return (
            self.both.layer(index) if self.both is not None and 0 <= index < len(self.both.stretches) else ""
        )

    def content(self) -> Iterable[Widget]:
        """Timelines, changes, the change under the cursor."""
        yield Page(lambda width: self.both.head(width) if self.both is not None else [BLANK], id="head")
        yield RowList(
            lambda index, width: self.both.row(index, width) if self.both is not None else BLANK,
            lambda width: self.both.heading(width) if self.both is not None else BLANK,
        )
        yield Page(self.about, id="about")

    def on_mount(self) -> None:
        """Judge the model as it was opened."""
        self.query_one(RowList).focus()
        run_job(self, lambda job: opened(self._session), self._known, group="before")

    def _known(self, before: Snapshot) -> None:
        self.both = BeforeAfter(before, self._after)
        first = next((index for index, stretch in enumerate(self.both.stretches) if not stretch.same), 0)
        self.query_one("#head", Page).show(self.both.head)
        self.show_rows(len(self.both.stretches), first)
        self.renew_heading()

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        index = self.cursor
        if self.both is None or not 0 <= index < len(self.both.stretches):
            return [BLANK]
        return [fit(text, width) for text in self.both.about(index)] or [BLANK]

    def action_take(self) -> None:
        """To a layer of the row."""
        if self._layer:
            self.dismiss(self._layer)

    def action_change(self, step: int) -> None:
        """To the next row that changed; after the last comes the first."""
        if self.both is None:
            return
        self.move_on([index for index, stretch in enumerate(self.both.stretches) if not stretch.same], step)
