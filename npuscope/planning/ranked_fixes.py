"""Every edit that would help a layer, best first: what a user is offered for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from npuscope.edits.edit import Edit, Exactness
from npuscope.npu.times import change_sign
from npuscope.planning.candidates import candidates
from npuscope.planning.layer_tuning import propose_qdq_form
from npuscope.planning.placement_fixes import propose_answers
from npuscope.planning.proposals import Preview, rank
from npuscope.planning.streams import propose_streams
from npuscope.session import Session
from npuscope.snapshot import Snapshot

if TYPE_CHECKING:  # `check` ranks fixes, and asks for no plan
    from npuscope.planning.outcome import Outcome

LEAST_GAIN = 0.02
"""What an edit must save of a layer's time or cycles to be offered: less is within the model's own error."""


class Worth(IntEnum):
    """What a fix is worth to the whole model, the best first."""

    SAVES = 0
    LOSES_TOO_MUCH = 1
    """It saves time, and some output keeps less than a plan lets it keep without being asked."""
    NOTHING = 2
    SLOWER = 3


def worth(fix: Preview, made: Outcome | None, loses_too_much: bool = False) -> Worth:
    """What a fix is worth; by its layers alone until the whole model was judged with it."""
    if made is not None:
        sign = change_sign(made.change)
    elif fix.saved_milliseconds is not None:
        sign = change_sign(-fix.saved_milliseconds)
    else:
        sign = "-" if fix.standing < fix.before.rank else ""
    saves = Worth.LOSES_TOO_MUCH if loses_too_much else Worth.SAVES
    return {"-": saves, "": Worth.NOTHING, "+": Worth.SLOWER}[sign]


def by_worth(
    fixes: Iterable[Preview], outcomes: Mapping[Edit, Outcome], lose_too_much: Collection[Edit] = ()
) -> tuple[Preview, ...]:
    """Fixes as a user wants to see them: what saves time, then what changes none, then what slows the model.

    Of each the bit-exact before the others, unless it leaves its layer on the CPU, and then what saves most; what comes
    to the same stays in its order.
    """

    def place(fix: Preview) -> tuple[Worth, bool, float]:
        made = outcomes.get(fix.edit)
        change = made.change if made is not None else -(fix.saved_milliseconds or 0.0)
        kind = worth(fix, made, fix.edit in lose_too_much)
        exact = fix.exactness is Exactness.BIT_EXACT and not fix.after.on_cpu
        return kind, not exact, 0.0 if kind is Worth.NOTHING else round(change, 3)

    return tuple(sorted(fixes, key=place))


def propose_edits(session: Session, snapshot: Snapshot, layer: str, limit: int = 8) -> tuple[Preview, ...]:
    """The edits of a layer that bring it nearer to the NPU or save time or cycles, best first.

    Order: placement, milliseconds, exactness, number of layers; as a plan would choose for a layer in software, what is
    bit-exact and takes it out comes first, a copy that the CPU drives beside it or not. Edits that only answer a finding come after these, and
    a QLinear operator's QDQ form last: it brings nothing by itself, but other edits need it.
    """
    if limit < 1:
        return ()
    sources = (*candidates(session, snapshot, layer), *propose_streams(session, snapshot, layer))
    helpful = [proposal for proposal in sources if _helps(proposal)]
    offered = {proposal.edit for proposal in helpful}
    forms = [
        *(proposal for proposal in propose_answers(session, snapshot, layer) if proposal.edit not in offered),
        *propose_qdq_form(session, snapshot, layer),
    ]
    forms = forms[:limit]
    ordered = _distinct(sorted(helpful, key=_order))
    return (*ordered[: limit - len(forms)], *forms)[:limit]


def _distinct(previews: list[Preview]) -> list[Preview]:
    """Of splits in as many parts that come to the same the first: 129+128 stands for 146+111."""
    kept: dict[object, Preview] = {}
    for number, one in enumerate(previews):
        sizes = getattr(one.edit, "sizes", None)
        key = (one.edit.kind, len(sizes), one.after, one.cycles, one.milliseconds) if sizes else number
        kept.setdefault(key, one)
    return list(kept.values())


def _order(preview: Preview) -> tuple[bool, tuple[int, float, int, int]]:
    takes_out = preview.before.on_cpu and not preview.after.on_cpu
    exact = preview.exactness is Exactness.BIT_EXACT and (preview.saved_milliseconds or 0.0) > 0
    return not (takes_out and exact), rank(preview)


def _helps(preview: Preview) -> bool:
    """Better placed; or as well placed and faster, by time or by compute cycles without losing time."""
    if preview.standing != preview.before.rank:
        return preview.standing < preview.before.rank
    if preview.after.on_cpu and preview.also:
        return False  # what it gains lies elsewhere, and is offered there
    return _gain(*preview.milliseconds) > LEAST_GAIN or (
        _gain(*preview.compute_cycles) > LEAST_GAIN and _gain(*preview.milliseconds) > -LEAST_GAIN
    )


def _gain(before: float | None, after: float | None) -> float:
    """The part that is saved; 0 where it is not known."""
    return (before - after) / before if before and after is not None else 0.0
