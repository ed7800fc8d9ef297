"""An export that is killed leaves what was there, or the whole new file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from builders.edit_checks import opened
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files.onnx_file import write
from npuscope.files.temporary import on_the_way_to, sweep, sweep_folders
from npuscope.session import Session

fcntl = pytest.importorskip("fcntl")

KILLS = 25

# Forks a writer for each line it reads, so that only the first pays for the imports.
SERVER = f"""
import os, sys
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files import onnx_file
from npuscope.files.onnx_file import write
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.machine.machine import target
onnx_file.refused_by = lambda *_: None  # each fork would have to start the process that checks
session = Session.open(load(sys.argv[1]), target("2.1"))
edited = [session.edit(SplitOutput({NAME!r}, sizes)) for sizes in ((100, 28), (64, 64))]
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        while True:
            for one in edited:
                write(one, sys.argv[2], force=True, run_check=False)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_killed_export_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    source = saved(model(Spec(ich=512, och=128)), tmp_path)
    place = tmp_path / "out" / "fixed.onnx"
    place.parent.mkdir()
    complete = {b"old"}
    for number, sizes in enumerate(((100, 28), (64, 64))):
        edited = opened(source).edit(SplitOutput(NAME, sizes))
        assert isinstance(edited, Session)
        written = write(edited, tmp_path / f"{number}.onnx", run_check=False)
        complete.add(written.path.read_bytes())
    place.write_bytes(b"old")
    moments = random.Random(0)
    seen = set()
    command = [sys.executable, "-c", SERVER, str(source.path), str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        latest = 0.03
        for number in range(4 * KILLS):
            if number >= KILLS and len(seen) > 1:
                break
            if number % 20 == 19 and len(seen) < 2:
                latest *= 2  # a busy machine has not finished one yet
            server.stdin.write("\n")
            server.stdin.flush()
            child = int(server.stdout.readline())
            time.sleep(moments.uniform(0, latest))  # the moment itself is what is tested
            os.kill(child, signal.SIGKILL)
            assert server.stdout.readline() == "dead\n"
            content = place.read_bytes()
            assert content in complete
            seen.add(content)
        server.stdin.close()
    assert len(seen) > 1
    # What the killed processes left goes with the next export.
    write(edited, place, force=True, run_check=False)
    assert [entry.name for entry in place.parent.iterdir()] == [place.name]


@pytest.mark.skipif(os.name != "posix", reason="locks and signals")
def test_only_what_dead_processes_left_is_cleared_away(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    dead, token = process.pid, "0123456789ab"
    left = [f".npuscope-{dead}-{token}.tmp", f".npuscope-{dead}-{token}.tmp.light"]
    left.append(f".npuscope-{os.getpid()}-{token}.tmp")  # the number has come round again
    kept = [
        f".npuscope-{os.getppid()}-{token}.tmp",  # lives
        f".npuscope-{dead}-{token}.tmp.mine",
        f".npuscope-{dead}-{token}.onnx",
        f".npuscope-{token}.tmp",
        "model.tmp",
    ]
    for name in (*left, *kept):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / f".npuscope-{dead}-ffffffffffff.tmp").mkdir()
    (tmp_path / f".npuscope-{dead}-eeeeeeeeeeee.tmp").symlink_to(tmp_path / "model.tmp")
    locked = f".npuscope-{dead}-dddddddddddd.tmp"
    with (tmp_path / locked).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with on_the_way_to(tmp_path / "a") as path:
            sweep(tmp_path)
            assert path.exists()
        names = {entry.name for entry in tmp_path.iterdir()}
        assert names.isdisjoint(left) and names >= {*kept, locked}
    assert not path.exists() and len(names) == len(kept) + 3
    sweep(tmp_path)
    assert not (tmp_path / locked).exists()
    sweep(tmp_path / "no such folder")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_folders_of_dead_processes_are_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"npuscope-{process.pid}-ab_3x"
    kept = [f"npuscope-{os.getpid()}-ab_3x", f"npuscope-{process.pid}-ab.mine", "npuscope-ab", "other-1-ab"]
    for folder in (left, *(tmp_path / name for name in kept)):
        (folder / "within").mkdir(parents=True)
    (tmp_path / f"npuscope-{process.pid}-link").symlink_to(tmp_path / "other-1-ab")
    sweep_folders("npuscope-")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(
        [*kept, f"npuscope-{process.pid}-link"]
    )
    assert (tmp_path / "other-1-ab" / "within").is_dir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    sweep_folders("npuscope-")
