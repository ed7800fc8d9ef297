"""The comparison as Markdown, to paste into an issue."""

from __future__ import annotations

from npuscope.neural_art.comparison.values import Comparison
from npuscope.reports.agreement_text import agreement_lines
from npuscope.reports.compare_report import WORDS, clocks_line, found_by, says, short
from npuscope.reports.tables import plain


def compare_markdown(comparison: Comparison) -> str:
    """A report to paste into an issue: agreement first, then what differs, then what is off the NPU."""
    names = ", ".join(f"`{plain(short(artefact))}`" for artefact in comparison.artefacts)
    judged = f"ST Edge AI Core {comparison.toolchain}"
    if comparison.layers and comparison.clocks is not None:
        judged += f", {clocks_line(comparison, comparison.clocks)}"
    lines = [f"## npuscope compare: {names}", "", judged, ""]
    lines += [f"**{line}**" if i == 0 else line for i, line in enumerate(agreement_lines(comparison))]
    if comparison.disagreements:
        lines += [
            "",
            "| layer | op | channels | what | predicted | actual | match |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            _cells(
                layer.name,
                layer.op,
                layer.channels,
                difference.what,
                difference.predicted,
                difference.actual,
                f"{layer.evidence.by} {100 * layer.evidence.confidence:.0f} %" if layer.evidence else "",
            )
            for layer in comparison.disagreements
            for difference in layer.differences
        ]
        reasons = "; ".join(f"{by}: {text}" for by, text in found_by(comparison.disagreements))
        lines += ["", f"match: {reasons}"] if reasons else []
    if comparison.off_npu:
        lines += ["", "| epoch | where | op | layer | why | fix |", "|---|---|---|---|---|---|"]
        lines += [
            _cells(
                "" if entry.epoch is None else str(entry.epoch),
                WORDS.get(entry.placement, entry.placement),
                entry.op,
                entry.layer or entry.node,
                says(entry),
                entry.fix,
            )
            for entry in comparison.off_npu
        ]
    lines += ["", *(f"Note: {plain(note)}" for note in comparison.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"
