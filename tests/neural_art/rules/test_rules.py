"""Each rule speaks on its failing example, is silent on its passing one, and is documented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders.models import SAMPLES, analysed, from_text

from npuscope.machine.catalogue import TOOLCHAINS
from npuscope.model.layers import Layer
from npuscope.model.load import load
from npuscope.neural_art.rules import BY_CODE, RULES
from npuscope.npu.rule import FAMILIES, Context, Rule
from npuscope.npu.verdict import Finding, Placement, Severity
from npuscope.snapshot import Snapshot

FOLDER = Path(__file__).parents[3] / "npuscope" / "neural_art" / "rules"


def findings(snapshot: Snapshot) -> list[Finding]:
    return [finding for report in snapshot.layers for finding in report.findings]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_failing_example_gives_the_code(rule: Rule, tmp_path: Path) -> None:
    snapshot = analysed(from_text(rule.failing, tmp_path), rule.versions[-1])
    assert rule.code in {finding.code for finding in findings(snapshot)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_passing_example_does_not(rule: Rule, tmp_path: Path) -> None:
    for version in (rule.versions[0], rule.versions[-1]):
        snapshot = analysed(from_text(rule.passing, tmp_path), version)
        assert rule.code not in {finding.code for finding in findings(snapshot)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_is_documented(rule: Rule) -> None:
    for text in (rule.title, rule.what, rule.why, rule.fix, rule.source):
        assert text.strip() == text and text
    assert rule.what.startswith(("Looks for", "Looks at", "Looks the"))
    assert all(text.endswith(".") for text in (rule.what, rule.why, rule.fix))
    assert rule.family in FAMILIES.values()
    assert {rule.since, rule.until, rule.reviewed} <= {"", *TOOLCHAINS}
    assert rule.versions and rule.failing and rule.passing


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code[1] == "7"], ids=lambda rule: rule.code)
def test_a_known_bug_was_decided_for_the_newest_version(rule: Rule) -> None:
    """A new version in the data file needs a decision for each: mended (`until`), or still there (`reviewed`)."""
    assert rule.until or rule.reviewed == TOOLCHAINS[-1], f"{rule.code}: is it in {TOOLCHAINS[-1]} too?"


def test_a_rule_holds_for_versions_that_come_after_it() -> None:
    lasting = BY_CODE["N701"]
    assert lasting.versions == TOOLCHAINS[TOOLCHAINS.index("4.0") :]
    assert replace(lasting, since="2.1", until="3.0").versions == ("2.1", "2.2", "3.0")
    assert replace(lasting, since="").versions == TOOLCHAINS


def test_codes_are_unique_and_in_order() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert list(BY_CODE) == codes


def test_each_rule_has_a_file_named_after_it() -> None:
    files = sorted(path.stem.split("_")[0].upper() for path in FOLDER.glob("n*.py"))
    assert files == [rule.code for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_findings_are_short_sentences(rule: Rule, tmp_path: Path) -> None:
    for finding in findings(analysed(from_text(rule.failing, tmp_path), rule.versions[-1])):
        assert finding.message and not finding.message.endswith(".") and "\n" not in finding.message
        assert len(finding.message) <= 160
        assert finding.why.endswith(".") and finding.why.count(". ") <= 2
        assert finding.fix and not finding.fix.endswith(".")


def check_findings(snapshot: Snapshot) -> None:
    """Every layer off the NPU says why; an error takes its layer off the NPU."""
    for report in snapshot.layers:
        if report.off_npu:
            assert report.forced_by, report.name
        for finding in report.findings:
            if finding.severity is Severity.ERROR:
                assert finding.placement is not None and finding.placement.rank > 0, finding
            if finding.placement is Placement.HYBRID:
                assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda path: path.stem)
@pytest.mark.parametrize("version", TOOLCHAINS)
def test_every_layer_off_the_npu_says_why(path: Path, version: str) -> None:
    check_findings(analysed(load(path), version))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_examples_say_why(rule: Rule, tmp_path: Path) -> None:
    for text in (rule.failing, rule.passing):
        check_findings(analysed(from_text(text, tmp_path), rule.versions[-1]))


BIAS = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1,4,4] x) => (int8[1,2,4,4] y)
<float s = {{0.1}}, int8 z = {{0}}, int8[2,1,1,1] wq = {{3, 4}}, float{weight}, int8{zeros}, int32[2] bq = {{70, 5}}, float{bias}, int32{zero}>
{{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear <axis = 0> (wq, ws, wz)
  b = DequantizeLinear <axis = 0> (bq, bs, bz)
  r = Conv(f, w, b)
  y = QuantizeLinear(r, s, z) }}"""
ONE_SCALE = {"weight": " ws = {0.01}", "zeros": " wz = {0}"}
TWO_SCALES = {"weight": "[2] ws = {0.01, 0.02}", "zeros": "[2] wz = {0, 0}"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({**ONE_SCALE, "bias": " bs = {0.001005}", "zero": " bz = {0}"}, ""),
        ({**ONE_SCALE, "bias": " bs = {0.00102}", "zero": " bz = {0}"}, "the bias of Conv has 1.02 times"),
        ({**ONE_SCALE, "bias": " bs = {0.001}", "zero": " bz = {4}"}, "the bias of Conv has a zero point"),
        ({**TWO_SCALES, "bias": "[2] bs = {0.001, 0.002}", "zero": "[2] bz = {0, 0}"}, ""),
        (
            {**TWO_SCALES, "bias": "[2] bs = {0.001, 0.0001}", "zero": "[2] bz = {0, 0}"},
            "1 of 2 biases of Conv has 0.05 times",
        ),
        (
            {**TWO_SCALES, "bias": " bs = {0.001}", "zero": " bz = {0}"},
            "1 of 2 biases of Conv has 0.5 times",
        ),
        ({**ONE_SCALE, "bias": " bs = {0}", "zero": " bz = {0}"}, ""),
    ],
)
def test_a_bias_is_held_against_the_scale_of_its_sums(
    parts: dict[str, str], words: str, tmp_path: Path
) -> None:
    snapshot = analysed(from_text(BIAS.format(**parts), tmp_path))
    stated = [finding.message for finding in findings(snapshot) if finding.code == "N119"]
    assert len(stated) == bool(words)
    assert all(words in message for message in stated)


@pytest.mark.parametrize(("opset", "stated"), [(10, True), (13, False)])
def test_an_attribute_of_a_later_opset_is_said_with_it(opset: int, stated: bool, tmp_path: Path) -> None:
    """onnx's checker and onnxruntime refuse an `axis` before opset 13, whoever wrote it."""
    text = BIAS.format(**TWO_SCALES, bias="[2] bs = {0.001, 0.002}", zero="[2] bz = {0, 0}")
    snapshot = analysed(from_text(text.replace('"" : 13', f'"" : {opset}'), tmp_path))
    words = f"DequantizeLinear has no attribute 'axis' in opset {opset}; opset 13 brings it"
    assert any(words in finding.message for finding in findings(snapshot)) is stated


@pytest.mark.parametrize(
    ("operator", "codes"),
    [
        ("LayerNormalization(f, ones)", ["N309"]),
        ("RoiAlign(f, boxes, places)", ["N301"]),
        ("Max(f, ones)", ["N301"]),
    ],
)
def test_constants_are_not_why_an_operator_without_an_integer_kernel_is_float(
    operator: str, codes: list[str], tmp_path: Path
) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
g (int8[1,4,8,8] x) => (int8[n,m,o,p] y)
<float s = {{0.1}}, int8 z = {{0}}, float[8] ones = {{1, 1, 1, 1, 1, 1, 1, 1}}, float[1,4] boxes = {{0, 0, 4, 4}}, int64[1] places = {{0}}>
{{ f = DequantizeLinear(x, s, z)
  r = {operator}
  y = QuantizeLinear(r, s, z) }}"""
    forced = [f.code for f in findings(analysed(from_text(text, tmp_path))) if f.placement is not None]
    assert forced == codes


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.by_geometry], ids=lambda rule: rule.code)
def test_what_is_said_by_geometry_asks_for_no_more(rule: Rule, tmp_path: Path) -> None:
    """It is said once for convolutions alike: a look at names, at neighbours or at values would go unseen."""
    snapshot = analysed(from_text(rule.failing, tmp_path), rule.versions[-1])
    said = 0
    for layer in [report.layer for report in snapshot.layers if report.layer.weight is not None]:
        alike = bare(layer)
        for one in (layer, alike):
            one.facts.clear()
        context = Context(None, None, snapshot.target)  # type: ignore[arg-type]
        found = list(rule.check(layer, context))
        assert found == list(rule.check(alike, context))
        said += len(found)
    assert said or rule.causes


def bare(layer: Layer) -> Layer:
    """The same convolution by another name, of other tensors and other weights."""
    weight, source = layer.weight, layer.input
    assert weight is not None and weight.constant is not None and source is not None
    other = replace(weight, tensor="w", seen="ws", constant=replace(weight.constant, name="w", value=None))
    first = replace(source, tensor="a", seen="b")
    nodes = (layer.core.name,)
    return replace(layer, name="other", nodes=nodes, inputs=(first, *layer.inputs[1:]), weight=other)
