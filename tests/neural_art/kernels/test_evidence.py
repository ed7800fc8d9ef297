"""Every cause has a rule that words it, and counts of what compilers did."""

from __future__ import annotations

import tomllib
from pathlib import Path

from builders.models import ROOT, analysed, from_text

from npuscope.neural_art.kernels.evidence import NEVER, STEP_RULES, Evidence, evidence
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.rules import RULES
from npuscope.neural_art.rules.n905_swish_in_two import GATES
from npuscope.reports.check.text import check_text
from npuscope.reports.json_report import check_json
from npuscope.session import Session


def test_each_cause_is_worded_by_one_rule() -> None:
    worded = [cause for rule in RULES for cause in rule.causes]
    assert sorted(worded, key=str) == sorted(Why, key=str)
    assert all((rule.word is None) == (not rule.causes) for rule in RULES)


def test_the_file_counts_known_causes() -> None:
    table = tomllib.loads((ROOT / "npuscope/neural_art/kernels/evidence.toml").read_text())
    assert table.keys() <= {GATES, *STEP_RULES, *(str(why.value) for why in Why)}
    assert table.keys() >= STEP_RULES.keys()
    for row in table.values():
        assert row.keys() == {"agreed", "seen", "versions"}
        assert 0 <= row["agreed"] <= row["seen"] > 0 and row["versions"]


def test_words() -> None:
    assert str(Evidence(18, 18, ("2.0", "2.1", "2.2"))) == "18 of 18 compiled layers (2.0 to 2.2)"
    assert str(Evidence(1, 2, ("4.0",))) == "1 of 2 compiled layers (4.0)"
    assert evidence("no such cause") is NEVER and str(NEVER) == "never seen compiled"


def test_reasons_carry_it(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Softmax <axis = 1> (f)
  y = QuantizeLinear(r, s, z) }"""
    source = from_text(text, tmp_path)
    snapshot = analysed(source)
    session = Session.open(source, snapshot.target)
    (finding,) = [
        f for layer in check_json(session, snapshot)["layers"] for f in layer["findings"] if f["cause"]
    ]
    known = evidence("softmax")
    assert finding["evidence"] == {
        "agreed": known.agreed, "seen": known.seen, "versions": list(known.versions),
    }  # fmt: skip
    assert f"seen {known}" in check_text(session, snapshot)
