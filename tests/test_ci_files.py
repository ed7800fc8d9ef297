"""What others' CI takes from this repository: the action's script, the hook, and the pages that show them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders.models import ROOT, SAMPLES

from npuscope.cli.parser import command_parser

BASH = shutil.which("bash")
SCRIPT = ROOT / "tools" / "ci" / "check_models.sh"
needs_bash = pytest.mark.skipif(BASH is None or os.name != "posix", reason="the action's script is for bash")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with models, one in a folder whose name has blanks."""
    (tmp_path / "my models").mkdir()
    shutil.copy(SAMPLES / "denoiser_lstm_int8.onnx", tmp_path / "my models" / "$(touch owned).onnx")
    shutil.copy(SAMPLES / "convnet_qoperator.onnx", tmp_path / "other.onnx")
    program = tmp_path / "npuscope"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m npuscope "$@"\n')
    program.chmod(0o755)
    return tmp_path


def run(place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    assert BASH is not None
    known = {
        **os.environ,
        "NPUSCOPE": str(place / "npuscope"),
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
    }
    known["PYTHONPATH"] = os.pathsep.join([str(ROOT), known.get("PYTHONPATH", "")])
    return subprocess.run(
        [BASH, str(SCRIPT)],
        cwd=place,
        env={**known, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@needs_bash
def test_the_actions_script(place: Path) -> None:
    models = "my models/\r\n\nother.onnx\n"
    done = run(place, MODELS=models, FAIL_ON="sw", ARGUMENTS="--toolchain=2.1\n", SARIF="out.sarif")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("::error file=") == 4 and not (place / "owned").exists()
    assert "denoiser" not in done.stderr
    assert "| " in (place / "summary.md").read_text()
    assert len(json.loads((place / "out.sarif").read_text())["runs"]) == 2
    assert run(place, MODELS="other.onnx", FAIL_ON="", ARGUMENTS="").returncode == 0


@needs_bash
def test_the_actions_script_with_a_baseline(place: Path) -> None:
    written = subprocess.run(
        [str(place / "npuscope"), "check", "my models", "--write-baseline", "known.json"], cwd=place, check=True,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert b"findings of 1 model\n" in written.stderr
    done = run(place, MODELS="my models", BASELINE="known.json")
    assert (done.returncode, done.stdout) == (0, "")


@needs_bash
def test_a_name_is_no_option_of_the_program(place: Path) -> None:
    shutil.copy(SAMPLES / "convnet_qoperator.onnx", place / "--sweep.onnx")
    assert run(place, MODELS="--sweep.onnx").returncode == 0


def test_inputs_reach_the_script_as_environment_alone() -> None:
    """An input that stood in a script's text could end it and begin another."""
    text = (ROOT / "action.yml").read_text("utf-8")
    scripts = re.findall(r"^ +run: \|\n((?: {8}.*\n)+)|^ +run: (.*)$", text, re.MULTILINE)
    assert len(scripts) == 2 and not [script for script in scripts if "${{" in "".join(script)]
    inputs = set(re.findall(r"^  ([\w-]+):\n    description", text, re.MULTILINE))
    assert set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", text)) == inputs
    assert os.access(SCRIPT, os.X_OK) or os.name != "posix"


def test_the_hook_is_a_command_there_is() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    (entry,) = re.findall(r"entry: npuscope (\w+)", text)
    (arguments,) = re.findall(r"args: \[(.*)\]", text)
    options = command_parser(entry).parse_args([*arguments.split(", "), "m.onnx"])
    assert options.fail_on == "sw" and options.models == ["m.onnx"]
    (pattern,) = re.findall(r"files: (.*)", text)
    assert (
        re.search(pattern, "a/b.onnx")
        and re.search(pattern, "b.tflite")
        and not re.search(pattern, "b.onnx.md")
    )


def test_the_page_shows_options_there_are() -> None:
    text = (ROOT / "docs" / "ci.md").read_text("utf-8")
    known = command_parser("check").format_help() + command_parser("diff").format_help()
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--quiet"}
    assert {option for option in options if option not in known} == set()
    inputs = set(re.findall(r"^          (\w[\w-]*):", text, re.MULTILINE)) - {"python-version", "sarif_file"}
    action = (ROOT / "action.yml").read_text("utf-8")
    assert inputs and all(f"\n  {name}:\n" in action for name in inputs)
