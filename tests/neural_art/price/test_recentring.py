"""docs/recentring.md: what re-centring the denoiser's Gemms saves, and why."""

from __future__ import annotations

import pytest
from builders import models

from npuscope.edits.gain import Gain
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.planning.gains import weigh
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

DENOISER = models.SAMPLES / "denoiser_lstm_int8.onnx"


def microseconds(before: Snapshot, after: Snapshot) -> float:
    return (after.summary.milliseconds - before.summary.milliseconds) * 1e3


def edited(session: Session, *edits: object) -> Session:
    for edit in edits:
        session = session.edit(edit)  # type: ignore[arg-type, assignment]
        assert isinstance(session, Session), session
    return session


@pytest.mark.parametrize(
    ("version", "gemm_30", "gemm_28"),
    [("2.1", 0.036, -2.752), ("3.0", -4.856, 1.498), ("4.0", 41.081, -2.752)],
)
def test_what_it_saves(version: str, gemm_30: float, gemm_28: float) -> None:
    session = Session.open(load(DENOISER), target(version))
    before, after = analyse(session), analyse(edited(session, Recentre("Gemm_30", 0)))
    cycles = [snapshot.by_name["Gemm_30"].line.compute_cycles for snapshot in (before, after)]
    assert cycles == [256 * 1024, -(-256 * 1024 // 3)]
    assert microseconds(before, after) == pytest.approx(gemm_30, abs=5e-4)

    padded = edited(session, *(PadChannels(name, 258) for name in ("Gemm_28", "Conv2D_79", "Conv2D_23")))
    both = analyse(padded), analyse(edited(padded, Recentre("Gemm_28", 0)))
    one, other = (snapshot.by_name["Gemm_28"].line.compute_cycles for snapshot in both)
    assert (one, other) == (264_192, 88_064)
    assert microseconds(*both) == pytest.approx(gemm_28, abs=5e-4)
    if version == "2.1":
        assert microseconds(*both) == pytest.approx(-(one - other) / 64 / 1e3)


def test_the_finding_says_so_and_stands_below_what_saves() -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    snapshot = analyse(session)
    gains = {(gain.layer, gain.code): gain for found in weigh(session, snapshot) for gain in found}
    gain = gains["Gemm_30", "N901"]
    assert isinstance(gain, Gain) and gain.moot
    assert gain.words == "no gain: bound by octoFlash"
    assert gains["Gemm_28", "N201"].words == "saves 0.366 ms"
