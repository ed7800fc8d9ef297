"""Several changes to one graph as a single one, where they are independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.edits.edit import Patch, patched
from npuscope.edits.toolkit.rewiring import substituted
from npuscope.model.graph import Graph, Node
from npuscope.model.tensors import Constant, TensorType


def merged(graph: Graph, patches: Sequence[Patch]) -> Graph | None:
    """The graph with all patches in place, as if made one after the other; None where two of them meet.

    Two patches meet where they touch the same node, make a node or tensor of the same name, or one reads what
    the other removes. Constants that two call the same get names of their own.
    """
    placed: dict[str, tuple[Node, ...]] = {}
    removed: set[str] = set()
    named: set[str] = set()
    constants: list[Constant] = []
    types: dict[str, TensorType] = {}
    for one in patches:
        patch = _with_own_constants(graph, one, named)
        fresh = {node.name for node in patch.added}
        fresh.update(name for node in patch.added for name in node.outputs if name)
        fresh.update(constant.name for constant in patch.constants)
        anchor = max(patch.remove, key=graph.node_index.__getitem__, default=graph.nodes[-1].name)
        touched = patch.touched | {anchor}
        if (
            not named.isdisjoint(fresh)
            or not removed.isdisjoint(touched)
            or not placed.keys().isdisjoint(touched)
        ):
            return None
        named |= fresh
        for name, nodes in patch.replace.items():
            placed[name] = nodes if isinstance(nodes, tuple) else (nodes,)
        kept = () if anchor in patch.remove else placed.get(anchor, (graph.nodes[-1],))
        placed[anchor] = (*kept, *patch.insert)
        removed |= patch.remove - {anchor}
        constants += patch.constants
        types.update(patch.types)
    fixes_sizes = any(patch.fixes_sizes for patch in patches)
    union = Patch(frozenset(removed), (), tuple(constants), types, placed, fixes_sizes)
    changed = patched(graph, union)
    return changed if _complete(graph, changed, union) else None


def _with_own_constants(graph: Graph, patch: Patch, taken: set[str]) -> Patch:
    """The patch, with other names for constants that another one calls the same."""
    clashing = [constant.name for constant in patch.constants if constant.name in taken]
    if not clashing:
        return patch
    own = {constant.name for constant in patch.constants} | {n for node in patch.added for n in node.outputs}
    names = {}
    for name in clashing:
        count = 2
        while any(f"{name}_{count}" in known for known in (taken, own, graph.constants, graph.types)):
            count += 1
        names[name] = f"{name}_{count}"
        own.add(names[name])

    def renamed(node: Node) -> Node:
        return node if names.keys().isdisjoint(node.inputs) else substituted(node, names)

    return replace(
        patch,
        insert=tuple(renamed(node) for node in patch.insert),
        constants=tuple(replace(c, name=names.get(c.name, c.name)) for c in patch.constants),
        replace={
            name: tuple(renamed(node) for node in (nodes if isinstance(nodes, tuple) else (nodes,)))
            for name, nodes in patch.replace.items()
        },
    )


def _complete(before: Graph, after: Graph, patch: Patch) -> bool:
    """What the removed nodes wrote is still written where it is still read."""
    wrote = {name for node in patch.touched for name in before.nodes[before.node_index[node]].outputs if name}
    return all(
        name in after.producers or name in after.constants
        for name in wrote
        if name in after.consumers or name in after.output_set
    )
