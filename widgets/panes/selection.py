"""What the panes speak of: a layer, or a group of layers, of one snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.record import dataclass
from npuscope.widgets.panes.empty import EMPTY

if TYPE_CHECKING:
    from npuscope.model.graph import Graph, Node
    from npuscope.model.layer import Layer
    from npuscope.neural_art.comparison.values import Comparison, LayerComparison
    from npuscope.planning.outcome import Outcome
    from npuscope.planning.proposals import Preview
    from npuscope.snapshot import LayerReport, Snapshot


@dataclass(frozen=True, eq=False)
class Change:
    """What the last edit, or its undoing, did: `removed` are the layers it removed or touched, as they were."""

    text: str
    removed: tuple[LayerReport, ...]
    added: tuple[LayerReport, ...]

    @staticmethod
    def between(text: str, before: Snapshot, after: Snapshot) -> Change:
        """The difference of two snapshots of one model."""
        was, now, changed = before.by_name, after.by_name, after.changed
        gone = changed | (was.keys() - now.keys())
        removed = tuple([was[name] for name in filter(gone.__contains__, was)])
        return Change(text, removed, tuple([now[name] for name in filter(changed.__contains__, now)]))


@dataclass(frozen=True)
class Part:
    """A node of a layer, or one of its tensors where `tensor` names one; `graph` is the one that holds it."""

    node: Node
    graph: Graph
    tensor: str = ""
    layer: Layer | None = None


@dataclass(frozen=True, eq=False)
class Selection:
    """One layer where `report` is set; else the layers of a scope, or of the whole model where `whole_model` is set."""

    snapshot: Snapshot
    title: str
    layers: tuple[LayerReport, ...]
    report: LayerReport | None = None
    whole_model: bool = False
    change: Change | None = None
    """The last edit, where it made or touched what is selected, or the whole model is."""
    comparison: Comparison | None = None
    """What ST's tools made of the model, where artefacts tell."""
    fixes: tuple[Preview, ...] | None = None
    """The best edits for the layer; None while they are not known."""
    awaits_fixes: bool = False
    """They are being looked for."""
    outcomes: tuple[Outcome | None, ...] = ()
    """What they make of the model, in their order; empty while that is not known."""
    part: Part | None = None
    """The node or tensor of the layer that the cursor is on."""
    note: str = ""
    """What is to be known of the whole model first."""
    notes: tuple[str, ...] = ()
    """What else holds for the model as a whole."""

    def differs_in_fixes_alone(self, other: Selection) -> bool:
        """More is known of the fixes in one of them, and all else is as it was."""
        fixes = (self.fixes, self.outcomes, self.awaits_fixes) != (
            other.fixes,
            other.outcomes,
            other.awaits_fixes,
        )
        return fixes and all(
            getattr(self, name) is getattr(other, name)
            for name in (
                "snapshot",
                "report",
                "change",
                "comparison",
                "part",
                "layers",
                "title",
                "note",
                "notes",
            )
        )

    @property
    def draft(self) -> bool:
        """Nothing is known yet of where the layers run and what they take."""
        return self.snapshot.draft

    @property
    def actual(self) -> LayerComparison | None:
        """What they made of the selected layer."""
        if self.report is None or self.comparison is None:
            return None
        return self.comparison.by_layer.get(self.report.name)

    @property
    def milliseconds(self) -> float:
        """Time of the layers."""
        return sum(self.snapshot.time_of(report) for report in self.layers)

    @property
    def share(self) -> float:
        """Their part of the model's time, 0 to 1."""
        return sum(self.snapshot.share(report) for report in self.layers)


NOTHING = Selection(EMPTY, "", ())
