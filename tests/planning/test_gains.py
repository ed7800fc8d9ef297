"""What findings are worth: trials on the whole model, hottest layer first, and advice that is void."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from builders import models
from builders.models import from_text

from npuscope.edits.edit import Refusal
from npuscope.edits.gain import Gain, Gains, bound_words, moot_words
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.registry import KINDS
from npuscope.jobs import Job, StoppedError
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art import rules
from npuscope.neural_art.rules import BY_CODE, RULES
from npuscope.npu.rule import Rule
from npuscope.planning import gains as gains_module
from npuscope.planning.gains import WORK, GainScope, hottest_first, weigh, weighed
from npuscope.reports.check.text import check_text
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse
from npuscope.totals import Totals, totals


@pytest.fixture(scope="module")
def denoiser() -> tuple[Session, Snapshot]:
    session = Session.open(load(models.DENOISER), target("2.1"))
    return session, analyse(session)


@pytest.fixture(scope="module")
def gains(denoiser: tuple[Session, Snapshot]) -> Gains:
    return Gains(gain for gains in weigh(*denoiser) for gain in gains)


def test_each_finding_has_a_gain_and_it_is_that_of_the_whole_model(
    denoiser: tuple[Session, Snapshot], gains: Gains
) -> None:
    session, snapshot = denoiser
    for report in snapshot.layers:
        for finding in report.findings:
            gain = gains.of(report.name, finding.code)
            assert gain is not None
            if gain.edit is None:
                assert gain.saved_milliseconds is None
                continue
            made = session.edit(gain.edit)
            assert not isinstance(made, Refusal) and gain.saved_milliseconds is not None
            after = analyse(made, snapshot)
            assert gain.saved_milliseconds == pytest.approx(
                snapshot.summary.milliseconds - after.summary.milliseconds, abs=1e-9
            )
            gain_sum, summary = totals(made, snapshot), after.summary
            assert gain_sum == (summary.milliseconds, summary.off_npu, summary.on_cpu)


def test_flash_makes_the_advice_on_modes_void(denoiser: tuple[Session, Snapshot], gains: Gains) -> None:
    """Re-centred, Gemm_30 waits for the flash as before; what its weights take is all of its time."""
    _, snapshot = denoiser
    gain = gains.of("Gemm_30", "N901")
    assert gain is not None and gain.edit == Recentre("Gemm_30") and gain.moot
    assert gain.saved_milliseconds is not None and gain.saved_milliseconds < 1e-4
    assert gain.words.startswith("no gain") and gain.words.endswith("bound by octoFlash")
    advice = next(f for f in snapshot.by_name["Gemm_30"].findings if f.code == "N901")
    assert advice.moot == "octoFlash sets the time: its bytes take 1 599 104 cycles, the accelerators 262 144"
    assert moot_words(advice, None) == advice.moot and moot_words(advice, gain) == gain.words
    assert gains.saved("Gemm_28", ["N201"]) > 0.3
    assert gains.saved("Gemm_30", ["N901", "N902"]) == 0


def test_each_kind_of_edit_is_tried_and_what_is_bit_exact_goes_first_where_it_gains(gains: Gains) -> None:
    """Pads of Conv2D_23 all cost a copy that the CPU drives; a split saves time, as `fix` lists it."""
    slow, hot = gains.of("Conv2D_23", "N201"), gains.of("Gemm_28", "N201")
    assert slow is not None and slow.edit is not None and slow.edit.kind == "split-in" and slow.worth
    assert hot is not None and hot.edit is not None and hot.edit.kind == "pad-in" and hot.worth


def test_the_hottest_come_first_and_the_bound_is_a_count(denoiser: tuple[Session, Snapshot]) -> None:
    session, snapshot = denoiser
    order = [report.name for report in hottest_first(snapshot)]
    assert order[0] == "Gemm_28"
    assert [gains[0].layer for gains in weigh(session, snapshot)] == order
    first = list(weigh(session, snapshot, work=1))
    assert first == list(islice(weigh(session, snapshot), len(first))) and len(first) == 1
    assert list(weigh(session, snapshot, WORK)) == list(weigh(session, snapshot, WORK))


def test_of_a_large_model_one_edit_a_finding_is_tried(
    denoiser: tuple[Session, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def watched(session: Session, previous: Snapshot) -> Totals:
        tried.append(session.done[-1])
        return totals(session, previous)

    monkeypatch.setattr(gains_module, "totals", watched)
    several = next(weigh(*denoiser, work=1))
    before = len(tried)
    monkeypatch.setattr(gains_module, "WORK", len(denoiser[1].layers) - 1)
    one = next(weigh(*denoiser, work=1))
    assert before > 1 and tried[before:] == tried[:1]
    assert [gain.code for gain in one] == [gain.code for gain in several]
    assert all(gain.edit == tried[0] for gain in one)


def test_a_stop_ends_it(denoiser: tuple[Session, Snapshot]) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(StoppedError):
        list(weigh(*denoiser, job=Job(should_stop=stop)))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (Gain("a", "N901", Recentre("a"), 0.37, "feat", True), "saves 0.370 ms"),
        (
            Gain("a", "N901", Recentre("a"), 0.37, "feat", True, stated_by=("a", "N201")),
            "the same fix as N201",
        ),
        (
            Gain("a", "N901", Recentre("a"), 0.37, "", True, stated_by=("b", "N201")),
            "the same fix as N201 of b",
        ),
        (Gain("a", "N901", Recentre("a"), 0.0, "octoFlash"), "no gain: bound by octoFlash"),
        (Gain("a", "N901", Recentre("a"), 0.0, "cpu"), "no gain alone"),
        (Gain("a", "N901", Recentre("a"), 0.0, "start"), "no gain: the set-up takes the time"),
        (
            Gain("a", "N901", Recentre("a"), -0.5, "cpu"),
            "no gain alone: the fix makes the model 0.500 ms slower",
        ),
        (Gain("a", "N107", asks="sizes"), "unknown until sizes are given"),
        (Gain("a", "N303"), "no known single edit addresses it"),
    ],
)
def test_words(gain: Gain, words: str) -> None:
    assert gain.words == words


def test_a_layer_bound_by_its_accelerator_is_told_of_the_faster_mode(tmp_path: Path) -> None:
    session = Session.open(load(models.SAMPLES / "mobilenet_mini_int8.onnx"), target())
    snapshot = analyse(session)
    advised = [(r, f) for r in snapshot.layers for f in r.findings if f.code == "N901"]
    for report, finding in advised:
        assert bool(finding.moot) is (report.line.bound_by in {pool.name for pool in snapshot.target.pools})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_an_edit_that_advice_names_is_tried_or_its_question_is_told(rule: Rule, tmp_path: Path) -> None:
    """Of each rule's own example: who is told to make an edit is not told that no edit is known."""
    session = Session.open(from_text(rule.failing, tmp_path), target(rule.versions[-1]))
    snapshot = analyse(session)
    gains = weighed(session, snapshot, GainScope.ALL)
    for report in snapshot.layers:
        for finding in report.findings:
            gain = gains.of(report.name, finding.code)
            if not finding.named_edit:
                continue
            assert gain is not None
            assert finding.code in KINDS[finding.named_edit].declaration.answers
            assert gain.edit is not None or gain.asks == KINDS[finding.named_edit].declaration.asks != ""


@pytest.mark.parametrize(("code", "edit"), [("N107", "fix-dimensions"), ("N307", "sub-to-add")])
def test_rules_that_name_an_edit(code: str, edit: str, tmp_path: Path) -> None:
    snapshot = analyse(Session.open(from_text(BY_CODE[code].failing, tmp_path), target()))
    assert edit in {finding.named_edit for report in snapshot.layers for finding in report.findings}


def test_every_edit_that_the_text_of_a_rule_names_is_found_in_its_findings() -> None:
    """A kind of edit, and the form in which a finding's `named_edit` looks for it."""
    folder = Path(rules.__file__).parent
    for kind in (kind for kind in KINDS if "-" in kind):
        for path in folder.glob("n*.py"):
            text = path.read_text("utf-8")
            assert text.count(kind) == text.count(f"(edit {kind}"), f"{path.name}: write '(edit {kind}'"


CHAIN = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1024,64] x) => (int8[1024,48] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {64, 53}, int64[2] vs = {53, 48}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  v = ConstantOfShape <value: tensor = int8[1] {1}> (vs)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  m = QuantizeLinear(f, s, z)
  mf = DequantizeLinear(m, s, z)
  vf = DequantizeLinear(v, s, z)
  r = MatMul(mf, vf)
  y = QuantizeLinear(r, s, z) }"""
"""53 channels between two layers: N903 of the first and N904 of the second ask for one padding."""


def test_one_saving_is_stated_once(tmp_path: Path) -> None:
    session = Session.open(from_text(CHAIN, tmp_path), target())
    snapshot = analyse(session)
    first, second = (gain for gains in weigh(session, snapshot) for gain in gains if gain.worth)
    assert {first.code, second.code} == {"N903", "N904"} and first.edit != second.edit
    assert first.saved_milliseconds == pytest.approx(second.saved_milliseconds)
    assert first.stated_by is None and second.stated_by == (first.layer, first.code)
    text = check_text(session, snapshot, gains=Gains((first, second)))
    assert text.count(first.words) == 1 and second.words in text


LINEAR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, int8 z = {5}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  y = QuantizeLinear(r, s, z) }"""


def test_an_edit_that_leaves_a_lighter_finding_answers(tmp_path: Path) -> None:
    """A linear Resize is on the CPU; a nearest one is hybrid, and N504 is still said of it, as a warning."""
    session = Session.open(load(models.save_text(LINEAR, tmp_path / "m.onnx")), target("4.0"))
    snapshot = analyse(session)
    gain = Gains(gain for gains in weigh(session, snapshot) for gain in gains).of("op", "N504")
    assert gain is not None and gain.edit is not None and gain.edit.kind == "resize-nearest"
    assert gain.saved_milliseconds is not None and gain.words != "no known single edit addresses it"


def test_bounds_are_named_as_the_explorer_names_them() -> None:
    assert bound_words("dma") == "bound by data movement" and bound_words("octoFlash") == "bound by octoFlash"


def test_what_loses_accuracy_is_advised_of_layers_off_the_npu_too(tmp_path: Path) -> None:
    """A routine that requantizes cuts values wherever it runs; what would make a routine faster is not for it."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,2,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, float t = {0.05}, int8 z = {0}, float[4] f = {1, 1, 2, 2}>
    { d = DequantizeLinear(x, s, z)
      r = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (d, , f)
      y = QuantizeLinear(r, t, z) }"""
    session = Session.open(from_text(text, tmp_path), target("4.0"))
    text = check_text(session, analyse(session))
    assert "Not on the NPU" in text and text.index("Advice") < text.index("N123  Resize moves values")
