"""YOLOv8n, rebuilt from the reports of two public builds: the epochs of the CPU, and how many there are in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.agreement import epochs_and_layers_agree
from builders.tflite.yolo import detector, pose

from npuscope.machine.machine import target
from npuscope.npu.verdict import Placement
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import analyse

BUILDS: dict[str, tuple[Callable[[], bytes], str, int, dict[str, int]]] = {
    # chen-auspice/AI_Steel_Detection, Core 2.0, 256 x 256, 6 classes
    "detector": (
        detector, "2.0", 211,
        {"DepthToSpace": 2, "Concat": 5, "Transpose": 1, "Softmax": 1, "Slice": 2},
    ),
    # ginodecock/fall-guard-pe, Core 2.1: yolov8n_256_quant_pc_uf_pose_coco-st; two epochs of its report have no type
    "pose": (
        pose, "2.1", 148,
        {"DepthToSpace": 2, "Concat": 8, "Slice": 5, "Transpose": 1, "Softmax": 1, "DequantizeLinear": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILDS)
def test_epochs_of_the_cpu_and_their_number(name: str, tmp_path: Path) -> None:
    build, toolchain, total, on_cpu = BUILDS[name]
    path = tmp_path / "model.tflite"
    path.write_bytes(build())
    snapshot = analyse(Session.open(open_model(path), target(toolchain)))
    got = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement is not Placement.HW)
    common = (got & Counter(on_cpu)).total()
    assert 2 * common / (got.total() + sum(on_cpu.values())) >= 0.94, got
    assert len(snapshot.epochs) == pytest.approx(total, rel=0.06)
    epochs_and_layers_agree(snapshot)
