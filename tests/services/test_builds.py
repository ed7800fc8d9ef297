"""What a build is named by: refused in a line where it says nothing of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.artefacts.as_json import c_info
from builders.artefacts.listed import csv
from builders.models import DENOISER

from npuscope.machine.build import COMPILERS_OWN, Build
from npuscope.machine.machine import target_of
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.services.builds import BuildOptions, as_built
from npuscope.services.stedgeai import compile as compiling
from npuscope.services.stedgeai.options import Compilation, choose
from npuscope.session import Session


def profiles(folder: Path, *names: str) -> Path:
    path = folder / "user_neuralart.json"
    path.write_text(json.dumps({"Profiles": {name: {"options": "--optimization 3"} for name in names}}))
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (str(DENOISER), "is a model; name a report, c_info.json, network.c or a profile"),
        ("fast@{profiles}", "name one as PROFILE@user_neuralart.json"),
        ("{folder}/missing.json", "no such file"),
        ("{folder}/user_neural_art.json/x", ""),
        ("a\0b", ""),
    ],
)
def test_a_file_that_says_nothing_of_a_build(name: str, words: str, tmp_path: Path) -> None:
    path = profiles(tmp_path, "slow", "slower")
    with pytest.raises(ModelError) as raised:
        as_built(name.format(profiles=path, folder=tmp_path))
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_of_epochs_states_no_build(tmp_path: Path) -> None:
    path = tmp_path / "network.csv"
    path.write_text(csv())
    with pytest.raises(ModelError, match="states no version, no option and no memory pool"):
        as_built(str(path))


def test_a_c_info_states_its_version(tmp_path: Path) -> None:
    path = tmp_path / "c_info.json"
    path.write_text(json.dumps(c_info("2.2.0-20266 2adc00962")))
    assert as_built(str(path)).toolchain == "2.2"


def test_the_only_profile_needs_no_name(tmp_path: Path) -> None:
    assert as_built(str(profiles(tmp_path, "mine"))).optimization == "3"
    named = tmp_path / "a@b.json"
    profiles(tmp_path, "mine").rename(named)
    assert as_built(str(named)).optimization == "3"


def test_later_options_come_before_what_was_built(tmp_path: Path) -> None:
    options = BuildOptions(as_built=str(profiles(tmp_path, "mine")), optimization="1", swish_recognition=True)
    build = options.build(Build(scheduler=COMPILERS_OWN))
    assert (build.optimization, build.scheduler, build.swish) == ("1", COMPILERS_OWN, True)


def chosen(**asked: object) -> Compilation:
    options = BuildOptions(**asked)  # type: ignore[arg-type]
    return choose(Session.open(load(DENOISER), target_of(options.build())), options)


@pytest.mark.parametrize(
    ("asked", "present", "absent"),
    [
        ({"optimization": COMPILERS_OWN}, "--Oauto-sched", "--optimization"),
        ({"scheduler": COMPILERS_OWN}, "--optimization", "sched"),
        ({"swish_recognition": True}, "--SWISH-recognition", "--expand-softmax"),
        ({"epoch_controller": True}, "--enable-epoch-controller", "--expand-softmax"),
        ({}, "--Oauto-sched", "--SWISH-recognition"),
    ],
)
def test_an_option_that_is_the_compilers_own_is_left_out(
    asked: dict[str, object], present: str, absent: str
) -> None:
    options = chosen(**asked).profile_options
    assert present in options and absent not in options


def test_a_version_with_fewer_options_is_noted() -> None:
    assert any("2.0 was seen with fewer" in note for note in chosen(toolchain="2.0").notes)


def test_there_is_one_level_of_optimization() -> None:
    for text in ("1,2", "3,3,3"):
        with pytest.raises(ModelError, match="one level"):
            BuildOptions(optimization=text).build()


def test_what_a_compiler_left_is_kept_once_and_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, results = tmp_path / "place", tmp_path / "results"
    output, workspace = place / compiling.OUTPUT, place / compiling.WORKSPACE
    for folder in (output, workspace, results):
        folder.mkdir(parents=True)
    (results / "there.json").write_text("before")
    for name in ("there.json", "report.txt", "a.csv", "b.csv", "core.bin"):
        (output / name).write_text(name)
    (workspace / "a.csv").write_text("second")
    (workspace / "large.csv").write_bytes(bytes(100))
    (workspace / "link.csv").symlink_to(output / "a.csv")
    monkeypatch.setattr(compiling, "LARGEST_FILE", 50)
    assert [path.name for path in compiling._keep(place, results)] == ["report.txt", "a.csv", "b.csv"]
    assert (results / "there.json").read_text() == "before" and (results / "a.csv").read_text() == "a.csv"
    monkeypatch.setattr(compiling, "MOST_FILES", 1)
    assert len(list(compiling._files(output, workspace))) == 1
