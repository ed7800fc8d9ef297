"""The networks of ST's model zoo that are at hand or rebuilt in shape, and what its tables measured on an STM32N6570-DK."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from builders.networks.efficient_nets import food
from builders.networks.mobilenets import fd_mobilenet, mnasnet, mobilenet_v1, mobilenet_v2
from builders.networks.small_cnns import faces
from builders.networks.ssd_nets import ssd_v2, ssdlite_v1, ssdlite_v3
from builders.networks.stem_nets import regnet, squeezenet, squeezenext
from builders.networks.torch_cnns import (
    aggregated,
    harmonic,
    mobile,
    mobile_v2,
    pelee,
    proxyless,
    quarter_resnet,
    shuffled,
    st_resnet,
)
from builders.networks.zoo_cnns import dark_tiny, deeplab, efficient_lc, half_mnasnet, mobile_v4
from builders.tflite.examples import spectra, st_fd_mobilenet, tiny_yolo
from builders.tflite.mobile import movenet
from builders.tflite.pyramid import fpnlite
from builders.tflite.st_yolo import st_yoloxn
from builders.tflite.yolo import detector, pose, segments
from builders.tflite.yolo11 import detector11

Row = tuple[str, str, float, Callable[[], bytes]]
"""Name, version, what ST measured, the file."""


def zoo(shared: Path) -> Iterator[Row]:
    """All of them; those of `shared` where it is there."""
    yield from _tensorflow()
    for name, version, ms, case in (
        ("st_movenet_lightning_heatmaps_192", "2.2", 18.44, "movenet_192"),
        ("st_yoloxn_d100_w025_480", "3.0", 35.8, "st_yolo_x_480"),
    ):
        path = shared / "groundtruth/cases" / case / "model.tflite"
        if path.is_file():
            yield name, version, ms, path.read_bytes
    yield from _detectors()
    yield from _torch()
    yield from _wide_stems()


def _tensorflow() -> Iterator[Row]:
    for width, side, classes, ms in (
        (0.25, 224, 101, 2.83), (0.5, 224, 101, 6.06), (1.0, 224, 101, 16.94),
        (0.25, 224, 1000, 3.57), (0.5, 224, 1000, 7.38), (1.0, 224, 1000, 19.41),
    ):  # fmt: skip
        name = f"mobilenet_v1_{width}_{side}, {classes} classes"
        yield name, "2.0", ms, partial(mobilenet_v1, width, side, classes)
    for width, side, classes, ms in (
        (0.35, 128, 101, 3.33), (0.35, 224, 101, 6.12), (1.0, 224, 101, 18.08), (0.35, 128, 1000, 6.35),
        (0.35, 224, 1000, 9.14), (1.0, 224, 1000, 21.08), (1.4, 224, 1000, 35.34),
    ):  # fmt: skip
        name = f"mobilenet_v2_{width}_{side}, {classes} classes"
        yield name, "2.0", ms, partial(mobilenet_v2, width, side, classes)
    yield "mobilenet_v2_0.35_128, person", "2.0", 2.99, partial(mobilenet_v2, 0.35, 128, 2)
    for side, ms in ((224, 1.46), (128, 0.93)):
        yield f"fdmobilenet_0.25_{side}", "2.0", ms, partial(fd_mobilenet, 0.25, side, 101)
    for side, ms in ((224, 1.81), (128, 1.07)):
        yield f"st_fdmobilenet_v1_{side}", "2.0", ms, partial(st_fd_mobilenet, side)
    yield "yamnet_256_64x96", "2.0", 1.07, spectra
    for size, side, classes, ms in (
        ("B0", 224, 101, 54.32), ("B1", 240, 101, 73.89), ("B2", 260, 101, 146.01), ("S", 384, 101, 842.0),
        ("B0", 224, 1000, 57.5), ("B1", 240, 1000, 77.25), ("B2", 260, 1000, 148.78), ("S", 384, 1000, 809.73),
    ):  # fmt: skip
        yield (
            f"efficientnet_v2{size}_{side}, {classes} classes",
            "2.0",
            ms,
            partial(food, side, classes, size),
        )
    for side, ms in ((128, 7.12), (224, 17.31)):
        yield f"st_efficientnetlcv1_{side}", "3.0", ms, partial(efficient_lc, side)


def _detectors() -> Iterator[Row]:
    for side, ms in ((192, 18.91), (256, 28.6), (320, 38.32), (416, 63.03)):
        yield f"yolov8n_{side}_quant_pc_uf_od", "2.0", ms, partial(detector, side)
    for side, ms in ((192, 24.46), (256, 35.79), (320, 51.35)):
        yield f"yolov8n_{side}_quant_pc_uf_pose", "2.0", ms, partial(pose, side)
    for side, ms in ((256, 37.59), (320, 53.21)):
        yield f"yolov8n_{side}_quant_pc_uf_seg", "2.0", ms, partial(segments, side)
    yield "yolo11n_256_quant_pc_uf_od", "3.0", 26.37, detector11
    for version, side, ms in (
        ("2.2", 224, 30.68),
        ("4.0", 224, 30.68),
        ("2.2", 416, 50.81),
        ("4.0", 416, 50.26),
    ):
        yield f"tiny_yolo_v2_{side}", version, ms, partial(tiny_yolo, side)
    for side, depth, width, ms in (
        (192, 33, 25, 6.63), (256, 33, 25, 9.42), (320, 33, 25, 13.29), (416, 33, 25, 21.3), (416, 67, 25, 24.37),
        (416, 100, 25, 27.02), (256, 50, 40, 20.12),
    ):  # fmt: skip
        made = partial(st_yoloxn, side, depth / 100, width / 100)
        yield f"st_yoloxn_d{depth:03}_w{width:03}_{side}", "3.0", ms, made
    for side, ms in ((192, 18.49), (224, 22.33)):
        yield f"movenet_lightning_heatmaps_{side}", "2.2", ms, partial(movenet, side, softmax=False)
    for side, ms in ((192, 22.17), (224, 27.0), (256, 34.16)):
        yield f"st_movenet_lightning_a100_heatmaps_{side}", "4.0", ms, partial(movenet, side)
    yield "yunetn_320", "3.0", 6.74, partial(faces, 320)
    for classes, which, ms in ((81, "coco", 32.06), (2, "person", 28.41), (21, "voc", 29.25)):
        yield f"ssdlite_mobilenetv1_pt_{which}_300", "3.0", ms, partial(ssdlite_v1, classes)
    for classes, which, ms in ((81, "coco", 121.02), (2, "person", 117.25), (21, "voc", 118.1)):
        yield f"ssdlite_mobilenetv2_pt_{which}_300", "3.0", ms, partial(ssd_v2, classes)
    for classes, which, ms in ((81, "coco", 15.86), (2, "person", 13.73), (21, "voc", 14.3)):
        yield f"ssdlite_mobilenetv3small_pt_{which}_300", "3.0", ms, partial(ssdlite_v3, classes)
    for side, ms in ((192, 14.37), (224, 18.15), (256, 21.73)):
        yield f"ssd_mobilenet_v2_fpnlite_035_{side}", "2.0", ms, partial(fpnlite, side)
    yield "ssd_mobilenetv2_pt_coco_300", "3.0", 158.49, partial(ssd_v2, 81, False)
    for version, times in (("2.0", (27.36, 44.99, 191.91)), ("3.0", (26.62, 40.83, 227.02))):
        for side, ms in zip((256, 320, 416), times, strict=True):
            yield f"deeplab_v3_mobilenetv2_05_16_{side}_asppv2", version, ms, partial(deeplab, side)


def _torch() -> Iterator[Row]:
    for width, ms, simple in ((0.25, 2.98, 2.89), (0.5, 6.55, 6.65), (0.75, 11.73, 11.7)):
        yield f"mobilenet_{width}_pt_224", "3.0", ms, partial(mobile, width)
        yield f"mobilenetb_{width}_pt_224", "3.0", simple, partial(mobile, width, True)
    for width, ms in ((0.25, 1.88), (0.5, 4.07), (0.75, 6.83)):
        yield f"fdmobilenet_{width}_pt_224", "3.0", ms, partial(mobile, width, fast=True)
    yield "mobilenetv2_0.35_pt_224", "3.0", 8.58, partial(mobile_v2, 0.35, True, True)
    for width, ms, simple in (
        (0.25, 6.5, 6.29),
        (0.5, 10.08, 9.79),
        (0.75, 15.17, 14.56),
        (1.0, 20.35, 20.39),
    ):
        yield f"mobilenetv2_{width}_pt_224", "3.0", ms, partial(mobile_v2, width, rounded=width == 0.5)
        yield f"mobilenetv2b_{width}_pt_224", "3.0", simple, partial(mobile_v2, width, True)
    yield "mobilenetv4small_pt_224", "3.0", 13.74, mobile_v4
    yield "mnasnet_d050_pt_224", "3.0", 11.21, half_mnasnet
    yield "semnasnet100_pt_224", "3.0", 37.63, mnasnet
    yield "proxylessnas_pt_224", "3.0", 27.65, proxyless
    yield "regnetx002_pt_224", "3.0", 9.96, regnet
    yield "resnet18wd4_pt_224", "3.0", 13.82, quarter_resnet
    for size, ms in (("pico", 7.54), ("nano", 9.46), ("micro", 13.83), ("tiny", 24.1)):
        yield f"st_resnet{size}_actrelu_pt_224", "3.0", ms, partial(st_resnet, size)
    yield "darknettiny_pt_224", "3.0", 7.54, dark_tiny
    yield "peleenet_pt_224", "3.0", 18.01, pelee
    yield "hardnet39ds_pt_224", "3.0", 65.81, harmonic
    for name, second, half, whole in (
        ("shufflenetv2", False, 8.35, 32.43),
        ("shufflenetv2b", True, 8.39, 32.65),
    ):
        yield f"{name}_x050_pt_224", "3.0", half, partial(shuffled, (48, 96, 192), second)
        yield f"{name}_x100_pt_224", "3.0", whole, partial(shuffled, (116, 232, 464), second)


def _wide_stems() -> Iterator[Row]:
    """Whose first kernels are 7x7 and whose sums lie outside the chip."""
    yield "squeezenetv10_pt_224", "3.0", 121.2, squeezenet
    for stages, name, times in (
        ((6, 6, 8, 1), "sqnxt23", (87.07, 127.46, 182.12)), ((2, 4, 14, 1), "sqnxt23v5", (86.37, 126.91, 181.01)),
    ):  # fmt: skip
        for width, ms in zip((1.0, 1.5, 2.0), times, strict=True):
            yield f"{name}_{width}_pt_224", "3.0", ms, partial(squeezenext, width, stages)
    for name, levels, grouped, ms in (
        ("dla46c", (1, 2, 2, 1), False, 184.23), ("dla46xc", (1, 2, 2, 1), True, 186.36), ("dla60xc", (1, 2, 3, 1), True, 187.54),
    ):  # fmt: skip
        yield f"{name}_pt_224", "3.0", ms, partial(aggregated, levels, grouped)
