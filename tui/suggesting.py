"""The best fixes of the selected layer, found while the panes already show it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from npuscope.machine.machine import Target
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.tui.explorer import Explorer
from npuscope.widgets.panes.selection import Selection

if TYPE_CHECKING:
    from npuscope.planning.proposals import Preview

SHOWN = 3
"""Fixes named in the pane."""

REMEMBERED = 256
"""Layers whose fixes are kept."""


@dataclass
class Suggested(Message):
    """The best fixes of a layer are known."""

    snapshot: Snapshot
    layer: str
    fixes: tuple[Preview, ...]


class Suggesting(Explorer):
    """The explorer that names the best fixes of a layer beside its findings."""

    def __init__(self, path: str | None, judged_for: Target) -> None:
        self._suggestions: OrderedDict[tuple[Snapshot, str], tuple[Preview, ...]] = OrderedDict()
        super().__init__(path, judged_for)

    def validate_selection(self, selection: Selection) -> Selection:
        """The fixes with the layer, where they are known: set by the watcher, they would not reach the panes."""
        if selection.report is None or selection.fixes is not None:
            return selection
        found = self._suggestions.get((selection.snapshot, selection.report.name))
        return selection if found is None else replace(selection, fixes=found)

    def watch_selection(self, before: Selection, selection: Selection) -> None:
        """Look for the fixes of a layer that has something to fix."""
        report, session = selection.report, self.session
        if report is None or session is None or selection.fixes is not None:
            return
        if not report.off_npu and not report.findings:
            return
        if session.graph is selection.snapshot.graph:
            self.suggest(session, selection.snapshot, report)

    @work(thread=True, exclusive=True, group="suggest", description="suggest")
    def suggest(self, session: Session, snapshot: Snapshot, report: LayerReport) -> None:
        """Try the edits of a layer."""
        from npuscope.planning.ranked_fixes import propose_edits

        try:
            found = propose_edits(session, snapshot, report.name)
        except Exception:  # noqa: BLE001 - a hint is not worth the session; f says what is wrong
            found = ()
        if not get_current_worker().is_cancelled:
            self.post_message(Suggested(snapshot, report.name, best(found)))

    @on(Suggested)
    def _suggested(self, message: Suggested) -> None:
        known = self._suggestions
        if known and next(iter(known))[0] is not message.snapshot:
            known.clear()
        known[message.snapshot, message.layer] = message.fixes
        if len(known) > REMEMBERED:
            known.popitem(last=False)
        selection = self.selection
        selected = selection.report.name if selection.report is not None else None
        if selection.snapshot is message.snapshot and selected == message.layer:
            self.selection = replace(selection, fixes=message.fixes)


def best(found: tuple[Preview, ...]) -> tuple[Preview, ...]:
    """A few, each of another kind where there are so many, in their order."""
    kinds: set[str] = set()
    first = []
    for preview in found:
        if preview.edit.kind not in kinds:
            kinds.add(preview.edit.kind)
            first.append(preview)
    rest = [preview for preview in found if preview not in first]
    picked = (first + rest)[:SHOWN]
    return tuple(preview for preview in found if preview in picked)
