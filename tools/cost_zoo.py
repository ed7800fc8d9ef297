"""ST's model zoo: what its tables measured on an STM32N6570-DK, and what is predicted for networks of the same shapes."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from npuscope.machine.board import board
from npuscope.machine.machine import Target, target, target_of
from npuscope.machine.variants import with_optimization, without_external_memory
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

sys.path.insert(0, str(Path(__file__).parent))
from zoo_networks import zoo

ALIKE = 0.25
"""Relative difference of the weights of one network, rebuilt and listed."""


@dataclass(frozen=True)
class Measured:
    """What a board took for a network, and what is predicted."""

    name: str
    toolchain: str
    milliseconds: float
    predicted: float
    band: float
    without: float = 0.0
    """Predicted without the epoch controller."""
    kib: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Predicted activations on the chip and outside, and weights."""

    @property
    def inside(self) -> bool:
        """The board's time lies in the stated range."""
        return abs(self.predicted - self.milliseconds) <= self.band


def predicted(model: bytes, machine: Target) -> Snapshot:
    """A network on a machine."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(model)
        return analyse(Session.open(open_model(path), machine))


def held(snapshot: Snapshot) -> tuple[float, float, float]:
    """KiB of activations on the chip and outside, and of weights."""
    outside = {pool.name for pool in snapshot.target.pools if pool.external}
    inside, beyond = 0, 0
    for pool in snapshot.memory.pools:
        if pool.name in outside:
            beyond += pool.activations
        else:
            inside += pool.activations
    return inside / 1024, beyond / 1024, snapshot.memory.weights_bytes / 1024


def memory_rows(shared: Path) -> Iterator[tuple[object, ...]]:
    """What ST's tables say of memory beside what is predicted, where they do."""
    listed: dict[tuple[float, str], list[list[str]]] = {}
    with (shared / "groundtruth/tables/modelzoo_n6.csv").open(newline="") as file:
        for row in list(csv.reader(file))[1:]:
            if all(row[4:7]):
                listed.setdefault((float(row[7]), row[8][:3]), []).append(row[4:7])
    for one in zoo_measured(shared):
        rows = listed.get((one.milliseconds, one.toolchain), [])
        # Two networks may take the same time: weights tell them apart.
        near = [row for row in rows if abs(float(row[2]) / one.kib[2] - 1) < ALIKE]
        if near:
            cells = [f"{ours:,.1f} of {float(kib):,.1f}" for ours, kib in zip(one.kib, near[0], strict=True)]
            yield one.name, one.toolchain, *cells


@cache
def zoo_measured(shared: Path) -> tuple[Measured, ...]:
    """Each as it is predicted with the epoch controller, and without."""
    rows = []
    for name, toolchain, milliseconds, made in zoo(shared):
        build = replace(target(toolchain).build, optimization="3", scheduler="auto")
        model = made()
        with_it, without = (
            predicted(model, target_of(replace(build, epoch_controller=controller)))
            for controller in (True, False)
        )
        rows.append(
            Measured(
                name,
                toolchain,
                milliseconds,
                with_it.summary.milliseconds,
                with_it.summary.milliseconds_error,
                without.summary.milliseconds,
                held(with_it),
            )
        )
    return tuple(rows)


def zoo_rows(shared: Path) -> Iterator[tuple[object, ...]]:
    """The rows of the table."""
    for one in zoo_measured(shared):
        yield (
            one.name, one.toolchain, f"{one.milliseconds:.2f}", f"{one.predicted:.2f}", f"±{one.band:.2f}",
            _percent(one.predicted, one.milliseconds), f"{one.without:.2f}", _percent(one.without, one.milliseconds),
        )  # fmt: skip


@cache
def public_measured() -> tuple[Measured, ...]:
    """Networks that public projects measured, rebuilt; their sources are in docs/accuracy-cost.md."""
    from builders.networks.audio_nets import masks
    from builders.networks.mobilenets import mobilenet_v2, person_detect
    from builders.networks.stream_nets import DILATIONS, speech

    build = replace(target("4.0").build, optimization="3", scheduler="auto", board=board("STM32N6570-DK"))
    plain, controlled = target_of(build), target_of(replace(build, epoch_controller=True))
    rows: tuple[tuple[str, float, bytes, Target], ...] = (
        ("N6Net v2, 96 channels, epoch controller", 1.154, masks(96), without_external_memory(controlled)),
        ("N6Net v2, 128 channels, epoch controller", 2.597, masks(128), without_external_memory(controlled)),
        ("LiSenNet, 20 channels, frame by frame", 2.598, speech(), without_external_memory(plain)),
        ("LiSenNet, 24 channels", 2.787, speech(24), without_external_memory(plain)),
        ("LiSenNet, three blocks", 4.823, speech(24, 3, (*DILATIONS, 16)), without_external_memory(plain)),
        ("LiSenNet with a GRU", 1.822, speech(24, hidden=18), without_external_memory(plain)),
        (
            "LiSenNet, three blocks with a GRU",
            2.181,
            speech(24, 3, hidden=20),
            without_external_memory(plain),
        ),
        ("LiSenNet, 132 frames at once", 73.63, speech(24, frames=132), plain),
        ("mobilenet_v2_1.0_224", 22.06, mobilenet_v2(1.0, 224, 1000), plain),
        ("person_detect 96", 1.563, person_detect(), with_optimization(plain, "0")),
    )
    found = []
    for name, milliseconds, model, machine in rows:
        summary = predicted(model, machine).summary
        found.append(Measured(name, "4.0", milliseconds, summary.milliseconds, summary.milliseconds_error))
    return tuple(found)


def public_rows() -> Iterator[tuple[object, ...]]:
    """The rows of their table."""
    for one in public_measured():
        yield (
            one.name, one.toolchain, f"{one.milliseconds:.3f}", f"{one.predicted:.3f}", f"±{one.band:.3f}",
            _percent(one.predicted, one.milliseconds),
        )  # fmt: skip


def _percent(part: float, total: float) -> str:
    return f"{100 * (part / total - 1):+.1f} %"
