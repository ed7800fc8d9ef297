"""The words and glyphs of a verdict; colour only underlines them."""

from __future__ import annotations

from npuscope.model.tensors import TensorType
from npuscope.npu.loss_levels import BAD, POOR
from npuscope.npu.times import change_sign
from npuscope.npu.verdict import Placement, Severity
from npuscope.widgets.text.cells import shown
from npuscope.widgets.text.spans import Line, Span

GLYPHS = {
    Placement.HW: "●",
    Placement.HYBRID: "◐",
    Placement.SW_INT: "✗",
    Placement.SW_FLOAT: "✗",
    Placement.NONE: "·",
    Placement.OPEN: "…",
}
WORDS = {
    Placement.HW: "NPU",
    Placement.HYBRID: "HYB",
    Placement.SW_INT: "CPU",
    Placement.SW_FLOAT: "CPU",
    Placement.NONE: "---",
    Placement.OPEN: "   ",
}
ROLES = {
    Placement.HW: "hw",
    Placement.HYBRID: "hybrid",
    Placement.SW_INT: "sw",
    Placement.SW_FLOAT: "sw",
    Placement.NONE: "quiet",
    Placement.OPEN: "quiet",
}
LONG = {
    Placement.HW: "on the NPU",
    Placement.HYBRID: "hybrid: the CPU drives the NPU's DMAs",
    Placement.SW_INT: "on the CPU, in int8",
    Placement.SW_FLOAT: "on the CPU, in float",
    Placement.NONE: "folded away",
    Placement.OPEN: "where it runs is still being computed",
}
SEVERITY_GLYPHS = {Severity.ERROR: "✗", Severity.WARNING: "▲", Severity.ADVICE: "○"}
SEVERITY_ROLES = {Severity.ERROR: "sw", Severity.WARNING: "attention", Severity.ADVICE: "quiet"}

MARK = "▎"
"""Before what the last edit changed."""

DIFFERS = "≠"
"""Before what the tools did otherwise than predicted."""

GUESSED = "~"
"""Before a share that is predicted where a board measured others."""


def own_role(own: float | None) -> str:
    """The colour of what a layer loses itself, in dB; None where it loses nothing."""
    return "text" if own is None or own >= POOR else "sw" if own < BAD else "attention"


def change_role(change: float) -> str:
    """The role of a change of the model's time in milliseconds: less of it, more, or the same."""
    return {"-": "hw", "+": "attention"}.get(change_sign(change), "quiet")


def where(placement: Placement) -> Span:
    """Glyph and word: ● NPU."""
    return Span(f"{GLYPHS[placement]} {WORDS[placement]}", ROLES[placement])


def counts(hw: int, hybrid: int, cpu: int) -> Line:
    """How many layers are where; what is on the NPU only where nothing else is."""
    parts: list[Span] = []
    if cpu:
        parts.append(Span(f"✗ {cpu} CPU", "sw"))
    if hybrid:
        parts.append(Span(f"{' ' if parts else ''}◐ {hybrid} HYB", "hybrid"))
    if not parts and hw:
        parts.append(Span("● NPU", "hw"))
    return tuple(parts)


def shape(kind: TensorType) -> str:
    """1×257×1; free sizes by name, ? where nothing is known."""
    if kind.shape is None:
        return "?"
    if not kind.shape:
        return "scalar"
    return "×".join(str(d) if isinstance(d, int) else shown(d, 12) if d else "?" for d in kind.shape)


def typed(kind: TensorType) -> str:
    """int8 1×257×1."""
    return f"{kind.dtype} {shape(kind)}"
