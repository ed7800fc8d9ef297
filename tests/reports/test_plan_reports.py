"""Plans and changes as reports: the JSON contract, tables, words; whatever layers are called."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.registry import from_data
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.planning import planner
from npuscope.planning.plan import Budget, Plan, apply
from npuscope.planning.planner import plan
from npuscope.reports.change_report import (
    COLUMNS,
    change_csv,
    change_json,
    change_markdown,
    change_words,
    layer_changes,
)
from npuscope.reports.plan_report import plan_json, plan_markdown, plan_text
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def session() -> Session:
    return opened(load(models.DENOISER))


@pytest.fixture(scope="module")
def planned(session: Session) -> Plan:
    return planner.plan(session, analyse(session))


@pytest.fixture(scope="module")
def split(session: Session) -> Session:
    for edit in (SplitInput("Gemm_28", (144, 113)), SplitOutput("Gemm_30", (1000, 24))):
        changed = session.edit(edit)
        assert isinstance(changed, Session)
        session = changed
    return session


STEP = "edit layer exactness cycles_before cycles_after placement_before placement_after why"


def test_the_json_contract_of_a_plan(planned: Plan) -> None:
    data = json.loads(json.dumps(plan_json(planned), allow_nan=False))
    assert data["schema"] == "npuscope.plan/1"
    assert {"steps", "before", "after"} <= set(data)
    assert (data["before"]["sw_int"], data["after"]["sw_int"]) == (3, 0)
    for step, made in zip(data["steps"], planned.steps, strict=True):
        assert set(STEP.split()) <= set(step)
        assert from_data(step["recipe"]) == made.edit
        assert {step["placement_before"], step["placement_after"]} <= {
            "hw",
            "hybrid",
            "sw_int",
            "sw_float",
            "none",
        }


def test_the_table_of_a_plan(planned: Plan) -> None:
    text = plan_text(planned)
    rows = text.split("\n\n")[0].splitlines()
    assert len(rows) == len(planned.steps) + 3
    *each, total = (float(re.search(r"-\d\.\d+", row)[0]) for row in rows[2:])  # type: ignore[index]
    assert "all steps" in rows[-1] and sum(each) == pytest.approx(total)
    saved = planned.before.milliseconds - planned.after.milliseconds
    assert total == pytest.approx(-saved, abs=5e-4)
    assert "before  3 of 32 layers on the CPU" in text
    assert "after   none of " in text and "Pad" in text.split("Still off the NPU")[1]
    assert max(map(len, rows)) < 120


def test_a_plan_without_steps_says_so(planned: Plan) -> None:
    empty = Plan((), planned.before, planned.before, tuple((f"layer{i}", "reason") for i in range(20)), False)
    text = plan_text(empty)
    assert text.startswith("time ran out before an edit was found")
    assert "layer0: reason" in text and "and 8 more" in text and "Time ran out" in text
    assert "layer19: reason" in plan_markdown(empty, "title")


def test_a_float_model_is_to_be_quantized_first(planned: Plan) -> None:
    floating = replace(planned.after, sw_float=planned.after.layers)
    plan = Plan((), floating, floating)
    assert "quantize the model first" in plan_text(plan) and "quantize the model first" in plan_markdown(
        plan, "x"
    )
    assert not planned.hint and "quantize the model" not in plan_text(planned)


@pytest.mark.parametrize(
    ("dtype", "shape", "words"),
    [
        ("int16", "1,8,4,4", "most often for N104: quantize to int8"),
        ("int4", "1,8,4,4", "most often for N105: quantize it to int8"),
        ("int8", "1,8,H,W", "most often for N107: fix the sizes of the inputs"),
    ],
)
def test_a_quantized_model_is_not_to_be_quantized(dtype: str, shape: str, words: str, tmp_path: Path) -> None:
    number = {"int16": 5, "int8": 3, "int4": 22}[dtype]
    text = f"""<ir_version: 10, opset_import: ["" : 21]>
    g ({dtype}[{shape}] x) => ({dtype}[{shape}] y) <float s = {{0.1}}>
    {{ f = DequantizeLinear(x, s) r = Sigmoid(f) y = QuantizeLinear <output_dtype = {number}> (r, s) }}"""
    opened_model = opened(models.from_text(text, tmp_path))
    hint = planner.plan(opened_model, analyse(opened_model)).hint
    assert words in hint and "quantize the model first" not in hint


def test_a_plan_as_markdown(planned: Plan) -> None:
    lines = plan_markdown(planned, "a|b").splitlines()
    assert lines[0] == "## a\\|b"
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(planned.steps) + 2 and all(row.count(" | ") == 6 for row in rows)


def test_changes_name_each_layer_once_in_its_place(session: Session, split: Session) -> None:
    before, after = analyse(session), analyse(split)
    rows = layer_changes(before, after)
    names = [row.report.name for row in rows]
    assert len(names) == len(set(names)) and set(names) == set(before.by_name) | set(after.by_name)
    words = {row.report.name: row.word for row in rows}
    assert (words["Gemm_28"], words["Gemm_28_part0"], words["Gemm_51"]) == ("gone", "new", "same")
    assert names.index("Gemm_28_part0") - names.index("Gemm_28") in range(1, 4)
    assert [row.report.name for row in layer_changes(after, after)] == [r.name for r in after.layers]


def test_words(session: Session, split: Session) -> None:
    before, after = analyse(session), analyse(split)
    words = change_words(split, before, after)
    assert "Gemm_28 no longer needs the CPU." in words and "Conv2D_23 and Conv2D_79 still need it." in words
    assert "1 of the edits is not bit-exact." in words
    exact = change_words(split, before, after, verify(session, session, samples=1))
    assert exact.endswith("Bit-exact over 1 sample.")
    lossy = change_words(split, before, after, verify(session, split, samples=1))
    assert "keeps at least" in lossy
    back = change_words(session, after, before)
    assert "Gemm_28 now needs the CPU." in back and "All edits are bit-exact." in back
    same = change_words(session, before, before)
    assert (
        "No layer changed between NPU and CPU. Conv2D_23, Conv2D_79 and Gemm_28 still need the CPU." in same
    )
    assert "0 %" not in same
    padded = session.edit(PadChannels("Conv2D_23", 258))
    assert isinstance(padded, Session)
    words = change_words(padded, before, analyse(padded))
    assert "Conv2D_23 no longer needs the CPU. Conv2D_23_pad is now hybrid: " in words


def test_changes_as_json_markdown_and_csv(session: Session, split: Session) -> None:
    before, after = analyse(session), analyse(split)
    data = json.loads(json.dumps(change_json(split, before, after), allow_nan=False))
    changed = {row["name"]: row for row in data["layers"]}
    assert changed["Gemm_28"]["after"] is None and changed["Gemm_28"]["before"]["placement"] == "sw_int"
    assert "Gemm_51" not in changed and len(data["edits"]) == 2
    text = change_markdown(split, before, after)
    assert "1. split inputs of Gemm\\_28" in text or "1. split inputs of Gemm_28" in text
    rows = list(csv.DictReader(io.StringIO(change_csv(before, after))))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(layer_changes(before, after))
    assert {row["placement_after"] for row in rows if row["name"] == "Gemm_28_part0"} == {"hw"}


HOSTILE = '=1+1|<b>"\\\n\x1b[31m'


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    made = model(Spec(ich=257, och=8))
    for node in made.graph.node:
        if node.name == NAME:
            node.name = HOSTILE
    session = opened(saved(made, tmp_path))
    before = analyse(session)
    planned = plan(session, before, Budget(slower=True))
    changed = apply(session, planned)
    assert isinstance(changed, Session) and planned.steps
    after = analyse(changed)
    texts = (plan_text(planned), plan_markdown(planned, HOSTILE), change_markdown(changed, before, after))
    for text in (*texts, change_words(changed, before, after), change_csv(before, after)):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert "<b>" not in texts[1] + texts[2]
    cells = [row[0] for row in csv.reader(io.StringIO(change_csv(before, after)))]
    assert not any(cell.startswith("=") for cell in cells)
