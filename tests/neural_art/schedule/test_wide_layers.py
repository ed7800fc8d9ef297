"""Convolutions of more channels than ARITH has coefficients for: stream engines fetch them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.efficient_nets import Efficient
from builders.public_builds import compiled


@pytest.mark.parametrize(
    ("channels", "toolchain", "beside"),
    [(480, "2.0", True), (528, "2.0", False), (528, "2.2", False), (528, "4.0", True)],
)
def test_the_sigmoid_behind_finds_no_engine_left(
    channels: int, toolchain: str, beside: bool, tmp_path: Path
) -> None:
    net = Efficient((1, 192, 8, 8), 3)
    made = net.conv("wide", net.first, channels, silu=True)
    model = net.model(made, (1, channels, 8, 8)).SerializeToString()
    epochs = compiled(model, tmp_path, toolchain, "3", "auto").epochs
    (with_it,) = [e.layers for e in epochs if "wide" in e.layers]
    assert ("wide_gate" in with_it) == beside
