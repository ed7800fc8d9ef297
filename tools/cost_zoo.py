"""ST's model zoo: what its tables measured on an STM32N6570-DK, and what is predicted for networks of the same shapes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from npuscope.machine.machine import target, target_of
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import analyse


def zoo(shared: Path) -> Iterator[tuple[str, str, float, Callable[[], bytes]]]:
    """Networks of ST's model zoo that are at hand or can be rebuilt: name, version, what ST measured, the file."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from builders.networks.mobilenets import mobilenet_v1, mobilenet_v2
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


def zoo_rows(shared: Path) -> Iterator[tuple[object, ...]]:
    """Each as it is predicted with the epoch controller, and without."""
    for name, toolchain, measured, made in zoo(shared):
        predicted = []
        for controller in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model"
                path.write_bytes(made())
                build = replace(
                    target(toolchain).build, optimization="3", scheduler="auto", epoch_controller=controller
                )
                snapshot = analyse(Session.open(open_model(path), target_of(build)))
            predicted.append(snapshot.summary.milliseconds)
        with_it, without = predicted
        yield (
            name, toolchain, f"{measured:.2f}", f"{with_it:.2f}", _percent(with_it, measured), f"{without:.2f}",
            _percent(without, measured),
        )  # fmt: skip


def _percent(part: float, total: float) -> str:
    return f"{100 * (part / total - 1):+.1f} %"
