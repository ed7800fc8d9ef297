"""The explorer over a slow line: large models and a branched one, moves, scrolls and edits, in seconds and bytes."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.models import detector, qdq_chain
from benchmarks.over_pty import DOWN, NPUSCOPE, PAGE_DOWN, PAGE_UP, Terminal, bytes_of, p95, split_times

MOVES = (DOWN, b"j", DOWN, b"k")
"""Steps of the cursor; each is shown at once, since no two keys that follow are the same."""

JUDGED = b" ms"
"""The unit of the model's time in the status line: the analysis is there."""


def over_ssh(folder: Path) -> list[Figure]:
    """Large models, and what a slow line carries."""
    figures = []
    for layers, target, judged in ((3000, 1.3, 3.0), (15000, 4.0, 9.0)):
        path = qdq_chain(folder / f"browse{layers}.onnx", layers)
        times = []
        for _ in range(3):
            with Terminal([*NPUSCOPE, str(path)]) as shown:
                times.append((shown.until(b"block"), shown.until(JUDGED)))
        name = f"{layers * 10 // 3:,} nodes"
        browsable, known = (statistics.median(column) for column in zip(*times, strict=True))
        figures += [
            Figure(f"{name} browsable", browsable, target, "s"),
            Figure(f"{name} judged", known, judged, "s"),
        ]
    path = folder / "browse3000.onnx"
    with Terminal([*NPUSCOPE, str(path)]) as shown:
        shown.until(JUDGED)
        shown.rest(1.0)
        moves = [shown.press(key) for key in MOVES * 15]
        scrolls = [shown.press(key) for key in (PAGE_DOWN, PAGE_DOWN, PAGE_UP, PAGE_UP) * 10]
        scrolls = [
            frame for frame in scrolls if frame.size > bytes_of(moves)
        ]  # a page within the screen moves only
        idle = shown.rest(3.0)
    with Terminal([*NPUSCOPE, str(path)], 80, 24) as narrow:
        narrow.until(JUDGED)
        narrow.rest(1.0)
        narrow_moves = [narrow.press(key) for key in MOVES * 10]
    figures += [
        Figure("key to frame, 95th of 100", p95(moves + scrolls) * 1000, 30, "ms"),
        Figure("a move of the cursor, 120x40 with rail and neighbourhood", bytes_of(moves), 1500, "B"),
        Figure("a move of the cursor, 80x24", bytes_of(narrow_moves), 700, "B"),
        Figure("a page scrolled, 120x40", bytes_of(scrolls), 9000, "B"),
        Figure("idle for three seconds", idle, 0, "B"),
    ]
    return [*figures, *split_shown(path), *detector_moves(folder)]


def detector_moves(folder: Path) -> list[Figure]:
    """Moves in a graph with branches, scopes and findings, where each row has other panes; fixes come after the frame."""
    path = detector(folder / "detector.onnx")
    figures = []
    for columns, rows, most in ((120, 40, 1500), (80, 24, 700)):
        with Terminal([*NPUSCOPE, str(path)], columns, rows) as shown:
            shown.until(JUDGED)
            shown.rest(1.0)
            moves = [shown.press(key) for key in MOVES * 15]
        name = f"a detector of 189 layers, {columns}x{rows}"
        figures += [
            Figure(f"{name}: a move of the cursor", bytes_of(moves), most, "B"),
            Figure(f"{name}: key to first frame, 95th of 100", p95(moves, "first") * 1000, 30, "ms"),
        ]
    return figures


def split_shown(path: Path) -> list[Figure]:
    """A split of 10,000 nodes made, and one undone and made again: from the key to its parts in the tree."""
    with Terminal([*NPUSCOPE, str(path)]) as shown:
        shown.until(JUDGED)
        shown.rest(1.0)
        made, again = split_times(shown, b"layer300/conv", b"8+8")
    return [
        Figure("a split on 10,000 nodes shown", statistics.median(made) * 1000, 200, "ms"),
        Figure("the same undone and made again, shown", statistics.median(again) * 1000, 100, "ms"),
    ]
