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


def with_outcomes(
    session: Session, snapshot: Snapshot, fixes: tuple[Preview, ...]
) -> tuple[tuple[Preview, ...], tuple[Outcome | None, ...]]:
    """The named edits by what they make of the model, and that; no outcome in a model that takes long to analyse."""
    if len(snapshot.layers) > MOST_LAYERS:
        return fixes, ()
    outcomes = {fix.edit: made for fix in fixes if (made := outcome(session, snapshot, fix)) is not None}
    ordered = ranked_fixes.by_worth(fixes, outcomes)
    return ordered, tuple(outcomes.get(fix.edit) for fix in ordered)


def most_different(ranked: tuple[Preview, ...]) -> tuple[Preview, ...]:
    """A few, each of another kind where there are so many, in their order."""
    kinds: set[str] = set()
    first = []
    for preview in ranked:
        if preview.edit.kind not in kinds:
            kinds.add(preview.edit.kind)
            first.append(preview)
    rest = [preview for preview in ranked if preview not in first]
    picked = (first + rest)[:SHOWN]
    return tuple(preview for preview in ranked if preview in picked)
