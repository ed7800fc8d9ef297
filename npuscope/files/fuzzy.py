"""Fuzzy: files below a folder, found by some letters of their paths in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePath

from npuscope.places import is_file, is_folder

MOST_SEEN = 20_000
"""Entries looked at below a folder; the rest is not found."""
DEEPEST = 8
"""Depth of folders that are searched, below the first."""

Rank = tuple[int, int, int]
"""How well letters match: the less, the better."""


def files_below(
    folder: Path, endings: Collection[str], check: Callable[[], None] = lambda: None
) -> list[str]:
    """Paths, relative to the folder, of files with these endings: what lies near comes first.

    1. Bounded in entries and depth. Hidden folders are left out, and each real folder is searched once: links that
       lead in a circle end.
    2. What cannot be read is left out. `check` is called for each folder and may raise to end it.
    """
    listed: list[str] = []
    seen = 0
    visited: set[tuple[int, int]] = set()
    waiting = deque([("", 0)])
    while waiting and seen < MOST_SEEN:
        check()
        below, depth = waiting.popleft()
        try:
            here = (folder / below).stat()
            if (here.st_dev, here.st_ino) in visited:
                continue
            visited.add((here.st_dev, here.st_ino))
            with os.scandir(folder / below) as listing:
                for item in listing:
                    seen += 1
                    if seen > MOST_SEEN:
                        break
                    name = f"{below}/{item.name}" if below else item.name
                    if item.name.startswith("."):
                        continue
                    if PurePath(item.name).suffix.lower() in endings and is_file(item):
                        listed.append(name)
                    elif depth < DEEPEST and is_folder(item):
                        waiting.append((name, depth + 1))
        except (OSError, ValueError):
            continue
    return listed


def best(letters: str, names: Iterable[str], most: int) -> list[str]:
    """The names that hold all words of `letters`, each as letters in order; the best match first."""
    words = letters.lower().split()
    ranked = []
    for name in names:
        ranks = [rank_of(word, name.lower()) for word in words]
        sure = [one for one in ranks if one is not None]
        if len(sure) == len(ranks):
            ranked.append((tuple(map(sum, zip(*sure, strict=True))), name.count("/"), len(name), name))
    return [name for *_, name in sorted(ranked)[:most]]


def rank_of(word: str, name: str) -> Rank | None:
    """How well a word matches a path, both in lower case; None where its letters are not there in order.

    In the file's own name beats in its folders; letters in one piece beat scattered ones; at the start of a part of the
    name beats in the middle of one.
    """
    start = name.rfind("/") + 1
    in_folders = 0
    span = _span(word, name, start)
    if span is None:
        in_folders, span = 1, _span(word, name, 0)
    if span is None:
        return None
    begin, end = span
    loose = end - begin - len(word)
    inside = begin > 0 and name[begin - 1].isalnum()
    return in_folders, loose, int(inside)


def _span(word: str, name: str, start: int) -> tuple[int, int] | None:
    """The shortest piece of a name that holds the letters of a word in order, from `start` on."""
    position = name.find(word, start)
    if position >= 0:
        return position, position + len(word)
    narrowest: tuple[int, int] | None = None
    begin = start
    while True:
        end = begin
        for letter in word:
            end = name.find(letter, end) + 1
            if not end:
                return narrowest
        # Back from the end: where the piece may begin at the latest.
        first = end
        for letter in reversed(word):
            first = name.rfind(letter, begin, first)
        if narrowest is None or end - first < narrowest[1] - narrowest[0]:
            narrowest = first, end
        begin = first + 1
