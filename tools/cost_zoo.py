"""ST's model zoo: what its tables measured on an STM32N6570-DK, and what is predicted for networks of the same shapes."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from npuscope.machine.board import board
from npuscope.machine.machine import Target, target, target_of
from npuscope.machine.variants import with_optimization, without_external_memory
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


def zoo(shared: Path) -> Iterator[tuple[str, str, float, Callable[[], bytes]]]:
    """Networks of ST's model zoo that are at hand or can be rebuilt: name, version, what ST measured, the file."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from builders.networks.efficient_nets import food
    from builders.networks.mobilenets import fd_mobilenet, mnasnet, mobilenet_v1, mobilenet_v2
    from builders.networks.stem_nets import regnet, squeezenet, squeezenext
    from builders.tflite.examples import spectra, tiny_yolo
    from builders.tflite.st_yolo import st_yoloxn
    from builders.tflite.yolo import detector, pose

    for width, side, classes, ms in (
        (0.25, 224, 101, 2.83), (0.5, 224, 101, 6.06), (1.0, 224, 101, 16.94),
        (0.25, 224, 1000, 3.57), (0.5, 224, 1000, 7.38), (1.0, 224, 1000, 19.41),
    ):  # fmt: skip
        yield (
            f"mobilenet_v1_{width}_{side}, {classes} classes",
            "2.0",
            ms,
            partial(mobilenet_v1, width, side, classes),
        )
    for width, side, classes, ms in (
        (0.35, 128, 101, 3.33), (0.35, 224, 101, 6.12), (1.0, 224, 101, 18.08), (0.35, 128, 1000, 6.35),
        (0.35, 224, 1000, 9.14), (1.0, 224, 1000, 21.08), (1.4, 224, 1000, 35.34),
    ):  # fmt: skip
        yield (
            f"mobilenet_v2_{width}_{side}, {classes} classes",
            "2.0",
            ms,
            partial(mobilenet_v2, width, side, classes),
        )
    movenet = shared / "groundtruth/cases/movenet_192/model.tflite"
    if movenet.is_file():
        yield "st_movenet_lightning_heatmaps_192", "2.2", 18.44, movenet.read_bytes
    for side, ms in ((192, 18.91), (256, 28.6), (320, 38.32), (416, 63.03)):
        yield f"yolov8n_{side}_quant_pc_uf_od", "2.0", ms, partial(detector, side)
    for side, ms in ((192, 24.46), (256, 35.79), (320, 51.35)):
        yield f"yolov8n_{side}_quant_pc_uf_pose", "2.0", ms, partial(pose, side)
    for width, ms in ((0.25, 2.98), (0.5, 6.55), (0.75, 11.73)):
        yield f"mobilenet_{width}_pt_224", "3.0", ms, partial(mobilenet_v1, width, 224, 1000)
    for width, ms in ((0.35, 8.58), (0.5, 10.08), (0.75, 15.17), (1.0, 20.35)):
        yield f"mobilenetv2_{width}_pt_224", "3.0", ms, partial(mobilenet_v2, width, 224, 1000)
    yield "mobilenet_v2_0.35_128, person", "2.0", 2.99, partial(mobilenet_v2, 0.35, 128, 2)
    for side, ms in ((224, 1.46), (128, 0.93)):
        yield f"fdmobilenet_0.25_{side}", "2.0", ms, partial(fd_mobilenet, 0.25, side, 101)
    yield "yamnet_256_64x96", "2.0", 1.07, spectra
    for version, side, ms in (
        ("2.2", 224, 30.68),
        ("4.0", 224, 30.68),
        ("2.2", 416, 50.81),
        ("4.0", 416, 50.26),
    ):
        yield f"tiny_yolo_v2_{side}", version, ms, partial(tiny_yolo, side)
    yolo = shared / "groundtruth/cases/st_yolo_x_480/model.tflite"
    if yolo.is_file():
        yield "st_yoloxn_d100_w025_480", "3.0", 35.8, yolo.read_bytes
    for side, depth, width, ms in (
        (192, 33, 25, 6.63), (256, 33, 25, 9.42), (320, 33, 25, 13.29), (416, 33, 25, 21.3), (416, 67, 25, 24.37),
        (416, 100, 25, 27.02), (256, 50, 40, 20.12),
    ):  # fmt: skip
        made = partial(st_yoloxn, side, depth / 100, width / 100)
        yield f"st_yoloxn_d{depth:03}_w{width:03}_{side}", "3.0", ms, made
    yield "semnasnet100_pt_224", "3.0", 37.63, mnasnet
    yield "regnetx002_pt_224", "3.0", 9.96, regnet
    yield "squeezenetv10_pt_224", "3.0", 121.2, squeezenet
    for stages, name, times in (
        ((6, 6, 8, 1), "sqnxt23", (87.07, 127.46, 182.12)), ((2, 4, 14, 1), "sqnxt23v5", (86.37, 126.91, 181.01)),
    ):  # fmt: skip
        for width, ms in zip((1.0, 1.5, 2.0), times, strict=True):
            yield f"{name}_{width}_pt_224", "3.0", ms, partial(squeezenext, width, stages)
    for size, side, ms in (("B0", 224, 54.32), ("B1", 240, 73.89), ("B2", 260, 146.01), ("S", 384, 842.0)):
        yield f"efficientnet_v2{size}_{side}", "2.0", ms, partial(food, side, 101, size)


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
    with (shared / "groundtruth/tables/modelzoo_n6.csv").open(newline="") as file:
        listed = {(float(row[7]), row[8][:3]): row[4:7] for row in reversed(list(csv.reader(file))[1:])}
    for one in zoo_measured(shared):
        wanted = listed.get((one.milliseconds, one.toolchain))
        if wanted is not None and all(wanted):
            cells = [f"{ours:,.1f} of {float(kib):,.1f}" for ours, kib in zip(one.kib, wanted, strict=True)]
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
