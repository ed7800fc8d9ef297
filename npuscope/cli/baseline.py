"""`--baseline` and `--write-baseline`: findings that are known do not fail."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from npuscope.cli.common import DONE, FOUND
from npuscope.cli.console import note

if TYPE_CHECKING:
    from npuscope.services.baseline import Baseline, Item, Known
    from npuscope.snapshot import Snapshot

SHOWN = 20

FAILURES = {
    "sw": "a layer runs in software",
    "hybrid": "a layer needs the CPU",
    "warning": "a layer needs the CPU, or has a warning",
    "memory": "a memory is too small",
}
"""What each level of `--fail-on` fails for."""


def baseline_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--baseline",
        metavar="FILE",
        help="exit 1 only for findings not in this file, among those that --fail-on selects (default: all but advice)",
    )
    group.add_argument(
        "--write-baseline", metavar="FILE", help="write the current findings for --baseline; exit 0"
    )


def _baseline(options: argparse.Namespace) -> Baseline:
    """Read once a command."""
    from pathlib import Path

    from npuscope.services.baseline import read_baseline

    if not hasattr(options, "opened_baseline"):
        options.opened_baseline = read_baseline(Path(options.baseline))
    baseline: Baseline = options.opened_baseline
    return baseline


def known_of(options: argparse.Namespace, model: str) -> Known | None:
    """What the baseline holds of a model, None without one. Raises ModelError."""
    return None if options.baseline is None else _baseline(options).known(model)


def annotated(snapshot: Snapshot, known: Known | None) -> frozenset[tuple[str, str]] | None:
    """The (layer, code) that are new, None without a baseline."""
    if known is None:
        return None
    from npuscope.services.baseline import items_of, new_items

    return frozenset((item.layer, item.code) for item in new_items(items_of(snapshot), known, None))


def outcome_status(
    options: argparse.Namespace, outcomes: Sequence[tuple[str, tuple[Item, ...]]], failed: Sequence[str]
) -> int:
    """The exit status, and on stderr why it is not 0; writes a baseline where asked. Raises ModelError.

    `failed` are the models that `--fail-on` fails for where there is no baseline.
    """
    if options.write_baseline is not None:
        from pathlib import Path

        from npuscope.services.baseline import write_baseline

        count = write_baseline(Path(options.write_baseline), outcomes)
        note(f"{options.write_baseline}: {_counted(count, 'finding')} of {_counted(len(outcomes), 'model')}")
        return DONE
    if options.baseline is None:
        for model in failed[:SHOWN]:
            note(f"--fail-on {options.fail_on}: {model}: {FAILURES[options.fail_on]}")
        if len(failed) > SHOWN:
            note(f"and {len(failed) - SHOWN} more models")
        return FOUND if failed else DONE
    from npuscope.services.baseline import new_items

    new = [
        (model, item)
        for model, items in outcomes
        for item in new_items(items, known_of(options, model) or {}, options.fail_on)
    ]
    for model, item in new[:SHOWN]:
        words = f"{model}: {item.layer} {item.code} ({item.placement})"
        note(f"new: {words}")
    if len(new) > SHOWN:
        note(f"and {len(new) - SHOWN} more new ones")
    removed = sum(
        len((known_of(options, model) or {}).keys() - {(item.layer, item.code) for item in items})
        for model, items in outcomes
    )
    if removed:
        are = "is" if removed == 1 else "are"
        note(
            f"{_counted(removed, 'finding')} of {options.baseline} {are} no longer found; --write-baseline updates it"
        )
    return FOUND if new else DONE


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
