"""Files that ST's tools wrote, beside the model or alone: read, compared with the prediction, shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.services.builds import BuildOptions
from npuscope.services.open import Sorted, compare_opened, sort_files, target_for
from npuscope.session import Session
from npuscope.snapshot import Snapshot
from npuscope.tui.explorer import Explorer, fault
from npuscope.tui.messages import Analysed, NotOpened, Opened
from npuscope.tui.reading import Reading
from npuscope.widgets.lists.layer_filter import LayerFilter

if TYPE_CHECKING:
    from npuscope.neural_art.artefacts.artefact import Artefact
    from npuscope.neural_art.comparison.values import Comparison


@dataclass
class FilesSorted(Message):
    """Models and artefacts were told apart."""

    files: Sorted


@dataclass
class Compared(Message):
    """Artefacts were held against a model as it was opened; `source` is None where there is no model."""

    source: Source | None
    target: Target
    result: Comparison | str


class Artefacts(Reading):
    """The explorer with what the tools made of the model."""

    def __init__(self, path: str | None, judged_for: Target, beside: Sequence[str] = ()) -> None:
        super().__init__(path, judged_for)
        self.beside = tuple(beside)
        self.asked: BuildOptions | None = None
        """What the user said of the build: artefacts state the rest. None where the target stays as it is."""
        self.artefacts: tuple[Artefact, ...] = ()
        self._compared_for: Target | None = None
        self.show_when_compared = False
        """An artefact was opened beside the model: what it says is what the user wants to see."""

    # -- reading

    def open(self, path: str) -> None:
        """Read files: a model, artefacts, or both. Artefacts are held against the model that is open."""
        paths = (path, *self.beside)
        self.beside = ()
        if self.session is None:
            self.path = path
        self.say(busy="opening …")
        self.sort_in_thread(paths)

    def _forget(self) -> None:
        self.artefacts, self.comparison, self._compared_for = (), None, None
        self.differing = frozenset()

    @work(thread=True, exclusive=True, group="analysis", description="sort in thread")
    def sort_in_thread(self, paths: tuple[str, ...]) -> None:
        """Tell models and artefacts apart by what is in them."""
        try:
            message: FilesSorted | NotOpened = FilesSorted(sort_files(paths))
        except ModelError as error:
            message = NotOpened(paths[0], str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not take the terminal with it
            message = NotOpened(paths[0], f"{paths[0]}: {fault(error)}")
        if not get_current_worker().is_cancelled:
            self.post_message(message)

    @on(FilesSorted)
    def _sorted(self, message: FilesSorted) -> None:
        files = message.files
        for reason in files.refused:
            self.tell(reason, "warning")
        session = self.session
        if files.model is not None and session is not None:
            self._forget()
        again = {artefact.path for artefact in files.artefacts}
        self.artefacts = (*(a for a in self.artefacts if a.path not in again), *files.artefacts)
        if session is None and self.artefacts and self.asked is not None:
            self.target = target_for(self.artefacts, self.asked)
        if files.model is not None:
            Explorer.open(self, files.model)
        elif session is not None:
            self.show_when_compared = True
            self.compare_in_thread(self.artefacts, session, self.snapshot)
        else:
            self.path = self.artefacts[0].path
            self.compare_in_thread(self.artefacts, None, None)

    # -- comparing

    @on(Opened)
    def _compare_opened(self, message: Opened) -> None:
        if self.artefacts:
            self._close_agreement()
            self.compare_in_thread(self.artefacts, message.session, message.snapshot)

    @on(Analysed)
    def _compare_again(self, message: Analysed) -> None:
        """Another version predicts otherwise; edits change nothing of what the tools made."""
        session = message.session
        if self.artefacts and session is self.session and session.target is not self._compared_for:
            self.compare_in_thread(self.artefacts, session, message.snapshot)

    @work(thread=True, exclusive=True, group="compare", description="compare in thread")
    def compare_in_thread(
        self, artefacts: tuple[Artefact, ...], session: Session | None, snapshot: Snapshot | None
    ) -> None:
        """Hold artefacts against the model as it was opened."""
        judged_for = session.target if session is not None else self.target
        source = session.source if session is not None else None
        try:
            result: Comparison | str = compare_opened(session, snapshot, artefacts, judged_for)
        except ModelError as error:
            result = str(error)
        except Exception as error:  # noqa: BLE001 - the model is worth more than the comparison
            result = fault(error)
        if not get_current_worker().is_cancelled:
            self.post_message(Compared(source, judged_for, result))

    @on(Compared)
    def _compared(self, message: Compared) -> None:
        session = self.session
        if message.source is not (session.source if session is not None else None):
            return
        self._compared_for = message.target
        if isinstance(message.result, str):
            self.say()
            self.tell(message.result, "error")
            return
        self.comparison = message.result
        self.differing = frozenset(layer.name for layer in message.result.disagreements)
        self.say()
        if session is None:
            from npuscope.tui.screens.agreement.screen import AgreementScreen

            self._close_agreement()
            self.push_screen(AgreementScreen(message.result, with_model=False))
        else:
            self._show(self.snapshot)
            if self.show_when_compared:
                self.show_when_compared = False
                self.action_agreement()

    def _show(self, snapshot: Snapshot) -> None:
        """Measured times take the place of predicted ones."""
        if self.comparison is not None and snapshot.layers:
            from npuscope.neural_art.comparison.times import with_times

            snapshot = with_times(snapshot, self.comparison)
        super()._show(snapshot)

    # -- showing

    def _close_agreement(self) -> None:
        from npuscope.tui.screens.agreement.screen import AgreementScreen

        if isinstance(self.screen, AgreementScreen):
            self.screen.dismiss(None)

    def say(self, busy: str = "") -> None:
        """Without a model the status line says how to get at what was read."""
        known = self.session is None and self.comparison is not None
        super().say(busy or ("a shows what the tools did, o opens the model" if known else ""))

    def action_agreement(self) -> None:
        """What the tools did, beside the prediction."""
        from npuscope.tui.screens.agreement.screen import AgreementScreen

        if self.comparison is None:
            self.tell("Nothing to compare with: npuscope MODEL REPORT... reads what ST's tools wrote.")
            return

        def chosen(found: LayerFilter | str | None) -> None:
            if isinstance(found, LayerFilter):
                self.show_only(found)
            elif found is not None:
                self.go_to(found)

        self.push_screen(AgreementScreen(self.comparison, self.session is not None), chosen)
