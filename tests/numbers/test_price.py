"""What an edit would do to the numbers, before it is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.jobs import Job, StoppedError
from npuscope.model.load import load
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.differences import OutputDifference
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.price import SAMPLES, Price, price, prices
from npuscope.numbers.verify_models import Verification, verify
from npuscope.numbers.verify_regions import verify_local
from npuscope.services.apply import apply_edits
from npuscope.session import Session


@pytest.fixture(scope="module")
def denoiser() -> Session:
    return opened(load(models.DENOISER))


def priced(session: Session, edit: Edit) -> Price:
    estimate = price(session, edit)
    assert isinstance(estimate, Price), estimate
    return estimate


@pytest.mark.parametrize("edit", [PadChannels("Gemm_28", 264), SplitOutput("Gemm_30", (1000, 24))])
def test_an_exact_edit_costs_nothing(denoiser: Session, edit: Edit) -> None:
    estimate = priced(denoiser, edit)
    assert estimate.bit_exact and estimate.decibels is None
    assert estimate.samples == SAMPLES


@pytest.mark.parametrize(
    "edit",
    [
        SplitInput("Gemm_28", (144, 113)),
        SplitInput("Gemm_28", (100, 100, 57)),
        SplitInput("Conv2D_23", (65, 64, 64, 64)),
        Recentre("Gemm_30", 0),
    ],
)
def test_the_price_is_what_verification_finds_afterwards(denoiser: Session, edit: Edit) -> None:
    estimate = priced(denoiser, edit)
    samples = random_samples(denoiser.source, SAMPLES)
    made = calibrate_all(denoiser, (edit,), samples)
    assert isinstance(made, Session)
    after = verify(denoiser, made, inputs=samples)
    assert estimate.outputs is not None and estimate.here is not None
    assert estimate.outputs.sqnr_db_min == pytest.approx(after.sqnr_db_min)
    assert not estimate.bit_exact
    assert estimate.decibels == estimate.here.sqnr_db
    assert 0 < estimate.here.max_steps < 4


def test_the_price_is_that_of_the_edit_alone(denoiser: Session) -> None:
    noisy = denoiser.edit(SplitInput("Gemm_28", (144, 113)))
    assert isinstance(noisy, Session)
    assert priced(noisy, PadChannels("Conv2D_79", 258)).bit_exact


def test_an_edit_that_does_not_fit(denoiser: Session) -> None:
    assert isinstance(price(denoiser, SplitInput("Gemm_28", (1, 2))), Refusal)


def test_it_can_be_stopped(denoiser: Session) -> None:
    with pytest.raises(StoppedError):
        price(denoiser, SplitInput("Gemm_28", (144, 113)), job=Job(should_stop=lambda: True))


def test_a_price_is_what_verifying_the_made_edit_says(denoiser: Session) -> None:
    """The same samples for scales and for the comparison, before and after."""
    edit = SplitInput("Gemm_28", (129, 128))
    promised, made = priced(denoiser, edit), apply_edits(denoiser, (edit,)).session
    assert isinstance(made, Session)
    verified = verify_local(made)
    (region,) = verified.regions
    assert region.worst is not None and promised.decibels == region.worst.sqnr_db
    assert promised.outputs is not None and verified.whole_model is not None
    assert promised.outputs.sqnr_db_min == verified.whole_model.sqnr_db_min
    assert promised.samples == verified.samples == SAMPLES


def test_prices_are_those_of_edits_that_are_not_exact_and_can_be_made(denoiser: Session) -> None:
    edits: list[Edit] = [
        PadChannels("Gemm_28", 264), SplitInput("Gemm_28", (144, 113)), SplitInput("nope", (1, 2)), Recentre("Gemm_30", 0),
    ]  # fmt: skip
    priced_edits = dict(prices(denoiser, edits, None))
    assert list(priced_edits) == [edits[1], edits[3]]
    assert priced_edits[edits[3]].decibels == priced(denoiser, edits[3]).decibels


def test_a_model_that_does_not_run_has_no_prices(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[1,4] x) => (int8[1,4] y)
    <float s = {0.1}, int8 z = {5}, float[4,4] w = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}>
    { o = own.Strange(x) q = QuantizeLinear(o, s, z) f = DequantizeLinear(q, s, z) [op] r = MatMul(f, w) y = QuantizeLinear(r, s, z) }"""
    session = opened(models.from_text(text, tmp_path))
    assert isinstance(session.edit(Recentre("op", 0)), Session)
    assert list(prices(session, [Recentre("op", 0)], None)) == []


@pytest.mark.parametrize(
    ("here", "outputs", "decibels", "worst", "exact", "too_much"),
    [
        (None, None, None, None, False, False),
        (12.0, None, 12.0, 12.0, False, True),
        (12.0, 40.0, 12.0, 40.0, False, False),
        (None, 24.0, 24.0, 24.0, False, True),
    ],
)
def test_what_a_price_says(
    here: float | None,
    outputs: float | None,
    decibels: float | None,
    worst: float | None,
    exact: bool,
    too_much: bool,
) -> None:
    def difference(sqnr: float) -> OutputDifference:
        return OutputDifference("y", False, 1.0, 1.0, sqnr, 1.0, 0.1, "quantization", 1, 1)

    whole = None if outputs is None else Verification(False, outputs, (difference(outputs),), 1, 0)
    found = Price(None if here is None else difference(here), whole, 1)
    assert (found.decibels, found.worst) == (decibels, worst)
    assert (found.bit_exact, found.loses_too_much) == (exact, too_much)
    assert found.compared is (here is not None or outputs is not None)
