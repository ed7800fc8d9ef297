"""Proposals to write operators as others, where they and their surroundings take less time for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.conv_to_gemm import ConvToGemm
from npuscope.edits.kinds.matmul_to_conv import MatMulToConv
from npuscope.edits.kinds.swish_scale import SwishScale
from npuscope.edits.kinds.to_hard_swish import ToHardSwish, hard_swish
from npuscope.edits.kinds.transposed_to_conv import TransposedToConv
from npuscope.edits.toolkit.elementwise import FUNCTIONS, MOST_NODES
from npuscope.edits.toolkit.relayout import REORDERING
from npuscope.model.convolution import constant_first, convolution
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers, is_qdq
from npuscope.planning.proposals import Preview, Wanted, any_edit, preview
from npuscope.planning.remembered import once
from npuscope.planning.window import LARGEST, window
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary, analyse
from npuscope.totals import Totals, totals

LEAST_GAIN = 0.02
"""The part of the time around a layer that another form of it must save: less is within the model's own error."""

Trial = Callable[[Edit], tuple[Summary, Totals] | None]
"""An edit -> the figures of a model before and after it; None where it cannot be made after all."""


def propose_forms(
    session: Session,
    snapshot: Snapshot,
    layer: str,
    wanted: Wanted = any_edit,
    tried: Trial | None = None,
) -> Iterator[Preview]:
    """Another form of a layer, where that is placed better or faster, epochs included.

    1. A Gemm or MatMul as a 1x1 Conv, or a 1x1 Conv as a Gemm: they cost the same themselves, but not the copies and
       Transposes around them.
    2. A ConvTranspose as a Conv and a DepthToSpace.
    3. HardSwish for the operators it is written in, of which the layer is the last, or one in software.
    4. A Sigmoid in steps of 1/256, where the compiler then makes one Swish of it and the Mul behind it.

    `tried` finds out what an edit saves; without it the edit is tried in the layer's surroundings.
    """
    report = snapshot.by_name.get(layer)
    edit = _other_form(session.graph, session.layers, report) if report is not None else None
    if edit is None or not wanted(edit):
        return
    trial = preview(session, snapshot, edit)
    if isinstance(trial, Preview):
        better = with_surroundings(session, snapshot, trial, tried=tried)
        if better is not None:
            yield better


def _other_form(graph: Graph, layers: Layers, report: LayerReport) -> Edit | None:
    """The edit worth a look: something around the layer moves values, or its own form makes the compiler do so."""
    layer = report.layer
    if layer.core.op in ("Mul", "Div") and hard_swish(graph, layer) is not None:
        return ToHardSwish(layer.name)
    if report.off_npu and layer.core.op in FUNCTIONS:
        return _end_of_hard_swish(graph, layers, layer)
    if any(finding.code in SwishScale.declaration.answers for finding in report.findings):
        return SwishScale(layer.name)
    if layer.kind == "ConvTranspose":
        return TransposedToConv(layer.name)
    if (
        layer.weight is None
        or not layer.quantized
        or layer.qoperator
        or not (report.off_npu or _moved(graph, layer))
    ):
        return None
    if layer.kind in ("Gemm", "MatMul"):
        return MatMulToConv(layer.name)
    geometry = convolution(layer) if layer.kind == "Conv" else None
    return ConvToGemm(layer.name) if geometry is not None and geometry.pointwise else None


def _end_of_hard_swish(graph: Graph, layers: Layers, layer: Layer) -> Edit | None:
    """HardSwish for operators of which the layer is one, but not the last."""
    edge, seen = [layer.core], {layer.core.name}
    for _ in range(3 * MOST_NODES):
        if not edge:
            break
        node = edge.pop(0)
        for reader in (graph.nodes[i] for name in node.outputs for i in graph.consumers.get(name, ())):
            if reader.name in seen or not (is_qdq(reader) or reader.op in FUNCTIONS):
                continue
            seen.add(reader.name)
            edge.append(reader)
            last = layers.of_node.get(reader.name)
            cone = hard_swish(graph, last) if last is not None and last.core is reader else None
            if last is not None and cone is not None and layer.core in cone.nodes:
                return ToHardSwish(last.name)
    return None


def _moved(graph: Graph, layer: Layer) -> bool:
    if constant_first(layer):
        return True
    current, node = layer.core.input(0), None
    for _ in range(3):  # DQ, Q, mover
        node = graph.producer(current)
        if node is None or not is_qdq(node):
            break
        current = node.input(0)
    if node is not None and node.op in REORDERING:
        return True
    current = layer.outputs[0].tensor
    for _ in range(3):
        readers = [graph.nodes[i] for i in graph.consumers.get(current, ())]
        if any(reader.op in REORDERING for reader in readers):
            return True
        if len(readers) != 1 or not is_qdq(readers[0]):
            break
        current = readers[0].output(0)
    return False


def with_surroundings(
    session: Session, snapshot: Snapshot, proposal: Preview, price: bool = False, tried: Trial | None = None
) -> Preview | None:
    """The preview with what the edit saves around the layer in its time before; None where that is too little.

    The time of a layer leaves out the set-up of epochs and the copies between layers; an edit that saves only these
    shows nothing of it in the layers' own figures. With `price`, layers may go to the CPU for it.
    """
    edit = proposal.edit
    figures = tried(edit) if tried is not None else once(snapshot, nearby, session, edit)
    if figures is None:
        return None
    before, after = figures
    saved, own = before.milliseconds - after.milliseconds, proposal.milliseconds[1]
    if own is None or (not price and (after.off_npu, after.on_cpu) > (before.off_npu, before.on_cpu)):
        return None
    fewer = (after.off_npu, after.on_cpu) < (before.off_npu, before.on_cpu)
    if not fewer and saved <= LEAST_GAIN * max(own, 1e-6):
        return None
    return replace(proposal, milliseconds=(own + saved, own))


def nearby(session: Session, snapshot: Snapshot, edit: Edit) -> tuple[Summary, Totals] | None:
    """A trial in the surroundings of the layer."""
    near, seen = session, snapshot
    if len(session.graph.nodes) > LARGEST:
        near = window(session, session.layers.by_name[edit.layer].nodes)
        seen = analyse(near)
    edited = near.edit(edit)
    return None if isinstance(edited, Refusal) else (seen.summary, totals(edited, seen))
