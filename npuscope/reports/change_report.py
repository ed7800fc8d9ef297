"""What edits did to a model: in words, as Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.edits.registry import to_data
from npuscope.model.brief import fitted
from npuscope.model.names import printable
from npuscope.npu.figures import plural, thousands
from npuscope.npu.times import in_ms
from npuscope.numbers.verify_models import Verification
from npuscope.record import dataclass
from npuscope.reports.json_report import finite, summary_json
from npuscope.reports.plan_report import summary_line
from npuscope.reports.tables import plain, spreadsheet_safe
from npuscope.reports.text_report import WORDS
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

SCHEMA = "npuscope.change/1"

COLUMNS = (
    "name", "op", "change", "placement_before", "placement_after", "cycles_before", "cycles_after", "ms_before", "ms_after",
    "codes_before", "codes_after",
)  # fmt: skip

NAMED = 4
"""Layers that a sentence names; of more it gives the number."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerChange:
    """A layer before and after; one of the two is None where it is new or removed."""

    before: LayerReport | None
    after: LayerReport | None

    @property
    def report(self) -> LayerReport:
        """As it is, or was last."""
        report = self.after or self.before
        assert report is not None
        return report

    @property
    def word(self) -> str:
        """'new', 'gone', 'changed' or 'same'."""
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        one, other = self.before, self.after
        same = (
            one.placement is other.placement
            and one.cost == other.cost
            and one.layer.nodes == other.layer.nodes
        )
        return "same" if same else "changed"


def layer_changes(before: Snapshot, after: Snapshot) -> tuple[LayerChange, ...]:
    """All layers of both: those there are in graph order, each removed one where it was."""
    rows: list[LayerChange] = []
    shown: set[str] = set()
    rest = iter(after.layers)
    for was in before.layers:
        if was.name not in after.by_name:
            rows.append(LayerChange(was, None))
            continue
        while was.name not in shown and (now := next(rest, None)) is not None:
            rows.append(LayerChange(before.by_name.get(now.name), now))
            shown.add(now.name)
    rows += [LayerChange(before.by_name.get(now.name), now) for now in rest]
    return tuple(rows)


def before_and_after(session: Session) -> tuple[Snapshot, Snapshot]:
    """The analyses of a session's model as it was opened, and with its edits."""
    before = analyse(Session(session.source, session.target, session.states[:1]))
    return before, analyse(session, before)


def change_words(
    session: Session, before: Snapshot, after: Snapshot, checked: Verification | None = None
) -> str:
    """The difference in a few sentences."""
    count = len(session.done)
    sentences = [f"{count} edit{'s' if count != 1 else ''} to {printable(session.source.path.name)}."]
    off = {report.name for report in before.off_npu}
    still = {report.name for report in after.off_npu}
    came = [report.name for report in before.off_npu if report.name not in still]
    went = [report.name for report in after.off_npu if report.name not in off]
    if came:
        sentences.append(f"{_layers(came)} no longer need{'s' if len(came) == 1 else ''} the CPU.")
    hybrid = [name for name in went if not after.by_name[name].placement.on_cpu]
    fell = [name for name in went if name not in hybrid]
    if fell:
        sentences.append(f"{_layers(fell)} now need{'s' if len(fell) == 1 else ''} the CPU.")
    if hybrid:
        sentences.append(
            f"{_layers(hybrid)} {'is' if len(hybrid) == 1 else 'are'} now hybrid: the CPU drives the copies."
        )
    if not (came or went):
        sentences.append("No layer changed between NPU and CPU.")
    if still & off:
        cpu = "it" if came or went else "the CPU"
        sentences.append(
            f"{_layers(sorted(still & off))} still need{'s' if len(still & off) == 1 else ''} {cpu}."
        )
    one, other = before.summary, after.summary
    share = (other.milliseconds / one.milliseconds - 1) * 100 if one.milliseconds else 0.0
    percent = f" ({share:+.0f} %)" if round(share) else ""
    sentences.append(
        f"Estimated time {in_ms(one.milliseconds)} ms before, {in_ms(other.milliseconds)} ms after{percent}; "
        f"{plural(one.epochs, 'epoch')} before, {other.epochs} after."
    )
    sentences.append(_numbers(session.done, checked))
    return " ".join(sentences)


def _layers(names: list[str]) -> str:
    shown = fitted(names[:NAMED], 40)
    if len(names) > NAMED:
        return f"{len(names)} layers ({', '.join(shown)}…)"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _numbers(edits: tuple[Edit, ...], checked: Verification | None) -> str:
    if checked is not None:
        if checked.bit_exact:
            return f"Bit-exact over {plural(checked.samples, 'sample')}."
        return f"Every output keeps at least {checked.sqnr_db_min:.1f} dB over {plural(checked.samples, 'sample')}."
    inexact = sum(edit.exactness.value != "bit-exact" for edit in edits)
    return (
        "All edits are bit-exact."
        if not inexact
        else f"{inexact} of the edits {'is' if inexact == 1 else 'are'} not bit-exact."
    )


def change_brief(
    session: Session, before: Snapshot, after: Snapshot, checked: Verification | None = None
) -> str:
    """A report to paste into a chat, as Markdown: the words and the edits."""
    target = after.target
    lines = [
        f"## {plain(session.source.path.name)}: before and after",
        "",
        plain(change_words(session, before, after, checked)),
        "",
        f"{target.title}, ST Edge AI Core {target.toolchain.version} (simulated by npuscope)",
        "",
        f"- before: {summary_line(before.summary)}",
        f"- after: {summary_line(after.summary)}",
        "",
        "Edits:",
        "",
        *(
            f"{n}. {plain(edit.describe())} ({edit.exactness.value})"
            for n, edit in enumerate(session.done, start=1)
        ),
    ]
    return "\n".join(lines) + "\n"


def change_markdown(
    session: Session, before: Snapshot, after: Snapshot, checked: Verification | None = None
) -> str:
    """A report to paste into an issue: the words, the edits, and each layer that changed."""
    lines = [
        change_brief(session, before, after, checked),
        "| layer | op | | before | after | cycles before | cycles after |",
        "|---|---|---|---|---|---|---|",
    ]
    for change in layer_changes(before, after):
        if change.word != "same":
            cells = (
                printable(change.report.name),
                printable(change.report.layer.op),
                change.word,
                *(
                    WORDS[report.placement] if report is not None else ""
                    for report in (change.before, change.after)
                ),
                *(_cycles(report) for report in (change.before, change.after)),
            )
            lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cycles(report: LayerReport | None) -> str:
    cycles = report.line.cycles if report is not None else None
    return "" if cycles is None else thousands(cycles)


def change_json(
    session: Session, before: Snapshot, after: Snapshot, checked: Verification | None = None
) -> dict[str, Any]:
    """The same as plain data. Keys may be added, none renamed."""
    return {
        "schema": SCHEMA,
        "model": {"path": str(session.source.path), "sha256": session.source.sha256},
        "edits": [
            {"edit": edit.describe(), "exactness": edit.exactness.value, "recipe": to_data(edit)}
            for edit in session.done
        ],
        "words": change_words(session, before, after, checked),
        "before": summary_json(before.summary),
        "after": summary_json(after.summary),
        "layers": [_row_json(change) for change in layer_changes(before, after) if change.word != "same"],
        "verification": None if checked is None else checked.to_json(),
    }


def _row_json(change: LayerChange) -> dict[str, Any]:
    return {
        "name": change.report.name,
        "op": change.report.layer.op,
        "change": change.word,
        "before": _side_json(change.before),
        "after": _side_json(change.after),
    }


def _side_json(report: LayerReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "placement": report.placement.value,
        "cycles": report.line.cycles,
        "ms": None if report.cost is None else finite(report.line.milliseconds),
        "codes": [finding.code for finding in report.findings],
    }


def change_csv(before: Snapshot, after: Snapshot) -> str:
    """One row for every layer of both models."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for change in layer_changes(before, after):
        writer.writerow([spreadsheet_safe(value) for value in _row_csv(change)])
    return text.getvalue()


def _row_csv(change: LayerChange) -> Iterator[object]:
    sides = change.before, change.after
    yield printable(change.report.name)
    yield printable(change.report.layer.op)
    yield change.word
    yield from (side.placement.value if side is not None else None for side in sides)
    yield from (side.line.cycles if side is not None else None for side in sides)
    yield from (
        f"{side.line.milliseconds:.6g}" if side is not None and side.cost is not None else None
        for side in sides
    )
    yield from (" ".join(f.code for f in side.findings) if side is not None else None for side in sides)
