"""The verdict on a layer: every rule that looks at its kind, all findings, the worst one decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import known_when_compiling
from npuscope.neural_art.rules import RULES
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Finding, Placement


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a layer runs, and every finding on it, the deciding ones first."""

    placement: Placement
    findings: tuple[Finding, ...]


def judge(layer: Layer, context: Context) -> Verdict:
    """Apply the rules to a layer."""
    version = context.target.toolchain.version
    findings = [
        finding
        for rule in _rules_for(layer.kind)
        if version in rule.versions and not (rule.front_end and context.graph.imported)
        for finding in rule.check(layer, context)
    ]
    forced = [f.placement for f in findings if f.placement is not None]
    unforced = Placement.NONE if known_when_compiling(layer, context) else Placement.HW
    placement = max(forced, key=lambda p: p.rank, default=unforced)
    findings.sort(key=lambda f: (-(f.placement.rank if f.placement else 0), _ORDER[f.severity.value], f.code))
    return Verdict(placement, tuple(findings))


_ORDER = {"error": 0, "warning": 1, "advice": 2}


@cache
def _rules_for(kind: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.kinds is None or kind in rule.kinds)
