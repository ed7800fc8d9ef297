"""How ST's compiler is called for a model: as text and "npuscope.stedgeai/1"."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

from npuscope.model.names import printable
from npuscope.reports.json_report import summary_json, target_json
from npuscope.reports.text_report import verdict_line
from npuscope.services.stedgeai.options import Compilation, Option

SCHEMA = "npuscope.stedgeai/1"


def stedgeai_json(
    made: Compilation, arguments: Sequence[str], files: Sequence[str], run: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything. `run` is None where the compiler was not run."""
    return {
        "schema": SCHEMA,
        "target": target_json(made.target),
        "command": list(arguments),
        "files": list(files),
        "pools": {
            "names": [pool.name for pool in made.pools],
            "reason": made.pools_reason.reason,
            "source": made.pools_reason.source,
        },
        "profile": [_option(option) for option in made.profile],
        "command_line": [_option(option) for option in made.command_line],
        "notes": list(made.notes),
        "summary": summary_json(made.snapshot.summary),
        "run": run,
    }


def _option(option: Option) -> dict[str, str]:
    return {"option": option.option, "reason": option.reason, "source": option.source}


def stedgeai_text(
    made: Compilation, arguments: Sequence[str], files: Sequence[str], columns: int = 100
) -> str:
    """The command, and each option with its reason."""
    rows = [*made.profile, *made.command_line, made.pools_reason]
    width = min(max(len(option.option) for option in rows), 40)
    head = f"options for Core {made.target.toolchain.version}, {made.target.profile} clocks; as predicted: "
    head += verdict_line(made.snapshot)
    lines = [
        shlex.join(map(printable, arguments)),
        "",
        head,
        "",
    ]
    for option in rows:
        words = textwrap.wrap(f"{printable(option.reason)} ({option.source})", max(columns - width - 4, 30))
        lines += [
            f"  {printable(option.option if not i else '').ljust(width)}  {part}"
            for i, part in enumerate(words)
        ]
    lines += ["", *(f"note: {printable(note)}" for note in made.notes)]
    lines += [f"written {printable(file)}" for file in files]
    return "\n".join(lines).rstrip() + "\n"
