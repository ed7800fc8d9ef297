"""`npuscope channels`: the table, its JSON, and arguments that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from builders.command_line import run
from builders.one_layer import one_layer

from npuscope.planning.channels import gemm_shape


def test_rows_have_the_figures_that_check_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    onnx.save(one_layer(gemm_shape(1, None, 1024, 5), 257), tmp_path / "one.onnx")
    _, out, _ = run(capsys, "check", tmp_path / "one.onnx", "--json", "--toolchain", "2.1")
    layer = json.loads(out)["layers"][0]
    status, out, err = run(
        capsys, "channels", "--op", "gemm", "--out", 1024, "--range", "256:258", "--zero-point", 5,
        "--toolchain", "2.1", "--json",
    )  # fmt: skip
    report = json.loads(out)
    assert (status, err, report["schema"]) == (0, "", "npuscope.channels/1")
    assert [row["channels"] for row in report["rows"]] == [256, 257, 258]
    row = report["rows"][1]
    assert (row["placement"], row["codes"]) == (layer["placement"], ["N201"])
    alone = {"cycles", "ms", "bound_by", "cpu_cycles", "effective_macs_per_cycle"}
    for key in layer["cost"].keys() - alone:
        assert row[key] == layer["cost"][key], key
    assert set(layer["cost"]) <= set(row)


def test_the_table_says_what_to_choose_and_what_to_avoid(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "channels", "--kernel", 3, "--map", 14, "--out", 64, "--range", "1:512")
    assert (status, err) == (0, "")
    assert "N201  CPU int8: 257, 263" in out
    worth = out.split("Worth choosing")[1].split("Worth avoiding")[0]
    listed = [line.split()[0] for line in worth.splitlines() if line[:1] == " " and line.split()[0].isdigit()]
    assert 10 <= len(listed) <= 24
    assert listed[-1] == "512"
    assert "times as long as 264" in out
    assert max(map(len, out.splitlines())) <= 120
    _, everything, _ = run(
        capsys, "channels", "--kernel", 3, "--map", 14, "--out", 64, "--range", "1:512", "--all"
    )
    assert len(everything.splitlines()) == 512 + 5


def test_a_range_with_steps_and_a_depthwise_layer(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(
        capsys, "channels", "--depthwise", "--kernel", "3x5", "--stride", 2, "--range", "8:32:8", "--json"
    )
    report = json.loads(out)
    assert [(row["in_channels"], row["out_channels"]) for row in report["rows"]] == [
        (n, n) for n in (8, 16, 24, 32)
    ]
    assert (report["layer"]["kernel"], report["layer"]["pads"]) == ([3, 5], [1, 2, 1, 2])


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--out", 0),
        ("--out", 8, "--in", 8),
        ("--op", "gemm", "--depthwise"),
        ("--out", 8, "--range", "9:3"),
        ("--out", 8, "--range", "x"),
        ("--out", 8, "--range", "0:3"),
        ("--out", 8, "--kernel", "3x3x3"),
        ("--out", 8, "--kernel", 15, "--pad", 0, "--map", 7),
        ("--out", 8, "--pad", "no"),
        ("--out", 8, "--zero-point", 200),
        ("--out", 8, "--toolchain", "9"),
    ],
)
def test_arguments_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...]
) -> None:
    status, out, err = run(capsys, "channels", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kernel", "3x3x3", "--map", 14, "--out", 64], "3x3x3"),
        (["--kernel", 3, "--map", 14, "--out", 64, "--pad", "1x1x1"], "is neither 'same' nor a number of rows and columns"),
        (["--kernel", 3, "--map", 14, "--out", 64, "--pad", "all"], "all"),
    ],
)  # fmt: skip
def test_sizes_that_are_none(capsys: pytest.CaptureFixture[str], arguments: list[object], words: str) -> None:
    status, out, err = run(capsys, "channels", *arguments)
    assert (status, out) == (2, "") and words in err


def test_a_layer_is_named_with_its_steps(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "channels", "--kernel", 3, "--map", 14, "--out", 64, "--stride", 2, "--dilation", 2, "--range", "1:9"
    )  # fmt: skip
    assert status == 0 and "3x3 Conv on 14x14, ? to 64 channels, stride 2x2, dilation 2x2" in out
    assert "all 9 counts run on the NPU" in out or "counts do not run on the NPU" in out
    status, out, _ = run(capsys, "channels", "--op", "gemm", "--map", 1, "--out", 64, "--range", "8:16:8")
    assert status == 0 and "Gemm of 1 row," in out
