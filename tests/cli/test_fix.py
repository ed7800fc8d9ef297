"""`npuscope fix`: lists, and edits by name."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.longer import suite_or_long
from hypothesis import given, settings
from hypothesis import strategies as st

from npuscope.cli.commands.fix import parsed
from npuscope.cli.main import main
from npuscope.edits.edit import Edit
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.registry import KINDS, words_of
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.numbers import verify_regions
from npuscope.numbers.inputs import random_samples
from npuscope.services import loss

MODEL = str(models.DENOISER)


def test_what_a_list_prints_can_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", MODEL, "--layer", "Gemm_28", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["schema"] == "npuscope.fix/1" and len(listed["edits"]) > 3
    best = listed["edits"][0]
    out = tmp_path / "out.onnx"
    assert main(["fix", MODEL, *shlex.split(best["words"]), "-o", str(out)]) == 0
    assert "Gemm_28 no longer needs the CPU" in capsys.readouterr().out
    assert load(out).graph.nodes


def test_the_whole_model(capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(models.DENOISER.with_name("convnet_qoperator.onnx"))
    assert main(["fix", sample]) == 0
    output = capsys.readouterr().out
    assert "\nto-qdq\n" in output and "1 of 14 layers on the CPU" in output


def test_several_edits_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = "pad-in layer=Gemm_28 channels=264 split-in layer=Conv2D_23 sizes=144+113"
    assert main(["fix", MODEL, *words.split()]) == 0
    assert "2 edits to denoiser_lstm_int8.onnx" in capsys.readouterr().out


def test_the_best_edits_of_layers_follow_those_of_the_whole_model(capsys: pytest.CaptureFixture[str]) -> None:
    """As `f` on the whole model lists them: one for each layer, what saves most first."""
    assert main(["fix", MODEL, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["edits"]
    assert listed[0]["words"] == "pad-in layer=Gemm_28 channels=258"
    times = [edit["after"]["ms"] for edit in listed]
    assert len(times) == 3 and times == sorted(times)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["pod-in"],
            "there is no edit of kind 'pod-in'; did you mean 'pad-in'? 'npuscope fix --help' lists all\n",
        ),
        (["nonsense"], "there is no edit of kind 'nonsense'; 'npuscope fix --help' lists all\n"),
        (["layer=x"], "name an edit before its fields"),
        (["pad-in", "channels=264"], "needs 'layer'"),
        (["pad-in", "layer=Gemm_28", "channels=many"], "channels"),
        (["pad-in", "layer=none", "channels=264"], "no layer 'none'"),
        (["fix-dimensions", "frames"], "no edit of kind 'frames'"),
        (["fix-dimensions", "frames=3"], "fixed already"),
        (["fix-dimensions", "frames=" + "9" * 5000], "a size of 5000 digits"),
        (["pad-in", "layer=Gemm_28", "channels=" + "9" * 5000], "channels"),
        (["split-in", "layer=Gemm_28", "sizes=9+" + "9" * 5000], "sizes"),
        (["split-in", "layer=Gemm_28", "sizes=" + "[" * 5000], "sizes"),
    ],
)
def test_words_that_cannot_be_used(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fix", MODEL, *words]) == 2
    error = capsys.readouterr().err
    assert message in error or "free" in error
    assert len(error.splitlines()) == 1


def test_options_may_stand_anywhere_among_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    words = [MODEL, "pad-in", "layer=Gemm_28", "channels=258"]
    messages = []
    for place in range(len(words) + 1):
        assert main(["fix", *words[:place], "--toolchain", "2.1", *words[place:]]) == 0
        messages.append(capsys.readouterr().out)
    assert set(messages) == {messages[0]} and "Gemm_28 no longer needs the CPU" in messages[0]


def test_help_lists_every_kind_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fix", "--help"])
    listed = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    for kind, edit in KINDS.items():
        (words,) = (line for line in listed if line[0] == kind)
        if kind != "fix-dimensions":
            names = [field.name for field in dataclasses.fields(edit)]
            assert [word.strip("[").partition("=")[0] for word in words[1:]] == names


NAMES = st.text("abAB01._/ '=+-:", min_size=1, max_size=8).map(lambda text: f"L{text}e")
EDITS = st.one_of(
    st.builds(PadChannels, NAMES, st.integers(1, 9999)),
    st.builds(Recentre, NAMES, st.sampled_from((0, -128))),
    st.builds(SplitInput, NAMES, st.lists(st.integers(1, 500), min_size=2, max_size=4).map(tuple)),
    st.builds(ToQdq, NAMES),
    st.just(ToQdq()),
    st.just(FixDimensions((("frames", 30), ("x:0", 2)))),
)


@settings(max_examples=suite_or_long(60, 5000), deadline=None)
@given(edits=st.lists(EDITS, min_size=1, max_size=3))
def test_words_stand_for_the_edit(edits: list[Edit]) -> None:
    words = shlex.split(" ".join(words_of(edit) for edit in edits))
    assert list(parsed(words)) == edits


def test_a_layer_by_the_short_name_that_tables_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = str(models.DENOISER.with_name("convnet_qoperator.onnx"))
    assert main(["check", sample]) == 0
    table = capsys.readouterr().out
    short = next(line.split()[0] for line in table.splitlines() if "Conv " in line)
    assert short not in load(sample).graph.node_index, "the name in the model is longer"
    assert main(["fix", sample, "--layer", short]) == 0
    assert short in capsys.readouterr().out


# -- what edits do to the numbers


def test_edits_that_change_numbers_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["split-in", "layer=Gemm_28", "sizes=144+113", "--samples", "2"]
    split = ["split", MODEL, "--layer", "Gemm_28", "--axis", "in", "--parts", "144,113", "--samples", "2"]
    assert main(["fix", MODEL, *words, "--json"]) == 0
    decibels = json.loads(capsys.readouterr().out)["verification"]["sqnr_db_min"]
    said = f"Every output keeps at least {decibels:.1f} dB over 2 random samples."
    for command in (["fix", MODEL, *words], split):
        assert main(command) == 0
        assert said in capsys.readouterr().out
        assert main([*command, "--least-db", str(decibels - 1)]) == 0
        capsys.readouterr()
        assert main([*command, "--least-db", str(decibels + 1)]) == 1
        assert "less than" in capsys.readouterr().out
    written = tmp_path / "fixed.onnx"
    assert main(["fix", MODEL, *words, "-o", str(written)]) == 0
    capsys.readouterr()
    again = ["apply", MODEL, str(written), "-o", str(tmp_path / "again.onnx"), "--samples", "2"]
    assert main(again) == 0
    assert said in capsys.readouterr().out
    assert main([*again, "--force", "--least-db", str(decibels + 1)]) == 1


def test_edits_that_change_none_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", MODEL, "pad-in", "layer=Gemm_28", "channels=264", "--least-db", "200"]) == 0
    assert "keeps at least" not in capsys.readouterr().out


@pytest.mark.parametrize("runs", [True, False])
def test_a_bound_that_was_asked_for_is_not_kept_where_nobody_knows(
    runs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model too large to be run as a whole, or one that does not run."""
    words = ["split-in", "layer=Gemm_28", "sizes=144+113"]
    written = tmp_path / "fixed.onnx"
    assert main(["fix", MODEL, *words, "-o", str(written)]) == 0

    def fails(*_: object, **__: object) -> None:
        raise ModelError("it does not run")

    monkeypatch.setattr(verify_regions, "SMALL", 1)
    if not runs:
        monkeypatch.setattr(loss, "verify_local", fails)
    split = ["split", MODEL, "--layer", "Gemm_28", "--axis", "in", "--parts", "144,113"]
    again = ["apply", MODEL, str(written), "-o", str(tmp_path / "again.onnx"), "--force"]
    for command in (["fix", MODEL, *words], split, again):
        assert main(command) == 0
        capsys.readouterr()
        assert main([*command, "--least-db", "20"]) == 1
        said = capsys.readouterr().out
        assert ("too large" if runs else "it does not run") in said
        assert "Whether they keep 20 dB (--least-db) is not known." in said
    assert main(["fix", MODEL, "pad-in", "layer=Gemm_28", "channels=264", "--least-db", "20"]) == 0


def test_the_samples_given_are_those_measured_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = load(MODEL)
    np.savez(tmp_path / "in.npz", **dict(random_samples(source, 1, 9)[0]))
    words = ["split-in", "layer=Gemm_28", "sizes=144+113"]
    assert main(["fix", MODEL, *words, "--inputs", str(tmp_path / "in.npz")]) == 0
    assert "dB over 1 sample from the files given.\n" in capsys.readouterr().out


def test_free_sizes_are_shown_so_that_neither_terminal_nor_shell_acts_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]> g (float[n,4] x) => (float[n,4] y) { y = Relu(x) }"""
    )
    name = "\x1b[31m\u202e$(touch x); it's"
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = name
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    word = "\\x1b[31m\\u202e$(touch x); it's=N"
    for command in (["fix"], ["check"], ["check", "--all"], ["verify", str(path)]):
        main([command[0], str(path), *command[1:]])
        shown = " ".join("".join(capsys.readouterr()).split())
        assert shown.isprintable()
        if command[0] != "verify":
            quoted = shown[shown.index("fix-dimensions") :]
            assert f" {shlex.quote(word)}" in quoted.replace("'\\''", "'\"'\"'")
