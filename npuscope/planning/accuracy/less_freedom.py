"""A plan that may change numbers against those that may change fewer: it is not to end slower for its freedom."""

from __future__ import annotations

from dataclasses import replace

from npuscope.edits.edit import Refusal
from npuscope.planning.accuracy.loss_budget import part, without
from npuscope.planning.plan import TOLERANCE, Allowed, Plan, loss
from npuscope.session import Session

TIGHTER = {Allowed.ANY: Allowed.NEEDED, Allowed.NEEDED: Allowed.EXACT}


def faster_of(result: Plan, fewer: Plan, allowed: Allowed) -> Plan:
    """The plan found, or the one with fewer edits allowed where that is faster.

    Where the first may change numbers only for a layer's place, and has brought more layers to theirs, it stays and says
    what the other makes of the model.
    """
    if fewer.after.milliseconds >= result.after.milliseconds - TOLERANCE:
        return result
    if allowed is Allowed.ANY or not _leaves_more(fewer, result):
        return fewer
    return replace(result, exact=fewer.after)


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
