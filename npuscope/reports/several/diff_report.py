"""Two models layer by layer: as text, Markdown, and "npuscope.diff/1"."""

from __future__ import annotations

from typing import Any

from npuscope.edits.registry import to_data
from npuscope.model.names import printable, quoted
from npuscope.npu.times import table_ms
from npuscope.reports.json_report import finite, summary_json, target_json, tensor_quant, weight_quant
from npuscope.reports.short_names import short_names
from npuscope.reports.tables import plain
from npuscope.reports.text_report import WORDS, verdict_line
from npuscope.services.diff import Change, Difference, Pair
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

SCHEMA = "npuscope.diff/1"

ORDER = tuple(Change)
SHOWN_EDITS = 8
NAME_WIDTH = 36


def diff_json(one: Session, other: Session, difference: Difference) -> dict[str, Any]:
    """Everything; of layers those that changed. Keys may be added, none renamed."""
    return {
        "schema": SCHEMA,
        "target": target_json(difference.after.target),
        "before": _side_json(one, difference.before),
        "after": _side_json(other, difference.after),
        "related": difference.related,
        "likeness": round(difference.likeness, 4),
        "recipe": [to_data(edit) for edit in difference.recipe],
        "summary": {
            "same": sum(not pair.changes for pair in difference.pairs),
            **{change.value: difference.count(change) for change in ORDER},
        },
        "layers": [_pair_json(pair) for pair in difference.pairs if pair.changes]
        if difference.related
        else [],
        "regressions": list(difference.regressions),
    }


def _side_json(session: Session, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "path": str(session.source.path),
        "sha256": session.source.sha256,
        "summary": summary_json(snapshot.summary),
        "memory": {
            "pools": [{"name": p.name, "size": p.size, "used": p.used} for p in snapshot.memory.pools],
            "fits": not snapshot.memory.too_full,
        },
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {
        "changes": [change.value for change in ORDER if change in pair.changes],
        "before": _layer_json(pair.before),
        "after": _layer_json(pair.after),
    }


def _layer_json(report: LayerReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    layer = report.layer
    return {
        "name": report.name,
        "op": layer.op,
        "placement": report.placement.value,
        "cycles": report.line.cycles,
        "ms": finite(report.line.milliseconds),
        "codes": [finding.code for finding in report.findings],
        "quant": {
            "input": tensor_quant(layer.input),
            "weight": weight_quant(layer),
            "output": tensor_quant(layer.output),
        },
    }


def diff_words(difference: Difference) -> str:
    """'29 layers as they were; 7 added, 1 removed, 4 requantized'."""
    same = sum(not pair.changes for pair in difference.pairs)
    kinds = [f"{count} {change.value}" for change in ORDER if (count := difference.count(change))]
    if not kinds:
        return "the same layers, unchanged"
    return f"{same} layer{'s' if same != 1 else ''} unchanged; {', '.join(kinds)}"


def unrelated_words(difference: Difference) -> str:
    """Why nothing is said layer by layer."""
    return (
        f"unrelated models: {100 * difference.likeness:.0f} % of the layers of the smaller one have a layer like them in the other, "
        "so that none are paired"
    )


def diff_text(one: Session, other: Session, difference: Difference, width: int = 100) -> str:
    """The models, what changed in numbers, and each layer that did."""
    target = difference.after.target
    lines = [
        f"{target.title} · Core {target.toolchain.version} · {target.clocks.npu_hz // 1_000_000} MHz",
        f"before  {printable(one.source.path.name)}: {verdict_line(difference.before)}",
        f"after   {printable(other.source.path.name)}: {verdict_line(difference.after)}",
        "",
    ]
    lines += [f"worse: {printable(words)}" for words in difference.regressions]
    if not difference.related:
        return "\n".join((*lines, unrelated_words(difference))) + "\n"
    lines += _recipe_lines(difference)
    lines.append(diff_words(difference))
    changed = [pair for pair in difference.pairs if pair.changes]
    if changed:
        lines += ["", *_table(changed, width)]
    return "\n".join(lines) + "\n"


def _recipe_lines(difference: Difference) -> list[str]:
    if not difference.recipe:
        return []
    count = len(difference.recipe)
    lines = [f"npuscope made the second of the first with {count} edit{'s' if count != 1 else ''}:"]
    lines += [f"  {printable(edit.describe())}" for edit in difference.recipe[:SHOWN_EDITS]]
    if count > SHOWN_EDITS:
        lines.append(f"  and {count - SHOWN_EDITS} more")
    return lines


COLUMNS = ("layer", "op", "change", "where", "ms")


def _table(pairs: list[Pair], width: int) -> list[str]:
    names = short_names((pair.report.name for pair in pairs), NAME_WIDTH)
    rows = [
        (
            names[pair.report.name],
            printable(pair.report.layer.op)[:20],
            changes_words(pair),
            _arrow(_word(pair.before), _word(pair.after)),
            _arrow(_time(pair.before), _time(pair.after)),
        )
        for pair in pairs
    ]
    shown = [0, 1, 2, 3, 4]
    if sum(max(len(row[i]) for row in (COLUMNS, *rows)) + 2 for i in shown) > width:
        shown.remove(1)
    widths = {i: max(len(row[i]) for row in (COLUMNS, *rows)) for i in shown}
    head = "  ".join(COLUMNS[i].ljust(widths[i]) for i in shown).rstrip()
    rule = "  ".join("-" * widths[i] for i in shown)
    return [head, rule, *("  ".join(row[i].ljust(widths[i]) for i in shown).rstrip() for row in rows)]


def changes_words(pair: Pair) -> str:
    """'moved, requantized'; with the old name where it was renamed."""
    words = [change.value for change in ORDER if change in pair.changes]
    if Change.RENAMED in pair.changes and pair.before is not None:
        words[-1] = f"was {quoted(pair.before.name)}"
    return ", ".join(words)


def _word(report: LayerReport | None) -> str:
    return WORDS[report.placement] if report is not None else ""


def _time(report: LayerReport | None) -> str:
    if report is None:
        return ""
    return table_ms(report.line.milliseconds) if report.cost is not None else "?"


def _arrow(before: str, after: str) -> str:
    """'a -> b', one of the two where they are equal or one is not there."""
    return f"{before} -> {after}" if before and after and before != after else after or before


def diff_markdown(one: Session, other: Session, difference: Difference) -> str:
    """A report to paste into a review."""
    target = difference.after.target
    head = (
        f"{target.title}, ST Edge AI Core {target.toolchain.version}, {target.clocks.npu_hz // 1_000_000} MHz"
    )
    lines = [
        f"## {plain(one.source.path.name)} and {plain(other.source.path.name)}",
        "",
        f"{head} (simulated by npuscope)",
        "",
        f"- before: {plain(verdict_line(difference.before))}",
        f"- after: {plain(verdict_line(difference.after))}",
        *(f"- **worse**: {plain(words)}" for words in difference.regressions),
        "",
    ]
    if not difference.related:
        return "\n".join((*lines, plain(unrelated_words(difference)))) + "\n"
    lines.append(plain(diff_words(difference)))
    if difference.recipe:
        lines += ["", "Edits:", "", *(f"1. {plain(edit.describe())}" for edit in difference.recipe)]
    changed = [pair for pair in difference.pairs if pair.changes]
    if changed:
        lines += ["", "| layer | op | change | where | ms |", "|---|---|---|---|---|"]
    for pair in changed:
        cells = (
            printable(pair.report.name),
            printable(pair.report.layer.op),
            changes_words(pair),
            _arrow(_word(pair.before), _word(pair.after)),
            _arrow(_time(pair.before), _time(pair.after)),
        )
        lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"
