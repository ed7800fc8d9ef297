"""One truth in numbers: what each view and report shows of a layer or of the model, held against the ledger."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders import models
from builders.seen_figures import Seen, agrees, opened, truth

from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.model.inspection.blocks import blocks
from npuscope.model.names import printable
from npuscope.neural_art.comparison.compare import compare
from npuscope.neural_art.price.bounds import bounds
from npuscope.neural_art.price.roofline import points
from npuscope.npu.ledger import bound_name
from npuscope.planning.outcome import outcome
from npuscope.planning.plan import Budget
from npuscope.planning.planner import plan
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.reports.check.text import Rows, check_text
from npuscope.reports.compare_json import compare_json
from npuscope.reports.fix_report import layer_json, layer_text
from npuscope.reports.html.data import page_data
from npuscope.reports.json_report import check_json
from npuscope.reports.model_explorer import node_figures
from npuscope.reports.plan_report import plan_json
from npuscope.reports.sarif import sarif
from npuscope.reports.several.diff_report import diff_json, diff_markdown
from npuscope.reports.tables import check_csv, check_markdown
from npuscope.reports.text_report import edit_text
from npuscope.services.diff import Change, difference
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse
from npuscope.tui.screens.difference.rows import pair_line
from npuscope.widgets.bars.status_line import Status, StatusLine
from npuscope.widgets.lists.block_rows import BlockRows
from npuscope.widgets.lists.columns import row_line
from npuscope.widgets.lists.epoch_rows import about_epoch, epoch_line, predicted_schedule
from npuscope.widgets.lists.layer_columns import COLUMNS
from npuscope.widgets.lists.outline import Kind, Outline
from npuscope.widgets.lists.reason_groups import GroupRow, Sort, group_line, groups
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.eligibility import Eligibility, verdict_line
from npuscope.widgets.panes.neighbourhood import hottest
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.figures import milliseconds
from npuscope.widgets.text.spans import plain

MODELS = [
    *sorted(path.stem for path in models.SAMPLES.glob("*.onnx")),
    *("tcn_calculator", "timeseries_conv2d", "cnn_small_40"),
]


# -- the command line


def from_json(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    report = json.loads(json.dumps(check_json(session, snapshot)))
    yield Seen("json", "", "ms", str(report["summary"]["ms"]))
    for layer in report["layers"]:
        cost, name = layer["cost"], layer["name"]
        yield Seen("json", name, "ms", str(layer["ms"]))
        yield Seen("json", name, "share", str(layer["share"]))
        if cost is None:
            continue
        yield Seen("json", name, "ms", str(cost["ms"]))
        yield Seen("json", name, "bound", bound_name(cost["bound_by"]))
        yield Seen("json", name, "cpu cycles", str(cost["cpu_cycles"]))
        if cost["npu_cycles"]:
            yield Seen("json", name, "cycles", str(cost["cycles"]))
            yield Seen("json", name, "compute", str(cost["compute_cycles"]))
            yield Seen("json", name, "effective", str(cost["effective_macs_per_cycle"]))
            if cost["macs"]:
                yield Seen("json", name, "OPS/cycle", str(cost["ops_per_cycle"]))


def from_csv(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    for row, report in zip(
        csv.DictReader(io.StringIO(check_csv(session, snapshot))), snapshot.layers, strict=True
    ):
        if report.cost is None:
            continue
        for column, figure in (
            ("ms", "ms"), ("share", "share"), ("cycles", "cycles"), ("compute_cycles", "compute"),
            ("ops_per_cycle", "OPS/cycle"), ("bound_by", "bound"),
        ):  # fmt: skip
            yield Seen(
                "csv", report.name, figure, bound_name(row[column]) if figure == "bound" else row[column]
            )


def from_text(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    text = check_text(session, snapshot, 200, Rows.ALL)
    yield Seen("text", "", "ms", re.search(r"· ([\d. ]+ ms) estimated", text)[1])  # type: ignore[index]
    lines = text.partition("\nLayers\n\n")[2].partition("\n\n")[0].splitlines()
    starts = [match.start() for match in re.finditer("-+", lines[1])]
    titles = [lines[0][a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    figures = {"ms": "ms", "cycles": "cycles", "OPS/cycle": "OPS/cycle"}
    for line, report in zip(lines[2:], snapshot.layers, strict=True):
        cells = dict(
            zip(
                titles,
                (line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)),
                strict=True,
            )
        )
        yield Seen("text", report.name, "share", f"{cells['%']} %" if cells["%"] else "·")
        for title, figure in figures.items():
            if cells[title]:
                yield Seen("text", report.name, figure, cells[title])


def from_other_reports(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    markdown = check_markdown(session, snapshot)
    yield Seen("markdown", "", "ms", re.search(r"· ([\d. ]+ ms) estimated", markdown)[1])  # type: ignore[index]
    before = plan_json(plan(session, snapshot, Budget(seconds=1e-9)))["before"]
    yield Seen("plan", "", "ms", str(before["ms"]))
    yield Seen("plan", "", "layers", str(before["layers"]))
    for result in sarif(session, snapshot)["runs"][0]["results"]:
        name, reported = result["locations"][0]["logicalLocations"][0]["name"], result["properties"]
        yield Seen("sarif", name, "ms", str(reported["ms"]))
        yield Seen("sarif", name, "share", str(reported["share"]))
    page = page_data(snapshot)["layers"]
    for report, time, cycles in zip(snapshot.layers, page["ms"], page["cycles"], strict=True):
        yield Seen("html", report.name, "ms", f"{time} ms")
        yield Seen("html", report.name, "cycles", str(cycles))


def from_diff(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """The model beside itself, as `diff` and its screen show it."""
    same = difference(snapshot, snapshot)
    both = replace(
        same, pairs=tuple(replace(pair, changes=frozenset({Change.REQUANTIZED})) for pair in same.pairs)
    )
    for pair in diff_json(session, session, both)["layers"]:
        yield Seen("diff", pair["after"]["name"], "ms", str(pair["after"]["ms"]))
    yield Seen(
        "diff", "", "ms", re.search(r"· ([\d. ]+ ms) estimated", diff_markdown(session, session, both))[1]
    )  # type: ignore[index]
    for pair in both.pairs:
        assert pair.after is not None
        cells = plain(pair_line(pair, snapshot, snapshot, 200)).replace(pair.after.name, "")
        for time in re.findall(r"<?[\d.]+\sms", cells):
            yield Seen("difference", pair.after.name, "ms", time)


def from_model_explorer(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """Figures at the node of each layer's operator."""
    layers = {(core := report.layer.core.proto).name or core.output[0]: report for report in snapshot.layers}
    for what, figure in (("ms", "ms"), ("cycles", "cycles"), ("mac-per-cycle", "MAC/cycle")):
        for node, entry in node_figures(snapshot, what)["results"].items():
            yield Seen("model explorer", layers[node].name, figure, str(entry["value"]))


def from_split(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """The layer as it is, above what a split makes of it."""
    report = max(
        snapshot.layers, key=lambda report: (report.layer.weight is not None, report.line.milliseconds)
    )
    text = edit_text(SplitOutput(report.name, (1, 1)), report.name, snapshot, snapshot)
    row = next(line for line in text.splitlines() if line.startswith("  before"))
    yield Seen("split", report.name, "ms", re.search(r"([\d.]+ ms)$", row)[1])  # type: ignore[index]
    if shown := re.search(r"([\d ]+) cycles", row):
        yield Seen("split", report.name, "cycles", shown[1].strip())
    yield Seen("split", "", "ms", re.search(r"· ([\d. ]+ ms) estimated", text)[1])  # type: ignore[index]


def from_comparison(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """As `compare` predicts, beside nothing."""
    for layer in compare_json(compare(snapshot, ()))["layers"]:
        stated = layer["predicted"]
        for key, figure in (
            ("ms", "ms"), ("cycles", "cycles"), ("compute_cycles", "compute"), ("ops_per_cycle", "OPS/cycle"),
        ):  # fmt: skip
            if stated[key] is not None or key != "ms":
                yield Seen("compare", layer["name"], figure, str(stated[key]))


def from_fixes(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """What `fix --layer` says of the layer and the model as they are."""
    report = max(snapshot.layers, key=lambda report: (report.off_npu, report.line.milliseconds))
    stated = layer_text([], [], report, snapshot.ledger.milliseconds)
    if report.cost is None or not (fixes := propose_edits(session, snapshot, report.name, 1)):
        assert stated.startswith(printable(report.name))
        return
    made = outcome(session, snapshot, fixes[0])
    assert made is not None
    assert made.model_before == snapshot.ledger.milliseconds
    text = layer_text(fixes, [made], report, snapshot.ledger.milliseconds)
    own, model = re.search(r", ([\d. ]+) ms of the model's ([\d. ]+) ms", text).groups()  # type: ignore[union-attr]
    yield Seen("fix", report.name, "ms", f"{own} ms")
    yield Seen("fix", "", "ms", f"{model} ms")
    reported = layer_json(fixes[0], made, report)
    yield Seen("fix", report.name, "ms", str(reported["ms_before"]))
    yield Seen("fix", report.name, "cycles", str(reported["cycles_before"]))


# -- the explorer


def from_table(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    figures = {"time": "ms", "%": "share", "cycles": "cycles", "MAC/c": "MAC/cycle", "bound by": "bound"}
    for report in snapshot.layers:
        for column in COLUMNS:
            figure = figures.get(column.title)
            text = column.cell(report, snapshot, max(column.width, 20)).text.strip()
            if figure is None or report.cost is None or (figure == "bound" and not text):
                continue
            yield Seen(
                "layers", report.name, figure, f"{text} %" if figure == "share" and text != "·" else text
            )


def from_tree(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    outline = Outline(snapshot)
    opened = set(outline.scopes)
    for row in outline.rows(opened, "whole model"):
        if row.kind is Kind.LAYER and row.report is not None and row.report.cost is not None:
            share = plain(row_line(row, snapshot, 120, ())).split()[-1]
            yield Seen("tree", row.report.name, "share", share if share == "·" else f"{share} %")


def from_cost_pane(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    figures = {"MAC/cycle": "MAC/cycle", "OPS/cycle": "OPS/cycle", "compute": "compute", "time": "ms", "share": "share", "estimate": "cpu cycles"}  # fmt: skip
    for report in snapshot.layers:
        unit = ""
        for line in map(plain, CostPane().lines(selected(snapshot, report), 60)):
            label, value = line[:13].strip(), line[13:].strip()
            unit = line.strip() if line.strip() in ("NPU cycles", "CPU cycles") else unit
            if label == "with memory":
                yield Seen("cost", report.name, "cycles" if unit else "effective", value)
            elif label == "bound by":
                yield Seen("cost", report.name, "bound", value)
            elif label in figures and report.cost is not None:
                yield Seen("cost", report.name, figures[label], value)


def selected(snapshot: Snapshot, report: LayerReport) -> Selection:
    return Selection(snapshot, report.name, (report,), report)


def from_roofline(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    costs = {report.name: report.cost for report in snapshot.layers}
    lines = {report.name: report.line for report in snapshot.layers}
    for point in points([report.layer for report in snapshot.layers], costs, lines):
        yield Seen("roofline", point.layer, "effective", f"{point.macs_per_cycle!r}")
        yield Seen("roofline", point.layer, "ms", f"{point.milliseconds!r}")


def from_other_panes(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """The top line, a layer's verdict, what takes the time, reasons layer by layer."""
    bar = StatusLine()
    bar.set_reactive(StatusLine.status, Status(snapshot, "model.onnx"))
    yield Seen("top line", "", "ms", re.search(r"([\d.]+\sms)$", plain(bar.bar(120)).strip())[1])  # type: ignore[index]
    for report in snapshot.layers:
        if report.cost is not None:
            text = plain(verdict_line(selected(snapshot, report), 120)).strip()
            yield Seen("verdict", report.name, "ms", re.search(r"([\d.]+\sms)$", text)[1])  # type: ignore[index]
    whole_model = Selection(snapshot, "whole model", snapshot.layers, whole_model=True)
    ordered = sorted(snapshot.layers, key=snapshot.time_of, reverse=True)
    for report, (line, layer) in zip(ordered, hottest(whole_model, 120)[1:], strict=False):
        assert layer == report.name
        share, time = re.match(r"\s*(\S+ %).*?(\S+\sms)", plain(line)).groups()  # type: ignore[union-attr]
        yield Seen("hottest", report.name, "share", share)
        yield Seen("hottest", report.name, "ms", time)
    for group in groups(snapshot, Sort.REASON):
        for member in range(len(group.members)):
            cells = plain(group_line(GroupRow(group, 0, member), True, snapshot, 160)).split()
            report = group.members[member]
            yield Seen("reasons", report.name, "share", f"{cells[-1]} %" if cells[-1] != "·" else "·")


def from_epochs(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """What each epoch takes is what the layers are charged in it."""
    schedule = predicted_schedule(snapshot)
    for index, epoch in enumerate(snapshot.epochs):
        time = re.search(r"(\S+\sms)\s+\S+$", plain(epoch_line(schedule, index, 120)))
        yield Seen("epochs", "", f"epoch {epoch.index}", time[1])  # type: ignore[index]


def from_blocks(session: Session, snapshot: Snapshot) -> Iterator[Seen]:
    """The blocks of the diagram, a layer each where they are wholly divided."""
    rows = BlockRows(snapshot, blocks(snapshot.links, 10_000))
    for index, reports in enumerate(rows.reports):
        if len(reports) == 1 and reports[0].cost is not None:
            cells = plain(rows.line(index, 120)).split()
            yield Seen("blocks", reports[0].name, "share", "·" if cells[-1] == "·" else f"{cells[-1]} %")


VIEWS = (
    from_diff, from_model_explorer, from_split, from_other_panes, from_epochs,
    from_comparison, from_fixes, from_json, from_csv, from_text, from_other_reports, from_table, from_tree, from_cost_pane, from_roofline,
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_view_shows_what_the_ledger_says(model: str) -> None:
    session, snapshot = opened(model)
    counted: dict[str, int] = {}
    wrong = []
    for view in VIEWS:
        for seen in view(session, snapshot):
            counted[seen.view] = counted.get(seen.view, 0) + 1
            value = truth(snapshot, seen)
            if not (seen.text == value if isinstance(value, str) else agrees(seen.text, value)):
                wrong.append((*seen, value))
    assert wrong == []
    assert {
        "json",
        "csv",
        "text",
        "plan",
        "html",
        "compare",
        "layers",
        "tree",
        "cost",
        "diff",
        "difference",
        "model explorer",
        "split",
        "top line",
        "verdict",
        "epochs",
    } <= counted.keys()


@pytest.mark.parametrize("model", MODELS)
def test_every_way_to_divide_the_time_adds_up_to_it(model: str) -> None:
    _, snapshot = opened(model)
    total = snapshot.ledger.milliseconds
    assert sum(line.milliseconds for line in snapshot.ledger.lines) == pytest.approx(total)
    assert sum(epoch.milliseconds for epoch in snapshot.epochs) == pytest.approx(total)
    assert predicted_schedule(snapshot).total == pytest.approx(total)
    costs = {report.name: report.cost for report in snapshot.layers}
    assert sum(bound.milliseconds for bound in bounds(snapshot.epochs, costs)) == pytest.approx(total)
    for sort in (Sort.PLACEMENT, Sort.OPERATOR):
        assert sum(group.milliseconds for group in groups(snapshot, sort)) == pytest.approx(total)
        assert sum(group.share for group in groups(snapshot, sort)) == pytest.approx(1.0)
    if snapshot.off_npu:
        whole_model = Selection(snapshot, "whole model", snapshot.layers, whole_model=True)
        pane = " ".join(map(plain, Eligibility().lines(whole_model, 200)))
        off = sum(snapshot.time_of(report) for report in snapshot.off_npu)
        assert f"Off the NPU: {milliseconds(off)}, " in pane


@pytest.mark.parametrize("model", MODELS)
def test_no_cycles_of_the_npu_are_shown_for_software(model: str) -> None:
    session, snapshot = opened(model)
    schedule = predicted_schedule(snapshot)
    for at, (row, epoch) in enumerate(zip(schedule.rows, snapshot.epochs, strict=True)):
        assert (row.cycles is None) is epoch.placement.on_cpu
        text = " ".join(map(plain, about_epoch(schedule, at, 200)))
        assert (" cycles" in text) is not epoch.placement.on_cpu
    for report in snapshot.layers:
        assert (report.line.cycles is None) >= report.placement.on_cpu
    software = {epoch.index for epoch in snapshot.epochs if epoch.placement.on_cpu}
    for layer in check_json(session, snapshot)["layers"]:
        assert all((part["cycles"] is None) is (part["index"] in software) for part in layer["epochs"])


@pytest.mark.parametrize("model", MODELS[:3])
def test_what_a_fix_promises_is_what_stands_there_once_it_is_made(model: str) -> None:
    session, snapshot = opened(model)
    report = max(snapshot.layers, key=lambda report: (report.off_npu, report.line.milliseconds))
    for fix in propose_edits(session, snapshot, report.name, 3):
        edited = session.edit(fix.edit)
        assert isinstance(edited, Session)
        made = outcome(session, snapshot, fix)
        assert made is not None
        fresh = analyse(Session.open(replace(session.source, graph=edited.graph), session.target))
        lines = [fresh.by_name[name].line for name in fix.added]
        assert made.milliseconds == pytest.approx(sum(line.milliseconds for line in lines))
        assert made.model == pytest.approx(fresh.ledger.milliseconds)
        assert made.cycles is None or made.cycles == sum(line.cycles or 0 for line in lines)
