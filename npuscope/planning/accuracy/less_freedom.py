"""A plan that may change numbers against those that may change fewer: it is not to end slower for its freedom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from npuscope.edits.edit import Refusal
from npuscope.planning.accuracy.loss_budget import part, without
from npuscope.planning.plan import TOLERANCE, Allowed, Plan, loss
from npuscope.session import Session

FREER = {
    Allowed.EXACT: (),
    Allowed.NEEDED: (Allowed.NEEDED,),
    Allowed.ANY: (Allowed.NEEDED, Allowed.ANY),
}
"""What else is tried behind a search for bit-exact edits, each with more freedom than the one before."""


Found = Callable[[Plan], object]
"""Called with the best plan so far, whose steps can be made."""


def better_of(freer: Plan, fewer: Plan, allowed: Allowed) -> Plan:
    """The plan that may do more where it is the better one, else the one with fewer edits allowed.

    1. Fewest layers off the NPU first, then the least time, then the least loss.
    2. Where it may change numbers only for a layer's place, brings more layers to theirs and takes longer for it, it
       stays and says what the other makes of the model; where it may for time, the faster one counts.
    """
    later = freer.after.milliseconds - fewer.after.milliseconds
    placed = _leaves_more(fewer, freer)
    if _leaves_more(freer, fewer):
        return fewer
    if later > TOLERANCE:
        return replace(freer, exact=fewer.after) if placed and allowed is Allowed.NEEDED else fewer
    alike = later > -TOLERANCE and not placed
    return fewer if alike and loss(freer.exactness) > loss(fewer.exactness) else freer


def better_than(known: Plan, allowed: Allowed, found: Found | None) -> Found | None:
    """Hands over what is better than a plan that is known."""
    if found is None:
        return None
    return lambda plan: found(plan) if better_of(plan, known, allowed) is not known else None


def with_exact_part(session: Session, found: Plan) -> Plan:
    """The plan, less its steps that change a number where it is faster without them and no layer leaves the NPU for it.

    Where layers do, all steps stay, as they were asked for, and the plan says what the others make of the model.
    """
    lossy = {index for index, step in enumerate(found.steps) if loss(step.exactness)}
    if not lossy:
        return found
    exact = part(session, found, without(found, lossy))
    if isinstance(exact, Refusal) or exact.after.milliseconds >= found.after.milliseconds - TOLERANCE:
        return found
    if not _leaves_more(exact, found):
        return exact
    better = found.exact is None or exact.after.milliseconds < found.exact.milliseconds
    return replace(found, exact=exact.after) if better else found


def _leaves_more(one: Plan, other: Plan) -> bool:
    """Layers off the NPU, then on the CPU."""
    return (one.after.off_npu, one.after.on_cpu) > (other.after.off_npu, other.after.on_cpu)
