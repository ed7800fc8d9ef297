"""Channel counts: each row is what the analysis of a one-layer model says, and thousands take no time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from builders.longer import suite_or_long
from builders.one_layer import one_layer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.machine.build import Build
from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import Target, target, target_of
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.planning.channels import (
    GEMM,
    Row,
    Shape,
    channel_table,
    gemm_shape,
    padded_shape,
    shape_of,
)
from npuscope.session import Session
from npuscope.snapshot import LayerReport, analyse


def checked(shape: Shape, channels: int, judged_for: Target, folder: Path) -> LayerReport:
    """The one layer of the model a row stands for, from a file, as `check` has it."""
    onnx.save(one_layer(shape, channels), folder / "one.onnx")
    (report,) = analyse(Session.open(load(folder / "one.onnx"), judged_for)).layers
    return report


def same(row: Row, report: LayerReport) -> bool:
    cost = report.cost
    if cost is not None and cost.tiling is not None:
        cost = replace(cost, tiling=replace(cost.tiling, notes=()))
    codes = {finding.code for finding in report.forced_by}
    return (row.placement, row.cost, set(row.codes)) == (report.placement, cost, codes)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    zero = draw(st.sampled_from((-128, 0, 5)))
    side = draw(st.integers(1, 400) | st.integers(401, 5000))
    open_inputs = draw(st.booleans())
    inputs, outputs = (None, side) if open_inputs else (side, None)
    if draw(st.integers(0, 4)) == 0:
        return gemm_shape(draw(st.integers(1, 40) | st.just(300)), inputs, outputs, zero)
    pair = st.tuples(st.integers(1, 7), st.integers(1, 7))
    rows = st.sampled_from(((1, 3), (1, 5), (1, 9), (3, 1), (5, 1), (8, 1), (9, 1)))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (5, 5), (7, 7), (16, 16))) | rows | pair)
    columns = st.tuples(st.integers(9, 260), st.just(1)) | st.tuples(st.just(1), st.integers(9, 260))
    maps = st.tuples(st.integers(7, 120), st.integers(7, 120)) | columns | st.just((4, 3000))
    depthwise = draw(st.booleans())
    return padded_shape(
        kernel,
        draw(maps),
        None if depthwise else inputs,
        None if depthwise else outputs,
        draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (3, 3), (4, 4), (2, 1), (1, 3)))),
        draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 3)))),
        draw(st.sampled_from((None, (0, 0), (1, 1)))),
        depthwise,
        zero,
    )


@given(
    shapes(),
    st.builds(Build, st.sampled_from(TOOLCHAINS), optimization=st.sampled_from(("", "1", "3"))),
    st.lists(st.integers(1, 700) | st.integers(701, 5000), min_size=4, max_size=4, unique=True),
)
@settings(
    max_examples=suite_or_long(12, 750),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_row_is_what_check_says_of_one_layer(
    tmp_path: Path, shape: Shape, build: Build, counts: list[int]
) -> None:
    judged_for = target_of(build)
    try:
        table = channel_table(shape, counts, judged_for)
    except ModelError as error:
        assert "does not fit" in str(error)
        return
    assert [row.channels for row in table.rows] == sorted(counts)
    for row in table.rows:
        assert same(row, checked(shape, row.channels, judged_for, tmp_path)), row


@given(shapes(), st.integers(1, 300), st.integers(1, 60))
@settings(max_examples=suite_or_long(10, 625), deadline=None)
def test_no_larger_count_beats_a_good_one(shape: Shape, first: int, count: int) -> None:
    try:
        table = channel_table(shape, range(first, first + count), target("2.2"))
    except ModelError:
        return
    times = {row.channels: row.milliseconds for row in table.rows}
    good = [row.channels for row in table.good]
    expected = [n for n in times if all(times[n] < times[m] for m in times if m > n)]
    assert good == expected
    for row, instead in table.instead:
        assert instead.channels == min(n for n in good if n > row.channels)
        assert instead.milliseconds <= row.milliseconds


@given(shapes(), st.sampled_from(TOOLCHAINS), st.integers(1, 480))
@settings(max_examples=suite_or_long(15, 1000), deadline=None)
def test_more_channels_take_less_time_only_where_they_run_otherwise(
    shape: Shape, toolchain: str, first: int
) -> None:
    try:
        table = channel_table(shape, range(first, first + 32), target(toolchain))
    except ModelError:
        return
    for row, instead in table.instead:
        if instead.milliseconds < row.milliseconds:
            assert way(row) != way(instead), (row, instead)


def way(row: Row) -> tuple[object, ...]:
    """Where a count runs, and what of its tiling does not grow with channels."""
    tiling = row.cost.tiling if row.cost is not None else None
    if tiling is None:
        return (row.placement,)
    return (
        row.placement,
        tiling.deep1x1,
        tiling.dss2,
        tiling.accelerators,
        tiling.iterations,
        tiling.kernels_per_pass,
        tiling.passes,
        tiling.stationary,
        tiling.group,
    )


@pytest.mark.parametrize(
    "shape",
    [
        padded_shape((3, 3), (14, 14), None, 64, (1, 1), (1, 1), None, False, -128),
        padded_shape((3, 3), (28, 28), None, None, (2, 2), (1, 1), None, True, 5),
        gemm_shape(1, None, 1024, 5),
    ],
)
def test_six_thousand_shapes_are_listed(shape: Shape) -> None:
    """Of a kernel, of a depthwise one and of a Gemm."""
    assert len(channel_table(shape, range(1, 6001), target("4.0")).rows) == 6000


def test_the_case_of_the_forum() -> None:
    table = channel_table(gemm_shape(1, None, 1024, 5), range(250, 271), target("2.1"))
    off = {row.channels: row.codes for row in table.rows if row.placement is not Placement.HW}
    assert off == {257: ("N201",), 263: ("N201",), 269: ("N201",)}


@pytest.mark.parametrize("vary_inputs", [True, False])
@pytest.mark.parametrize("depthwise", [True, False])
def test_the_shape_of_a_layer_gives_the_layer_back(
    tmp_path: Path, depthwise: bool, vary_inputs: bool
) -> None:
    sides = (None, None) if depthwise else (None, 40) if vary_inputs else (24, None)
    shape = padded_shape((3, 3), (9, 11), *sides, (2, 1), (1, 1), None, depthwise, 7)
    assert shape_of(checked(shape, 32, target("3.0"), tmp_path).layer, vary_inputs) == shape


def test_the_shape_of_a_gemm(tmp_path: Path) -> None:
    shape = gemm_shape(3, None, 10, -128)
    assert shape.op == GEMM
    assert shape_of(checked(shape, 32, target("3.0"), tmp_path).layer, True) == shape


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        (Shape(kernel=(15, 15), size=(7, 7), outputs=8), [1]),
        (Shape(outputs=8), []),
        (Shape(outputs=8), [0]),
        (Shape(outputs=8), [65_537]),
        (Shape(outputs=8, depthwise=True), [4]),
    ],
)
def test_what_cannot_be_is_refused(shape: Shape, counts: list[int]) -> None:
    with pytest.raises(ModelError):
        channel_table(shape, counts, target("2.2"))
