"""`check --baseline`: what is known does not fail, what is new or worse does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from builders.command_line import run
from builders.models import DENOISER, SAMPLES

from npuscope.model.errors import ModelError
from npuscope.reports.schemas.catalogue import schema
from npuscope.services.baseline import Item, is_new, read_baseline


@pytest.fixture
def known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "known.json"
    assert run(capsys, "check", DENOISER, "--write-baseline", path)[0] == 0
    return path


def without(path: Path, layer: str, **changes: str) -> None:
    """Drop what is known of a layer, or change it."""
    document = json.loads(path.read_text())
    for model, items in document["models"].items():
        document["models"][model] = [
            {**item, **changes} if item["layer"] == layer else item
            for item in items
            if changes or item["layer"] != layer
        ]
    path.write_text(json.dumps(document))


def test_what_is_known_does_not_fail(capsys: pytest.CaptureFixture[str], known: Path) -> None:
    jsonschema.validate(json.loads(known.read_text()), schema("baseline"))
    assert run(capsys, "check", DENOISER, "--fail-on", "sw")[0] == 1
    for level in (
        [],
        ["--fail-on", "sw"],
        ["--fail-on", "hybrid"],
        ["--fail-on", "warning"],
        ["--fail-on", "memory"],
    ):
        status, _, err = run(capsys, "check", DENOISER, "--baseline", known, *level)
        assert (status, err) == (0, "")


def test_what_is_new_fails_and_is_named(capsys: pytest.CaptureFixture[str], known: Path) -> None:
    without(known, "Gemm_28")
    status, _, err = run(capsys, "check", DENOISER, "--baseline", known, "--fail-on", "sw")
    assert status == 1 and err == f"npuscope: new: {DENOISER}: Gemm_28 N201 (sw_int)\n"
    assert run(capsys, "check", DENOISER, "--baseline", known, "--fail-on", "memory")[0] == 0


def test_a_layer_further_from_the_npu_is_new(capsys: pytest.CaptureFixture[str], known: Path) -> None:
    without(known, "Gemm_28", placement="hybrid")
    assert run(capsys, "check", DENOISER, "--baseline", known)[0] == 1
    without(known, "Gemm_28", placement="sw_float")
    assert run(capsys, "check", DENOISER, "--baseline", known)[0] == 0


@pytest.mark.parametrize(
    ("placement", "before", "new"), [("sw_int", 2, False), ("sw_int", 1, True), ("hybrid", 2, False)]
)
def test_which_items_are_new(placement: str, before: int, new: bool) -> None:
    item = Item("a", "N1", placement, "sw")
    assert is_new(item, {("a", "N1"): before}) == new
    assert is_new(item, {("a", "N2"): before}) and is_new(item, {("b", "N1"): before})


def test_what_is_gone_is_said(capsys: pytest.CaptureFixture[str], known: Path, tmp_path: Path) -> None:
    exact = ("--loss", "exact", "--toolchain", "2.1")  # a plan that other tests look for, too
    assert run(capsys, "plan", DENOISER, *exact, "--apply", "-o", tmp_path / "f.onnx")[0] == 0
    document = json.loads(known.read_text())
    (items,) = document["models"].values()
    known.write_text(json.dumps({**document, "models": {"f.onnx": items}}))
    status, _, err = run(capsys, "check", tmp_path / "f.onnx", "--baseline", known, "--fail-on", "sw")
    assert status == 0 and "are no longer found" in err


def test_forms_name_what_is_new(capsys: pytest.CaptureFixture[str], known: Path) -> None:
    without(known, "Gemm_28")
    _, out, _ = run(capsys, "check", DENOISER, "--baseline", known, "--github")
    assert out.count("::error") == 1 and "Gemm_28" in out
    _, out, _ = run(capsys, "check", DENOISER, "--baseline", known, "--sarif")
    states = {r["baselineState"] for r in json.loads(out)["runs"][0]["results"] if "baselineState" in r}
    assert states == {"new", "unchanged"}


def test_many_models_and_a_checkout_elsewhere(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "models").mkdir(parents=True)
        for name in ("denoiser_lstm_int8.onnx", "mobilenet_mini_int8.onnx"):
            shutil.copy(SAMPLES / name, tmp_path / place / "models")
    models, baseline = tmp_path / "one" / "models", tmp_path / "one" / "known.json"
    status, _, err = run(capsys, "check", models, "--write-baseline", baseline)
    assert status == 0 and "of 2 models" in err
    assert set(json.loads(baseline.read_text())["models"]) == {
        "models/denoiser_lstm_int8.onnx", "models/mobilenet_mini_int8.onnx",
    }  # fmt: skip
    shutil.copy(baseline, tmp_path / "two")
    status, _, err = run(
        capsys, "check", tmp_path / "two" / "models", "--baseline", tmp_path / "two" / "known.json"
    )
    assert (status, err) == (0, "")
    shutil.copy(SAMPLES / "attention_block_int8.onnx", tmp_path / "two" / "models")
    status, out, err = run(
        capsys,
        "check",
        tmp_path / "two" / "models",
        "--baseline",
        tmp_path / "two" / "known.json",
        "--github",
    )
    assert status == 1 and "attention_block" in err and "denoiser" not in out + err
    assert 14 <= err.count("npuscope: new: ") <= 20


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "npuscope.check/1", "models": {}}', '{"schema": "npuscope.baseline/1"}',
             '{"schema": "npuscope.baseline/1", "models": {"m": [{"layer": 1}]}}',
             '{"schema": "npuscope.baseline/1", "models": {"m": [{"layer": "a", "code": "b", "placement": "x"}]}}',
             "[" * 100_000],
)  # fmt: skip
def test_other_files_are_refused_and_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    for option in ("--baseline", "--write-baseline"):
        status, _, err = run(capsys, "check", DENOISER, option, path)
        assert status == 2 and err.count("\n") == 1 and "not a baseline" in err
    assert path.read_text() == text


def test_a_baseline_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        read_baseline(tmp_path / "none.json")
    assert run(capsys, "check", DENOISER, "--baseline", tmp_path / "none.json")[0] == 2
    assert run(capsys, "check", DENOISER, "--sweep", "--baseline", tmp_path / "none.json")[0] == 2
