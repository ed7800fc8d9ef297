"""Two schedules of one model, before and after edits, put beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from npuscope.npu.cost import Epoch
from npuscope.npu.times import change_sign
from npuscope.record import dataclass

MOST = 4_000
"""Epochs of a schedule above which only what lies between common ends is put beside each other."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Epochs of the first schedule, and what stands in their place in the second."""

    before: tuple[Epoch, ...]
    after: tuple[Epoch, ...]

    @property
    def same(self) -> bool:
        """The same steps at the same places, none of them faster or slower."""
        return len(self.before) == len(self.after) and all(map(_same, self.before, self.after))

    @property
    def milliseconds(self) -> float:
        """What the change adds; negative where it saves."""
        return sum(e.milliseconds for e in self.after) - sum(e.milliseconds for e in self.before)


def stretches(before: Sequence[Epoch], after: Sequence[Epoch]) -> tuple[Stretch, ...]:
    """The two schedules as stretches, in order: what stayed, what takes another time, what was put in the place of what."""
    ones, others = [_key(epoch) for epoch in before], [_key(epoch) for epoch in after]
    head = 0
    while head < min(len(ones), len(others)) and ones[head] == others[head]:
        head += 1
    tail = 0
    while tail < min(len(ones), len(others)) - head and ones[-1 - tail] == others[-1 - tail]:
        tail += 1
    ends = len(before) - tail, len(after) - tail
    changed = [Stretch(tuple(before[:head]), tuple(after[:head]))]
    if max(ends[0], ends[1]) - head > MOST:
        changed.append(Stretch(tuple(before[head : ends[0]]), tuple(after[head : ends[1]])))
    else:
        middle = SequenceMatcher(None, ones[head : ends[0]], others[head : ends[1]], autojunk=False)
        changed += [
            Stretch(tuple(before[head + a : head + b]), tuple(after[head + c : head + d]))
            for _, a, b, c, d in middle.get_opcodes()
        ]
    changed.append(Stretch(tuple(before[ends[0] :]), tuple(after[ends[1] :])))
    return tuple(
        piece for stretch in changed if stretch.before or stretch.after for piece in _retimed(stretch)
    )


def _retimed(stretch: Stretch) -> Iterator[Stretch]:
    """A stretch of the same steps, each step that is faster or slower now on its own."""
    before, after = stretch.before, stretch.after
    if list(map(_key, before)) != list(map(_key, after)):
        yield stretch
        return
    start = 0
    for i, pair in enumerate(zip(before, after, strict=True)):
        if not _same(*pair):
            if i > start:
                yield Stretch(before[start:i], after[start:i])
            yield Stretch((pair[0],), (pair[1],))
            start = i + 1
    if start < len(before):
        yield Stretch(before[start:], after[start:])


def _same(before: Epoch, after: Epoch) -> bool:
    return _key(before) == _key(after) and not change_sign(after.milliseconds - before.milliseconds)


def _key(epoch: Epoch) -> tuple[object, ...]:
    return epoch.placement, epoch.layers, epoch.op
