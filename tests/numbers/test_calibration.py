"""Calibrated scales of partial sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.weighted_layers import NAME, Spec, model, saved
from onnxruntime.quantization.quant_utils import compute_scale_zp

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.toolkit.ranges import limits, quantization
from npuscope.jobs import Job, StoppedError
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


def test_the_seed_case_keeps_its_numbers() -> None:
    source = load(models.DENOISER)
    session = Session.open(source, target("2.1"))
    edit = calibrated(source, session.graph, SplitInput("Gemm_28", (144, 113)), random_samples(source, 8, 1))
    assert isinstance(edit, SplitInput) and len(edit.scales) == 2
    after = session.edit(edit)
    assert isinstance(after, Session)
    verification = verify(source, after)
    assert verification.sqnr_db_min is not None and verification.sqnr_db_min > 30


@pytest.mark.parametrize("sizes", [(30, 30), (20, 20, 20), (1, 9, 10, 40)])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_calibration_beats_the_bound(sizes: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    zero = 128 if dtype == "uint8" else 5
    source = saved(
        model(Spec(ich=60, och=30, rows=4, dtype=dtype, zero_point=zero, out_zero_point=zero)), tmp_path
    )
    session = Session.open(source, target("2.1"))
    bare = SplitInput(NAME, sizes)
    edit = calibrated(source, session.graph, bare, random_samples(source, 16, 1))
    assert isinstance(edit, SplitInput) and len(edit.scales) == 2 * len(sizes) - 2
    ratios = []
    for each in (bare, edit):
        after = session.edit(each)
        assert isinstance(after, Session)
        ratios.append(verify(source, after).sqnr_db_min or 0)
    assert ratios[1] > ratios[0] + 3 and ratios[1] > 25


def test_only_what_the_layer_depends_on_is_run() -> None:
    source = load(models.DENOISER)
    sample = {"Input_18_out_0": np.zeros((1, 257, 1), np.int8)}
    edit = calibrated(source, source.graph, SplitInput("Conv2D_23", (144, 113)), [sample])
    assert isinstance(edit, SplitInput) and edit.scales


def test_float_layers_need_no_scales() -> None:
    source = load(models.SAMPLES / "denoiser_lstm_float.onnx")
    edit = SplitInput("Gemm_28", (144, 113))
    assert calibrated(source, source.graph, edit, ()) == edit


def test_a_split_that_cannot_be_made_is_refused() -> None:
    source = load(models.DENOISER)
    assert isinstance(calibrated(source, source.graph, SplitInput("Gemm_28", (1, 2)), ()), Refusal)


def test_a_run_reports_and_can_be_stopped() -> None:
    source = load(models.DENOISER)
    seen: list[tuple[int, int]] = []
    with pytest.raises(StoppedError):
        calibrated(
            source,
            source.graph,
            SplitInput("Gemm_28", (144, 113)),
            random_samples(source, 4),
            job=Job(lambda done, total: seen.append((done, total)), lambda: len(seen) == 2),
        )
    assert seen == [(0, 4), (1, 4)]


@pytest.mark.parametrize(
    "ends", [(-1.0, 3.0), (0.5, 3.0), (-7.0, -1.0), (0.0, 0.0), (-1e-42, 1e-42), (-1e30, 2e30)]
)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_quantization_is_onnxruntimes(ends: tuple[float, float], dtype: str) -> None:
    low, high = (np.array(end, np.float32) for end in ends)
    smallest, largest = (np.array(end, dtype) for end in limits(dtype))
    zero, scale = compute_scale_zp(low, high, smallest, largest)
    assert quantization(*ends, dtype) == (pytest.approx(float(scale), rel=1e-6), int(zero))
