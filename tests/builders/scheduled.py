"""Models written as text, and what their epochs hold; steps drawn at random."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from builders.models import from_text
from builders.one_operator import Act, model, snapshot
from npuscope.machine.machine import target
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.npu.cost import Epoch
from npuscope.npu.verdict import Placement
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


def drawn(rng: random.Random, count: int, reach: int = 60) -> list[Step]:
    """Steps of every kind that read what one of so many before them wrote."""
    steps: list[Step] = []
    for i in range(count):
        reads = tuple(f"t{rng.randrange(max(-1, i - reach), i)}" for _ in range(rng.randint(1, 3)))
        kind = rng.choice(["conv", "arith", "activ", "pool", "copy", "view", "free", "software", "hybrid"])
        steps.append(
            Step(
                kind,
                f"t{i}",
                {"software": Placement.SW_INT, "hybrid": Placement.HYBRID}.get(kind, Placement.HW),
                tuple(Read(name, rng.random() < 0.7, rng.randint(0, 4)) for name in reads),
                (f"t{i}",),
                conv=rng.randint(1, 4) if kind == "conv" else 0,
                arith=kind == "arith",
                activ=kind == "activ",
                pool=kind == "pool",
                copy=kind == "copy",
                free=kind == "free",
                loops=kind == "conv" and rng.random() < 0.5,
                portioned=rng.random() < 0.2,
                begins=kind == "arith" and i % 3 == 0,
            )
        )
    return steps
