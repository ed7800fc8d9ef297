"""What an edit would do to the numbers, before it is made."""

from __future__ import annotations

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
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.price import SAMPLES, Price, price
from npuscope.numbers.verify_models import verify
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
