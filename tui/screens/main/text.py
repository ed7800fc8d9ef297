"""What the main screen shows of the document: the status line, the key bar, and what is selected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npuscope.model.names import printable
from npuscope.neural_art.notes import lasting_notes
from npuscope.snapshot import Snapshot
from npuscope.tui.actions import BEFORE_A_VERDICT, WITHOUT_A_MODEL, Action
from npuscope.tui.document import Document
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.status_line import Status
from npuscope.widgets.lists.layer_filter import LayerFilter
from npuscope.widgets.lists.outline import Kind, Row
from npuscope.widgets.panes.empty import EMPTY
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.panes.quantization import has_scales
from npuscope.widgets.panes.selection import Part, Selection
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.spans import plain, safe

WHOLE = "whole model"

COPY_WIDTH = 100
"""Cells a line of copied text takes at most."""


def status(document: Document, only: LayerFilter | None, busy: str, traced: str = "") -> Status:
    """The status line; `busy` says what goes on, `traced` what is set off."""
    session = document.session
    if session is None:
        if not busy and document.comparison is not None:
            busy = keyed("{a} shows what the tools did, {o} opens the model")
        # A file that could not be opened is not named as if it were.
        return Status(EMPTY, printable(Path(document.path).name) if document.path and busy else "", busy=busy)
    return Status(
        document.snapshot,
        printable(session.source.path.name),
        len(session.done),
        session.unexported,
        busy,
        only.label if only is not None else "",
        document.stale,
        document.measured_milliseconds,
        traced,
    )


def selection(
    document: Document, snapshot: Snapshot, only: LayerFilter | None, row: Row | None
) -> Selection | None:
    """What the panes speak of where the cursor is on a row; None where the row stands for nothing."""
    change, comparison = document.change, document.comparison
    if row is None:
        return None
    part = part_of(row)
    if row.report is not None:
        report = row.report
        touched = change if report.name in snapshot.changed else None
        return Selection(snapshot, report.name, (report,), report, False, touched, comparison, part=part)
    if part is not None:
        return Selection(snapshot, part.tensor or part.node.name, (), part=part)
    if row.scope is None:
        return None
    whole_model = not row.scope.path and only is None
    title = row.scope.path or (WHOLE if only is None else only.label)
    return Selection(
        snapshot,
        title,
        row.scope.layers,
        None,
        whole_model,
        change if whole_model else None,
        comparison,
        note=_note(document) if whole_model else "",
        notes=_notes(document) if whole_model else (),
    )


def _note(document: Document) -> str:
    """Of a model judged as if quantized: what that is, and what zero points will decide."""
    if not document.snapshot.graph.as_int8:
        return ""
    known = "No scale is known, a zero point only where it follows from the operators; nothing was run."
    decides = document.assumption
    return f"{known} {decides[:1].upper()}{decides[1:]}." if decides else known


def _notes(document: Document) -> tuple[str, ...]:
    return lasting_notes(document.session.source) if document.session is not None else ()


def part_of(row: Row) -> Part | None:
    """The node or tensor a row stands for; None for layers and scopes."""
    if row.node is None or row.graph is None:
        return None
    tensor = row.label if row.kind is Kind.TENSOR else ""
    return Part(row.node, row.graph, tensor, row.report.layer if row.report is not None else None)


def same(one: Selection, other: Selection) -> bool:
    """Whether the panes would show the same of both."""
    return (
        one.snapshot is other.snapshot
        and one.comparison is other.comparison
        and one.layers == other.layers
        and one.report is other.report
        and one.part == other.part
        and one.note == other.note
        and one.notes == other.notes
    )


def hints(
    document: Document, selected: Selection, actions: Sequence[Action], snapshot: Snapshot
) -> tuple[KeyHint, ...]:
    """What the key bar offers; what needs a verdict is not to be had while a `snapshot` is a draft.

    Without a model there are few.
    """
    session, report = document.session, selected.report
    off = {
        "undo": session is None or not session.done,
        "redo": session is None or not session.undone,
        "verify": session is None or not session.done,
        "export": session is None or not session.done,
        "history": session is None or not (session.done or session.undone),
        "compare": session is None or not session.done,
        "split": report is None or report.layer.weight is None,
        "screen.channels": report is None or (weight := report.layer.weight) is None or weight.quant is None,
        "screen.scales": report is None or not has_scales(report.layer),
        "screen.rule": report is not None and not report.findings,
        "screen.trace": report is None and (selected.whole_model or not selected.layers),
        "screen.off_npu(1)": not document.snapshot.off_npu,
    }
    judged = bool(snapshot.layers) and not snapshot.draft
    empty = session is None and not snapshot.layers
    possible = WITHOUT_A_MODEL if empty else BEFORE_A_VERDICT
    hidden = () if document.comparison is not None else ("agreement",)
    assumed = document.snapshot.graph.as_int8
    if not (document.to_quantize or assumed):
        hidden = (*hidden, "as_int8", "quantize")
    return tuple(
        KeyHint(
            action.key,
            "as float" if assumed and action.name == "as_int8" else action.label,
            action.name,
            action.weight,
            not off.get(action.name, False) and (judged or action.name in possible),
            action.short,
        )
        for action in actions
        if action.weight and action.name not in hidden and not (empty and action.name not in WITHOUT_A_MODEL)
    )


def copied(selected: Selection, panes: Sequence[Pane]) -> str:
    """What panes say, as text for the clipboard."""
    pages = [pane.lines(selected, COPY_WIDTH) for pane in panes]
    return "\n\n".join("\n".join(safe(plain(line)) for line in page) for page in pages)
