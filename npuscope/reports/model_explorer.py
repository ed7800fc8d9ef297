"""Verdicts as node data that Google's Model Explorer lays over its drawing of the same model.

The format is that of its `GraphNodeData` (model_explorer/node_data_builder.py): results by node id or name of an
output tensor, a value and colours for each. Its ONNX adapter takes a node's name for its id.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
        entry = {
            "value": _placement_and_codes(report),
            "bgColor": FILLS[report.placement],
            "textColor": TEXT_COLOUR,
        }
        for name in report.layer.nodes:
            node = graph.nodes[graph.node_index[name]]
            # A node without a name has an id of the viewer's own; its output tells it as well.
            results[node.proto.name or node.output(0)] = entry
    return {"results": results}


GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#d7301f"}]


FIGURES: dict[str, Callable[[Snapshot, LayerReport], float | None]] = {
    "cycles": lambda snapshot, report: report.line.cycles,
    "ms": lambda snapshot, report: _rounded(snapshot.time_of(report)),
    "mac-per-cycle": lambda snapshot, report: _rounded(report.line.macs_per_cycle),
}
"""What a file may hold as numbers, which the viewer colours from white to red and adds up over groups."""

PLACEMENT = "placement"


def node_figures(snapshot: Snapshot, what: str) -> dict[str, Any]:
    """'placement' as `node_data`, or one of FIGURES. A file holds one: its keys are graphs of the model."""
    if what == PLACEMENT:
        return node_data(snapshot)
    return _figures(snapshot, FIGURES[what])


def _figures(snapshot: Snapshot, figure: Callable[[Snapshot, LayerReport], float | None]) -> dict[str, Any]:
    """A figure of each layer at its operator's node, so that the viewer's sums count it once."""
    results = {}
    for report in snapshot.layers:
        value = figure(snapshot, report)
        if value is not None:
            core = report.layer.core.proto
            results[core.name or report.layer.core.output(0)] = {"value": value}
    return {"results": results, "gradient": GRADIENT}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def _placement_and_codes(report: LayerReport) -> str:
    return " ".join([WORDS[report.placement], *(finding.code for finding in report.forced_by)])
