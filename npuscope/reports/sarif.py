"""SARIF 2.1.0, the form code-scanning services read: one result per finding of a layer off the NPU or warned of."""

from __future__ import annotations

from typing import Any

from npuscope import __version__
from npuscope.model.names import printable
from npuscope.neural_art.rules import RULES
from npuscope.npu.verdict import Finding, Severity
from npuscope.reports.json_report import finite
from npuscope.reports.text_report import IF_QUANTIZED
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

FORMAT = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.ADVICE: "note"}


def sarif(
    session: Session, snapshot: Snapshot, new: frozenset[tuple[str, str]] | None = None
) -> dict[str, Any]:
    """One run. A result points at the model file, and at the layer as a logical location.

    With `new`, the (layer, code) that a baseline does not hold, each result says which it is.
    """
    uri = session.source.path.as_posix()
    used = {finding.code for report in snapshot.layers for finding in report.findings}
    return {
        **FORMAT,
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "npuscope",
                        "version": __version__,
                        "rules": [
                            {
                                "id": rule.code,
                                "shortDescription": {"text": rule.title},
                                "fullDescription": {"text": rule.why},
                                "help": {"text": rule.fix},
                                "properties": {"confidence": rule.confidence.value},
                            }
                            for rule in RULES
                            if rule.code in used
                        ],
                    }
                },
                "results": [
                    {**_result(uri, snapshot, report, f), **_state(report, f, new)}
                    for report in snapshot.layers
                    for f in report.findings
                ],
            }
        ],
    }


def _state(report: LayerReport, finding: Finding, new: frozenset[tuple[str, str]] | None) -> dict[str, str]:
    if new is None or finding.severity is Severity.ADVICE:
        return {}
    return {"baselineState": "new" if (report.name, finding.code) in new else "unchanged"}


def _result(uri: str, snapshot: Snapshot, report: LayerReport, finding: Finding) -> dict[str, Any]:
    name, if_quantized = printable(report.name), snapshot.graph.as_int8
    return {
        "ruleId": finding.code,
        "level": LEVELS[finding.severity],
        "message": {
            "text": f"{name}{IF_QUANTIZED * if_quantized}: {finding.message}. {finding.why} Fix: {finding.fix}".strip()
        },
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}},
                "logicalLocations": [
                    {"name": name, "fullyQualifiedName": f"{printable(report.layer.scope)}/{name}"}
                ],
            }
        ],
        "properties": {
            "placement": report.placement.value,
            "op": printable(report.layer.op),
            "ms": finite(report.line.milliseconds),
            "share": finite(snapshot.ledger.share(report.line)),
            **({"as_int8": True} if if_quantized else {}),
        },
    }
