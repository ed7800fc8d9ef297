"""The schemas of what `--json` prints: they are listed, printed, hold each other's parts alike, and refuse what is wrong."""

import json
import re
from pathlib import Path

import jsonschema
import onnx
import pytest
from builders import models
from jsonschema.validators import validator_for

from npuscope.cli.main import main
from npuscope.reports.schemas.catalogue import PLURAL, name_for, names, schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", names())
def test_each_schema_is_one_and_says_what_it_is_of(name: str) -> None:
    known = schema(name)
    validator_for(known).check_schema(known)
    assert known["description"]
    assert f"`{name}`" in (ROOT / "docs/json.md").read_text("utf-8")
    if name != PLURAL:
        assert f"npuscope.{name}/1" in json.dumps(known)


def test_parts_of_the_same_name_are_the_same_in_all() -> None:
    parts: dict[str, object] = {}
    for name in names():
        for part, one in schema(name).get("$defs", {}).items():
            assert parts.setdefault(part, one) == one, (name, part)


def test_every_schema_that_the_code_names_is_there() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "npuscope").rglob("*.py"))
    named = set(re.findall(r'SCHEMA = "npuscope\.(\w+)/1"', code)) - {"recipe"}  # recipes are TOML
    assert named == set(names()) - {PLURAL}


def test_the_command_prints_and_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "check"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("check")
    assert main(["schema", "npuscope.plan/1"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("plan")
    assert main(["schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(names())


@pytest.mark.parametrize("name", ["nothing", "../check", "check.json", "", "\x1b[31m"])
def test_an_unknown_name_is_refused_in_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "\x1b" not in output.err


def test_what_an_output_must_have_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(models.gemm_qdq(16, 8), path)
    assert main(["check", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert name_for(report) == "check"
    jsonschema.validate(report, schema("check"))
    for key in report:
        less = {name: value for name, value in report.items() if name != key}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(less, schema("check"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**report, "summary": {**report["summary"], "layers": "many"}}, schema("check"))
    jsonschema.validate({**report, "key of a later version": 1}, schema("check"))
