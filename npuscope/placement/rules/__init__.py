"""The rules, in the order of their codes. A new rule is one file here and one line in RULES."""

from __future__ import annotations

from npuscope.placement.rule import Rule
from npuscope.placement.rules import (
    n101_float_layer,
    n107_unknown_shape,
    n108_rank,
    n201_no_tiling,
    n206_two_activations,
    n301_no_unit,
    n303_softmax,
    n601_float_border,
    n901_zero_point,
    n902_weights_once,
    n903_prime_outputs,
)

RULES: tuple[Rule, ...] = (
    n101_float_layer.RULE,
    n107_unknown_shape.RULE,
    n108_rank.RULE,
    n201_no_tiling.RULE,
    n206_two_activations.RULE,
    n301_no_unit.RULE,
    n303_softmax.RULE,
    n601_float_border.RULE,
    n901_zero_point.RULE,
    n902_weights_once.RULE,
    n903_prime_outputs.RULE,
)

BY_CODE = {rule.code: rule for rule in RULES}
