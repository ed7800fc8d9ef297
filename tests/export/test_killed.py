"""An export that is killed leaves what was there, or the whole new file."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edit_checks import opened
from weighted_layers import NAME, Spec, model, saved

from npuscope.edits.split_output import SplitOutput
from npuscope.export.onnx_file import write
from npuscope.session import Session

KILLS = 25

# Forks a writer for each line it reads, so that only the first pays for the imports.
SERVER = f"""
import os, sys
from npuscope.edits.split_output import SplitOutput
from npuscope.export.onnx_file import write
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.target.machine import target
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
    whole = {b"old"}
    for number, sizes in enumerate(((100, 28), (64, 64))):
        edited = opened(source).edit(SplitOutput(NAME, sizes))
        assert isinstance(edited, Session)
        written = write(edited, tmp_path / f"{number}.onnx", run_check=False)
        whole.add(written.path.read_bytes())
    place.write_bytes(b"old")
    moments = random.Random(0)
    seen = set()
    command = [sys.executable, "-c", SERVER, str(source.path), str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        for _ in range(KILLS):
            server.stdin.write("\n")
            server.stdin.flush()
            child = int(server.stdout.readline())
            time.sleep(moments.uniform(0, 0.03))  # the moment itself is what is tested
            os.kill(child, signal.SIGKILL)
            assert server.stdout.readline() == "dead\n"
            content = place.read_bytes()
            assert content in whole
            seen.add(content)
        server.stdin.close()
    assert len(seen) > 1
