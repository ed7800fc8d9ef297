"""The layers as a graph for graphviz, coloured by placement: the whole model or the surroundings of one layer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from npuscope.model.brief import Names
from npuscope.model.convolution import channels_text
from npuscope.model.errors import ModelError, one_line
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import printable
from npuscope.npu.figures import thousands
from npuscope.npu.verdict import Placement
from npuscope.reports.text_report import WORDS
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

FILLS = {
    Placement.HW: "#cfe8cf",
    Placement.HYBRID: "#fde7b0",
    Placement.SW_INT: "#f6c7b6",
    Placement.SW_FLOAT: "#ec9a8b",
    Placement.NONE: "#eeeeee",
}

LABEL_WIDTH = 40

SVG_SECONDS = 120
"""After so long graphviz is given up on: its layout takes a time that grows with the square of the layers."""


def dot_text(session: Session, snapshot: Snapshot, layer: str | None = None, radius: int = 3) -> str:
    """The drawing in the DOT language.

    1. A box is a layer: name, operator, channels, where it runs, and the codes of what forces it there.
    2. With `layer`, only layers at most `radius` steps from it; an edge to one further away ends in a point.
    """
    import pydot

    graph = pydot.Dot("npuscope", graph_type="digraph", rankdir="TB")
    graph.set_node_defaults(shape="box", style='"rounded,filled"', fontname="Helvetica", fontsize="10")
    graph.set_edge_defaults(fontname="Helvetica", fontsize="8", color='"#808080"')
    near = None if layer is None else around(session.layers, layer, radius)
    names = Names(report.name for report in snapshot.layers)
    numbers = {report.name: f"layer{i}" for i, report in enumerate(snapshot.layers)}
    for report in snapshot.layers:
        if near is None or report.name in near:
            graph.add_node(_box(pydot, numbers[report.name], names, report, report.name == layer))
    borders = 0
    for source, target, tensor in edges(session.layers):
        inside = [name for name in (source, target) if near is None or name in near]
        if not inside:
            continue
        ends = []
        for name in (source, target):
            if name in inside:
                ends.append(numbers[name])
            else:
                borders += 1
                ends.append(f"border{borders}")
                graph.add_node(pydot.Node(ends[-1], shape="point"))
        graph.add_edge(pydot.Edge(ends[0], ends[1], label=_quoted(_shape(snapshot, tensor))))
    return str(graph.to_string())


def _box(pydot: Any, number: str, names: Names, report: LayerReport, chosen: bool) -> Any:
    lines = [
        names.fit(report.name, LABEL_WIDTH),
        f"{printable(report.layer.op)} {channels_text(report.layer)}",
        " ".join([WORDS[report.placement], *(finding.code for finding in report.forced_by)]),
    ]
    if report.line.cycles:
        lines.append(f"{thousands(report.line.cycles)} cycles")
    tips = [printable(finding.message) for finding in report.forced_by] or [printable(report.name)]
    width = {"penwidth": "3"} if chosen else {}
    fill = f'"{FILLS[report.placement]}"'
    return pydot.Node(number, label=_quoted(*lines), fillcolor=fill, tooltip=_quoted(*tips), **width)


def _quoted(*lines: str) -> str:
    """A DOT string; what is in a name stays text."""
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'


def _shape(snapshot: Snapshot, tensor: str) -> str:
    dims = snapshot.graph.type(tensor).shape
    return "" if dims is None else "×".join("?" if size is None else printable(str(size)) for size in dims)


def edges(layers: Layers) -> Iterator[tuple[str, str, str]]:
    """(layer that writes, layer that reads, stored tensor), in graph order."""
    for layer in layers.layers:
        for operand in layer.inputs:
            writer = layers.writers.get(operand.tensor) or layers.writers.get(operand.seen)
            if writer is not None and writer is not layer:
                yield writer.name, layer.name, operand.tensor


def around(layers: Layers, name: str, radius: int) -> frozenset[str]:
    """The layers at most `radius` steps from one."""
    names, edge = {name}, {name}
    for _ in range(radius):
        edge = {other for one in edge for other in _neighbours(layers, layers.by_name[one])} - names
        names |= edge
    return frozenset(names)


def _neighbours(layers: Layers, layer: Layer) -> Iterator[str]:
    for operand in layer.inputs:
        for tensor in (operand.tensor, operand.seen):
            if tensor in layers.writers:
                yield layers.writers[tensor].name
    for operand in layer.outputs:
        for tensor in (operand.tensor, operand.seen):
            yield from (reader.name for reader in layers.readers.get(tensor, ()))


def svg_bytes(drawing: str) -> bytes:
    """A drawing as SVG, by graphviz. Raises ModelError where that is not installed or fails."""
    program = shutil.which("dot")
    if program is None:
        raise ModelError(
            "SVG needs graphviz, whose program 'dot' is not on the PATH; install it or write a .dot file"
        )
    try:
        run = subprocess.run(  # noqa: S603  a fixed program; the drawing goes in as data
            [program, "-Tsvg"], input=drawing.encode(), capture_output=True, timeout=SVG_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"graphviz did not draw it: {one_line(str(error), 120)}") from error
    if run.returncode:
        raise ModelError(f"graphviz did not draw it: {one_line(run.stderr.decode('utf-8', 'replace'), 200)}")
    return run.stdout
