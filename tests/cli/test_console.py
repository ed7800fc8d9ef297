"""What a terminal gets: widths, colours, help, completions, and streams that fail."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders.models import DENOISER, SAMPLES, gemm_qdq
from builders.networks.yolo_like import yolo_like
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.cli.commands.completion import MODEL_FIRST
from npuscope.cli.console import json_text
from npuscope.cli.main import main
from npuscope.cli.parser import COMMANDS, command_parser
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.reports.check.text import Rows, check_text
from npuscope.reports.short_names import short_names
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names of many parts that differ in the middle."""
    return yolo_like(tmp_path_factory.mktemp("deep") / "model.onnx")


@pytest.mark.parametrize("model", [*sorted(path.stem for path in SAMPLES.glob("*.onnx")), "deep"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_check_fits_the_width(model: str, width: int, deep: Path) -> None:
    session = Session.open(load(deep if model == "deep" else SAMPLES / f"{model}.onnx"), target())
    snapshot = analyse(session)
    for rows in Rows:
        text = check_text(session, snapshot, width, rows)
        assert [line for line in text.splitlines() if len(line) > width] == []
        assert "\x1b" not in text


def test_reasons_stand_before_layers_and_colours_change_no_word() -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    snapshot = analyse(session)
    plain = check_text(session, snapshot)
    assert plain.index("Not on the NPU") < plain.index("Layers that matter")
    assert all(name in plain.split("Layers that matter")[1] for name in ("Conv2D_23", "Gemm_28", "Conv2D_79"))
    coloured = check_text(session, snapshot, colour=True)
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    off = check_text(session, snapshot, rows=Rows.OFF).split("not on the NPU\n\n")[1]
    assert len(off.split("\n\n")[0].splitlines()) == 2 + len(snapshot.off_npu)


@pytest.mark.parametrize(
    ("environment", "words", "coloured"),
    [({}, [], False), ({}, ["--color", "always"], True), ({"NO_COLOR": "1"}, ["--color", "never"], False)],
)
def test_colours(
    environment: dict[str, str],
    words: list[str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["check", str(DENOISER), *words]) == 0
    assert ("\x1b[" in capsys.readouterr().out) is coloured


names = st.lists(st.text(alphabet="ab/_1", min_size=1, max_size=60), min_size=1, max_size=30, unique=True)


@given(names, st.integers(4, 40))
def test_short_names_never_hide_a_difference(known: list[str], width: int) -> None:
    shown = short_names(known, width)
    assert set(shown) == set(known)
    assert len(set(shown.values())) == len(known)


def test_names_are_cut_where_they_agree() -> None:
    known = [f"a_very_long_common_beginning_{i}_and_a_common_end_too" for i in range(3)]
    assert all(len(name) <= 40 for name in short_names(known, 20).values())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", command]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: npuscope {command}")
    assert "examples:" in text or command == "rules"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_the_terminal_but_for_examples(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = command_parser(command).format_help().partition("examples:")[0]
    assert max(len(line) for line in text.splitlines()) <= 80
    needed = command_parser(command)._actions
    usage = text.partition("\n\n")[0]
    assert all(a.option_strings[0] in usage for a in needed if a.required and a.option_strings)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_parse(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    epilog = command_parser(command).epilog or ""
    for line in epilog.splitlines()[1:]:
        words = re.split(r"\s{2,}|\s[>|]", line.strip())[0].split()
        assert words[0] == "npuscope"
        if "--inputs" in words:
            Path(words[words.index("--inputs") + 1]).mkdir(exist_ok=True)
        if words[1] in COMMANDS:
            command_parser(words[1]).parse_intermixed_args(words[2:])


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == main(["help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert main(["help", "chekc"]) == 2
    assert "did you mean 'check'?" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "npuscope" in script and "fail-on" in script and "compare" in script
    assert "2.0 2.1" in script and "N101" in script and "nominal" in script
    assert MODEL_FIRST[shell][1] in script


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("npuscope ch", {"check", "channels"}),
        ("npuscope m", {"model.onnx"}),
        ("npuscope check m", {"model.onnx"}),
        ("npuscope plan --loss ", {"exact", "needed", "any"}),
        ("npuscope explain N90", {"N901", "N902", "N903", "N904", "N905", "N906"}),
    ],
)
def test_a_shell_completes(
    shell: str, line: str, wanted: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = shutil.which(shell)
    if program is None or shell == "zsh":
        pytest.skip(f"{shell} is not there, or cannot be asked without a terminal")
    main(["completion", shell])
    (tmp_path / "script").write_text(capsys.readouterr().out, "utf-8")
    (tmp_path / "model.onnx").touch()
    ask = {
        "bash": f"""shopt -u progcomp_alias; compopt() {{ :; }}; source ./script; read -ra COMP_WORDS <<< '{line}'
            [[ '{line}' == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); _shtab_npuscope
            (( ${{#COMPREPLY[@]}} )) || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
            printf '%s\\n' "${{COMPREPLY[@]}}" """,
        "fish": f"source ./script; complete -C '{line}'",
    }[shell]
    done = subprocess.run([program, "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert {item.split("\t")[0] for item in done.stdout.splitlines()} == wanted, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "a", "b", "--seed", "-1"],
        ["verify", "a", "b", "--seed", "9" * 5000],
        ["verify", "a", "b", "--samples", "0"],
        ["plan", "a", "--seconds", "nan"],
        ["plan", "a", "--seconds", "-3"],
        ["dot", "a", "-o", "b.dot", "--radius", "-1"],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_numbers_are_held_to_their_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_outputs_of_one_command_are_different_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.md")
    assert main(["plan", str(DENOISER), "--recipe", out, "--report", out, "--seconds", "1"]) == 2
    assert "is the file of --recipe too" in capsys.readouterr().err
    assert not Path(out).exists()


BLOCK = SAMPLES / "attention_block_int8.onnx"
"""Small, with layers on the CPU."""


def command(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **(options.pop("environment", None) or {})}  # type: ignore[dict-item]
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "npuscope.cli.main", *words],
        check=False,
        env=environment,
        timeout=300,
        **options,
    )


def test_an_encoding_that_holds_little_gets_what_it_can_show() -> None:
    done = command("check", str(BLOCK), capture_output=True, environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and done.stderr == b""
    assert b" - " in done.stdout and b"->" in done.stdout
    done.stdout.decode("ascii")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_once() -> None:
    with Path("/dev/full").open("wb") as full:
        done = command("rules", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.startswith(b"npuscope: the output cannot be written") and done.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("words", "status"),
    [(["check", "nofile"], 2), (["check", "--nothing"], 2), (["check", str(BLOCK), "--fail-on", "sw"], 1)],
)
def test_a_full_stderr_changes_no_status(words: list[str], status: int) -> None:
    with Path("/dev/full").open("wb") as full:
        assert command(*words, stdout=subprocess.DEVNULL, stderr=full).returncode == status


def test_an_escape_among_the_arguments_stays_text() -> None:
    done = command("check", "--\x1b[31m", "a\x1b[2Jb", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"\x1b" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_change_no_status(closed: str) -> None:
    line = f'"{sys.executable}" -m npuscope.cli.main check "{BLOCK}" --fail-on sw {closed}'
    done = subprocess.run(line, shell=True, check=False, capture_output=True, timeout=300)
    assert done.returncode == 1 and b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_changes_no_status() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "npuscope.cli.main", "check", str(BLOCK), "--all", "--fail-on", "sw"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().splitlines()
    process.stderr.close()
    assert process.wait(300) == 1
    assert len(errors) == 1 and b"--fail-on sw" in errors[0]


def test_an_export_that_onnxruntime_refuses_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = gemm_qdq(257, 64)
    model.graph.node.insert(
        0, helper.make_node("Strange", ["raw"], ["x"], name="strange", domain="elsewhere")
    )
    model.graph.input[0].name = "raw"
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    model.graph.value_info.append(helper.make_tensor_value_info("x", TensorProto.INT8, [1, 257]))
    path, out = tmp_path / "strange.onnx", tmp_path / "out.onnx"
    path.write_bytes(model.SerializeToString())
    words = ["--layer", "Gemm_0", "--axis", "out", "--parts", "2", "-o", str(out)]
    assert main(["split", str(path), *words]) == 1
    captured = capsys.readouterr()
    assert "onnxruntime" in captured.err and "(the same holds for strange.onnx)" in captured.err
    assert captured.out.endswith(f"written {out}\n") and out.exists()


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | NUMBERS | st.text()
KEYS = st.text() | NUMBERS | st.booleans() | st.none()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20))
def test_json_is_what_the_standard_library_writes(value: object) -> None:
    assert json_text(value) == json.dumps(value, indent=2, allow_nan=False) + "\n"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_holds_finite_numbers(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"rows": [{"ms": number}]})


@pytest.mark.parametrize("command", ["plan", "fix", "split", "verify", "quantize"])
def test_samples_that_are_not_there_are_said_whether_needed_or_not(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command_parser(command).parse_intermixed_args([str(DENOISER), "--inputs", "no\x1bwhere"])
    assert ended.value.code == 2
    assert "--inputs: no\\x1bwhere: no such file or folder" in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# Plans are searched once in a run of the suite; this one has a budget of its own, so it is.
@pytest.mark.parametrize("command", [("plan", "--seconds", "31"), ("fix",)])
def test_a_search_says_on_a_terminal_how_far_it_is_and_leaves_no_line(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = _Terminal()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", terminal)
        assert main([*command, str(DENOISER)]) == 0
    said, out = terminal.getvalue().split("\r"), capsys.readouterr().out
    assert main([*command, str(DENOISER)]) == 0
    assert capsys.readouterr() == (out, "")
    assert said[0] == "" and "0 %" in said[1] and said[-1] == "" and not said[-2].strip()
    assert len(said[-2]) >= max(map(len, said))
