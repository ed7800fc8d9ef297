"""The journal: edits that outlive a crash."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened

from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files import journal
from npuscope.files.atomic import write_bytes
from npuscope.files.recipe import recipe_of
from npuscope.model.load import load
from npuscope.session import Session


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """One edit on a copy of the denoiser."""
    shutil.copy(models.DENOISER, tmp_path / "model.onnx")
    edited = opened(load(tmp_path / "model.onnx")).edit(SplitOutput("Gemm_30", (1000, 24)))
    assert isinstance(edited, Session)
    return edited


def test_edits_are_offered_again_until_they_are_exported(session: Session, tmp_path: Path) -> None:
    assert journal.pending(session.source) is None
    assert journal.write(session)
    assert journal.pending(load(session.source.path)) == recipe_of(session)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "state"]
    assert journal.write(replace(session, exported=session.done))
    assert journal.pending(session.source) is None


def test_undoing_everything_clears_it(session: Session) -> None:
    journal.write(session)
    journal.write(session.undo())
    assert journal.pending(session.source) is None
    assert journal.clear(session)


def test_another_file_at_the_same_place_gets_nothing(session: Session) -> None:
    journal.write(session)
    shutil.copy(models.SAMPLES / "mobilenet_mini_int8.onnx", session.source.path)
    assert journal.pending(load(session.source.path)) is None


def test_the_same_model_elsewhere_gets_nothing(session: Session, tmp_path: Path) -> None:
    journal.write(session)
    shutil.copy(session.source.path, tmp_path / "copy.onnx")
    assert journal.pending(load(tmp_path / "copy.onnx")) is None


def test_a_damaged_journal_is_none(session: Session) -> None:
    journal.write(session)
    journal.place(session.source).write_text("[[edit", encoding="utf-8")
    assert journal.pending(session.source) is None


@pytest.mark.skipif(os.name != "posix", reason="a pipe with a name")
@pytest.mark.timeout(60)
def test_a_pipe_in_place_of_a_journal_is_not_waited_for(session: Session) -> None:
    place = journal.place(session.source)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    assert journal.pending(session.source) is None


def test_a_journal_that_cannot_be_written_says_so(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert not journal.write(session)
    assert journal.pending(session.source) is None


def test_only_its_user_can_read_it(session: Session) -> None:
    journal.write(session)
    assert journal.folder().stat().st_mode & 0o077 == 0


def test_without_a_variable_it_lies_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert journal.folder() == tmp_path / ".local" / "state" / "npuscope" / "journal"


WRITER = """
import sys
from pathlib import Path
from npuscope.files.atomic import write_bytes
place = Path(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_bytes(place, bytes([number % 256]) * 200_000)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    place = tmp_path / "file"
    write_bytes(place, b"\0" * 200_000)
    for wait in (0.0, 0.003, 0.01, 0.02, 0.031):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(wait)
            writer.send_signal(signal.SIGKILL)
        content = place.read_bytes()
        assert len(content) == 200_000 and len(set(content)) == 1


def test_an_export_of_one_instance_keeps_the_edits_of_another(session: Session) -> None:
    other = opened(load(session.source.path)).edit(SplitOutput("Gemm_30", (512, 512)))
    assert isinstance(other, Session)
    assert journal.write(session) and journal.write(other)
    assert journal.write(replace(session, exported=session.done))
    assert journal.pending(load(session.source.path)) == recipe_of(other)


def test_the_journal_of_a_running_instance_is_left_alone(session: Session) -> None:
    journal.write(session)
    place = journal.place(session.source)
    stem, _, number = place.stem.split("-")
    foreign = place.with_name(f"{stem}-{os.getppid()}-{number}.toml")
    place.rename(foreign)
    assert journal.pending(load(session.source.path)) is None
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    foreign.rename(place.with_name(f"{stem}-{int(dead.stdout)}-{number}.toml"))
    again = opened(load(session.source.path))
    assert journal.pending(again.source) == recipe_of(session)
    edited = again.edit(SplitOutput("Gemm_30", (512, 512)))
    assert isinstance(edited, Session) and journal.write(edited)
    assert len(list(journal.folder().iterdir())) == 1, "the old one is taken over"


def test_a_relative_state_folder_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert journal.state_folder().is_absolute()
