"""How often the compiler's epochs are those that a rule of lowering asks for: of steps, which have no layer of their own.

A rule counts the layers it applies to, where the epochs say whether it holds: in the graph of the compiler (c_info), which names
the steps of a product and the epoch of each, or by the number of all epochs, where the one predicted is nearer with the rule than
without it, or further. Where both are as near, it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple
from unittest.mock import patch

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer, fold
from npuscope.neural_art.comparison.values import Comparison
from npuscope.neural_art.kernels.evidence import STEP_RULES
from npuscope.neural_art.lowering import along_rows, conv, pools, sums
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.lowering.products import of_two_maps
from npuscope.neural_art.mapping.capacity import submasks
from npuscope.neural_art.mapping.operators import AVERAGES, POOLING
from npuscope.npu.cost import Tiling
from npuscope.npu.verdict import Placement
from npuscope.snapshot import Snapshot


class Counted(NamedTuple):
    """Layers of one network that a rule applies to, and in how many the compiler's epochs are as it says."""

    word: str
    agreed: int
    seen: int
    toolchain: str


Applies = Callable[[Lowering, Layer, Tiling | None], bool]


@dataclass(frozen=True)
class Rule:
    """A rule of lowering; `without` are the names in its modules, and the values with which it is not applied."""

    applies: Applies
    without: tuple[tuple[ModuleType, str, object], ...]

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """The rule is not applied."""
        patches = [patch.object(module, name, value) for module, name, value in self.without]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in patches:
                one.stop()

    def concerned(self, snapshot: Snapshot) -> int:
        """Layers on the NPU that it applies to."""
        lowering = Lowering(fold(snapshot.graph), snapshot.target)
        return sum(
            report.placement in (Placement.HW, Placement.HYBRID)
            and self.applies(lowering, report.layer, report.cost.tiling if report.cost is not None else None)
            for report in snapshot.layers
        )


def never(*_: object) -> bool:
    """In place of what says whether a rule applies."""
    return False


def pools_sub_masks(lowering: Lowering, layer: Layer, _: Tiling | None) -> bool:
    """A pooling that leaves a map reads a convolution of a larger kernel, with or without an activation between."""
    dims = layer.output_dims
    if dims is None or math.prod(dims[2:]) == 1:
        return False
    writer = lowering.layers.writers.get(layer.input.tensor) if layer.input is not None else None
    if writer is not None and writer.kind in ("Relu", "Clip") and writer.input is not None:
        writer = lowering.layers.writers.get(writer.input.tensor)
    shape = convolution(writer) if writer is not None else None
    return layer.kind in POOLING and shape is not None and len(submasks(shape, lowering.target)) > 1


RULES: Mapping[str, Rule] = {
    "coefficients_fetched": Rule(
        lambda lowering, layer, _: layer.kind == "Conv" and conv.fetches_coefficients(lowering, layer),
        ((conv, "fetches_coefficients", never),),
    ),
    "averages_scaled": Rule(
        lambda _, layer, __: layer.kind in AVERAGES and pools.changes_scale(layer),
        ((pools, "scales_itself", never),),
    ),
    "pooled_apart": Rule(pools_sub_masks, ((pools, "pooled_apart", never),)),
    "rows_copied": Rule(
        along_rows.ends_in_rows,
        ((along_rows, "STREAMED", frozenset()),),
    ),
    "sub_masks_apart": Rule(
        lambda lowering, layer, tiling: tiling is not None and len(tiling.parts) > 1
        and sums.summed_apart(lowering, layer, convolution(layer)),
        ((sums, "summed_apart", never),),
    ),
}  # fmt: skip
"""Word of evidence.toml -> a rule that the number of epochs is asked about."""

PRODUCTS = "second_correction_apart"
"""The word for products of two maps: the graphs name their steps."""

assert {*RULES, PRODUCTS} == STEP_RULES.keys()


def by_total(
    rule: Rule, predicted: Snapshot, again: Callable[[], Snapshot], total: int
) -> tuple[int, bool] | None:
    """The layers concerned, and whether the number of epochs is nearer with the rule; None where it says nothing."""
    count = rule.concerned(predicted)
    if not count or not total:
        return None
    with rule.left_out():
        other = len(again().epochs)
    ours, theirs = abs(len(predicted.epochs) - total), abs(other - total)
    return None if ours == theirs else (count, ours < theirs)


def products(comparison: Comparison, predicted: Snapshot) -> tuple[int, int]:
    """Of products of two maps whose first correction shares their epoch: the second in a later one, and all."""
    lowering = Lowering(fold(predicted.graph), predicted.target)
    epochs = {
        n.name: n.epoch for artefact in comparison.artefacts for n in artefact.nodes if n.epoch is not None
    }
    agreed = seen = 0
    for layer in comparison.layers:
        report = predicted.by_name.get(layer.name)
        if report is None or report.layer.kind != "Mul" or not of_two_maps(lowering, report.layer):
            continue
        named = layer.evidence.nodes if layer.evidence is not None else ()
        for name in {node.partition("_mul_sub")[0] for node in named}:
            first, second = epochs.get(f"{name}_mul_sub1_"), epochs.get(f"{name}_mul_sub2_")
            if name in epochs and first == epochs[name] and second is not None:
                seen += 1
                agreed += second != first
    return agreed, seen


def rows(
    found: Iterable[Counted], table: Callable[[Iterable[str], Iterable[Iterable[object]]], str]
) -> Iterator[str]:
    """The table of the rules."""
    counts = list(found)
    yield "\n### Rules of steps"
    lines = []
    for word, sentence in STEP_RULES.items():
        own = [c for c in counts if c.word == word]
        versions = ", ".join(sorted({c.toolchain for c in own}))
        lines.append((sentence, f"{sum(c.agreed for c in own)} of {sum(c.seen for c in own)}", versions))
    yield table(("rule", "layers", "versions"), lines)
