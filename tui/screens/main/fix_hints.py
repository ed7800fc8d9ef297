"""FixHints: the best fixes of the selected layer, found while the panes already show it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from npuscope.jobs import Job
from npuscope.snapshot import Snapshot
from npuscope.tui.jobs import run_job
from npuscope.widgets.panes.selection import Selection

if TYPE_CHECKING:
    from npuscope.planning.proposals import Preview
    from npuscope.tui.screens.main.screen import MainScreen

REMEMBERED = 256
"""Layers whose fixes are kept."""


class FixHints:
    """Looks for fixes of a layer once, and remembers them as long as the snapshot is shown."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._known: OrderedDict[tuple[Snapshot, str], tuple[Preview, ...]] = OrderedDict()

    def added_to(self, selection: Selection) -> Selection:
        """A selection with the fixes of its layer, where they are known."""
        if selection.report is None or selection.fixes is not None:
            return selection
        fixes = self._known.get((selection.snapshot, selection.report.name))
        return selection if fixes is None else replace(selection, fixes=fixes)

    def look_for(self, selection: Selection) -> None:
        """Look for the fixes of a layer that has something to fix."""
        report, session, snapshot = selection.report, self._screen.document.session, selection.snapshot
        if report is None or session is None or selection.fixes is not None:
            return
        if not report.off_npu and not report.findings:
            return
        if session.graph is not snapshot.graph:
            return

        def run(_: Job) -> tuple[Preview, ...]:
            from npuscope.services.fix_hints import fix_hints

            try:
                return fix_hints(session, snapshot, report.name)
            except Exception:  # noqa: BLE001 - a hint is not worth the session; f says what is wrong
                return ()

        run_job(
            self._screen,
            run,
            lambda fixes: self._found(snapshot, report.name, fixes),
            group="fix hints",
        )

    def _found(self, snapshot: Snapshot, layer: str, fixes: tuple[Preview, ...]) -> None:
        known = self._known
        if known and next(iter(known))[0] is not snapshot:
            known.clear()
        known[snapshot, layer] = fixes
        if len(known) > REMEMBERED:
            known.popitem(last=False)
        selection = self._screen.selection
        selected = selection.report.name if selection.report is not None else None
        if selection.snapshot is snapshot and selected == layer:
            self._screen.selection = replace(selection, fixes=fixes)
