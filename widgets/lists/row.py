"""Rows of the tree, and the scopes they are grouped by."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from npuscope.model.graph import Graph, Node
from npuscope.snapshot import LayerReport


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


@dataclass(eq=False, slots=True)
class Scope:
    """A group of layers; `path` is '' for the whole model."""

    path: str
    label: str
    members: list[Scope | LayerReport] = field(default_factory=list)
    layers: tuple[LayerReport, ...] = ()

    @property
    def key(self) -> str:
        """Identity of its row."""
        return f"s:{self.path}"


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
