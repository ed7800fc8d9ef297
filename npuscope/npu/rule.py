"""A rule: one documented check of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from npuscope.machine.catalogue import TOOLCHAINS, ordinal
from npuscope.machine.machine import Target
from npuscope.npu.cause import Cause
from npuscope.npu.verdict import Confidence, Finding
from npuscope.record import dataclass

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.model.layers import Layer, Layers


@dataclass(frozen=True, eq=False)
class Context:
    """What a rule may look at besides the layer."""

    graph: Graph
    layers: Layers
    target: Target
    floats: dict[Layer, bool] = field(default_factory=dict, init=False, repr=False)
    """Layers of which it was found out whether they compute in float."""


def silent(layer: Layer, context: Context) -> Iterator[Finding]:
    """The check of a rule that only words causes."""
    return iter(())


@dataclass(frozen=True)
class Rule:
    """One rule, with what `npuscope explain` shows of it.

    It puts causes into words, and gives advice; where a layer runs is decided before it is asked.

    1. `kinds` are the layer kinds it looks at, None for all.
    2. `failing` and `passing` are models in ONNX text; the rule triggers on the first and not on the second.
    3. It holds from the tool version `since` up to and with `until`; '' where there is no bound.
    4. `reviewed` is the newest version somebody checked it against. A known bug needs one: it may be mended.
    """

    code: str
    title: str
    what: str
    why: str
    fix: str
    source: str
    confidence: Confidence
    check: Callable[[Layer, Context], Iterator[Finding]] = silent
    kinds: frozenset[str] | None = None
    by_form: bool = False
    """`check` says nothing of a layer with a form (`npuscope.neural_art.mapping.form`) but by what that holds."""
    by_geometry: bool = False
    """`check` looks at quantized convolutions alone: at their geometry, their kind, and the zero point of what they read."""
    accelerators: bool = False
    """What it advises makes the accelerators faster, and nothing else."""
    exactness: bool = False
    """What it advises makes the model's numbers better, not the model faster."""
    front_end: bool = False
    """What it looks for stops the front end; in a model the front end wrote it is behind it."""
    failing: str = ""
    passing: str = ""
    since: str = ""
    until: str = ""
    reviewed: str = ""
    causes: frozenset[Enum] = frozenset()
    word: Callable[[Cause, Layer, Context], Finding | None] | None = None
    """Says one of `causes`; None for a cause that needs no words."""

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The tool versions it holds for, oldest first."""
        first, last = ordinal(self.since or TOOLCHAINS[0]), ordinal(self.until or TOOLCHAINS[-1])
        return tuple(version for version in TOOLCHAINS if first <= ordinal(version) <= last)

    @property
    def family(self) -> str:
        """The heading its code belongs under."""
        return FAMILIES[self.code[1]]


FAMILIES = {
    "1": "Data types and quantization",
    "2": "Convolution and Gemm",
    "3": "Elementwise and activation",
    "4": "Pooling and reduction",
    "5": "Shape and data movement",
    "6": "Graph borders and float islands",
    "7": "Known compiler bugs",
    "9": "Performance advice",
}
