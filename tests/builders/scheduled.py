"""Models written as text, and what their epochs hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders.models import from_text
from builders.one_operator import Act, model, snapshot
from npuscope.machine.machine import target
from npuscope.npu.cost import Epoch
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

HEAD = '<ir_version: 8, opset_import: ["" : 13]>\ng '


UNITS = target().units


MAP = Act((1, 16, 8, 8))


def on(body: str, folder: Path, toolchain: str = "2.2") -> Snapshot:
    return analyse(Session.open(from_text(HEAD + body, folder), target(toolchain)))


def ops(analysis: Snapshot) -> list[str]:
    """Placement and operator of each epoch."""
    return [f"{epoch.placement.value} {epoch.op}" for epoch in analysis.epochs]


def inside(epoch: Epoch) -> list[str]:
    return [inserted.kind for inserted in epoch.inserted]


def of(op: str, *inputs: Any, folder: Path, toolchain: str = "2.2", **options: Any) -> Snapshot:
    return snapshot(model(op, *inputs, **options), folder, toolchain)
