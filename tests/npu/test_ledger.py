"""The ledger: every epoch is charged to layers, nothing is lost, and one layer has one set of figures."""

from __future__ import annotations

from functools import cache
from math import fsum
from pathlib import Path

import pytest
from builders.models import ROOT
from builders.networks.compiled import listings, network

from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target
from npuscope.npu.verdict import Placement
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

SAMPLES = sorted((ROOT / "sample_models").glob("*.onnx"))


@cache
def snapshot(path: Path, version: str = "2.1", controller: bool = False) -> Snapshot:
    machine = target(version)
    if controller:
        from npuscope.machine.variants import with_epoch_controller

        machine = with_epoch_controller(machine, True)
    return analyse(Session.open(open_model(path), machine))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_layers_sum_to_the_model(path: Path) -> None:
    charged_to_layers(snapshot(path))


@pytest.mark.parametrize("name", listings())
def test_layers_of_compiled_networks_sum_to_the_model(name: str) -> None:
    charged_to_layers(analyse(Session.open(network(name), target("2.1"))))


def charged_to_layers(analysis: Snapshot) -> None:
    lines = analysis.ledger.lines

    assert fsum(line.milliseconds for line in lines) == pytest.approx(analysis.summary.milliseconds, rel=1e-9)
    assert fsum(analysis.ledger.share(line) for line in lines) == pytest.approx(1.0, rel=1e-9)
    assert fsum(analysis.share(report) for report in analysis.layers) == pytest.approx(1.0, rel=1e-9)
    for epoch in analysis.epochs:
        parts = epoch.parts
        assert fsum(part.milliseconds for part in parts) == pytest.approx(epoch.milliseconds, rel=1e-9)
        assert fsum(part.start_milliseconds for part in parts) == pytest.approx(
            epoch.start_milliseconds, rel=1e-9
        )
        assert fsum(part.cycles for part in parts) == pytest.approx(epoch.cycles, rel=1e-9)
        assert all(part.layer in analysis.by_name for part in parts), epoch


@pytest.mark.parametrize("version", TOOLCHAINS)
@pytest.mark.parametrize("controller", [False, True])
def test_layers_sum_to_the_model_in_every_version(version: str, controller: bool) -> None:
    for path in SAMPLES:
        analysis = snapshot(path, version, controller)
        total = fsum(line.milliseconds for line in analysis.ledger.lines)
        assert total == pytest.approx(analysis.summary.milliseconds, rel=1e-9), path.name


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_cycles_of_the_cpu_are_never_those_of_the_npu(path: Path) -> None:
    for report in snapshot(path).layers:
        line = report.line
        if report.placement.on_cpu:
            assert line.cycles is None and line.compute_cycles is None and line.macs_per_cycle is None
            assert line.cpu_cycles is not None and line.bound_by == "cpu"
        else:
            assert line.cpu_cycles is None
            if line.compute_cycles is not None and line.cycles is not None and not line.beside:
                assert line.macs_per_cycle is None or line.effective_macs_per_cycle is not None


def test_a_layer_on_the_cpu_is_bound_by_it_wherever_one_looks() -> None:
    analysis = snapshot(ROOT / "sample_models/denoiser_lstm_int8.onnx")
    for epoch in analysis.epochs:
        if epoch.placement.on_cpu:
            assert epoch.bound_by == "cpu"
    gemm = analysis.by_name["Gemm_28"]
    assert gemm.placement is Placement.SW_INT
    parts = {part.epoch: part.milliseconds for part in gemm.line.parts}
    assert [epoch for epoch, milliseconds in parts.items() if milliseconds] == [
        gemm.epoch
    ]  # views take no time
    assert gemm.line.milliseconds == pytest.approx(analysis.epochs[(gemm.epoch or 0) - 1].milliseconds)


def test_weights_that_share_a_memory_share_its_time() -> None:
    """Gemm_30 waits for its weights: the flash binds it, and its figures with memory say so."""
    analysis = snapshot(ROOT / "sample_models/denoiser_lstm_int8.onnx")
    line = analysis.by_name["Gemm_30"].line
    assert line.bound_by == "octoFlash"
    assert line.compute_cycles is not None and line.cycles is not None
    assert line.cycles > line.compute_cycles
    assert line.effective_macs_per_cycle is not None and line.macs_per_cycle is not None
    assert line.effective_macs_per_cycle < line.macs_per_cycle
