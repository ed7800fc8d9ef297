"""Workflow commands that GitHub Actions shows as annotations, one per layer and finding."""

from __future__ import annotations

from npuscope.model.names import printable
from npuscope.npu.verdict import Severity
from npuscope.reports.text_report import IF_QUANTIZED
from npuscope.session import Session
from npuscope.snapshot import Snapshot

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.ADVICE: "notice"}


def github_annotations(
    session: Session, snapshot: Snapshot, new: frozenset[tuple[str, str]] | None = None
) -> str:
    """Errors and warnings; advice would drown them. With `new`, only those of these (layer, code)."""
    file = _property(session.source.path.as_posix())
    lines = []
    for report in snapshot.layers:
        for finding in report.findings:
            if finding.severity is Severity.ADVICE:
                continue
            if new is not None and (report.name, finding.code) not in new:
                continue
            name = f"{printable(report.name)}{IF_QUANTIZED * snapshot.graph.as_int8}"
            title = _property(f"{finding.code} {name}")
            text = _data(
                f"{name}: {finding.message}. Fix: {finding.fix}"
                if finding.fix
                else f"{name}: {finding.message}"
            )
            lines.append(f"::{COMMANDS[finding.severity]} file={file},title={title}::{text}")
    return "\n".join(lines) + ("\n" if lines else "")


def _data(text: str) -> str:
    """Escaped as the runner asks, so that a name cannot start a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
