"""What reports say of losses, gains, times and cuts, sentence by sentence."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from math import inf

import pytest
from builders.command_line import run
from builders.models import DENOISER

from npuscope.edits.edit import Edit
from npuscope.edits.gain import Gain, bound_words, moot_words
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.times import in_ms
from npuscope.npu.verdict import Finding, Placement, Severity
from npuscope.numbers.blame import Culprit, Parting
from npuscope.numbers.differences import OutputDifference
from npuscope.numbers.verify_models import Verification
from npuscope.numbers.verify_regions import LocalVerification, RegionDifference
from npuscope.planning.accuracy.most_exact import Repair
from npuscope.planning.accuracy.time_budget import TimeBudgetResult
from npuscope.planning.cut import CutOffer, CutTimes
from npuscope.planning.outcome import Outcome, slower_words
from npuscope.planning.proposals import Preview
from npuscope.reports.cut_report import offer_text, times_text
from npuscope.reports.plan_report import within_text
from npuscope.reports.several.verify_report import PLACES, blame_text, loss_text, places_text
from npuscope.services.loss import Loss
from npuscope.session import Session
from npuscope.snapshot import analyse

SAME = OutputDifference("y", True, 0.0, 0.0, None, 1.0, 0.1, "quantization", 0, 8)
OTHER = replace(SAME, bit_exact=False, max_steps=3.0, mean_steps=0.5, sqnr_db=31.25, differing=4)


def whole(*outputs: OutputDifference) -> Verification:
    ratios = [output.sqnr_db for output in outputs if output.sqnr_db is not None]
    return Verification(not ratios, min(ratios, default=None), outputs, 3, 0)


def local(
    verification: Verification | None, *regions: RegionDifference, drawn: str = "model"
) -> LocalVerification:
    return LocalVerification(regions, verification, 3, drawn)


ONE = RegionDifference(("Conv_3",), (OTHER,))
LOSSES: list[tuple[Loss, list[str]]] = [
    (Loss(None, False, unknown="it does not run"), ["was not measured: it does not run"]),
    (Loss(local(None, ONE), False), ["too large to be run in passing", "Conv_3", "31.2"]),
    (Loss(local(whole(SAME)), True), ["Bit-exact over 3 samples from the files given.\n"]),
    (Loss(local(whole(OTHER)), True), ["keeps at least 31.2 dB over 3 samples from the files given.\n"]),
    (Loss(local(whole(OTHER)), False, 40.0), ["That is less than 40 dB (--least-db)", "3 random samples", "With --inputs"]),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "words"), LOSSES)
def test_a_loss_is_said_with_its_samples(loss: Loss, words: list[str]) -> None:
    assert all(word in loss_text(loss) for word in words)


def test_places_that_differ_are_listed_each_alone() -> None:
    assert (
        places_text(local(None, RegionDifference(("Conv_3",), (SAME,)), RegionDifference(("gone",), ())))
        == ""
    )
    many = [RegionDifference((f"Conv_{i}",), (OTHER,)) for i in range(PLACES + 2)]
    text = places_text(local(None, *many, drawn="random"))
    assert "on random values:" in text and text.endswith("and 2 more\n")
    assert "y  " in places_text(local(None, RegionDifference((), (OTHER,))))


def test_the_first_that_differs_is_blamed() -> None:
    culprit = Culprit(1, PadChannels("Gemm_28", 264), whole(SAME), whole(OTHER))
    text = blame_text(culprit, Parting("Conv_3", "t", OTHER, 7))
    assert "first edit   2: pad inputs of Gemm_28 to 264 channels: 31.2 dB with it" in text
    assert "first layer  Conv_3: 31.2 dB (7 layers compared)" in text
    assert blame_text(None, None) == "first layer  none that both models have\n"


EDIT: Edit = PadChannels("Gemm_28", 264)
GAINS: list[tuple[Gain, str]] = [
    (Gain("a", "N1"), "no known single edit addresses it"),
    (Gain("a", "N1", asks="sizes"), "unknown until sizes are given"),
    (Gain("a", "N1", EDIT, 0.37, worth=True), "saves 0.370 ms"),
    (Gain("a", "N1", EDIT, 0.37, worth=True, stated_by=("b", "N9")), "the same fix as N9 of b"),
    (Gain("a", "N1", EDIT, 0.37, worth=True, stated_by=("a", "N9")), "the same fix as N9"),
    (Gain("a", "N1", EDIT, 0.0), "no gain alone"),
    (Gain("a", "N1", EDIT, 0.0, "octoFlash"), "no gain: bound by octoFlash"),
    (Gain("a", "N1", EDIT, -0.5), "no gain alone: the fix makes the model 0.500 ms slower"),
    (Gain("a", "N1", EDIT, -0.5, "octoFlash"), "no gain alone: the fix makes the model 0.500 ms slower, bound by octoFlash"),
]  # fmt: skip


@pytest.mark.parametrize(("gain", "words"), GAINS)
def test_a_gain_is_said_with_its_reason(gain: Gain, words: str) -> None:
    assert gain.words == words
    finding = Finding("N1", Severity.WARNING, "text", moot="something else sets the time")
    tried = gain.saved_milliseconds is not None
    assert gain.moot is (tried and not gain.worth)
    assert moot_words(finding, gain) == (words if gain.moot else finding.moot if not tried else "")
    assert moot_words(finding, None) == finding.moot


def test_what_bounds_nothing_is_left_out() -> None:
    assert bound_words("") == bound_words("cpu") == ""
    assert bound_words("octoFlash") == "bound by octoFlash"


@pytest.mark.parametrize(
    ("sqnr", "most", "reference", "words"),
    [
        (None, 5.0, "", "bit-exact against the model before, 4.00 ms of 5"),
        (31.25, 5.0, "float.onnx", "31.2 dB against float.onnx, 4.00 ms of 5"),
        (31.25, 3.0, "", "4.00 ms of 3; no plan found is as fast"),
    ],
)
def test_the_most_within_a_time(sqnr: float | None, most: float, reference: str, words: str) -> None:
    changes = (Repair("clip a", 1.5, -0.1, 0), Repair("leave out b", inf, 0.2, 5))
    text = within_text(TimeBudgetResult(most, 4.0, sqnr, changes, reference))
    assert words in text and "+1.5 dB" in text and "exact" in text.splitlines()[2]


def test_times_of_a_cut() -> None:
    assert times_text(CutTimes(2.0, 1.0, None)) == "1.00 ms instead of 2.00 ms, and a tail of unknown sizes"
    text = times_text(CutTimes(23.39, 17.97, 5.14))
    assert text.startswith("17.97 ms + 5.14 ms on the Cortex-M55 (estimated) = 23.11 ms instead of 23.39 ms")
    assert "saves 0.28 ms" in text


TIMES = CutTimes(23.39, 17.97, 5.14)
OFFERS: list[tuple[CutOffer, tuple[Edit, ...], list[str]]] = [
    (CutOffer(("t",), TIMES), (), ["end the model at t and leave", "'npuscope cut MODEL -o HEAD.onnx"]),
    (CutOffer(("t", "u"), TIMES), (EDIT,), ["at 2 tensors", "after 'plan --apply -o OUT', 'npuscope cut OUT"]),
    (CutOffer(("t",), TIMES, (0,)), (EDIT,), ["without step 1, which helps only", "'npuscope cut MODEL"]),
    (CutOffer(("t",), TIMES, (0, 2)), (EDIT, EDIT, EDIT), ["without steps 1 and 3, which help only", "'npuscope fix MODEL pad-in layer=Gemm_28 channels=264 -o OUT'", "'npuscope cut OUT"]),
]  # fmt: skip


@pytest.mark.parametrize(("offer", "edits", "words"), OFFERS)
def test_a_cut_is_offered_with_its_commands(
    offer: CutOffer, edits: tuple[Edit, ...], words: list[str]
) -> None:
    text = offer_text(offer, edits)
    assert all(word in text for word in words)


PREVIEW = Preview(EDIT, Placement.SW_INT, Placement.HW, (1, 1), (1, 1), (1.0, 1.0), (1.0, 1.0), (), ())


def test_why_an_edit_slows_the_model() -> None:
    report = analyse(Session.open(load(DENOISER), target("2.1"))).by_name["Gemm_28"]
    own = report.line.milliseconds
    assert slower_words(PREVIEW, report, Outcome(own, 1, 4.0, 3.5)) == ""
    alone = slower_words(PREVIEW, report, Outcome(own + 0.5, 1, 4.0, 4.5))
    assert (
        alone.startswith("slows the model by 0.500 ms: the layer itself +0.500 ms") and "around" not in alone
    )
    around = slower_words(replace(PREVIEW, after=Placement.HYBRID), report, Outcome(own, 1, 4.0, 4.5))
    assert "what lies around it +0.500 ms" in around and around.endswith("the CPU drives a part of it")
    unknown = slower_words(PREVIEW, replace(report, cost=None), Outcome(own, 1, 4.0, 4.5))
    assert unknown == "slows the model by 0.500 ms"


def test_findings_are_sorted_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """What is sorted changes its place, and nothing else; the layers that take longest stand first by time."""
    texts = {
        order: run(capsys, "check", DENOISER, "--order", order)[1] for order in ("gain", "time", "graph")
    }
    codes = {order: re.findall(r"^ *(N\d{3})\b", text, re.MULTILINE) for order, text in texts.items()}
    assert sorted(codes["gain"]) == sorted(codes["time"]) == sorted(codes["graph"]) != []
    snapshot = analyse(Session.open(load(DENOISER), target("4.0")))
    share, severity = defaultdict[str, float](float), {}
    for report in snapshot.layers:
        for found in {one.code: one for one in report.findings}.values():
            share[found.code] += snapshot.share(report)
            severity[found.code] = found.severity
    for level in set(severity.values()):  # each has a section of its own
        shares = [share[code] for code in codes["time"] if severity[code] is level]
        assert shares == sorted(shares, reverse=True)


def test_what_a_fix_of_several_layers_loses_is_said_of_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Re-centring one Gemm breaks up an epoch of two: the model takes longer, and none of the layers says otherwise."""
    _, text, _ = run(capsys, "check", DENOISER, "--toolchain", "4.0", "--gains", "all")
    _, said, _ = run(capsys, "check", DENOISER, "--toolchain", "4.0", "--gains", "all", "--json")
    found = [
        one for layer in json.loads(said)["layers"] for one in layer["findings"] if one["code"] == "N901"
    ]
    worst = min(one["saves_ms"] for one in found)
    assert len({one["moot"] for one in found}) > 1 and worst < 0
    words = " ".join(text.partition("N901")[2].split())
    assert (
        f"no gain alone: the fix makes the model up to {in_ms(-worst)} ms slower, bound by octoFlash" in words
    )
