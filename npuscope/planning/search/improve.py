"""The best edits for one layer, found by trying them in its window, one after the other and on top of each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.model.names import printable
from npuscope.planning.candidates import candidates
from npuscope.planning.outcome import standing, step_of, worst_placement
from npuscope.planning.plan import Allowed, Budget, Step, loss
from npuscope.planning.proposals import Preview, in_turn
from npuscope.planning.remembered import remember
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

DEPTH = 3
"""How many edits on top of each other are tried to bring a layer onto the NPU."""

WIDTH = 3
"""How many of the best trials are carried on."""

TRIED = 6
"""How many proposals a layer are tried in its window."""

TRIAL_BYTES = 1 << 17
"""What a trial takes beside its constants, which its preview has as well."""

LEAST_GAIN = 0.05
"""The part of a layer's time that an edit must save to be worth a change to the model."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A window with some edits in force, and what each of them brought."""

    session: Session
    snapshot: Snapshot
    steps: tuple[Step, ...]
    open: tuple[str, ...]
    """Layers to go on with."""
    children: dict[tuple[str, Edit], Trial | None] = field(default_factory=dict)
    """(Layer, edit) -> the trial with that edit as well."""

    @property
    def added(self) -> int:
        """About how many bytes all that was tried on top of it holds."""
        known = self.session.graph.constants
        own = 0
        for child in filter(None, self.children.values()):
            constants = child.session.graph.constants
            own += TRIAL_BYTES + child.added
            own += sum([2 * c.nbytes for name, c in constants.items() if name not in known])
        return own

    @property
    def placement(self) -> tuple[int, int]:
        """Layers off the NPU, and in software."""
        return self.snapshot.summary.off_npu, self.snapshot.summary.on_cpu

    @property
    def milliseconds(self) -> float:
        """Of the window."""
        return self.snapshot.summary.milliseconds

    @property
    def loss(self) -> tuple[int, int]:
        """Of its worst edit, and how many there are like it."""
        losses = [loss(step.exactness) for step in self.steps]
        worst = max(losses, default=0)
        return worst, losses.count(worst) if worst else 0

    @property
    def exact(self) -> bool:
        """Changes no number."""
        return self.loss[0] == 0


def root_of(near: Session, layer: str) -> Trial | None:
    """A window without edits, None where the layer is not in it."""
    snapshot = analyse(near)
    remember(snapshot)
    return Trial(near, snapshot, (), (layer,)) if layer in snapshot.by_name else None


def replayed(root: Trial, edits: tuple[Edit, ...]) -> Trial | None:
    """The trial with these edits, None where one cannot be made."""
    trial: Trial | None = root
    for edit in edits:
        trial = tried(trial, edit.layer, edit) if trial is not None else None
    return trial


def least_gain(root: Trial, layer: str) -> float:
    """Milliseconds that an edit for a layer must save."""
    cost = root.snapshot.by_name[layer].cost
    return LEAST_GAIN * cost.milliseconds if cost is not None else 0.0


def improve(root: Trial, layer: str, budget: Budget) -> tuple[Trial | None, Trial | None, frozenset[Allowed]]:
    """The best edits to make for a layer, None where none is worth it; the best that only takes longer; and the budgets
    under which others would have been tried as well, or weighed otherwise.

    1. Fewest layers off the NPU first, then the least time, then the least loss, then the fewest edits.
    2. Time counts where it changes by more than LEAST_GAIN of the layer's own. A better place does not count where
       the model takes longer for it, unless the budget says so.
    """
    report, least = root.snapshot.by_name[layer], least_gain(root, layer)
    trials: list[Trial] = []
    edge, held_back = [root], set[Allowed]()
    for _ in range(DEPTH if report.off_npu else 1):
        reached = [child for trial in edge for child in _children(trial, budget, held_back)]
        trials += reached
        if any(t.exact and not t.open and _better_placed(t, root, budget) for t in reached):
            break
        edge = sorted((t for t in reached if t.open), key=_order)
        exact = [t for t in edge if t.exact][:WIDTH]
        edge = [*edge[:WIDTH], *(t for t in exact if t not in edge[:WIDTH])]
        if not edge:
            break
    slower = [t for t in trials if t.placement < root.placement and not _better_placed(t, root, budget)]
    best = _best(root, trials, budget, least)
    return best, min(slower, key=_order, default=None), frozenset(held_back)


def _best(root: Trial, trials: list[Trial], budget: Budget, least: float) -> Trial | None:
    better = [t for t in trials if worth(t, root, least, budget)]
    exact = min((t for t in better if t.exact), key=_order, default=None)
    if budget.allowed is Allowed.EXACT:
        return exact
    best = min(better, key=_order, default=None)
    if best is None or budget.allowed is Allowed.ANY:
        return best
    # A copy that the CPU drives beside the layer costs microseconds; a sum that is rounded costs every output.
    if exact is not None and exact.placement < root.placement and exact.milliseconds < root.milliseconds:
        return exact if exact.placement[1] <= best.placement[1] else best
    reached = exact.placement if exact is not None else root.placement
    return best if best.placement < reached else exact


def _better_placed(trial: Trial, root: Trial, budget: Budget) -> bool:
    """Fewer layers off the NPU, and no time lost for it."""
    kept = trial.milliseconds <= root.milliseconds + 1e-9
    return trial.placement < root.placement and (kept or budget.slower)


def worth(trial: Trial, root: Trial, least: float, budget: Budget) -> bool:
    """Better placed than the window was, or as well and faster by more than `least` milliseconds."""
    if trial.placement != root.placement:
        return _better_placed(trial, root, budget)
    return trial.milliseconds < root.milliseconds - max(least, 1e-9)


def _order(trial: Trial) -> tuple[tuple[int, int], float, tuple[int, int], int]:
    return trial.placement, round(trial.milliseconds, 7), trial.loss, len(trial.steps)


def _children(trial: Trial, budget: Budget, held_back: set[Allowed]) -> Iterator[Trial]:
    for name in trial.open:
        for preview in _worth_trying(trial, name, budget, held_back):
            child = tried(trial, name, preview.edit)
            if child is not None:
                yield child


def _worth_trying(trial: Trial, name: str, budget: Budget, held_back: set[Allowed]) -> list[Preview]:
    """The best of each kind, then the next of each: four paddings leave room for a split.

    1. Bit-exact ones have their places whatever else is proposed: what may change numbers as well finds no less.
    2. `held_back` is told the budgets under which an edit would be among them that is ruled out here, or one that is
       tried here weighed otherwise.
    """
    report = trial.snapshot.by_name[name]
    freer = [replace(budget, allowed=allowed) for allowed in Allowed if allowed is not budget.allowed]

    def wanted(edit: Edit) -> bool:
        if _could_help(edit, report, budget):
            if loss(edit.exactness):  # one that may change numbers for time alone chooses otherwise
                held_back.update(one.allowed for one in freer)
            return True
        held_back.update(one.allowed for one in freer if _could_help(edit, report, one))
        return False

    previews = [
        preview
        for preview in candidates(trial.session, trial.snapshot, name, wanted)
        if _hopeful(preview, budget)
    ]
    exact = in_turn([preview for preview in previews if not loss(preview.edit.exactness)])[:TRIED]
    first = in_turn(previews)[:TRIED]
    return [*first, *(preview for preview in exact if preview not in first)]


def _could_help(edit: Edit, report: LayerReport, budget: Budget) -> bool:
    """It is allowed, and its preview could be hopeful."""
    alone = edit.declaration.replaces_one_layer and not report.off_npu
    return budget.allows(edit.exactness) and not (alone and _spends_exactness(edit, budget))


def _hopeful(preview: Preview, budget: Budget) -> bool:
    """Its own preview does not already rule it out."""
    if not preview.edit.declaration.replaces_one_layer or preview.after.rank < preview.before.rank:
        return True
    return not _spends_exactness(preview.edit, budget) and (preview.saved_milliseconds or 0.0) > 0


def _spends_exactness(edit: Edit, budget: Budget) -> bool:
    """It changes numbers where the budget allows that for a better place alone."""
    return edit.exactness is not Exactness.BIT_EXACT and budget.allowed is not Allowed.ANY


def tried(trial: Trial, name: str, edit: Edit) -> Trial | None:
    """The trial with one more edit, for a layer it has open; None where it cannot be made."""
    place = name, edit
    if place not in trial.children:
        trial.children[place] = _tried(trial, name, edit)
    return trial.children[place]


def _tried(trial: Trial, name: str, edit: Edit) -> Trial | None:
    session = trial.session.edit(edit)
    if isinstance(session, Refusal):
        return None
    snapshot = analyse(session, trial.snapshot)
    remember(snapshot)
    stands = standing(edit, trial.snapshot, snapshot)
    was = trial.snapshot.by_name.get(edit.layer)
    why = _why(was, stands, _brought(trial.snapshot, snapshot))
    step = step_of(edit, trial.snapshot, snapshot, why)
    stuck = tuple(
        r.name for r in snapshot.layers if r.off_npu and (r in stands or r.name in snapshot.changed)
    )
    others = tuple(other for other in trial.open if other != name and other in snapshot.by_name)
    return Trial(session, snapshot, (*trial.steps, step), (*others, *stuck))


def _brought(before: Snapshot, after: Snapshot) -> list[LayerReport]:
    """Layers that were off the NPU and are on it now, as they were."""
    return [r for r in before.off_npu if r.name in after.by_name and not after.by_name[r.name].off_npu]


def _why(was: LayerReport | None, stands: list[LayerReport], brought: list[LayerReport]) -> str:
    """What the step is for, in one sentence; '' where it brings no layer anywhere."""
    if was is not None and was.off_npu and was not in brought and not any(r.off_npu for r in stands):
        brought = [was, *brought]
    if not brought and was is not None and (now := worst_placement(stands)).rank < was.placement.rank:
        return f"from {was.placement.value} to {now.value}"
    if not brought:
        return ""
    reason = brought[0].forced_by[0] if brought[0].forced_by else None
    sentence = f"{reason.message} ({reason.code}); this brings " if reason is not None else "brings "
    names = ["it" if report is was else printable(report.name) for report in brought]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    left = [printable(report.layer.kind) for report in stands if report.off_npu]
    but = f", with a {left[0]} that the CPU drives" if left else ""
    return f"{sentence}{' and '.join(names[:2])}{more} onto the NPU{but}"
