"""The JSON of `compare`: the contract "npuscope.compare/1". Keys may be added, none renamed."""

from __future__ import annotations

from typing import Any

from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import Node, ReportedEpoch, Tensor
from npuscope.neural_art.comparison.statements import statements
from npuscope.neural_art.comparison.values import Agreement, Comparison, Figures, LayerComparison, OffNpu
from npuscope.reports.json_report import build_json, finite

SCHEMA = "npuscope.compare/1"


def compare_json(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison."""
    return {
        "schema": SCHEMA,
        "toolchain": comparison.toolchain,
        "toolchain_stated": comparison.toolchain_stated,
        "profile": comparison.profile,
        "profile_stated": comparison.profile_stated,
        "build": None if comparison.build is None else build_json(comparison.build),
        "artefacts": [_artefact(artefact) for artefact in comparison.artefacts],
        "epochs": [_epoch(epoch) for epoch in comparison.epochs],
        "totals": {
            "epochs": comparison.totals.epochs,
            "hw": comparison.totals.hw,
            "hybrid": comparison.totals.hybrid,
            "sw": comparison.totals.sw,
            "ms": _finite(comparison.totals.milliseconds),
            "cycles": comparison.totals.cycles,
            "compute_cycles": comparison.totals.compute_cycles,
        },
        "off_npu": [_off_npu(entry) for entry in comparison.off_npu],
        "layers": [_layer(layer) for layer in comparison.layers],
        "agreement": None if comparison.agreement is None else _agreement(comparison.agreement),
        "unmatched": list(comparison.unmatched),
        "notes": list(comparison.notes),
    }


def _artefact(artefact: Artefact) -> dict[str, Any]:
    return {
        "path": artefact.path,
        "kind": artefact.kind,
        "toolchain": artefact.toolchain or artefact.version or None,
        "compiler": artefact.compiler or None,
        "epochs": len(artefact.epochs),
        "nodes": len(artefact.nodes),
        "pools": [{"name": pool.name, "size": pool.size, "used": pool.used} for pool in artefact.pools],
        "inputs": [_tensor(tensor) for tensor in artefact.inputs],
        "outputs": [_tensor(tensor) for tensor in artefact.outputs],
        "options": [list(option) for option in artefact.options],
        "layer_table": [
            {
                "id": row.number,
                "name": row.name,
                "op": row.op,
                "shape": [list(axis) for axis in row.shape],
                "parameters": row.parameters,
                "bytes": row.size,
                "macc": row.macc,
                "reads": list(row.reads),
            }
            for row in artefact.rows
        ],
        "operators": [_operator(node) for node in artefact.nodes],
        "says": [[one.section, one.name, one.text] for one in statements(artefact)],
        "not_understood": list(artefact.not_understood),
    }


def _operator(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "epoch": node.epoch,
        "placement": node.placement or None,
        "unit": node.unit or None,
        "cycles": node.latency_cycles,
        "ops_per_cycle": _finite(node.ops_per_cycle),
        "simd": node.simd or None,
        "deep1x1": node.deep1x1,
        "dss2": node.dss2,
        "choked_ports": list(node.choked_ports),
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype or None,
        "shape": None if tensor.shape is None else list(tensor.shape),
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _epoch(epoch: ReportedEpoch) -> dict[str, Any]:
    return {
        "index": epoch.index,
        "last": epoch.last,
        "placement": epoch.placement or None,
        "printed": epoch.printed or None,
        "op": epoch.op or None,
        "nodes": list(epoch.nodes),
        "compute_cycles": epoch.compute_cycles,
        "cycles": epoch.cycles,
        "ms": _finite(epoch.milliseconds),
        "ops": epoch.ops,
        "cpu_cycles": None if epoch.cpu_cycles is None else list(epoch.cpu_cycles),
        "milliwatts": None if epoch.milliwatts is None else [_finite(power) for power in epoch.milliwatts],
        "traffic": [
            {
                "pool": moved.pool,
                "reads": moved.reads,
                "writes": moved.writes,
                "read_cycles": moved.read_cycles,
                "write_cycles": moved.write_cycles,
            }
            for moved in epoch.traffic
        ],
    }


def _off_npu(entry: OffNpu) -> dict[str, Any]:
    return {
        "epoch": entry.epoch,
        "placement": entry.placement,
        "op": entry.op or None,
        "node": entry.node or None,
        "layer": entry.layer or None,
        "channels": entry.channels or None,
        "in_channels": entry.in_channels,
        "log": list(entry.log),
        "code": entry.code or None,
        "message": entry.message or None,
        "fix": entry.fix or None,
        "note": entry.note or None,
    }


def _layer(layer: LayerComparison) -> dict[str, Any]:
    evidence = layer.evidence
    return {
        "name": layer.name,
        "op": layer.op,
        "channels": layer.channels,
        "predicted": _figures(layer.predicted),
        "actual": None if layer.actual is None else _figures(layer.actual),
        "match": None
        if evidence is None
        else {"by": evidence.by, "confidence": evidence.confidence, "nodes": list(evidence.nodes)},
        "agrees": layer.agrees,
        "differences": [
            {"what": d.what, "predicted": d.predicted, "actual": d.actual} for d in layer.differences
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "placement": figures.placement or None,
        "compute_cycles": figures.compute_cycles,
        "cycles": figures.cycles,
        "ms": _finite(figures.milliseconds),
        "ops_per_cycle": None if figures.ops_per_cycle is None else round(figures.ops_per_cycle, 3),
        "simd": figures.simd or None,
        "deep1x1": figures.deep1x1,
        "dss2": figures.dss2,
        "accelerators": figures.accelerators,
        "choked_ports": list(figures.choked_ports),
        "epoch": figures.epoch,
        "epochs": list(figures.epochs),
        "reason": figures.reason or None,
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    tallies = {
        "placement": agreement.placement,
        "compute_cycles": agreement.compute_cycles,
        "choked_ports": agreement.choked_ports,
        "simd": agreement.simd,
        "deep1x1": agreement.deep1x1,
        "accelerators": agreement.accelerators,
    }
    return {
        "layers": agreement.layers,
        **{name: {"same": tally.same, "compared": tally.compared} for name, tally in tallies.items()},
        "epochs": {
            "predicted": dict(zip(("total", "hybrid", "sw"), agreement.epochs_predicted, strict=True)),
            "actual": dict(zip(("total", "hybrid", "sw"), agreement.epochs_actual, strict=True)),
        },
        "cpu_epochs": None
        if agreement.cpu_epochs is None
        else {
            "f1": round(agreement.cpu_epochs.f1, 4),
            "common": agreement.cpu_epochs.common,
            "missing": dict(agreement.cpu_epochs.missing),
            "invented": dict(agreement.cpu_epochs.invented),
        },
        "ms": {
            "predicted": _finite(agreement.milliseconds_predicted),
            "actual": _finite(agreement.milliseconds_actual),
        },
    }


def _finite(value: float | None) -> float | None:
    return None if value is None else finite(value)
