"""A filter of the tree: the layers of one placement, one reason, one operator, that a query finds, or of a given set."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.record import dataclass
from npuscope.services.query import parsed
from npuscope.widgets.text.words import WORDS

if TYPE_CHECKING:
    from npuscope.npu.verdict import Finding
    from npuscope.snapshot import LayerReport, Snapshot


class FilterBy(Enum):
    """What a filter looks at."""

    PLACEMENT = "placement"
    REASON = "reason"
    OPERATOR = "operator"
    NAMES = "names"
    QUERY = "query"


_NUMBER = re.compile(r"-?\d[\d.,]*(?: \d{3})*")


@lru_cache(4096)
def pattern(message: str) -> str:
    """A message without its numbers: what layers with one reason have in common."""
    return _NUMBER.sub("#", message)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A layer that was chosen from a list sorted by gain: n and N go on in that order."""

    layer: str


@dataclass(frozen=True, slots=True)
class LayerFilter:
    """The layers to show. `label` is a word or two for the status line.

    1. `value` is a word of WORDS, an operator, a query, or a rule's code; `message` narrows a code down to one reason.
    2. `names` are the layers themselves, for a filter by NAMES.
    """

    by: FilterBy
    value: str
    label: str
    message: str = ""
    names: frozenset[str] = frozenset()

    def holds(self, report: LayerReport) -> bool:
        """Whether a layer is shown."""
        if self.by is FilterBy.NAMES:
            return report.name in self.names
        if self.by is FilterBy.PLACEMENT:
            return WORDS[report.placement] == self.value
        if self.by is FilterBy.OPERATOR:
            return report.layer.op == self.value
        return any(self._names(finding) for finding in report.findings)

    def _names(self, finding: Finding) -> bool:
        return finding.code == self.value and (not self.message or pattern(finding.message) == self.message)

    def layers(self, snapshot: Snapshot) -> tuple[LayerReport, ...]:
        """The layers of a snapshot that are shown."""
        if self.by is FilterBy.QUERY:
            return parsed(self.value).find(snapshot.layers, snapshot)
        return tuple(report for report in snapshot.layers if self.holds(report))
