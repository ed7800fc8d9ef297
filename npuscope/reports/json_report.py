"""The JSON of `check`: the contract "npuscope.check/1". Keys may be added, none renamed."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from npuscope.machine.build import Build
from npuscope.machine.machine import Target
from npuscope.npu.cost import Cost, Epoch
from npuscope.npu.ledger import Line
from npuscope.npu.verdict import Finding

if TYPE_CHECKING:
    from npuscope.edits.edit import Edit
    from npuscope.edits.gain import Gain, Gains
    from npuscope.model.graph import Graph
    from npuscope.model.layers import Layer, Operand
    from npuscope.model.quant import Quant
    from npuscope.model.tensors import Dim
    from npuscope.services.zero_points import ZeroPointRange
    from npuscope.session import Session
    from npuscope.snapshot import LayerReport, Snapshot, Summary

SCHEMA = "npuscope.check/1"


def check_json(
    session: Session,
    snapshot: Snapshot,
    gains: Gains | None = None,
    zero_points: ZeroPointRange | None = None,
) -> dict[str, Any]:
    """The whole report of one analysis; of a model judged as if quantized, with what its zero points decide.

    `gains` are what fixes of its findings save, as far as they were tried.
    """
    from npuscope.edits.gain import (
        Gains,  # and what else has a model behind it, which a table of channel counts has not
    )
    from npuscope.neural_art.notes import notes

    known = gains or Gains()
    source, graph, target = session.source, snapshot.graph, snapshot.target
    software = frozenset(epoch.index for epoch in snapshot.epochs if epoch.placement.on_cpu)
    return {
        "schema": SCHEMA,
        "as_int8": graph.as_int8,
        **({"zero_points_decide": _range(zero_points)} if zero_points is not None else {}),
        "model": {
            "path": str(source.path),
            "sha256": source.sha256,
            "opset": graph.opset,
            "producer": source.producer,
            "nodes": len(graph.nodes),
            "parameters": snapshot.summary.parameters,
            "inputs": [_value(graph, name) for name in graph.inputs],
            "outputs": [_value(graph, name) for name in graph.outputs],
            "free_batch_taken_as_one": list(source.free_batch),
            "notes": list(notes(source)),
        },
        "target": target_json(target),
        "summary": summary_json(snapshot.summary),
        "layers": [_layer(snapshot, report, known, software) for report in snapshot.layers],
        "unattached": list(session.layers.unattached),
        "epochs": [_epoch(epoch) for epoch in snapshot.epochs],
        "memory": {
            "pools": [{"name": p.name, "size": p.size, "used": p.used} for p in snapshot.memory.pools],
            "peak_activations": snapshot.memory.peak_activations,
            "fits": not snapshot.memory.too_full,
        },
        "edits": [{"kind": e.kind, "layer": e.layer, "exactness": e.exactness.value} for e in session.done],
    }


def _range(allowed: ZeroPointRange) -> dict[str, Any]:
    """Pairs are of zero points that are all 0, and of any others."""
    return {
        "setting": allowed.setting,
        "ms": [finite(value) for value in allowed.milliseconds],
        "compute_cycles": list(allowed.compute_cycles),
        "layers": [
            {"name": layer.name, "compute_cycles": list(layer.cycles), "simd": list(layer.simd)}
            for layer in allowed.layers
        ],
    }


def target_json(target: Target) -> dict[str, Any]:
    """What was judged for."""
    return {
        "name": target.name,
        "toolchain": target.toolchain.version,
        "npu_hz": target.clocks.npu_hz,
        "cpu_hz": target.clocks.cpu_hz,
        "profile": target.profile,
        "mpool": [pool.name for pool in target.pools],
        "build": build_json(target.build),
    }


def build_json(build: Build) -> dict[str, Any]:
    """The options of a build; null for what is not known."""
    return {
        "input_data_types": list(build.input_data_types),
        "output_data_types": list(build.output_data_types),
        "inputs_ch_position": list(build.input_channel_positions),
        "outputs_ch_position": list(build.output_channel_positions),
        "optimization": build.optimization or None,
        "scheduler": build.scheduler or None,
        "epoch_controller": build.epoch_controller,
        "swish_recognition": build.swish,
        "mpool": build.mpool or None,
        "board": build.board.name if build.board is not None else None,
    }


def summary_json(summary: Summary) -> dict[str, Any]:
    """The figures of the whole model."""
    return {
        "layers": summary.layers,
        "hw": summary.hw,
        "hybrid": summary.hybrid,
        "sw_int": summary.sw_int,
        "sw_float": summary.sw_float,
        "macs": summary.macs,
        "compute_cycles": summary.compute_cycles,
        "cycles": summary.cycles,
        "ms": finite(summary.milliseconds),
        "weights_bytes": summary.weights_bytes,
        "activations_bytes": summary.activations_bytes,
        "epochs": {
            "total": summary.epochs,
            "hw": summary.epochs_hw,
            "hybrid": summary.epochs_hybrid,
            "sw": summary.epochs_sw,
        },
    }


def finite(value: float) -> float | None:
    """JSON has no infinity and no NaN: null stands for both."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _layer(
    snapshot: Snapshot, report: LayerReport, gains: Gains, software: Collection[int]
) -> dict[str, Any]:
    layer, line = report.layer, report.line
    return {
        "name": report.name,
        "op": layer.op,
        "nodes": list(layer.nodes),
        "scope": layer.scope,
        "placement": report.placement.value,
        "findings": [_finding(finding, gains.of(report.name, finding.code)) for finding in report.findings],
        "quant": {
            "input": tensor_quant(layer.input),
            "weight": weight_quant(layer),
            "output": tensor_quant(layer.output),
        },
        "shape": {
            "input": _shape(layer.input),
            "weight": _shape(layer.weight),
            "output": _shape(layer.output),
        },
        "cost": None if report.cost is None else cost_json(report.cost, line),
        "epoch": report.epoch,
        "ms": finite(line.milliseconds),
        "share": finite(snapshot.ledger.share(line)),
        "epochs": [
            {
                "index": part.epoch,
                "ms": finite(part.milliseconds),
                "start_ms": finite(part.start_milliseconds),
                "cycles": None if part.epoch in software else finite(part.cycles),
            }
            for part in line.parts
        ],
    }


def _finding(finding: Finding, gain: Gain | None) -> dict[str, Any]:
    from npuscope.edits.gain import moot_words

    saved = gain.saved_milliseconds if gain is not None else None
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "confidence": finding.confidence.value,
        "cause": finding.cause or None,
        "evidence": _evidence(finding.cause),
        "saves_ms": None if saved is None else finite(saved),
        "saves_with": _words(gain.edit) if gain is not None and gain.edit is not None else None,
        "same_fix_as": {"layer": gain.stated_by[0], "code": gain.stated_by[1]}
        if gain is not None and gain.stated_by is not None
        else None,
        "moot": moot_words(finding, gain) or None,
    }


def _words(edit: Edit) -> str:
    from npuscope.edits.registry import words_of  # every kind of edit: a table of channel counts needs none

    return words_of(edit)


def _evidence(cause: str) -> dict[str, Any] | None:
    """How often compilers did what a cause says; None for advice, counts of 0 where it has not been observed."""
    if not cause:
        return None
    from npuscope.neural_art.kernels.evidence import evidence

    known = evidence(cause)
    return {"agreed": known.agreed, "seen": known.seen, "versions": list(known.versions)}


def tensor_quant(operand: Operand | None) -> dict[str, Any] | None:
    """The quantization of an activation, null where it has none."""
    if operand is None or operand.quant is None:
        return None
    quant = operand.quant
    return {
        "dtype": quant.dtype,
        "scale": finite(float(quant.scale.flat[0])) if quant.scale_known else None,
        "zero_point": quant.zero if quant.zero_known else None,
    }


def weight_quant(layer: Layer) -> dict[str, Any] | None:
    """The quantization of a layer's weights, null where it has none."""
    weight = layer.weight
    if weight is None or weight.quant is None:
        return None
    quant: Quant = weight.quant
    return {
        "dtype": quant.dtype,
        "axis": quant.axis,
        "channels": int(quant.scale.size),
        "scale_min": finite(float(quant.scale.min())) if quant.scale_known else None,
        "scale_max": finite(float(quant.scale.max())) if quant.scale_known else None,
        "symmetric": quant.symmetric,
    }


def _shape(operand: Operand | None) -> list[Dim] | None:
    if operand is None:
        return None
    if operand.constant is not None:
        return list(operand.constant.shape)
    return None if operand.type.shape is None else list(operand.type.shape)


def cost_json(cost: Cost, line: Line) -> dict[str, Any]:
    """The figures of a layer."""
    tiling, effective = cost.tiling, line.effective_macs_per_cycle
    return {
        "macs": cost.macs,
        "compute_cycles": cost.compute_cycles,
        "cycles": cost.cycles if line.cycles is None else line.cycles,
        "npu_cycles": line.cycles is not None,
        "cpu_cycles": line.cpu_cycles,
        "ms": finite(line.milliseconds),
        "ops_per_cycle": round(cost.ops_per_cycle, 3),
        "macs_per_cycle": round(cost.macs_per_cycle, 3),
        "effective_macs_per_cycle": None if effective is None else round(effective, 3),
        "simd": tiling.simd if tiling else None,
        "deep1x1": tiling.deep1x1 if tiling else False,
        "dss2": tiling.dss2 if tiling else False,
        "choked_ports": list(cost.choked_ports),
        "accelerators": tiling.accelerators if tiling else None,
        "iterations": tiling.iterations if tiling else None,
        "batch_depth": tiling.batch_depth if tiling else None,
        "kernels_per_pass": tiling.kernels_per_pass if tiling else None,
        "passes": tiling.passes if tiling else None,
        "bound_by": line.bound_by,
        "beside": line.beside,
        "weights_bytes": cost.weights_bytes,
        "certain": cost.certain,
    }


def _epoch(epoch: Epoch) -> dict[str, Any]:
    return {
        "index": epoch.index,
        "placement": epoch.placement.value,
        "op": epoch.op,
        "layers": list(epoch.layers),
        "compute_cycles": epoch.compute_cycles,
        "cycles": epoch.cycles,
        "npu_cycles": not epoch.placement.on_cpu,
        "ms": finite(epoch.milliseconds),
    }


def _value(graph: Graph, name: str) -> dict[str, Any]:
    kind = graph.type(name)
    return {"name": name, "dtype": kind.dtype, "shape": None if kind.shape is None else list(kind.shape)}
