"""Which fixes to name beside a layer's findings: a few of the best, of different kinds."""

from __future__ import annotations

from npuscope.planning import ranked_fixes
from npuscope.planning.outcome import Outcome, outcome
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import Snapshot

SHOWN = 3
"""Fixes that are named."""

MOST_LAYERS = 2000
"""Of a model that is analysed again with each of them while the cursor moves on."""


def fix_hints(session: Session, snapshot: Snapshot, layer: str) -> tuple[Preview, ...]:
    """The best edits for a layer, best first. Raises ModelError where one cannot be judged."""
    return most_different(ranked_fixes.propose_edits(session, snapshot, layer))


def hint_outcomes(
    session: Session, snapshot: Snapshot, fixes: tuple[Preview, ...]
) -> tuple[Outcome | None, ...]:
    """What the named edits make of the model, one after the other; none in a model that takes long to analyse."""
    if len(snapshot.layers) > MOST_LAYERS:
        return ()
    return tuple(outcome(session, snapshot, fix) for fix in fixes)


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
