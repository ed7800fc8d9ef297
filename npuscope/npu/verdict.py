"""The words of a verdict: where a layer runs, and each reason for it."""

from __future__ import annotations

import re
from enum import Enum

from npuscope.record import record


class Placement(Enum):
    """Where a layer runs, best first."""

    HW = "hw"
    """On the NPU."""
    HYBRID = "hybrid"
    """A runtime routine on the CPU drives the NPU's DMAs."""
    SW_INT = "sw_int"
    """On the Cortex-M55, in int8."""
    SW_FLOAT = "sw_float"
    """On the Cortex-M55, in float, with Dequantize and Quantize around it."""
    NONE = "none"
    """Nothing to run: folded away before the compiler places layers."""
    OPEN = "open"
    """Not judged yet: of a draft, never of an analysis."""

    # Asked for each layer again and again, so it is neither hashed by name nor looked up.
    __hash__ = object.__hash__

    def __init__(self, word: str) -> None:
        self.on_cpu = word in ("sw_int", "sw_float")
        """Needs the CPU for the arithmetic itself."""
        self.rank = {"hybrid": 1, "sw_int": 2, "sw_float": 3}.get(word, 0)
        """0 for the best; the worst finding decides."""


class Severity(Enum):
    """What a finding does to the model."""

    ERROR = "error"
    """The layer leaves the NPU."""
    WARNING = "warning"
    """It costs time or is at risk, on the NPU or through the CPU."""
    ADVICE = "advice"
    """It could be faster."""


class Confidence(Enum):
    """How well a rule is known."""

    DOCUMENTED = "documented"
    INFERRED = "inferred"
    THIRD_PARTY = "third-party"
    UNKNOWN = "unknown"


@record()
class Finding:
    """One thing a rule has to say of one layer, with this layer's numbers.

    1. `message` is one sentence; `why` says what is behind it; `fix` what to do ('' where there is nothing).
    2. `placement` is where the finding forces the layer, None where it forces nothing.
    """

    code: str
    severity: Severity
    message: str
    why: str = ""
    fix: str = ""
    placement: Placement | None = None
    confidence: Confidence = Confidence.INFERRED
    cause: str = ""
    """The cause it words, '' where it is advice."""
    moot: str = ""
    """What makes the advice void, '' where nothing does: something else sets the layer's time."""

    @property
    def named_edit(self) -> str:
        """The kind of edit that the fix names as '(edit sub-to-add)'; '' where it names none."""
        match = _NAMED_EDIT.search(self.fix)
        return match[1] if match else ""


_NAMED_EDIT = re.compile(r"\(edit ([a-z0-9-]+)")
