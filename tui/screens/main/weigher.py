"""Weigher: what fixes save of the model, found in the background while reasons and layers are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from npuscope.jobs import Job
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_each, silently
from npuscope.widgets.text.gains import gains_of

if TYPE_CHECKING:
    from npuscope.edits.gain import Gain
    from npuscope.tui.screens.main.screen import MainScreen

SHOWN_EVERY = 0.15
"""Seconds between two updates of what is looked at."""


@runtime_checkable
class ShowsGains(Protocol):
    """A screen that shows gains."""

    def gains_changed(self) -> None:
        """More is known of what fixes save."""
        ...


class Weigher:
    """Begins when somebody asks, once for each analysis; another analysis ends it."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._for: Snapshot | None = None
        self._shown = 0.0
        self._held_back = False
        """The main screen lies behind another: to draw it again is to draw that one too."""

    def start(self) -> None:
        """Look for the gains of what the document holds now."""
        document = self._screen.document
        session, snapshot = document.session, document.snapshot
        if session is None or snapshot is self._for or session.graph is not snapshot.graph:
            return
        if snapshot.graph.as_int8:
            return  # the zero points, which decide, are not known
        self._for = snapshot
        gains_of(snapshot).looking = True

        def work(job: Job) -> Iterator[tuple[Gain, ...]]:
            from npuscope.planning.gains import WORK_BEHIND, weigh

            try:
                yield from weigh(session, snapshot, WORK_BEHIND, job)
            finally:
                gains_of(snapshot).looking = False

        run_each(
            self._screen,
            work,
            lambda gains: self._found(snapshot, gains),
            lambda: self._show(snapshot),
            silently,
            group="gains",
        )

    def _found(self, snapshot: Snapshot, gains: tuple[Gain, ...]) -> None:
        gains_of(snapshot).add(gains)
        if monotonic() - self._shown >= SHOWN_EVERY:
            self._show(snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        self._shown = monotonic()
        if self._screen.document.snapshot is not snapshot:
            return
        top = self._screen.app.screen
        self._held_back = top is not self._screen
        if not self._held_back:
            self._screen.gains_changed()
        elif isinstance(top, ShowsGains):
            top.gains_changed()

    def seen_again(self) -> None:
        """The main screen lies behind no other now."""
        if self._held_back:
            self._held_back = False
            self._screen.gains_changed()
