"""A network runs the same written in QDQ form, in QOperator form and as TFLite, but for what the form itself decides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
from builders.longer import suite_or_long
from builders.networks.style_twins import Twin, tflite_twins, twins
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.machine.machine import target
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.verdict import Placement
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

OF_THE_STYLE = frozenset({Why.FLOAT_BETWEEN_BORDERS})
"""Causes that hold in one style alone: in QOperator form a Q and a DQ are operators to run."""


def analysed(proto: onnx.ModelProto, path: Path, toolchain: str) -> Snapshot:
    onnx.save(proto, path)
    return analyse(Session.open(open_model(path), target(toolchain)))


def by_style(snapshot: Snapshot) -> set[str]:
    """The layers that run where they do because of how the model is written."""
    return {
        report.name for report in snapshot.layers if any(cause.why in OF_THE_STYLE for cause in report.causes)
    }


@settings(max_examples=suite_or_long(15, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(twins(), st.sampled_from(TOOLCHAINS))
def test_both_styles_run_alike(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[onnx.ModelProto, onnx.ModelProto], toolchain: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for proto in pair:
        onnx.checker.check_model(proto, full_check=True)
    qdq, qoperator = (
        analysed(proto, folder / f"{style}.onnx", toolchain)
        for style, proto in zip(("qdq", "qoperator"), pair, strict=True)
    )
    assert set(qdq.by_name) == set(qoperator.by_name)
    assert not by_style(qdq)
    moved = by_style(qoperator)
    for name, report in qdq.by_name.items():
        if name not in moved:
            assert report.placement is qoperator.by_name[name].placement, name
    if not moved:
        epochs = [[(e.op, e.placement, e.layers) for e in snapshot.epochs] for snapshot in (qdq, qoperator)]
        assert epochs[0] == epochs[1]
        assert qdq.summary.milliseconds == pytest.approx(qoperator.summary.milliseconds)


@settings(max_examples=suite_or_long(12, 750), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tflite_twins(), st.sampled_from(TOOLCHAINS))
def test_tflite_runs_alike(
    tmp_path_factory: pytest.TempPathFactory,
    made: tuple[onnx.ModelProto, bytes, Mapping[str, str]],
    toolchain: str,
) -> None:
    proto, data, layers = made
    folder = tmp_path_factory.getbasetemp()
    qdq = analysed(proto, folder / "twin.onnx", toolchain)
    (folder / "twin.tflite").write_bytes(data)
    tflite = analyse(Session.open(open_model(folder / "twin.tflite"), target(toolchain)))
    for name, other in layers.items():
        report = tflite.by_name[other]
        if not any(cause.why is Why.PAD_ROWS for cause in report.causes):
            assert qdq.by_name[name].placement is report.placement, name


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_what_has_no_integer_form_is_float_in_one_style(toolchain: str, tmp_path: Path) -> None:
    placements = []
    for qoperator in (False, True):
        net = Twin(qoperator)
        net.written("input", "x", (0.05, -128), (1, 8, 4, 4))
        conv = net.weighted("Conv", "input", (8, 8, 1, 1), (1, 8, 4, 4), (0.05, 0), kernel_shape=[1, 1])
        gate = net.apply("HardSigmoid", [conv], (1, 8, 4, 4), (1 / 256, -128))
        snapshot = analysed(net.whole((1, 8, 4, 4), [gate]), tmp_path / "net.onnx", toolchain)
        placements.append(snapshot.by_name[gate].placement)
        assert snapshot.by_name[conv].placement is Placement.HW
        assert by_style(snapshot) == ({gate} if qoperator else set())
    assert placements == [Placement.HW, Placement.SW_FLOAT]
