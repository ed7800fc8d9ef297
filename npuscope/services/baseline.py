"""A baseline: findings that are known, so that only new ones fail."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from npuscope.files.atomic import write_text
from npuscope.model.errors import ModelError
from npuscope.model.tensors import file_bytes
from npuscope.npu.verdict import Placement, Severity
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot

SCHEMA = "npuscope.baseline/1"
LARGEST = 64 << 20
SW, HYBRID, WARNING, MEMORY = "sw", "hybrid", "warning", "memory"
COUNTED = {
    SW: frozenset((SW,)),
    HYBRID: frozenset((SW, HYBRID)),
    WARNING: frozenset((SW, HYBRID, WARNING)),
    MEMORY: frozenset((MEMORY,)),
}
"""`--fail-on` -> the levels of items that it counts."""
EVERY = frozenset((SW, HYBRID, WARNING, MEMORY))


@dataclass(frozen=True, slots=True)
class Item:
    """A layer and what is found on it; of a memory that is too small, the pool's name and 'memory'.

    `code` is the rule's, or where it runs if no rule says why. `placement` is its layer's.
    """

    layer: str
    code: str
    placement: str
    level: str


Key = tuple[str, str]
"""(layer, code)."""
Known = dict[Key, int]
"""Key -> how far from the NPU its layer was, as the rank of a placement."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of each model, by its path as seen from the baseline's folder."""

    path: Path
    models: dict[str, Known]

    def known(self, model: str) -> Known:
        """What is known of a model."""
        return self.models.get(model_key(model, self.path), {})


def items_of(snapshot: Snapshot) -> tuple[Item, ...]:
    """What a baseline may hold of a model: all but advice."""
    items: dict[tuple[str, str], Item] = {}
    for report in snapshot.layers:
        for item in _of_layer(report) if report.findings or report.off_npu else ():
            items.setdefault((item.layer, item.code), item)
    for pool in snapshot.memory.too_full:
        items[pool.name, MEMORY] = Item(pool.name, MEMORY, Placement.NONE.value, MEMORY)
    return tuple(items.values())


def _of_layer(report: LayerReport) -> Iterable[Item]:
    where = report.placement.value
    if report.off_npu:
        level = SW if report.placement.on_cpu else HYBRID
        for code in [finding.code for finding in report.forced_by] or [where]:
            yield Item(report.name, code, where, level)
    for finding in report.findings:
        if finding.severity is not Severity.ADVICE:
            yield Item(report.name, finding.code, where, WARNING)


def is_new(item: Item, known: Known) -> bool:
    """It is not in the baseline, or its layer was nearer to the NPU there."""
    before = known.get((item.layer, item.code))
    return before is None or Placement(item.placement).rank > before


def new_items(items: Iterable[Item], known: Known, fail_on: str | None) -> tuple[Item, ...]:
    """Those that are new and that `--fail-on` counts; without it, all that are new."""
    counted = EVERY if fail_on is None else COUNTED[fail_on]
    return tuple(item for item in items if item.level in counted and is_new(item, known))


def model_key(model: str, baseline: Path) -> str:
    """A model's path as seen from the baseline's folder, so that it is the same wherever a checkout lies."""
    place = os.path.abspath(model)  # noqa: PTH100 - a link keeps its own name
    try:
        key = os.path.relpath(place, baseline.absolute().parent)
    except ValueError:  # another drive
        key = place
    return key.replace(os.sep, "/")


# -- files


def write_baseline(path: Path, judged: Iterable[tuple[str, Iterable[Item]]]) -> int:
    """Write (model, items) of all models; how many items. Replaces a baseline, no other file. Raises ModelError."""
    if os.path.lexists(path):
        read_baseline(path)
    models: dict[str, list[dict[str, str]]] = {}
    for model, items in judged:
        models[model_key(model, path)] = [
            {"layer": item.layer, "code": item.code, "placement": item.placement}
            for item in sorted(items, key=lambda item: (item.layer, item.code))
        ]
    text = json.dumps({"schema": SCHEMA, "models": dict(sorted(models.items()))}, indent=1) + "\n"
    try:
        write_text(path, text)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from error
    return sum(map(len, models.values()))


def read_baseline(path: Path) -> Baseline:
    """The file of `write_baseline`. Raises ModelError for any other."""
    content = file_bytes(path, LARGEST, "a baseline, as check --write-baseline writes one")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    try:
        if document["schema"] != SCHEMA:
            raise ValueError
        models = {str(model): _known(items) for model, items in document["models"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ModelError(f"{path}: is not a baseline of npuscope; --write-baseline makes one") from None
    return Baseline(path, models)


def _known(items: list[dict[str, Any]]) -> Known:
    return {(str(item["layer"]), str(item["code"])): Placement(item["placement"]).rank for item in items}
