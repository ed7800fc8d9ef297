"""Statements and branches of the core that the tests reach, a row a room, as Markdown.

Usage: measure_coverage.py [--workers N] [--missed] [PYTEST ARGUMENTS]     --missed lists the branches of each file as well

Processes that tests start count. The tests take about twice their time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).resolve().parents[1]
CORE = "npuscope"
DATA = ROOT / "build" / "coverage"
"""Where each process leaves what it saw, by `[tool.coverage.run]` of pyproject.toml."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Branch coverage of the core.")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that run tests")
    parser.add_argument("--missed", action="store_true", help="list the missed branches of each file")
    options, others = parser.parse_known_args()
    os.chdir(ROOT)
    DATA.mkdir(parents=True, exist_ok=True)
    for old in DATA.iterdir():
        old.unlink()
    words = [
        sys.executable,
        "-m",
        "coverage",
        "run",
        "-m",
        "pytest",
        "-q",
        "-n",
        str(options.workers),
        *others,
    ]
    tests = subprocess.run(words, check=False).returncode
    measured = Coverage()
    measured.combine()
    measured.json_report(outfile=str(DATA / "report.json"))
    files = json.loads((DATA / "report.json").read_text("utf-8"))["files"]
    print("\n".join(table(files)))
    if options.missed:
        print("\n".join(missed(files)))
    return tests


def table(files: Mapping[str, Any]) -> Iterator[str]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for name, file in files.items():
        inside = Path(name).relative_to(CORE).parts
        room = inside[0] if len(inside) > 1 else "(top)"
        for row in (f"`{room}`", "all"):
            sums[row].update({key: file["summary"][key] for key in _COUNTS})
    yield "| room | statements | branches |"
    yield "|---|---|---|"
    for row, counts in sorted(sums.items(), key=lambda item: (item[0] == "all", item[0])):
        statements = _share(counts["covered_lines"], counts["num_statements"])
        branches = _share(counts["covered_branches"], counts["num_branches"])
        yield f"| {row} | {statements} | {branches} |"


_COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def _share(covered: int, count: int) -> str:
    return f"{100 * covered / max(count, 1):.1f} % of {count:,}"


def missed(files: Mapping[str, Any]) -> Iterator[str]:
    """A line a file, those with the most branches first: from which line to which the program never went."""
    for name, file in sorted(files.items(), key=lambda item: -item[1]["summary"]["missing_branches"]):
        arcs = [f"{start}-{end if end > 0 else 'out'}" for start, end in file["missing_branches"]]
        if arcs:
            yield f"{name} {len(arcs)}: {', '.join(arcs)}"


if __name__ == "__main__":
    raise SystemExit(main())
