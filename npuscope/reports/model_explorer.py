"""Verdicts as node data that Google's Model Explorer lays over its drawing of the same model.

The format is that of its `GraphNodeData` (model_explorer/node_data_builder.py): results by node id or name of an
output tensor, a value and colours for each. Its ONNX adapter takes a node's name for its id.
"""

from __future__ import annotations

from typing import Any

from npuscope.reports.dot import FILLS
from npuscope.reports.text_report import WORDS
from npuscope.snapshot import LayerReport, Snapshot

TEXT_COLOUR = "#202020"


def node_data(snapshot: Snapshot) -> dict[str, Any]:
    """Where each node runs, with the codes that force it there; nodes of one layer share its verdict."""
    graph = snapshot.graph
    results = {}
    for report in snapshot.layers:
        entry = {"value": _said(report), "bgColor": FILLS[report.placement], "textColor": TEXT_COLOUR}
        for name in report.layer.nodes:
            node = graph.nodes[graph.node_index[name]]
            # A node without a name has an id of the viewer's own; its output tells it as well.
            results[node.proto.name or node.output(0)] = entry
    return {"results": results}


def node_cycles(snapshot: Snapshot) -> dict[str, Any]:
    """Cycles of each layer at its operator's node, from white to red."""
    results = {
        report.layer.core.proto.name or report.layer.core.output(0): {"value": report.line.cycles}
        for report in snapshot.layers
        if report.line.cycles is not None
    }
    return {
        "results": results,
        "gradient": [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d7301f"}],
    }


def _said(report: LayerReport) -> str:
    return " ".join([WORDS[report.placement], *(finding.code for finding in report.forced_by)])
