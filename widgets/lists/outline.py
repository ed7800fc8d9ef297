"""The tree as data: layers grouped by scope, below each its ONNX nodes, their tensors and subgraphs."""

from __future__ import annotations

from copy import copy
from functools import cached_property

from npuscope.model.graph import Node
from npuscope.model.links import LaneRow
from npuscope.model.scopes import steps
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.lists.layer_filter import LayerFilter
from npuscope.widgets.lists.node_rows import Bodies, node_rows
from npuscope.widgets.lists.rail import rail
from npuscope.widgets.lists.row import Kind, Row, Scope, label_within, scope_key

__all__ = ["LOOSE_KEY", "Kind", "Outline", "Row", "Scope", "layer_key"]

LOOSE_KEY = "loose"


def layer_key(name: str) -> str:
    """Identity of a layer's row."""
    return f"l:{name}"


@dataclass(frozen=True, eq=False)
class Outline:
    """The tree of a snapshot, or of those of its layers that a filter lets through."""

    snapshot: Snapshot
    only: LayerFilter | None = None

    def of(self, snapshot: Snapshot) -> Outline:
        """The same tree with all that was found out of it, of another snapshot of the same layers."""
        again = copy(self)
        object.__setattr__(again, "snapshot", snapshot)
        return again

    @cached_property
    def root(self) -> Scope:
        """The whole model."""
        root = Scope("", "")
        known: dict[str, Scope] = {"": root}
        alone: dict[str, int] = {}
        """Path of a scope with one layer so far, which stands for it -> its place in the scope around it."""
        for report in self.snapshot.layers if self.only is None else self.only.layers(self.snapshot):
            parent = root
            around = steps(report.layer.scope)
            for depth, (path, label) in enumerate(around, 1):
                scope = known.get(path)
                if scope is None:
                    place = alone.pop(path, None)
                    if place is None and depth == len(around):
                        alone[path] = len(parent.members)
                        break
                    scope = known[path] = Scope(path, label)
                    if place is None:
                        parent.members.append(scope)
                    else:
                        scope.members.append(parent.members[place])
                        parent.members[place] = scope
                parent = scope
            parent.members.append(report)
        _simplify(root)
        return root

    @cached_property
    def scopes(self) -> frozenset[str]:
        """Keys of all scopes."""
        keys: list[str] = []
        pending = [self.root]
        while pending:
            inside = [member for member in pending.pop().members if isinstance(member, Scope)]
            keys += [scope.key for scope in inside]
            pending += inside
        return frozenset(keys)

    def around(self, name: str) -> tuple[str, ...]:
        """Keys of the scopes around a layer, outermost first; none where it is not in the tree."""
        if name not in self.position:
            return ()
        keys = [scope_key(path) for path, _ in steps(self.snapshot.by_name[name].layer.scope)]
        return tuple([key for key in keys if key in self.scopes])

    @cached_property
    def order(self) -> tuple[LayerReport, ...]:
        """All layers as the tree shows them from top to bottom."""
        return self.root.layers

    @cached_property
    def off_npu(self) -> tuple[str, ...]:
        """Names of the layers that are not entirely on the NPU, in the tree's order."""
        return tuple(report.name for report in self.order if report.off_npu)

    @cached_property
    def position(self) -> dict[str, int]:
        """Layer name -> place in `order`."""
        return {report.layer.name: i for i, report in enumerate(self.order)}

    def open_at_first(self, budget: int = 250) -> set[str]:
        """Keys of the scopes to open when a model is opened: as many levels as fit in `budget` rows."""
        opened: set[str] = set()
        level = [member for member in self.root.members if isinstance(member, Scope)]
        budget -= len(self.root.members)
        while level:
            budget -= sum(len(scope.members) for scope in level)
            if budget < 0:
                break
            opened.update(scope.key for scope in level)
            level = [member for scope in level for member in scope.members if isinstance(member, Scope)]
        return opened

    def shown(self, opened: set[str], title: str) -> tuple[list[Row], list[LaneRow]]:
        """The visible rows and the lanes beside them; those asked for last are known."""
        key = frozenset(opened), title
        if key not in self._shown:
            rows = self.rows(opened, title) if self.snapshot.layers else []
            self._shown.clear()
            self._shown[key] = rows, rail(rows, self.snapshot)
        return self._shown[key]

    @cached_property
    def _shown(self) -> dict[tuple[frozenset[str], str], tuple[list[Row], list[LaneRow]]]:
        return {}

    def rows(self, opened: set[str], title: str) -> list[Row]:
        """The visible rows, where the rows named in `opened` show what is below them."""
        rows = [Row("s:", Kind.MODEL, 0, title, scope=self.root)]
        self._members(self.root, 0, opened, rows)
        if self.loose:
            inside = LOOSE_KEY in opened
            count = f"{len(self.loose)} nodes"
            rows.append(
                Row(LOOSE_KEY, Kind.LOOSE, 0, "in no layer", "", count, expandable=True, expanded=inside)
            )
            if inside:
                node_rows(self.loose, self.snapshot.graph, 1, opened, None, self._bodies, rows)
        return rows

    @cached_property
    def loose(self) -> tuple[Node, ...]:
        """Nodes that belong to no layer: nothing is left out of a tree without a filter."""
        if self.only is not None:
            return ()
        graph = self.snapshot.graph
        return tuple([graph.nodes[graph.node_index[name]] for name in self.snapshot.folded.unattached])

    @cached_property
    def _bodies(self) -> Bodies:
        """The graphs inside nodes that were opened."""
        return {}

    def _members(self, scope: Scope, depth: int, opened: set[str], rows: list[Row]) -> None:
        for member in scope.members:
            if isinstance(member, Scope):
                expanded = member.key in opened
                rows.append(
                    Row(
                        member.key,
                        Kind.SCOPE,
                        depth,
                        member.label,
                        scope=member,
                        expandable=True,
                        expanded=expanded,
                        peers=scope.names,
                    )
                )
                if expanded:
                    self._members(member, depth + 1, opened, rows)
                continue
            key = layer_key(member.name)
            expanded = key in opened
            label = label_within(member.name, scope.path)
            rows.append(
                Row(
                    key,
                    Kind.LAYER,
                    depth,
                    label,
                    member.layer.op,
                    report=member,
                    expandable=True,
                    expanded=expanded,
                    peers=scope.names,
                )
            )
            if expanded:
                graph = self.snapshot.graph
                nodes = [graph.nodes[graph.node_index[name]] for name in member.layer.nodes]
                node_rows(nodes, graph, depth + 1, opened, member, self._bodies, rows)


KEPT = 3
"""Trees that are kept."""


class Outlines:
    """The trees that were shown last: of a state that comes back, undone or made again, it is not made anew."""

    def __init__(self) -> None:
        self._kept: list[Outline] = []
        """The newest last."""

    def of(self, snapshot: Snapshot) -> Outline:
        """The tree of a snapshot."""
        layers, graph = snapshot.layers, snapshot.graph
        known = [one for one in self._kept if one.snapshot.layers is layers and one.snapshot.graph is graph]
        outline = known[0].of(snapshot) if known else Outline(snapshot)
        self._kept = [*(one for one in self._kept if one not in known), outline][-KEPT:]
        return outline

    def forget(self) -> None:
        """Another model."""
        self._kept = []


def _simplify(scope: Scope) -> None:
    """Leave out scopes that hold one thing, and note in each the layers below it."""
    scope.members = [_simplified(member) if isinstance(member, Scope) else member for member in scope.members]
    layers: list[LayerReport] = []
    for member in scope.members:
        if isinstance(member, Scope):
            layers += member.layers
        else:
            layers.append(member)
    scope.layers = tuple(layers)


def _simplified(scope: Scope) -> Scope | LayerReport:
    """A scope as it is shown: what it holds, where that is one thing."""
    if len(scope.members) > 1:
        _simplify(scope)
        return scope
    (only,) = scope.members
    if isinstance(only, Scope):
        only.label = f"{scope.label}/{only.label}"
        return _simplified(only)
    return only


def successor(row: Row | None, old: Outline, now: Outline) -> str:
    """The row to be on after an edit: the same one; else its first new layer; else the layer that moved up."""
    if row is None:
        return "s:"
    if row.report is None or row.report.name in now.position:
        return row.key
    made = [name for name in now.snapshot.changed if name in now.position and name not in old.position]
    if made:
        return layer_key(min(made, key=now.position.__getitem__))
    place = old.position.get(row.report.name, 0)
    for report in (*reversed(old.order[:place]), *old.order[place:]):
        if report.name in now.position:
            return layer_key(report.name)
    return "s:"
