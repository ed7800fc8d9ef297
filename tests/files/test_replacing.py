"""What --force replaces, and recipes that ask for too much."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders.models import DENOISER

from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files.onnx_file import write
from npuscope.files.recipe import parse, save
from npuscope.files.temporary import is_running
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.session import Session


@pytest.fixture
def session() -> Session:
    edited = Session.open(load(DENOISER), target()).edit(SplitOutput("Gemm_30", (512, 512)))
    assert isinstance(edited, Session)
    return edited


@pytest.mark.skipif(os.name != "posix", reason="no pipes in folders there")
@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "broken link", "device"])
def test_force_replaces_regular_files_only(kind: str, session: Session, tmp_path: Path) -> None:
    place, other = tmp_path / "out.onnx", tmp_path / "other.onnx"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "device":
        place = Path("/dev/null")
    else:
        place.symlink_to(other)
        if kind == "link":
            other.write_text("theirs")
    before = place.lstat().st_mode
    for make in (write, save):
        with pytest.raises(ModelError, match=r"directory|link|device"):
            make(session, place, True)
    assert place.lstat().st_mode == before
    assert not other.exists() or other.read_text() == "theirs"


def test_force_replaces_a_file(session: Session, tmp_path: Path) -> None:
    (tmp_path / "out.toml").write_text("old")
    with pytest.raises(ModelError, match="--force"):
        save(session, tmp_path / "out.toml")
    save(session, tmp_path / "out.toml", True)
    assert parse((tmp_path / "out.toml").read_text()).edits == session.done


@pytest.mark.parametrize(
    "text",
    [".".join("a" * 50_000) + " = 1", "[" + ".".join("a" * 50_000) + "]", "x = " + "9" * 10_000, "x = " + "[" * 9_000],
    ids=["deep key", "deep table", "long number", "deep list"],
)  # fmt: skip
def test_a_recipe_that_asks_for_too_much_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="is not"):
        parse(text)


def test_a_long_list_of_numbers_is_no_deep_key() -> None:
    with pytest.raises(ModelError, match="schema"):
        parse("x = [" + ", ".join(["0.125"] * 5_000) + "]")


def test_a_process_runs_until_it_has_ended() -> None:
    assert is_running(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
    assert not is_running(process.pid)
    assert is_running(os.getpid()), "to ask ends nothing"
