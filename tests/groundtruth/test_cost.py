"""The simulated cost against compilers and boards; see docs/accuracy-cost.md. Skipped where the sources are absent."""

from __future__ import annotations

import statistics

import pytest
from builders.models import SHARED
from builders.tools import tool

from npuscope.machine.machine import target_of
from npuscope.services.builds import as_built
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import analyse

CASES = SHARED / "groundtruth/cases"
TABLES = SHARED / "groundtruth/tables"

if not CASES.is_dir():
    pytest.skip("the compiler outputs are not here", allow_module_level=True)


def test_latency_is_within_15_percent_of_every_board() -> None:
    for case in tool("compare_cost").CASES:
        if case.board_ms is not None:
            predicted = case.snapshot(CASES).summary.milliseconds
            assert predicted == pytest.approx(case.board_ms, rel=0.15), case.name


def test_epochs_of_mobilenet_v2_224_on_the_board() -> None:
    pairs = list(tool("compare_cost").board_epochs(TABLES / "measured_epoch_times.csv", CASES))
    assert len(pairs) == 52
    ratios = [(epoch.milliseconds - epoch.start_milliseconds) / core for epoch, core, _ in pairs]
    assert statistics.median(ratios) == pytest.approx(1, abs=0.02)
    assert min(ratios) > 0.8 and max(ratios) < 1.2


def test_sums_of_c_info() -> None:
    for one in tool("compare_cost").all_estimates(CASES):
        assert one.compute[0] == pytest.approx(one.compute[1], rel=0.02), one.case.name
        assert one.cycles[0] == pytest.approx(one.cycles[1], rel=0.03), one.case.name
        assert one.differing_layers == ()
        assert one.peak[0] == one.peak[1], one.case.name
        if one.case.name not in ("ocr_det_160", "ssd_mobilenet_v1_256"):
            assert one.differing == ()
        if one.case.name == "blazeface_128":
            assert one.compute[0] == one.compute[1]


def test_single_layers_in_the_median_of_their_set_ups() -> None:
    ratios = {
        (one.model, one.toolchain): one.predicted / statistics.median(one.measured)
        for one in tool("compare_cost").single_layers(TABLES / "measured_epoch_times.csv", CASES)
    }
    assert statistics.median(ratios.values()) == pytest.approx(1, abs=0.1)
    assert {key for key, ratio in ratios.items() if abs(ratio - 1) > 0.1} == set()


def test_cycles_with_the_pools_of_the_build() -> None:
    """tcn_calculator (4.0): estimated_tot_cycles of its network.c, whose weights lie in RAM of the CPU."""
    folder = CASES / "tcn_calculator"
    machine = target_of(as_built(str(folder / "network.c")))
    snapshot = analyse(Session.open(open_model(folder / "model.onnx"), machine))
    assert [epoch.cycles for epoch in snapshot.epochs] == [20_480, 232_960, 232_960, 77_180, 29_920]
