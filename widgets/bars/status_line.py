"""The top line: which model for which target, the whole model's verdict, and what is not written yet."""

from __future__ import annotations

from textual import events
from textual.reactive import reactive

from npuscope.npu.figures import plural
from npuscope.npu.times import change_sign
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.text.cells import shown
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.figures import became, milliseconds
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.spans import Line, Span, fit, length, line, quiet, strong
from npuscope.widgets.text.words import counts


@dataclass(frozen=True, eq=False)
class Status:
    """What the line says. `busy` is what the program is doing, '' where it waits for keys."""

    snapshot: Snapshot
    file: str
    edits: int = 0
    unexported: bool = False
    busy: str = ""
    only: str = ""
    """The filter of the tree, '' where there is none."""
    stale: str = ""
    """What became of the file since it was opened, '' where it is as it was."""
    measured: float | None = None
    """Milliseconds on a board, where an artefact gives them."""
    traced: str = ""
    """The trace that is set off, '' where there is none."""


class StatusLine(Bar):
    """The model's verdict, always in view; before -> after once there are edits."""

    DEFAULT_CSS = """
    StatusLine { padding: 0 1; background: $surface; }
    """

    status: reactive[Status] = reactive(Status(EMPTY, ""), init=False)

    _drawn_at = (0, 0)
    """Where the row of bars begins, and how many there are."""

    def on_click(self, event: events.Click) -> None:
        """A click on a bar goes to the hottest of its layers."""
        start, bars = self._drawn_at
        column = event.x - self.styles.padding.left - start
        snapshot = self.status.snapshot
        if 0 <= column < bars:
            here = _bucket(len(snapshot.layers), column, bars)
            hottest = max(here, key=lambda index: snapshot.share(snapshot.layers[index]))
            self.post_message(KeyBar.Chosen(f"screen.to_layer({hottest})"))

    def bar(self, width: int) -> Line:
        """File and target at the left, verdict at the right; what does not fit is cut off from the left."""
        status = self.status
        snapshot = status.snapshot
        self._drawn_at = 0, 0
        if not snapshot.layers:
            words = status.busy or (
                keyed("no model is open: {o} opens one")
                if not status.file
                else "the model has no layers"
                if snapshot is not EMPTY
                else ""
            )
            name = shown(status.file, max(width - len(words) - 2, 8)) or "npuscope"
            return fit(line(strong(name), quiet(f"  {words}")), width)
        target = snapshot.target
        clock = f"{target.clocks.npu_hz / 1e6:.0f} MHz"
        core = f"Core {target.toolchain.version}"
        end = next(
            (
                words
                for words in (_verdict(status, wide=width >= 100), _terse(status))
                if length(words) <= width - 12
            ),
            fit(_terse(status), max(width - 6, 1)),
        )
        room = width - length(end) - 2
        about = next(
            (
                text
                for text, name_room in (
                    (f"  {target.title} · {core} · {clock}", 24),
                    (f"  {core} · {clock}", 24),
                    (f"  {core}", 14),
                    ("", 0),
                )
                if len(text) + min(len(status.file), name_room) <= room
            ),
            "",
        )
        changed = f" {status.stale}" if status.stale and room >= 24 else "!" if status.stale else ""
        about = about if len(about) + len(changed) + min(len(status.file), 12) <= room else ""
        name = shown(status.file, max(room - len(about) - len(changed), 4))
        start = line(strong(name), Span(changed, "attention"), quiet(about))
        gap = max(width - length(start) - length(end), 0)
        graph = _profile(snapshot, gap - 4) if gap >= 20 else ()
        left_gap = gap - length(graph) - (2 if graph else 0)
        self._drawn_at = length(start) + left_gap, length(graph)
        return fit((*start, Span(" " * left_gap), *graph, Span("  " if graph else ""), *end), width)


def _verdict(status: Status, wide: bool) -> Line:
    now, before = status.snapshot.summary, status.snapshot.before
    edited = status.edits and before is not None
    parts: list[Span] = []
    if now.on_cpu or (edited and before is not None and before.on_cpu):
        change = (
            f"{before.on_cpu} → " if edited and before is not None and before.on_cpu != now.on_cpu else ""
        )
        alarm = any(status.snapshot.alarming(report) for report in status.snapshot.off_npu)
        glyph, role = ("✗", "sw-strong" if alarm else "attention") if now.on_cpu else ("●", "hw")
        parts.append(Span(f"{glyph} {change}{now.on_cpu} of {plural(now.layers, 'layer')} on the CPU", role))
    if now.hybrid:
        parts.append(Span(f"{' · ' if parts else ''}◐ {now.hybrid} hybrid", "hybrid"))
    if not parts:
        parts.append(Span(f"● all {plural(now.layers, 'layer')} on the NPU", "hw"))
    time = _ms(now.milliseconds)
    if edited and before is not None and change_sign(now.milliseconds - before.milliseconds):
        time = _change(before.milliseconds, now.milliseconds)
    parts.append(Span(f" · {time if status.edits else _time(status)}"))
    if status.edits:
        text = plural(status.edits, "edit")
        parts.append(quiet(" · "))
        parts.append(Span(f"{text} not exported" if status.unexported and wide else text, _edit_role(status)))
        if status.unexported and not wide:
            parts.append(Span("*", "attention"))
    if status.busy:
        parts.append(Span(f" · {status.busy}", "accent"))
    return (*_only(status), *parts)


def _only(status: Status) -> Line:
    """What must not be overlooked, set off: that the model is only judged as if quantized, the filter, a trace."""
    assumed = status.snapshot.graph.as_int8
    parts = line(Span("if quantized", "attention"), quiet(" · ")) if assumed else ()
    if status.only:
        parts = (*parts, *line(Span(f"only {shown(status.only, 24)}", "accent-strong"), quiet(" · ")))
    if status.traced:
        parts = (*parts, *line(Span(status.traced, "accent-strong"), quiet(" · ")))
    return parts


def _time(status: Status) -> str:
    """The model's time: as measured where it was, else as predicted."""
    if status.measured is None:
        return _ms(status.snapshot.summary.milliseconds)
    return f"{milliseconds(status.measured)} measured"


def _ms(time: float) -> str:
    """A model's time; none at all is one that nobody knows, where sizes are missing."""
    return milliseconds(time) if time else "? ms"


def _change(before: float, after: float) -> str:
    return became(before, after) if before and after else f"{_ms(before)} → {_ms(after)}"


def _terse(status: Status) -> Line:
    """The verdict for a line that is too short for words."""
    now, before = status.snapshot.summary, status.snapshot.before
    was = before if status.edits and before is not None and before.on_cpu != now.on_cpu else None
    parts = list(counts(now.hw, now.hybrid, now.on_cpu))
    if was is not None:
        parts.insert(0, quiet(f"{was.on_cpu} → "))
    time = _ms(now.milliseconds) if status.edits else _time(status)
    if status.edits and before is not None and change_sign(now.milliseconds - before.milliseconds):
        time = _change(before.milliseconds, now.milliseconds)
    parts.append(Span(f" · {time}"))
    if status.edits:
        parts.append(Span(f" · {plural(status.edits, 'edit')}", _edit_role(status)))
    if status.busy:
        parts.append(Span(f" · {status.busy}", "accent"))
    return (*_only(status), *parts)


def _edit_role(status: Status) -> str:
    return "attention" if status.unexported else "quiet"


_LEVELS = "▁▂▃▄▅▆▇█"


def _bucket(layers: int, bar: int, bars: int) -> range:
    """The layers, by number, that a bar stands for."""
    return range(bar * layers // bars, (bar + 1) * layers // bars)


def _profile(snapshot: Snapshot, width: int) -> Line:
    """The model's time from first to last layer as a row of bars; red where the CPU works."""
    reports = snapshot.layers
    if len(reports) < 4:
        return ()
    cells = min(len(reports), width, 48)
    bars: list[Span] = []
    shares: list[float] = []
    roles: list[str] = []
    for i in range(cells):
        bucket: list[LayerReport] = [reports[index] for index in _bucket(len(reports), i, cells)]
        shares.append(sum(snapshot.share(report) for report in bucket))
        off = [report.placement for report in bucket if report.off_npu]
        roles.append("sw" if any(p.on_cpu for p in off) else "hybrid" if off else "faint")
    most = max(shares) or 1.0
    for share, role in zip(shares, roles, strict=True):
        level = _LEVELS[min(round((share / most) ** 0.5 * (len(_LEVELS) - 1)), len(_LEVELS) - 1)]
        if bars and bars[-1].role == role:
            bars[-1] = Span(bars[-1].text + level, role)
        else:
            bars.append(Span(level, role))
    return tuple(bars)
