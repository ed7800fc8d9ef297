"""The verdict on a layer: the causes of its kernel decide, the rules put them into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from functools import cache

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.frontend.formats import has_real_borders
from npuscope.neural_art.kernels.choose import ALONE, choose
from npuscope.neural_art.mapping.folded import known_when_compiling
from npuscope.neural_art.mapping.form import form_of
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point
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
    findings = [finding for cause in causes if (finding := _worded(cause, layer, context)) is not None]
    if not causes or ALONE.isdisjoint([cause.why for cause in causes]):
        rules, by_form, by_geometry = _advising(layer.kind, version, context.graph.imported)
        findings += [finding for rule in rules for finding in rule.check(layer, context)]
        findings += _of_form(layer, context, by_form)
        if by_geometry and layer.quantized:
            findings += _of_geometry(layer, context, by_geometry)
    if not findings:
        return Verdict(placement, (), causes)
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
def _advising(kind: str, version: str, imported: bool) -> tuple[tuple[Rule, ...], ...]:
    """The rules that have more to say of a kind than its causes; those apart that say it by its form, and by geometry."""
    rules = [
        rule
        for rule in RULES
        if rule.check is not silent
        and version in rule.versions
        and (rule.kinds is None or kind in rule.kinds)
        and not (imported and rule.front_end)
    ]
    return (
        tuple([rule for rule in rules if not (rule.by_form or rule.by_geometry)]),
        tuple([rule for rule in rules if rule.by_form]),
        tuple([rule for rule in rules if rule.by_geometry]),
    )


def _of_form(layer: Layer, context: Context, rules: tuple[Rule, ...]) -> Sequence[Finding]:
    """What these rules say; a form that they have nothing to say of is remembered."""
    form = None if context.graph.imported or has_real_borders(context.graph) else form_of(layer)
    if form is not None and context.target in form.silent:
        return ()
    found = [finding for rule in rules for finding in rule.check(layer, context)]
    if form is not None and not found:
        form.silent.add(context.target)
    return found


MOST_KNOWN = 1 << 14
"""Convolutions of which it is remembered what was said before all are forgotten: a plan tries thousands of edits."""

_SAID: dict[tuple[str, Convolution, int | None, bool, Target], tuple[Finding, ...]] = {}


def _of_geometry(layer: Layer, context: Context, rules: tuple[Rule, ...]) -> tuple[Finding, ...]:
    """What these rules say, of convolutions alike once."""
    conv = convolution(layer)
    if conv is None:
        return ()
    key = layer.kind, conv, input_zero_point(layer), awaits_zero_point(layer), context.target
    said = _SAID.get(key)
    if said is None:
        if len(_SAID) >= MOST_KNOWN:
            _SAID.clear()
        said = _SAID[key] = tuple([finding for rule in rules for finding in rule.check(layer, context)])
    return said


@cache
def _rule_of() -> dict[Enum, Rule]:
    return {why: rule for rule in RULES for why in rule.causes}
