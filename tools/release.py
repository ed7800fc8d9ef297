"""Build wheel and sdist, and try both in clean environments of every Python that is here: `make release`.

Nothing is uploaded. Each environment gets the archive alone, outside the checkout, and must say its version, judge a
sample as this checkout does, open the explorer's modules, and leave one name in site-packages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
SAMPLE = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"

PROBE = """
import json
from importlib.metadata import distribution
import npuscope, npuscope.tui.app, npuscope.widgets, npuscope.themes
from npuscope.cli.parser import COMMANDS, module_of
for command in COMMANDS: module_of(command)
from npuscope.reports.html.page import _file
from npuscope.reports.schemas.catalogue import names, schema
assert _file("page.js") and _file("page.css") and [schema(name) for name in names()]
files = [str(file) for file in distribution("npuscope").files]
names = {file.split("/")[0] for file in files} - {".."}
names = sorted(name for name in names if not name.endswith(".dist-info"))
print(json.dumps({"version": npuscope.__version__, "names": names, "at": npuscope.__file__}))
"""


def main() -> int:
    """Build, try, and say how it went."""
    version = declared()
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    run([sys.executable, "-m", "build", "--outdir", str(ROOT / "dist"), str(ROOT)])
    archives = sorted((ROOT / "dist").iterdir())
    if len(archives) != 2 or not all(version in archive.name for archive in archives):
        sys.exit(f"dist holds {[a.name for a in archives]}, not a wheel and an sdist of {version}")
    wanted = judged([sys.executable, "-m", "npuscope"], ROOT)
    pythons = installed_pythons()
    if not pythons:
        sys.exit(f"none of Python {', '.join(VERSIONS)} is here")
    for number, python in pythons.items():
        for archive in archives:
            try_in(python, archive, version, wanted)
            print(
                f"Python {number}: {archive.name} installs, judges the sample as the checkout does",
                flush=True,
            )
    missing = [number for number in VERSIONS if number not in pythons]
    if missing:
        print(f"not tried: Python {', '.join(missing)}, not here")
    return 0


def declared() -> str:
    """The version; it must be the first of the changelog."""
    version = re.search(r'__version__ = "([^"]+)"', (ROOT / "npuscope/__init__.py").read_text("utf-8"))
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    if version is None or heading is None or version[1] != heading[1]:
        sys.exit(f"version {version and version[1]} is not the changelog's newest, {heading and heading[1]}")
    return version[1]


def installed_pythons() -> dict[str, str]:
    """Version -> an interpreter that runs and is of it: from the path, and from pyenv."""
    places: dict[str, str] = {}
    for number in VERSIONS:
        roots = sorted(
            Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{number}.*")
        )
        candidates = [shutil.which(f"python{number}"), *(str(root / "bin" / "python") for root in roots)]
        for candidate in filter(None, [*candidates, sys.executable]):
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
            if done.stdout.strip() == number:
                places[number] = candidate
                break
    return places


def try_in(python: str, archive: Path, version: str, wanted: object) -> None:
    """Install an archive into a new environment and use it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run([python, "-m", "venv", str(place / "env")])
        inside = place / "env" / ("Scripts" if os.name == "nt" else "bin")
        run(
            [
                str(inside / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                str(archive),
            ]
        )
        installed = json.loads(run([str(inside / "python"), "-c", PROBE], place))
        if (
            installed["version"] != version
            or installed["names"] != ["npuscope"]
            or str(place) not in installed["at"]
        ):
            sys.exit(f"{archive.name}: {installed}")
        if judged([str(inside / "npuscope")], place) != wanted:
            sys.exit(f"{archive.name}: judges {SAMPLE.name} otherwise than the checkout")


def judged(program: list[str], folder: Path) -> object:
    """What a program says of the sample."""
    report = json.loads(run([*program, "check", str(SAMPLE), "--json", "--gains=none"], folder))
    return report["summary"], report["layers"]


def run(command: list[str], folder: Path = ROOT) -> str:
    """Its output; ends this program where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if command[0] == sys.executable and "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ...: status {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
