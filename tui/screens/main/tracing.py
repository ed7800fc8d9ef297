"""Tracing: what leads to a layer and what comes of it, or what lies between two, set off from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.model.inspection.trace import End, Trace, Way, layer_end, path, scope_end, trace
from npuscope.npu.figures import plural
from npuscope.npu.times import in_ms
from npuscope.snapshot import Snapshot
from npuscope.widgets.lists.row import Kind
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.spans import plain
from npuscope.widgets.text.words import counts

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen


class Tracing:
    """One trace at a time. It stays while the cursor goes elsewhere, and is followed through edits."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    def step(self) -> None:
        """Trace what the cursor is on; on its way already, the next way; on something else, the path between both."""
        screen, shown = self._screen, self._screen.trace
        links, here = screen.snapshot.links, self._here()
        if here is None:
            screen.show_message(
                keyed("Choose a layer or a scope: {T} shows all that leads to it and all that comes of it.")
                if shown is None
                else keyed("{T} on another layer or scope shows the path between both, Esc ends the trace.")
            )
            return
        if shown is None or (shown.end is not None and here not in shown.ends):
            self.show(trace(links, here))
        elif shown.end is not None:
            self.end()
        elif here != shown.start:
            between = path(links, shown.start, here)
            if here.layers & shown.start.layers:
                self.show(trace(links, here))
            elif between is None:
                screen.show_message(f"No path joins {shown.start.name} and {here.name}.")
            else:
                self.show(between)
        else:
            ways = [*Way, None]
            way = ways[ways.index(shown.way) + 1]
            if way is None:
                self.end()
            else:
                self.show(trace(links, here, way))

    def _here(self) -> End | None:
        """What the cursor is on: a layer, or a scope."""
        screen = self._screen
        row = screen.graph_tree.row
        if row is None:
            return None
        if row.report is not None:
            return layer_end(row.report.name)
        if row.kind is not Kind.SCOPE or row.scope is None:
            return None
        return _scope(row.scope.path, screen.snapshot)

    def show(self, found: Trace) -> None:
        """Set a trace off, and say what it is and what to do with it."""
        screen = self._screen
        screen.trace = found
        screen.update_status()
        screen.show_message(f"{words(found, screen.snapshot)}. " + keyed(_NEXT[found.end is not None]))

    def end(self) -> bool:
        """No trace any more. False where there was none."""
        screen = self._screen
        if screen.trace is None:
            return False
        screen.trace = None
        screen.update_status()
        return True

    def follow(self, snapshot: Snapshot) -> None:
        """The model is another one, or was edited: the same trace through that, if its layers are there."""
        found = self._screen.trace
        if found is None:
            return
        ends = [_scope(end.name, snapshot) if end.is_scope else end for end in found.ends]
        if any(not end.layers or not end.layers <= snapshot.by_name.keys() for end in ends):
            self._screen.trace = None
        elif found.end is not None:
            self._screen.trace = path(snapshot.links, *ends)
        else:
            self._screen.trace = trace(snapshot.links, ends[0], found.way)


def _scope(path: str, snapshot: Snapshot) -> End:
    return scope_end(path, (report.layer for report in snapshot.layers))


_NEXT = {
    False: "{T} again: one way only; elsewhere: the path between. Esc ends it.",
    True: "{n} stays on it, {d} shows it as blocks, {L} as a table, Esc ends it.",
}


def words(found: Trace, snapshot: Snapshot) -> str:
    """'12 layers from A to B, 3.21 ms: 1 CPU, 2 HYB'."""
    reports = [report for report in snapshot.layers if report.name in found.layers]
    if found.end is not None:
        what = f"{plural(len(reports), 'layer')} on the way from {found.start.name} to {found.end.name}"
    else:
        others = len(reports) - len(found.start.layers)
        verb = found.way.value if others == 1 else _MANY[found.way]
        what = f"{plural(others, 'layer')} {verb}"
    return f"{what}: {figures(found, snapshot)}"


_MANY = {Way.BOTH: "lead to it or come of it", Way.BEFORE: "lead to it", Way.AFTER: "come of it"}


def figures(found: Trace, snapshot: Snapshot) -> str:
    """'20.1 ms, ✗ 3 CPU ◐ 2 HYB ● 190 NPU'."""
    reports = [report for report in snapshot.layers if report.name in found.layers]
    cpu = sum(report.placement.on_cpu for report in reports)
    off = sum(report.off_npu for report in reports)
    time = in_ms(sum(snapshot.time_of(report) for report in reports))
    return f"{time} ms, {plain(counts(len(reports) - off, off - cpu, cpu))}"


def label(found: Trace, snapshot: Snapshot) -> str:
    """For the status line, as short as can be."""
    time = milliseconds(sum(snapshot.time_of(r) for r in snapshot.layers if r.name in found.layers))
    return f"trace {len(found.layers)} · {time}"
