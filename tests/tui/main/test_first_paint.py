"""The first paint waits for nothing that only later keys need."""

from __future__ import annotations

import subprocess
import sys

LATER = (
    "npuscope.edits.registry",
    "npuscope.edits.kinds",
    "npuscope.numbers",
    "npuscope.planning",
    "npuscope.files.recipe",
)


def test_the_application_is_imported_without_edits_and_runs() -> None:
    text = f"import sys, npuscope.tui.run; print([m for m in sys.modules if m.startswith({LATER!r})])"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
