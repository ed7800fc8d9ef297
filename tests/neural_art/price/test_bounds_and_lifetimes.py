"""Where the time goes, which buffers live when, and the roofline: on the samples, against the figures they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.price.bounds import START, bounds
from npuscope.neural_art.price.roofline import points, roofs
from npuscope.neural_art.schedule.buffer_lifetimes import buffer_lifetimes
from npuscope.npu.cost import Cost, Epoch, Inserted
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import analyse

SAMPLES = Path(__file__).resolve().parents[3] / "sample_models"
NAMES = ["denoiser_lstm_int8", "mobilenet_mini_int8", "attention_block_int8", "convnet_qoperator"]


@pytest.mark.parametrize("name", NAMES)
def test_the_bounds_add_up_to_the_models_time(name: str) -> None:
    snapshot = analyse(Session.open(load(SAMPLES / f"{name}.onnx"), target("2.1")))
    by_bound = bounds(snapshot.epochs, {report.name: report.cost for report in snapshot.layers})
    assert sum(bound.milliseconds for bound in by_bound) == pytest.approx(snapshot.summary.milliseconds)
    times = [bound.milliseconds for bound in by_bound]
    assert times == sorted(times, reverse=True)
    for bound in by_bound:
        assert [p.milliseconds for p in bound.parts] == sorted(
            (p.milliseconds for p in bound.parts), reverse=True
        )


def test_an_epoch_whose_set_up_is_longest_has_its_work_bound_by_its_layer() -> None:
    epoch = Epoch(
        1, Placement.HW, "Conv", ("conv",), milliseconds=1.0, start_milliseconds=0.75, bound_by=START
    )
    cost = Cost(1, 1, 1, 0.25, "octoFlash", ("feat", "out"))
    by_name = {bound.name: bound.milliseconds for bound in bounds([epoch], {"conv": cost})}
    assert by_name == {START: 0.75, "feat": 0.25}
    copy = Epoch(2, Placement.HW, "Identity", (), 0, 0, 1.0, (Inserted("Identity", 4),), START, 0.5)
    assert {bound.name for bound in bounds([copy], {})} == {START, "dma"}


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_sum_of_lives_is_the_peak(name: str) -> None:
    session = Session.open(load(SAMPLES / f"{name}.onnx"), target("2.1"))
    snapshot = analyse(session)
    costs = {report.name: report.cost for report in snapshot.layers}
    lifetimes = buffer_lifetimes(snapshot.graph, session.layers, costs, snapshot.epochs, snapshot.target)
    assert len(lifetimes.alive) == len(snapshot.epochs)
    assert lifetimes.alive[lifetimes.peak] == max(lifetimes.alive) == snapshot.memory.peak_activations
    for position, alive in enumerate(lifetimes.alive):
        assert sum(buffer.size for buffer in lifetimes.at(position)) == alive
    sizes = [buffer.size for buffer in lifetimes.at(lifetimes.peak)]
    assert sizes == sorted(sizes, reverse=True)


def test_no_layer_is_above_the_roof() -> None:
    """Nothing runs faster than its mode's peak, and a Gemm on one vector lies on the slope of its weights' memory."""
    snapshot = analyse(Session.open(load(SAMPLES / "denoiser_lstm_int8.onnx"), target("2.1")))
    tops = {roof.name: roof for roof in roofs(snapshot.target)}
    assert (tops["8x8"].macs_per_cycle, tops["16x8"].macs_per_cycle) == (288, 144)
    roofline = points(
        (r.layer for r in snapshot.layers),
        {r.name: r.cost for r in snapshot.layers},
        snapshot.ledger.by_name,
    )
    assert roofline
    for point in roofline:
        assert point.macs_per_cycle <= tops[point.simd].macs_per_cycle
    slope = tops[snapshot.target.weight_pools[0].name].bytes_per_cycle
    gemm = next(point for point in roofline if point.layer == "Gemm_30")
    assert gemm.macs_per_cycle == pytest.approx(gemm.macs_per_byte * slope, rel=0.05)
