"""Rows of the tree, and the scopes they are grouped by."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from npuscope.model.brief import Names
from npuscope.model.graph import Graph, Node
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot


class Kind(Enum):
    """What a row stands for."""

    MODEL = "model"
    SCOPE = "scope"
    LAYER = "layer"
    NODE = "node"
    TENSOR = "tensor"
    BODY = "body"
    LOOSE = "loose"
    """The nodes that belong to no layer."""


class Tally(NamedTuple):
    """What a scope's row says of its layers."""

    share: float
    """Their part of the model's time, 0 to 1."""
    on_cpu: int
    off_npu: int
    """Not entirely on the NPU; those on the CPU count."""
    changed: bool
    """The last edit made or touched one."""


@dataclass(eq=False)
class Scope:
    """A group of layers; `path` is '' for the whole model."""

    path: str
    label: str
    members: list[Scope | LayerReport] = field(default_factory=list)
    layers: tuple[LayerReport, ...] = ()
    _tally: tuple[Snapshot, Tally] | None = None

    @property
    def key(self) -> str:
        """Identity of its row."""
        return scope_key(self.path)

    @cached_property
    def names(self) -> Names:
        """The labels of its layers and of the scopes in it."""
        return Names(
            m.label if isinstance(m, Scope) else label_within(m.name, self.path) for m in self.members
        )

    def tally(self, snapshot: Snapshot) -> Tally:
        """Computed once for a snapshot: a row is drawn many times, and the whole model's is of all layers."""
        if self._tally is None or self._tally[0] is not snapshot:
            changed = snapshot.changed
            tally = Tally(
                share=sum(snapshot.share(report) for report in self.layers),
                on_cpu=sum(report.placement.on_cpu for report in self.layers),
                off_npu=sum(report.off_npu for report in self.layers),
                changed=bool(changed) and any(report.name in changed for report in self.layers),
            )
            self._tally = snapshot, tally
        return self._tally[1]

    @cached_property
    def worst(self) -> Placement | None:
        """Of its layers' places."""
        placements = {report.placement for report in self.layers}
        return max(placements, key=lambda placement: placement.rank, default=None)


def scope_key(path: str) -> str:
    """Identity of a scope's row."""
    return f"s:{path}"


def label_within(name: str, path: str) -> str:
    """A layer's name without the scope it is shown in."""
    bare = name.lstrip("/")
    return bare[len(path) + 1 :] if path and bare.startswith(path + "/") else bare or name


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A visible row.

    1. `key` stays the same over edits, so the cursor and what is open survive them.
    2. `report` is the layer a LAYER row shows, or the one a row below it belongs to.
    """

    key: str
    kind: Kind
    depth: int
    label: str
    op: str = ""
    detail: str = ""
    report: LayerReport | None = None
    scope: Scope | None = None
    expandable: bool = False
    expanded: bool = False
    node: Node | None = None
    graph: Graph | None = None
    """The node of a NODE row, or that a row below it belongs to, and the graph that holds it."""
    peers: Names | None = None
    """The labels beside it, from which its own is told when it is shortened."""
