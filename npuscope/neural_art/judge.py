"""The verdict on a layer: the causes of its kernel decide, the rules put them into words."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from functools import cache

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.choose import ALONE, choose
from npuscope.neural_art.mapping.facts import known_when_compiling
from npuscope.neural_art.rules import RULES
from npuscope.npu.cause import Cause, worst
from npuscope.npu.rule import Context, Rule, silent
from npuscope.npu.verdict import Finding, Placement
from npuscope.record import record


@record()
class Verdict:
    """Where a layer runs, and every finding on it, the deciding ones first."""

    placement: Placement
    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...] = ()


def placed(layer: Layer, context: Context) -> tuple[Placement, tuple[Cause, ...]]:
    """Where a layer runs, and for which causes, without a word on it."""
    causes = choose(layer, context)
    unforced = Placement.NONE if known_when_compiling(layer, context) else Placement.HW
    return worst(causes, unforced), causes


def judge(layer: Layer, context: Context) -> Verdict:
    """Choose the kernel of a layer and word the reasons."""
    version = context.target.toolchain.version
    placement, causes = placed(layer, context)
    judged_alone = any(cause.why in ALONE for cause in causes)
    findings = [finding for cause in causes if (finding := _worded(cause, layer, context)) is not None]
    findings += [
        finding
        for rule in (() if judged_alone else _advising(layer.kind, version))
        if not (rule.front_end and context.graph.imported)
        for finding in rule.check(layer, context)
    ]
    findings.sort(key=lambda f: (-(f.placement.rank if f.placement else 0), _ORDER[f.severity.value], f.code))
    return Verdict(placement, tuple(findings), causes)


def code_of(cause: Cause) -> str:
    """The code of the rule that words a cause, '' where none does."""
    rule = _rule_of().get(cause.why)
    return rule.code if rule is not None else ""


def _worded(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    rule = _rule_of().get(cause.why)
    if rule is None or rule.word is None or (rule.front_end and context.graph.imported):
        return None
    finding = rule.word(cause, layer, context)
    if finding is None:
        return None
    forced = None if cause.placement is Placement.HW else cause.placement
    return replace(finding, placement=forced, cause=str(cause.why.value))


_ORDER = {"error": 0, "warning": 1, "advice": 2}


@cache
def _advising(kind: str, version: str) -> tuple[Rule, ...]:
    """The rules that have more to say of a kind than its causes."""
    return tuple(
        rule
        for rule in RULES
        if rule.check is not silent
        and version in rule.versions
        and (rule.kinds is None or kind in rule.kinds)
    )


@cache
def _rule_of() -> dict[Enum, Rule]:
    return {why: rule for rule in RULES for why in rule.causes}
