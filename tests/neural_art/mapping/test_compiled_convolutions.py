"""The tiling of every convolution of public compiled networks; see tests/data/README.md for where the figures are from."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import pytest
from builders.models import ROOT
from builders.tools import tool

from npuscope.machine.machine import target
from npuscope.machine.variants import with_optimization
from npuscope.neural_art.mapping.tiling import choose

TABLE = ROOT / "tests" / "data" / "convolutions.csv"
NETWORKS = {
    # network, Core: convolutions, of which differ
    ("blazeface_128", "2.2"): (36, 0),
    # two follow a SpaceToDepth, which a convolution alone does not show
    ("face_landmark_192", "2.2"): (45, 2),
    ("mlp_gmpp", "4.0"): (3, 0),
    ("mobilefacenet_qop", "2.1"): (49, 0),
    ("mobilenet_v2_128", "3.0"): (53, 0),
    ("ocr_det_160", "2.2"): (56, 0),
    ("ssd_mobilenet_v1_256", "2.1"): (53, 0),
    ("st_yolo_x_480", "3.0"): (183, 0),
    ("yolov8_face", "2.2"): (64, 0),
}


@cache
def checks() -> dict[tuple[str, str], list[Any]]:
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for one in tool("cost_convolutions").convolutions(TABLE):
        grouped[one.case, one.toolchain].append(one)
    return dict(grouped)


def test_every_network_of_the_table_is_expected() -> None:
    assert checks().keys() == NETWORKS.keys()


@pytest.mark.parametrize(("network", "toolchain"), NETWORKS)
def test_convolutions_agree_in_every_column(network: str, toolchain: str) -> None:
    builds = checks()[network, toolchain]
    differing = [one for one in builds if not one.agrees or not all(one.agrees.values())]
    count, most = NETWORKS[network, toolchain]
    assert len(builds) == count
    assert len(differing) <= most, differing


@pytest.mark.parametrize(
    ("network", "level", "count"), [("st_yolo_x_480", "3", 52), ("mobilenet_v2_128", "default", 17)]
)
def test_depthwise_weights_are_grouped_from_3_0_with_o3(network: str, level: str, count: int) -> None:
    """By four, by two on small maps; without -O3 only where a mode needs it."""
    tools, machine = tool("cost_convolutions"), with_optimization(target("3.0"), level)
    groups = [
        (tiling.group if (tiling := choose(conv, row["simd"], machine)) is not None else 0, int(row["group"]))
        for row in tools.rows_of(TABLE)
        if row["case"] == network and int(row["group"]) > 1 and (conv := tools.geometry(row)) is not None
    ]
    assert len(groups) == count
    assert all(got == printed for got, printed in groups), groups
