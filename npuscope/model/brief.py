"""Short forms of long path-like names that still tell them apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial

from npuscope.model.names import printable, shortened
from npuscope.record import dataclass

KEPT = 2
"""Parts at the end of a name that are always kept: the operator, and what it belongs to."""


def brief_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> the same without the parts that all names of its form share.

    1. '/tcn/block_0/net/net.1/Conv' beside '/tcn/block_1/net/net.1/Conv' is 'block_0/net.1/Conv'.
    2. No two names get the same form, and none gets that of a third one's whole name, nor what a third one ends with:
       beside '/0/conv/Conv' and '/1/conv/Conv', '/2/dfl/conv/Conv' is not 'conv/Conv' but 'dfl/conv/Conv'.
    """
    known = tuple(dict.fromkeys(names))
    forms: dict[tuple[int, str], list[list[str]]] = defaultdict(list)
    for name in known:
        parts = name.split("/")
        forms[len(parts), parts[-1]].append(parts)
    brief: dict[str, str] = {}
    ends = _Ends(known)
    for group in forms.values():
        columns = [len(set(column)) > 1 for column in zip(*group, strict=True)]
        for parts in group:
            first_kept = len(parts) - KEPT
            kept = [part for i, part in enumerate(parts) if (columns[i] or i >= first_kept) and part]
            if len(kept) <= KEPT:
                kept = _unlike_other_ends(parts, kept, ends)
            brief["/".join(parts)] = "/".join(kept) or "/".join(parts)
    taken = Counter((*brief.values(), *(name for name in known if brief[name] != name)))
    return {name: short if taken[short] == 1 else name for name, short in brief.items()}


class _Ends:
    """How many names end with the same parts."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._counts: dict[int, Counter[tuple[str, ...]]] = {}

    def of(self, parts: Sequence[str]) -> int:
        """Names that end with these parts."""
        size = len(parts)
        if size not in self._counts:
            self._counts[size] = Counter(tuple(name.rsplit("/", size)[-size:]) for name in self._names)
        return self._counts[size][tuple(parts)]


def _unlike_other_ends(parts: list[str], kept: list[str], ends: _Ends) -> list[str]:
    """The last parts of a name, as many more of them as it takes to be the end of no other."""
    size = len(kept)
    while 0 < size < len(parts) and parts[-size - 1] and ends.of(parts[-size:]) > 1:
        size += 1
    return parts[-size:] if size > len(kept) else kept


def briefly(text: str, name: str, brief: Mapping[str, str]) -> str:
    """A text about a layer, with the short form of its name."""
    return text.replace(name, brief.get(name, name)) if name else text


def fitted(names: Iterable[str], width: int) -> list[str]:
    """A few names that stand in one list, each in at most `width` characters."""
    few = tuple(names)
    among = Names(few)
    return [among.fit(name, width) for name in few]


def fitted_text(text: str, name: str, among: Names, width: int) -> str:
    """A text about a layer in at most `width` characters: its name gives way, not the figures behind it, while some is left."""
    room = width - len(text) + len(name)
    if name and len(text) > width and room >= LEAST:
        text = text.replace(name, among.fit(name, room), 1)
    return _without_end(printable(text), width)


LEAST = 4
"""Characters below which forms are no longer told apart."""

_RANKS = 2
"""Runs of parts that are tried, one after the other, where what is left is like another name's."""

_MOST_PARTS = 32
"""Parts of a name above which no run of them is looked for: there are too many."""

_MOST_CHARACTERS = 256
"""Characters of a name above which no words of it are looked for."""

_WIDTHS = 32
"""Widths whose forms are kept: a terminal that is pulled wider asks for many."""


class Names:
    """Forms of names that fit a width and still tell one from another: shortened where they agree, not where they differ.

    1. Parts that all names of a form share are left out first; those before the rest stay as far as there is room.
    2. What is still too long loses whole parts, else words, else characters, of its middle, its start or its end, whichever leaves
       it unlike every other form; then what the parts begin with in common, at last the word before a figure; then its
       scopes shrink to initials and figures.
    3. Names that no cut tells apart are numbered, as long as there is room for the number.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._forms: dict[int, dict[str, str]] = {}

    def fit(self, name: str, width: int) -> str:
        """A printable form in at most `width` characters; a name that is not among the others is only cut."""
        full = printable(name)
        if len(full) <= width:
            return full
        if width < LEAST:
            return shortened(full, width)
        if width not in self._forms:
            if len(self._forms) >= _WIDTHS:
                self._forms.clear()
            self._forms[width] = self._fitted(width)
        return self._forms[width].get(name) or shortened(full, width)

    @cached_property
    def _bare(self) -> Mapping[str, str]:
        return {name: printable(short) for name, short in _without_common_starts(self._names).items()}

    @cached_property
    def _words(self) -> Mapping[str, str]:
        short = _without_common_starts(self._names, before_figures=True)
        return {name: printable(form) for name, form in short.items()}

    @cached_property
    def _tightest(self) -> Mapping[str, str]:
        return {name: _tight(form) for name, form in self._bare.items()}

    @cached_property
    def _cuts(self) -> tuple[tuple[Mapping[str, str], Callable[[str, int], str]], ...]:
        """Ways to shorten, the best first: forms that are cut, and how."""
        brief = {name: printable(short) for name, short in brief_names(self._names).items()}
        words, bare, tight = self._words, self._bare, self._tightest
        return (
            ({name: printable(name) for name in self._names}, _unshortened),
            (
                {name: name for name in self._names},
                lambda name, width: _with_scopes(printable(name), brief[name], width),
            ),
            *((brief, partial(_without_middle_parts, rank=rank)) for rank in range(_RANKS)),
            (brief, _without_first_parts),
            (brief, _without_last_parts),
            (words, _unshortened),
            (brief, _between_words),
            (brief, partial(_without_run, first=0, last=1)),
            (brief, partial(_without_run, first=1, last=0)),
            (brief, _without_middle),
            (brief, _without_start),
            (words, _between_words),
            (words, _without_middle),
            (words, _without_start),
            (bare, _unshortened),
            (bare, _without_middle),
            (bare, _without_start),
            (tight, _unshortened),
            (tight, _without_end),
            (tight, _without_middle),
            (bare, _without_end),
        )

    def _fitted(self, width: int) -> dict[str, str]:
        shown: dict[str, str] = {}
        taken: set[str] = set()
        pending = self._names
        for forms, cut in self._cuts:
            cuts = {name: cut(forms[name], width) for name in pending}
            count = Counter(cuts.values())
            for name, form in cuts.items():
                if len(form) <= width and count[form] == 1 and form not in taken:
                    shown[name] = form
            taken.update(form for name, form in cuts.items() if shown.get(name) == form)
            pending = tuple(name for name in pending if name not in shown)
            if not pending:
                return shown
        numbers: Counter[str] = Counter()
        for name in pending:
            shown[name] = _numbered(self._tightest[name], width, taken, numbers)
            taken.add(shown[name])
        return shown


@dataclass(frozen=True, slots=True)
class BriefNames:
    """Short forms of layers' names, and what tells these apart where they do not fit."""

    brief: Mapping[str, str]
    among: Names

    def fit(self, layer: str, width: int) -> str:
        """A layer's name in at most `width` characters."""
        return self.among.fit(self.brief.get(layer, layer), width)

    def text(self, text: str, layer: str, width: int) -> str:
        """A text about a layer in at most `width` characters; its name gives way, not the figures behind it."""
        brief = self.brief.get(layer, layer)
        return fitted_text(briefly(text, layer, self.brief), brief, self.among, width)


def _numbered(form: str, width: int, taken: Container[str], numbers: Counter[str]) -> str:
    """A form with the next number behind it that is not taken; without one where the numbers fill the width."""
    start = _without_end(form, width - 2)
    while True:
        numbers[start] += 1
        tag = f"~{numbers[start]}"
        if len(tag) >= width:
            return _without_end(form, width)
        numbered = _without_end(form, width - len(tag)) + tag
        if numbered not in taken:
            return numbered


def _without_common_starts(names: Iterable[str], before_figures: bool = False) -> dict[str, str]:
    """Name -> its parts that differ, without what all of a place begin with: 'net_block_4/m.0/cv2/Conv' -> '4/cv2/Conv'.

    1. Only where that leaves no two names alike.
    2. `before_figures`: a figure keeps the word before it ('block_4/cv2/Conv'), an operator alone what it belongs to.
    """
    forms: dict[tuple[int, str], list[list[str]]] = defaultdict(list)
    for name in names:
        parts = name.split("/")
        forms[len(parts), parts[-1]].append(parts)
    bare: dict[str, str] = {}
    for group in forms.values():
        columns = [set(column) for column in zip(*group, strict=True)]
        starts = [_common_start(column) if len(column) > 1 else 0 for column in columns]
        for parts in group:
            kept = [
                part[_word_before(part, starts[i]) if before_figures else starts[i] :] or part
                for i, part in enumerate(parts)
                if len(columns[i]) > 1 or i == len(parts) - 1
            ]
            if before_figures and len(kept) == 1:
                kept = [part for part in parts[-KEPT:] if part] or kept
            bare["/".join(parts)] = "/".join(kept)
    taken = Counter(bare.values())
    return {name: form if taken[form] == 1 else name for name, form in bare.items()}


def _common_start(words: Iterable[str]) -> int:
    """Characters that words begin with in common, up to their last one that is neither letter nor digit: 'model.4', 'model.10' -> 6."""
    words = tuple(words)
    first, last = min(words), max(words)
    common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    while common and first[common - 1].isalnum():
        common -= 1
    return common


def _word_before(part: str, start: int) -> int:
    """Where the word before a figure begins: in 'net_block_4', whose figure begins at 10, at 4."""
    if not part[start : start + 1].isdigit():
        return start
    while start and not part[start - 1].isalnum():
        start -= 1
    while start and part[start - 1].isalnum():
        start -= 1
    return start


def _tight(form: str) -> str:
    """Of all parts but the last their first letter and their figures: '6/m.0/cv2/act/Mul' -> '6/m0/c2/a/Mul'."""
    *scopes, last = form.split("/")
    short = (part[:1] + "".join(c for c in part[1:] if c.isdigit()) for part in scopes)
    return "/".join((*short, last))


def _unshortened(text: str, width: int) -> str:
    return text


def _with_scopes(name: str, brief: str, width: int) -> str:
    """A brief form, and where a name ends with it as many of the parts before it as fit."""
    if len(brief) > width or not name.endswith(f"/{brief}"):
        return brief
    place = name.find("/", max(len(name) - 1 - width, 0), len(name) - len(brief))
    return name[place + 1 :]


def _without_middle_parts(text: str, width: int, rank: int) -> str:
    """'model.22/dfl/conv/Conv' -> 'model.22/…/Conv': a run of parts gives way, the first and the last part stay."""
    return _without_run(text, width, 1, 1, rank)


def _without_first_parts(text: str, width: int) -> str:
    return _without_run(text, width, 0, 2)


def _without_last_parts(text: str, width: int) -> str:
    return _without_run(text, width, 2, 0)


def _without_run(text: str, width: int, first: int, last: int, rank: int = 0) -> str:
    """The longest form that fits in which '…' stands for a run of parts, or the `rank`-th after it; else the text."""
    if len(text) <= width:
        return text
    parts = text.split("/")
    if len(parts) > _MOST_PARTS:
        return text
    for size, a, b in _runs(tuple(map(len, parts)), first, last):
        if size <= width:
            if not rank:
                return "/".join((*parts[:a], "…", *parts[b:]))
            rank -= 1
    return text


@lru_cache(maxsize=4096)
def _runs(lengths: tuple[int, ...], first: int, last: int) -> tuple[tuple[int, int, int], ...]:
    """Runs of parts that can give way, by what is left then, the most first: (characters left, from, to).

    At least `first` parts at the start and `last` at the end stay; where none do, the run reaches that end.
    """
    count = len(lengths)
    runs = (
        (sum(lengths[:a]) + sum(lengths[b:]) + count - b + a + 1, a, b)
        for a in (range(first, count - last) if first else (0,))
        for b in (range(a + 1, count - last + 1) if last else (count,))
    )
    return tuple(sorted(runs, key=lambda run: -run[0]))


def _without_middle(text: str, width: int) -> str:
    return shortened(text, width)


_WORD = re.compile(r"[A-Z0-9]*[^\W_A-Z]*")
"""'Quantize' and 'Linear' of QuantizeLinear; 'Conv2D' is one."""


def _between_words(text: str, width: int) -> str:
    """'Flatten_26_out_0_QuantizeLinear_Output' -> 'Flatten_26…QuantizeLinear_Output': a middle of whole words gives way.

    The text itself where it is a sentence, or its words are so long that two fifths of the width would be left empty.
    """
    if len(text) <= width or len(text) > _MOST_CHARACTERS or " " in text:
        return text
    words = [match.span() for match in _WORD.finditer(text) if match[0]]
    starts = [start for start, _ in words if len(text) - start <= (width - 1) * 3 // 4]
    for start in starts[:_RANKS]:
        room = width - 1 - (len(text) - start)
        end = max((end for _, end in words if end <= room), default=0)
        if end and end + 1 + len(text) - start > width * 3 // 5:
            return f"{text[:end]}…{text[start:]}"
    return text


def _without_start(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[-(width - 1) :].lstrip('/._-')}"


def _without_end(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
