"""The forms of the report: CSV, Markdown, SARIF, annotations, rule pages."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from builders.models import DENOISER, ROOT, from_text, gemm_qdq

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.notes import notes
from npuscope.reports.annotations import github_annotations
from npuscope.reports.check.text import check_text
from npuscope.reports.rule_pages import rules_markdown
from npuscope.reports.sarif import sarif
from npuscope.reports.tables import COLUMNS, check_csv, check_markdown
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


def analysed(path: Path) -> tuple[Session, Snapshot]:
    session = Session.open(load(path), target("2.1"))
    return session, analyse(session)


HOSTILE = "|x`<b>*[link](http://x)\n::error::=1+1%0A,\x1b[31m"


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Session, Snapshot]:
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(257, 64, name=HOSTILE).SerializeToString())
    return analysed(path)


def test_csv_has_a_row_for_each_layer() -> None:
    session, snapshot = analysed(DENOISER)
    rows = list(csv.DictReader(io.StringIO(check_csv(session, snapshot))))
    assert [row["name"] for row in rows] == [report.name for report in snapshot.layers]
    assert tuple(rows[0]) == COLUMNS
    assert (
        next(row for row in rows if row["name"] == "Gemm_28")["reason"]
        == "257 input channels cannot be tiled"
    )


def test_csv_cells_are_no_formulas(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(8, 8, name="=cmd()").SerializeToString())
    session, snapshot = analysed(path)
    row = next(csv.DictReader(io.StringIO(check_csv(session, snapshot))))
    assert row["name"] == "'=cmd()"


def test_markdown_lists_what_is_off_the_npu() -> None:
    text = check_markdown(*analysed(DENOISER))
    assert "3 of 32 layers on the CPU" in text
    assert [line.split(" ")[1] for line in text.splitlines() if "N201" in line] == [
        "Conv2D_23",
        "Gemm_28",
        "Conv2D_79",
    ]


def test_markdown_of_hostile_names(hostile: tuple[Session, Snapshot]) -> None:
    text = check_markdown(*hostile)
    row = next(line for line in text.splitlines() if "N201" in line)
    assert "<b>" not in row and "\x1b" not in row
    assert row.replace("\\|", "").count("|") == 7


def test_annotations_of_hostile_names(hostile: tuple[Session, Snapshot]) -> None:
    lines = github_annotations(*hostile).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error file=")


def test_sarif_points_at_file_and_layer() -> None:
    session, snapshot = analysed(DENOISER)
    report = json.loads(json.dumps(sarif(session, snapshot)))
    run = report["runs"][0]
    errors = [result for result in run["results"] if result["level"] == "error"]
    assert [r["locations"][0]["logicalLocations"][0]["name"] for r in errors] == [
        "Conv2D_23",
        "Gemm_28",
        "Conv2D_79",
    ]
    assert {r["ruleId"] for r in run["results"]} == {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_a_warning_is_said_of_a_layer_on_the_npu(tmp_path: Path) -> None:
    """What is reported to crash or to compute wrongly is no advice, and no reason to be off the NPU either."""
    session = Session.open(from_text(CLIP, tmp_path), target("2.1"))
    snapshot = analyse(session)
    assert not snapshot.off_npu
    assert [finding.code for finding, _ in snapshot.warned] == ["N706"]
    text = check_text(session, snapshot)
    _, _, warnings = text.partition("Warnings\n")
    assert (
        "lower bound of Clip comes from a DequantizeLinear" in warnings and "float initializers" in warnings
    )
    assert "N706: the lower bound of Clip" in check_markdown(session, snapshot)


CLIP = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}, float h = {6}>
{ f = DequantizeLinear(x, s, z)
  low = DequantizeLinear(z, s, z)
  r = Clip(f, low, h)
  y = QuantizeLinear(r, s, z) }"""


def test_what_follows_from_a_free_size_is_said_once(tmp_path: Path) -> None:
    session = Session.open(from_text(FREE, tmp_path), target("2.1"))
    snapshot = analyse(session)
    text = " ".join(check_text(session, snapshot).split())
    assert "without 3 layers of unknown size" in text
    assert "fix-dimensions H=N W=N" in text
    assert "Relu has no size until 'H' (and 1 more) is fixed (2 layers" in text
    fixes = {
        finding.fix for report in snapshot.layers for finding in report.findings if finding.code == "N107"
    }
    assert fixes == {
        "fix the sizes of the inputs (edit fix-dimensions H=... W=...), or export the model with fixed sizes"
    }


FREE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[N,8,H,W] x) => (float[N,8,H,W] y) { a = Sigmoid(x) b = Relu(a) y = Relu(b) }"""


def test_a_batch_alone_is_no_open_size(tmp_path: Path) -> None:
    session = Session.open(from_text(FREE.replace("H,W", "4,4"), tmp_path), target("2.1"))
    text = check_text(session, analyse(session))
    assert "fix-dimensions" not in text and "unknown size" not in text


def test_nodes_of_one_name_are_noted(tmp_path: Path) -> None:
    proto = gemm_qdq(8, 8, name="again")
    for node in proto.graph.node:
        node.name = "again"
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    session, _ = analysed(path)
    assert any("'again'" in note and "onnxruntime refuses" in note for note in notes(session.source))
    other, _ = analysed(DENOISER)
    assert not any("same name" in note for note in notes(other.source))


def test_the_rule_page_is_current() -> None:
    page = ROOT / "docs" / "rules.md"
    assert page.read_text("utf-8") == rules_markdown(), "run: make reference"
