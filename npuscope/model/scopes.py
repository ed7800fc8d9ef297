"""The module path a node comes from: what groups the tree."""

from __future__ import annotations

from onnx import NodeProto


def scope_of(proto: NodeProto, name: str) -> str:
    """The scope, parts joined by '/', '' where the exporter left none.

    1. `namespace` in the node's metadata_props (the newer exporters write it) wins.
    2. Else the node's name up to its last '/', or to its last '.' where it has no '/'.
    """
    for entry in proto.metadata_props:
        if entry.key == "namespace":
            return "/".join(part for part in entry.value.split("/") if part)
    if "/" not in name:
        return ""
    parts = [part for part in name.split("/") if part]
    return "/".join(parts[:-1])
