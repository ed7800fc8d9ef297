"""FixHints: the best fixes of the selected layer, found while the panes already show it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_each
from npuscope.widgets.panes.selection import Selection

if TYPE_CHECKING:
    from npuscope.planning.outcome import Outcome
    from npuscope.planning.proposals import Preview
    from npuscope.tui.screens.main.screen import MainScreen

    _Hints = tuple[tuple[Preview, ...], tuple[Outcome | None, ...]]

REMEMBERED = 256
"""Layers whose fixes are kept."""


class FixHints:
    """Looks for fixes of a layer once, and remembers them as long as the snapshot is shown."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._known: OrderedDict[tuple[Snapshot, str], _Hints] = OrderedDict()

    def added_to(self, selection: Selection) -> Selection:
        """A selection with the fixes of its layer, where they are known."""
        if selection.report is None or selection.fixes is not None:
            return selection
        known = self._known.get((selection.snapshot, selection.report.name))
        if known is None:
            return replace(selection, awaits_fixes=True) if self._can_look(selection) else selection
        return replace(selection, fixes=known[0], outcomes=known[1])

    def _can_look(self, selection: Selection) -> bool:
        """There is something to fix, in the model as it is."""
        report, session = selection.report, self._screen.document.session
        if report is None or session is None or not (report.off_npu or report.findings):
            return False
        return session.graph is selection.snapshot.graph

    def look_for(self, selection: Selection) -> None:
        """Look for the fixes of a layer that has something to fix, once the layer is drawn: the thread would delay that."""
        if selection.report is not None and selection.fixes is None and self._can_look(selection):
            self._screen.call_after_refresh(partial(self._look, selection))

    def _look(self, selection: Selection) -> None:
        report, session, snapshot = selection.report, self._screen.document.session, selection.snapshot
        now = self._screen.selection
        if report is None or session is None or now.report is not report or now.snapshot is not snapshot:
            return  # the cursor is on another one by now

        latest: _Hints = ((), ())

        def run(_: Job) -> Iterator[_Hints]:
            from npuscope.services.fix_hints import fix_hints, with_outcomes

            # A hint is not worth the session: where something is wrong, f says what.
            with suppress(Exception):
                fixes = fix_hints(session, snapshot, report.name)
                yield fixes, ()
                if fixes:
                    yield with_outcomes(session, snapshot, fixes)

        def show(hints: _Hints) -> None:
            nonlocal latest
            latest = hints
            selection = self._screen.selection
            selected = selection.report.name if selection.report is not None else None
            if selection.snapshot is snapshot and selected == report.name:
                self._screen.selection = replace(
                    selection, fixes=hints[0], outcomes=hints[1], awaits_fixes=False
                )

        def remember() -> None:
            known = self._known
            if known and next(iter(known))[0] is not snapshot:
                known.clear()
            known[snapshot, report.name] = latest
            if self._screen.selection.awaits_fixes:
                show(latest)
            if len(known) > REMEMBERED:
                known.popitem(last=False)

        run_each(self._screen, run, show, remember, group="fix hints")
