"""Cut here: the model in two, a head for the NPU and a tail for the CPU, with the time of both and of their sum."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.edits.edit import Refusal
from npuscope.jobs import Job
from npuscope.model.errors import ModelError
from npuscope.numbers.verify_models import Verification
from npuscope.planning.cut import TRIED, PricedCut, better_cuts, cut, tensors_named, times, verify_cut
from npuscope.reports.cut_report import cut_text
from npuscope.services.writing import unused_path, write_result
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_each, run_job, stop_jobs
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.progress import progress_line
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong, wrap

PROPOSED, HERE = 0, 1

LONGEST_STEM = 60
"""Characters of the model's name that stay in the names of its parts."""


class CutScreen(Dialog[None]):
    """Shows the cut that saves most, or the one behind the selected layer; writes both models."""

    DEFAULT_CSS = """
    CutScreen > #box { width: 100%; max-width: 120; height: auto; }
    CutScreen TabBar { margin: 0 0 1 0; }
    CutScreen Page { height: 1fr; margin: 0 1 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab", "other", show=False, priority=True),
        Binding("1", "show(0)", show=False),
        Binding("2", "show(1)", show=False),
        Binding("w,e", "write", show=False),
        Binding("C,q", "leave", show=False),
    ]

    def __init__(self, session: Session, snapshot: Snapshot, layer: str | None) -> None:
        super().__init__()
        self._session, self._snapshot, self._layer = session, snapshot, layer
        self.at = PROPOSED
        self.cuts: dict[int, PricedCut | str] = {}
        self.checked: dict[int, Verification | str] = {}
        self.written: list[Path] = []
        self.searching = False
        """While the best cut is looked for; the best so far is shown already."""
        self.progress: dict[tuple[str, int], tuple[int, int]] = {}
        """(done, total) of what is being counted, for which of the two cuts."""
        self._said = ""

    def heading(self) -> tuple[Line, Line]:
        """What it is."""
        return line(strong("Cut")), line(quiet("a head for the NPU, a tail for the CPU"))

    @property
    def _here(self) -> str:
        return shown_layer(self._snapshot, self._layer, 30) if self._layer else "the selected layer"

    def hints(self) -> tuple[KeyHint, ...]:
        """The keys that do something here."""
        return (
            KeyHint("w", "write both", "screen.write", 9, isinstance(self.cuts.get(self.at), PricedCut)),
            KeyHint(
                "Tab",
                "behind the layer" if self.at == PROPOSED else "best",
                "screen.other",
                7,
                bool(self._layer),
            ),
            KeyHint("↑↓", "scroll", "screen.none", 3, scrolls="Page"),
            KeyHint("Esc", "stop" if self._stoppable else "back", "screen.leave", 9),
        )

    @property
    def _stoppable(self) -> bool:
        """The search goes on, and what it found so far is of use without its end."""
        return self.searching and self.at == PROPOSED and PROPOSED in self.cuts

    def content(self) -> Iterable[Widget]:
        """Which cut, and all about it."""
        yield TabBar(("best", f"behind {self._here}"))
        yield Page(self._text)

    def on_mount(self) -> None:
        """Look for the best cut."""
        self.query_one(Page).focus()
        self.action_show(PROPOSED)

    def _text(self, width: int) -> list[Line]:
        proposal = self.cuts.get(self.at)
        if proposal is None:
            return self._counting("cuts", "pricing the cut behind the layer …", width)
        if isinstance(proposal, str):
            return list(wrap(line(proposal), width))
        words: list[Line] = []
        if self._stoppable:
            words += [*self._counting("cuts", "", width), *wrap(line(quiet("The best so far:")), width), ()]
        if self._said:
            words += [*wrap(line(Span(self._said, "accent")), width), ()]
        checked = self.checked.get(self.at)
        known = checked if isinstance(checked, Verification) else None
        said, _, listed = cut_text(proposal.cut, proposal.times, known).partition("\n\n")
        words += _wrapped(said, width)
        if self._stoppable:
            pass  # what is compared is the best of all
        elif checked is None:
            counted = self._counting("samples", "starting …", width)
            words += [line(quiet("running head and tail in sequence")), *counted]
        elif isinstance(checked, str):
            words += wrap(line(Span("▲ ", "attention"), checked), width, 2)
        return [*words, (), *_wrapped(listed, width)]

    def _counting(self, what: str, else_: str, width: int) -> list[Line]:
        counted = self.progress.get((what, self.at))
        if counted is None:
            return list(wrap(line(quiet(else_)), width))
        return [progress_line(*counted, what, width)]

    def _update_details(self) -> None:
        self.query_one(Page).show(self._text)
        self.query_one(KeyBar).hints = self.hints()
        self.query_one(TitleBar).refresh()

    # -- finding

    def action_show(self, index: int) -> None:
        """The best cut (0), or the one behind the selected layer (1)."""
        if index == HERE and not self._layer:
            return
        self.at = index
        self.query_one(TabBar).current = index
        self._said = ""
        self._update_details()
        if index not in self.cuts and index == PROPOSED:
            if not self.searching:
                self._search()
        elif index not in self.cuts:
            run_job(
                self,
                lambda _: self._behind_layer(),
                lambda proposal: self._found(HERE, proposal),
                lambda reason: self._found(HERE, reason),
                group="cut behind",
            )

    def action_other(self) -> None:
        """The other of the two."""
        self.action_show(1 - self.at)

    @on(TabBar.Chosen)
    def _chosen_tab(self, message: TabBar.Chosen) -> None:
        message.stop()
        self.action_show(message.index)

    def _search(self) -> None:
        self.searching = True
        self.progress["cuts", PROPOSED] = (0, TRIED)
        run_each(
            self,
            lambda job: better_cuts(self._session, self._snapshot, job),
            self._better,
            self._searched,
            self._not_searched,
            group="cut",
            on_progress=lambda done, total: self._counted("cuts", PROPOSED, done, total),
        )

    def _better(self, proposal: PricedCut) -> None:
        self.cuts[PROPOSED] = proposal
        self._update_details()

    def _searched(self) -> None:
        other = f"Tab shows the cut behind {self._here}" if self._layer else "Select a layer to cut after it"
        none = f"No cut before the last layers saves time. {other}."
        self.searching = False
        self._found(PROPOSED, self.cuts.get(PROPOSED, none))

    def _not_searched(self, reason: str) -> None:
        self.searching = False
        self._found(PROPOSED, self.cuts.get(PROPOSED, reason))

    def _counted(self, what: str, index: int, done: int, total: int) -> None:
        self.progress[what, index] = (done, total)
        self.query_one(Page).show(self._text)

    def action_leave(self) -> None:
        """Stop a search that found something, and keep that; else back."""
        if self._stoppable:
            stop_jobs(self, "cut")
            self._searched()
        else:
            super().action_leave()

    def _behind_layer(self) -> PricedCut | str:
        made = cut(self._session, tensors_named(self._session.layers, [self._layer or ""]))
        return str(made) if isinstance(made, Refusal) else PricedCut(made, times(made, self._snapshot))

    def _found(self, index: int, proposal: PricedCut | str) -> None:
        self.cuts[index] = proposal
        self._update_details()
        if isinstance(proposal, PricedCut):
            run_job(
                self,
                lambda job: verify_cut(proposal.cut, job=job),
                lambda checked: self._compared(index, checked),
                lambda reason: self._compared(
                    index, f"Head and tail were not compared with the model: {reason}"
                ),
                group=f"compare {index}",
                on_progress=lambda done, total: self._counted("samples", index, done, total),
            )

    def _compared(self, index: int, checked: Verification | str) -> None:
        self.checked[index] = checked
        self._update_details()

    # -- writing

    def action_write(self) -> None:
        """Write both models beside the one that was opened, under names that are free."""
        proposal = self.cuts.get(self.at)
        if not isinstance(proposal, PricedCut):
            return
        source = self._session.source.path
        stem = source.stem.encode()[:LONGEST_STEM].decode("utf-8", "ignore")

        def run(_: Job) -> list[Path]:
            written = []
            for part, name in ((proposal.cut.head, "head"), (proposal.cut.tail, "tail")):
                path = unused_path(source.with_name(f"{stem}_{name}.onnx"))
                try:
                    written.append(write_result(part, path).path)
                except ModelError:
                    for one in written:  # a head alone is of no use
                        one.unlink(missing_ok=True)
                    raise
            return written

        run_job(self, run, self._wrote, self._not_written, group="write", exclusive=False)

    def _wrote(self, written: list[Path]) -> None:
        self.written = written
        self._said = f"Written: {' and '.join(path.name for path in written)}"
        self._update_details()

    def _not_written(self, reason: str) -> None:
        self._said = f"Not written: {reason}"
        self._update_details()


def _wrapped(text: str, width: int) -> list[Line]:
    """Lines of a report, what they are indented by kept where they go on."""
    words: list[Line] = []
    for one in text.splitlines():
        hang = len(one) - len(one.lstrip()) + 2
        words += wrap(line(one), width, min(hang, 8)) if one else [()]
    return words
