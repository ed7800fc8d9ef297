"""Two models, layer by layer: what was added, removed, moved and requantized, and whether it is worse."""

from __future__ import annotations

from enum import Enum
from functools import cached_property

from npuscope.edits.edit import Edit, Refusal
from npuscope.model.errors import ModelError
from npuscope.model.layers import Layer, Operand
from npuscope.model.quant import Quant
from npuscope.npu.times import in_ms
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.services.pairing import RELATED, Pairing, pair_layers, weights_digest
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

SLOWER = 0.01
"""Part of the time that a model may take longer before it counts as a regression."""


class Change(Enum):
    """What differs between a layer of one model and the same of the other."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    """It runs elsewhere."""
    REQUANTIZED = "requantized"
    """A scale, a zero point or an element type."""
    RESHAPED = "reshaped"
    """Shapes of its inputs, weights or outputs."""
    RECONFIGURED = "reconfigured"
    """The operator, an attribute, or what is fused into it."""
    RETRAINED = "retrained"
    """The values of its weights or its bias, their scales being the same."""
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A layer in both models; one side is None where it was added or removed."""

    before: LayerReport | None
    after: LayerReport | None
    changes: frozenset[Change]

    @property
    def report(self) -> LayerReport:
        """As it is, or was last."""
        report = self.after or self.before
        assert report is not None, "one side is there"
        return report

    @property
    def touched(self) -> bool:
        """More than its name changed."""
        return bool(self.changes - {Change.RENAMED})


@dataclass(frozen=True, eq=False)
class Difference:
    """`pairs` has every layer of both models, in the order of the second, each removed one where it stood.

    1. `recipe` are the edits npuscope made the second of the first with, as the file says; () where it was not.
    2. `related` is False for models that have next to nothing in common, of which `likeness` is the measure, 0 to 1.
    """

    before: Snapshot
    after: Snapshot
    pairs: tuple[Pair, ...]
    likeness: float
    recipe: tuple[Edit, ...] = ()

    @property
    def related(self) -> bool:
        """The two are versions of one model."""
        return self.likeness >= RELATED

    @cached_property
    def touched(self) -> tuple[Pair, ...]:
        """The pairs of which more than the name changed."""
        return tuple(pair for pair in self.pairs if pair.touched)

    def count(self, change: Change) -> int:
        """Layers with a change."""
        return sum(change in pair.changes for pair in self.pairs)

    @cached_property
    def regressions(self) -> tuple[str, ...]:
        """What is worse in the second model, a sentence each."""
        one, other = self.before.summary, self.after.summary
        regressions = []
        if other.on_cpu > one.on_cpu:
            regressions.append(f"{_layers(other.on_cpu)} on the CPU, {one.on_cpu} before")
        elif other.off_npu > one.off_npu:
            regressions.append(f"{_layers(other.off_npu)} on the CPU or hybrid, {one.off_npu} before")
        elif fell := sum(map(_fell, self.pairs)):
            regressions.append(f"{_layers(fell)} left the NPU, although no more need the CPU than before")
        if other.milliseconds > one.milliseconds * (1 + SLOWER):
            regressions.append(
                f"an inference takes {in_ms(other.milliseconds)} ms, {in_ms(one.milliseconds)} ms before"
            )
        full = {pool.name for pool in self.before.memory.too_full}
        regressions += [
            f"{pool.name} is too small: {pool.used} bytes are needed, it has {pool.size}"
            for pool in self.after.memory.too_full
            if pool.name not in full
        ]
        return tuple(regressions)


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count != 1 else ''}"


def _fell(pair: Pair) -> bool:
    if pair.before is None or pair.after is None:
        return False
    return pair.after.placement.rank > pair.before.placement.rank


def diff(one: Session, other: Session) -> Difference:
    """Compare two models, judged for the same target."""
    before, after = analyse(one), analyse(other)
    return difference(before, after, _recipe(one, other))


def difference(before: Snapshot, after: Snapshot, recipe: tuple[Edit, ...] = ()) -> Difference:
    """Compare two analyses."""
    pairing = pair_layers(
        [report.layer for report in before.layers], [report.layer for report in after.layers]
    )
    return Difference(before, after, tuple(_rows(before, after, pairing)), pairing.likeness, recipe)


def _rows(before: Snapshot, after: Snapshot, pairing: Pairing) -> list[Pair]:
    """Those of the second model in its order; a removed layer stands behind the one it stood behind."""
    removed: dict[str, list[Pair]] = {}
    last = ""
    for report in before.layers:
        match = pairing.names.get(report.name)
        if match is None:
            removed.setdefault(last, []).append(Pair(report, None, frozenset({Change.REMOVED})))
        else:
            last = match
    rows = removed.pop("", [])
    for report in after.layers:
        name = pairing.back.get(report.name)
        if name is None:
            rows.append(Pair(None, report, frozenset({Change.ADDED})))
        else:
            was = before.by_name[name]
            rows.append(Pair(was, report, frozenset(_changes(was, report))))
        rows += removed.pop(report.name, [])
    return rows


def _changes(was: LayerReport, now: LayerReport) -> set[Change]:
    one, other = was.layer, now.layer
    changes: set[Change] = set()
    if one.name != other.name:
        changes.add(Change.RENAMED)
    if _where(was) is not _where(now):
        changes.add(Change.MOVED)
    if _shapes(one) != _shapes(other):
        changes.add(Change.RESHAPED)
    if _configuration(one) != _configuration(other):
        changes.add(Change.RECONFIGURED)
    if _requantized(one, other):
        changes.add(Change.REQUANTIZED)
    elif Change.RESHAPED not in changes and weights_digest(one) != weights_digest(other):
        changes.add(Change.RETRAINED)
    return changes


def _where(report: LayerReport) -> Placement:
    return Placement.HW if report.placement is Placement.NONE else report.placement


def _operands(layer: Layer) -> list[Operand]:
    stored = [operand for operand in (layer.weight, layer.bias) if operand is not None]
    return [*layer.inputs, *stored, *layer.outputs]


def _shapes(layer: Layer) -> list[object]:
    return [o.constant.shape if o.constant is not None else o.type.shape for o in _operands(layer)]


def _configuration(layer: Layer) -> tuple[object, ...]:
    attributes = sorted(attribute.SerializeToString() for attribute in layer.core.proto.attribute)
    return layer.op, layer.domain, attributes, layer.fused


def _requantized(one: Layer, other: Layer) -> bool:
    before, after = _operands(one), _operands(other)
    if len(before) != len(after):
        return False
    return any(_differ(a.quant, b.quant) for a, b in zip(before, after, strict=True))


def _differ(one: Quant | None, other: Quant | None) -> bool:
    """In a parameter; that channels were added or taken away is not a requantization of the others."""
    if one is None or other is None:
        return one is not other
    if one.per_channel and other.per_channel and one.scale.size != other.scale.size:
        return (one.dtype, one.axis) != (other.dtype, other.axis)
    return not one.same_as(other)


def _recipe(one: Session, other: Session) -> tuple[Edit, ...]:
    """The edits that the second file says npuscope made it with, where they can be made on the first one."""
    from npuscope.files.recipe import load, replay

    try:
        recipe = load(other.source.path)
        made = replay(one.source, recipe, one.target)
    except ModelError:
        return ()
    return () if isinstance(made, Refusal) else tuple(recipe.edits)
