"""What another target changes: layers that move, cycles and time before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from npuscope.npu.figures import plural
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import Snapshot, Summary
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import before_after, short
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, length, line, quiet, wrap
from npuscope.widgets.text.words import where


@dataclass(frozen=True, slots=True)
class Move:
    """A layer that runs elsewhere."""

    name: str
    before: Placement
    after: Placement


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """A model judged for another target; `faster` and `slower` count the layers whose cycles change."""

    before: Summary
    after: Summary
    moves: tuple[Move, ...]
    faster: int = 0
    slower: int = 0

    @staticmethod
    def between(before: Snapshot, after: Snapshot) -> Changes:
        """Two analyses of one model."""
        moves, faster, slower = [], 0, 0
        for report in after.layers:
            old = before.by_name.get(report.name)
            if old is None:
                continue
            if old.placement is not report.placement:
                moves.append(Move(report.name, old.placement, report.placement))
            elif old.line.cycles is not None and report.line.cycles is not None:
                faster += report.line.cycles < old.line.cycles
                slower += report.line.cycles > old.line.cycles
        # What gets worse is seen first.
        moves.sort(key=lambda move: move.before.rank - move.after.rank)
        return Changes(before.summary, after.summary, tuple(moves), faster, slower)


def moved(before: Summary, after: Summary) -> Line:
    """'✗ 3→2': how many layers are on the CPU, and how many hybrid, as far as that changes; '·' where it does not."""
    parts: list[Span] = []
    for was, now, sign, role in (
        (before.on_cpu, after.on_cpu, "✗", "sw"),
        (before.hybrid, after.hybrid, "◐", "hybrid"),
    ):
        if was != now:
            parts.append(Span(f"{' ' if parts else ''}{sign} {was}→{now}", role if now > was else "hw"))
    return tuple(parts) or line(quiet("·"))


def moves_room(changes: Iterable[tuple[Summary, Summary]]) -> int:
    """Cells of a column of what moves, with a blank behind it; 0 where nothing does."""
    longest = max((length(moved(before, after)) for before, after in changes), default=0)
    return max(longest, len("moves")) + 1 if longest > 1 else 0


def change_lines(changes: Changes, width: int, most: int) -> list[Line]:
    """At most `most` lines: figures, then layers that move."""
    before, after = changes.before, changes.after
    lines = [
        _figure("cycles", before.cycles, after.cycles, short),
        _figure("epochs", before.epochs, after.epochs, str),
    ]
    lines.append(_figure("time", before.milliseconds, after.milliseconds, None))
    if changes.faster or changes.slower:
        parts = [f"{plural(changes.faster, 'layer')} faster"] if changes.faster else []
        parts += (
            [f"{changes.slower} slower" if parts else f"{plural(changes.slower, 'layer')} slower"]
            if changes.slower
            else []
        )
        lines += wrap(line(quiet(left("", _LABEL)), quiet(", ".join(parts))), width, _LABEL)
    lines.append(BLANK)
    if not changes.moves:
        return [*lines, line(quiet("No layer moves."))]
    lines.append(
        line(quiet(f"{plural(len(changes.moves), 'layer')} {'moves' if len(changes.moves) == 1 else 'move'}"))
    )
    room = max(most - len(lines), 1)
    shown_moves = changes.moves if len(changes.moves) <= room else changes.moves[: max(room - 1, 0)]
    names = listed((move.name for move in shown_moves), max(width - 18, 8))
    for move, name in zip(shown_moves, names, strict=True):
        lines.append(line("  ", where(move.before), quiet(" → "), where(move.after), "  ", name))
    if len(shown_moves) < len(changes.moves):
        lines.append(line(quiet(f"  and {len(changes.moves) - len(shown_moves)} more")))
    return lines


_LABEL, _VALUE = 8, 10


def _figure(label: str, before: float, after: float, text: Callable[[Any], str] | None) -> Line:
    """Before and after; `text` is None for times."""
    was, now = before_after(before, after) if text is None else (text(before), text(after))
    if was == now:
        return line(quiet(left(label, _LABEL)), Span(right(was, _VALUE)), quiet("   the same"))
    role = "hw" if after < before else "attention"
    return line(quiet(left(label, _LABEL)), Span(right(was, _VALUE)), quiet(" → "), Span(now, role))
