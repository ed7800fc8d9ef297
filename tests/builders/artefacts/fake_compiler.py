"""A stand-in for ST's compiler: it checks what it is given and replays what the real one wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

_SCRIPT = """\
#!{python}
import json, os, pathlib, shutil, subprocess, sys, time
plan = json.loads({plan!r})
args = sys.argv[1:]
assert args[0] == "generate" and len(args) % 2 == 1, args
given = dict(zip(args[1::2], args[2::2]))
profile, _, file = given["--st-neural-art"].partition("@")
known = json.load(open(file))["Profiles"][profile]
pools = pathlib.Path(file).parent / known["memory_pool"]
assert json.load(open(pools))["memory"]["mempools"]
assert pathlib.Path(given["--model"]).is_file() and sys.stdin.read() == ""
assert pathlib.Path.cwd() not in pathlib.Path(given["--model"]).parents
print("ST Edge AI Core (stand-in)", flush=True)
if plan["child"]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(plan["child"]).write_text(str(child.pid))
if plan["sleep"]:
    time.sleep(plan["sleep"])
while plan["endless"]:
    sys.stdout.write("x" * 65536)
out, work = (pathlib.Path(given[name]) for name in ("--output", "--workspace"))
out.mkdir(); work.mkdir()
for name in plan["files"]:
    shutil.copyfile(name, (work if name.endswith(".dot") else out) / pathlib.Path(name).name)
(out / "network_data.c").write_text("const int nothing = 0;")
if plan["complaint"]:
    print(plan["complaint"])
if plan["status"] < 0:
    os.kill(os.getpid(), -plan["status"])
sys.exit(plan["status"])
"""


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Iterable[Path] = (),
    *,
    status: int = 0,
    complaint: str = "",
    sleep: float = 0,
    child: Path | None = None,
    endless: bool = False,
) -> Path:
    """Put it where STEDGEAI_CORE_DIR points to; it copies `files` to its output."""
    program = folder / "core" / "Utilities" / "linux" / "stedgeai"
    program.parent.mkdir(parents=True)
    plan = {
        "files": [str(file) for file in files], "status": status, "complaint": complaint, "sleep": sleep,
        "child": str(child or ""), "endless": endless,
    }  # fmt: skip
    program.write_text(_SCRIPT.format(python=sys.executable, plan=json.dumps(plan)))
    program.chmod(0o755)
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(folder / "core"))
    return program
