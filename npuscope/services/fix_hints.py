"""Which fixes to name beside a layer's findings: a few of the best, of different kinds."""

from __future__ import annotations

from npuscope.planning import ranked_fixes
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import Snapshot

SHOWN = 3
"""Fixes that are named."""


def fix_hints(session: Session, snapshot: Snapshot, layer: str) -> tuple[Preview, ...]:
    """The best edits for a layer, best first. Raises ModelError where one cannot be judged."""
    return most_different(ranked_fixes.propose_edits(session, snapshot, layer))


def most_different(ranked: tuple[Preview, ...], count: int = SHOWN) -> tuple[Preview, ...]:
    """A few, each of another kind where there are so many, in their order."""
    kinds: set[str] = set()
    first = []
    for preview in ranked:
        if preview.edit.kind not in kinds:
            kinds.add(preview.edit.kind)
            first.append(preview)
    rest = [preview for preview in ranked if preview not in first]
    picked = (first + rest)[:count]
    return tuple(preview for preview in ranked if preview in picked)
