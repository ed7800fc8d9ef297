"""The command line: what it prints, its exit status, and that it never shows a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from builders.command_line import run
from builders.models import DENOISER, SAMPLES, gemm_qdq
from onnx import TensorProto, helper

from npuscope import __version__
from npuscope.cli.commands import open as command_open


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"npuscope {__version__}\n", "")


def test_check_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "check", DENOISER, "--json", "--toolchain", "2.1")
    report = json.loads(out)
    assert (status, err) == (0, "")
    assert report["schema"] == "npuscope.check/1"
    assert report["target"]["toolchain"] == "2.1"
    layers = {layer["name"]: layer for layer in report["layers"]}
    off = [
        name for name, layer in layers.items() if layer["placement"] != "hw" and layer["placement"] != "none"
    ]
    assert off == ["Conv2D_23", "Gemm_28", "Conv2D_79"]
    assert all("257" in layers[name]["findings"][0]["message"] for name in off)
    gemm = layers["Gemm_30"]["cost"]
    assert (gemm["ops_per_cycle"], gemm["macs_per_cycle"]) == (2.0, 1.0)
    assert (gemm["simd"], gemm["deep1x1"], gemm["choked_ports"]) == ("16x8", False, ["weights"])
    assert layers["Gemm_51"]["cost"]["ops_per_cycle"] == pytest.approx(6, abs=0.01)


CONTRACT = {
    "": "schema model target summary layers epochs memory",
    "model": "path sha256 opset producer nodes parameters inputs outputs",
    "target": "name toolchain npu_hz mpool",
    "summary": "layers hw hybrid sw_int sw_float macs compute_cycles cycles ms weights_bytes activations_bytes epochs",
    "layers": "name op nodes scope placement findings quant shape cost epoch",
    "epochs": "index placement op layers compute_cycles cycles",
    "memory": "pools peak_activations",
}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda p: p.stem)
def test_the_json_contract(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    _, out, _ = run(capsys, "check", path, "--json")
    report = json.loads(out)
    for part, keys in CONTRACT.items():
        value = report[part] if part else report
        for item in value if isinstance(value, list) else [value]:
            assert set(keys.split()) <= set(item), part


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda p: p.stem)
def test_the_table_names_each_layer(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    _, out, _ = run(capsys, "check", path, "--all")
    _, text, _ = run(capsys, "check", path, "--json")
    report = json.loads(text)
    table, _, end = out.split("\nLayers\n\n")[1].partition("\n\n")
    rows = table.splitlines()[2:]
    names_in_full = all(layer["name"] in row for layer, row in zip(report["layers"], rows, strict=True))
    assert ("parts of layer names" in end) is not names_in_full
    assert len(rows) == len(report["layers"])


@pytest.mark.parametrize("before", [(), ("check",), ("check", "--json")])
def test_files_behind_two_dashes_may_begin_with_one(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(command_open, "run", lambda options: opened.extend(options.files) or 0)
    monkeypatch.chdir(tmp_path)
    Path("--json.onnx").write_bytes((SAMPLES / "convnet_qoperator.onnx").read_bytes())
    status, out, _ = run(capsys, *before, "--", "--json.onnx")
    assert status == 0
    if before:
        assert "--json.onnx" in out and out.startswith("{") == ("--json" in before)
    else:
        assert opened == ["./--json.onnx"]


@pytest.mark.parametrize(("level", "status"), [("sw", 1), ("hybrid", 1), ("warning", 1)])
def test_fail_on(capsys: pytest.CaptureFixture[str], level: str, status: int) -> None:
    found, _, err = run(capsys, "check", DENOISER, "--fail-on", level)
    assert found == status
    assert err.startswith(f"npuscope: --fail-on {level}: {DENOISER}: a ") if status else not err


def test_fail_on_a_clean_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(64, 48, 0).SerializeToString())
    assert run(capsys, "check", path, "--fail-on", "warning")[0] == 0


UNUSABLE = [
    ("check", "/nonexistent/m.onnx"),
    ("plan", "/"),
    ("check", DENOISER, "--toolchain", "9.9"),
    ("check", DENOISER, "--profile", "warp"),
    ("check", DENOISER, "--fail-on", "never"),
    ("check",),
    ("explain", "N000"),
    ("split", DENOISER, "--layer", "nope", "--axis", "in", "--parts", "1,2"),
    ("split", DENOISER, "--layer", "Gemm_28", "--axis", "in", "--parts", "144,112"),
    ("split", DENOISER, "--layer", "Gemm_28", "--axis", "in", "--parts", "many"),
    ("split", DENOISER, "--layer", "Add_31", "--axis", "in", "--parts", "2"),
    ("verify", DENOISER, "/nonexistent/m.onnx"),
    ("--nonsense",),
]


@pytest.mark.parametrize("arguments", UNUSABLE, ids=lambda a: " ".join(map(str, a))[-50:])
def test_unusable_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...]
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.endswith("\n") and err.count("\n") == 1
    assert "internal error" not in err


@pytest.mark.parametrize("command", ["check", "split", "fix", "plan", "verify", "compare", "dot", "explain"])
def test_errors_in_arguments_name_the_help_of_their_command(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for arguments in ([command], [command, "A", "B", "C", "--nonsense"]):
        status, _, err = run(capsys, *arguments)
        assert status == 2 and err.endswith(f"; see 'npuscope {command} --help'\n")


def test_a_misspelt_command_is_not_taken_for_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = "npuscope: chekc: no such command or file; did you mean 'check'?\n"
    assert run(capsys, "chekc", "x.onnx") == (2, "", message)
    (tmp_path / "chekc").touch()
    for word in ("chekc", "./chekc"):
        assert "needs a terminal" in run(capsys, word)[2]
    for word in ("check.onnx", "zzz"):
        assert run(capsys, word) == (2, "", f"npuscope: {word}: no such file; check the path\n")


def test_a_name_cannot_reach_the_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = gemm_qdq(257, 64, name="\x1b[31mred\x07\u202e[bold]x\n")
    path.write_bytes(model.SerializeToString())
    status, out, _ = run(capsys, "check", path)
    assert status == 0
    assert "\x1b" not in out and "\x07" not in out and "\u202e" not in out
    assert "[bold]x" in out


def test_explain_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "explain", "n201")
    assert status == 0 and "257" in out
    _, listed, _ = run(capsys, "rules")
    assert "N201" in listed


def test_a_closed_pipe_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "npuscope.cli.main", "check", str(DENOISER), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(300) == 0
    assert b"Traceback" not in errors


def test_the_explorer_needs_a_terminal(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "npuscope.cli.main", str(DENOISER)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "dumb"},
    )
    assert run.returncode == 2
    assert "needs a terminal" in run.stderr


@pytest.mark.parametrize("name", ["a\0b", "a\udc80\ud800b"])
@pytest.mark.parametrize(
    "words",
    [
        "check NAME",
        "check MODEL --as-built NAME",
        "check MODEL --mpool NAME",
        "check MODEL --board NAME.toml",
        "plan MODEL --seconds 1 --apply -o NAME.onnx",
        "plan MODEL --seconds 1 --recipe NAME.toml",
        "plan MODEL --seconds 1 --report NAME.md",
        "cut MODEL -o NAME --tail OTHER",
        "apply NAME.toml MODEL -o OTHER",
        "dot MODEL -o NAME.dot",
        "verify MODEL MODEL --inputs NAME",
        "diff MODEL NAME",
    ],
)
def test_a_name_that_no_file_system_takes_is_said(
    words: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(SAMPLES / "attention_block_int8.onnx")
    arguments = [{"MODEL": model}.get(word, word.replace("NAME", name)) for word in words.split()]
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "internal error" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_query_chooses_the_layers_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("check", str(DENOISER), "--gains", "none")
    status, out, _ = run(capsys, *argv, "--match", "op=Gemm >0.5ms")
    table = out.partition("\nLayers that match op=Gemm >0.5ms\n")[2]
    assert status == 0 and "28 other layers" in table
    assert [line.split()[0] for line in table.splitlines()[3:7]] == [
        "Gemm_28",
        "Gemm_30",
        "Gemm_51",
        "Gemm_53",
    ]
    assert "none" in run(capsys, *argv, "--match", "kernel=99")[1].partition("Layers that match")[2]
    status, _, err = run(capsys, "check", str(DENOISER), str(DENOISER), "--match", "x")
    assert status == 2 and "--match: shows layers" in err


def test_the_table_keeps_branches_together_and_json_the_models_order(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    steps = (
        ("Relu", "x", "l", "left/a"),
        ("Relu", "x", "r", "right/a"),
        ("Tanh", "l", "m", "left/b"),
        ("Tanh", "r", "s", "right/b"),
        ("Add", "m s", "y", "join"),
    )
    nodes = [helper.make_node(op, read.split(), [written], name=name) for op, read, written, name in steps]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in "xy"]
    path = tmp_path / "branches.onnx"
    onnx.save(
        helper.make_model(helper.make_graph(nodes, "g", *ends), opset_imports=[helper.make_opsetid("", 17)]),
        path,
    )
    written = ["left/a", "right/a", "left/b", "right/b", "join"]
    layers = json.loads(run(capsys, "check", str(path), "--json")[1])["layers"]
    assert [layer["name"] for layer in layers] == written
    rows = run(capsys, "check", str(path), "--all")[1].partition("\nLayers\n")[2].splitlines()[3:8]
    assert [row.split()[0] for row in rows] == ["left/a", "left/b", "right/a", "right/b", "join"]
