"""What fixes save, as far as it is known: filled in the background, shown in tables and panes."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from npuscope.edits.gain import Gain, Gains, moot_words
from npuscope.npu.verdict import Finding
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.text.cells import right
from npuscope.widgets.text.figures import time_cell
from npuscope.widgets.text.spans import Span, quiet

_known: WeakKeyDictionary[Snapshot, Gains] = WeakKeyDictionary()

NONE_FOUND = "·"
"""A fix gains nothing."""


def gains_of(snapshot: Snapshot) -> Gains:
    """The gains found so far for an analysis; whoever finds more adds them."""
    return _known.setdefault(snapshot, Gains())


def gain_of(snapshot: Snapshot, layer: str, finding: Finding) -> Gain | None:
    """The gain of a finding; None where it was not looked for yet."""
    return gains_of(snapshot).of(layer, finding.code)


def is_moot(snapshot: Snapshot, layer: str, finding: Finding) -> bool:
    """Nothing is won by answering it."""
    return bool(moot_words(finding, gain_of(snapshot, layer, finding)))


def saved(snapshot: Snapshot, report: LayerReport, codes: tuple[str, ...] | None = None) -> float | None:
    """Milliseconds that the best fix of a layer, or of findings of it, saves; 0 where none does, None where unknown."""
    gains = gains_of(snapshot)
    wanted = codes if codes is not None else tuple(finding.code for finding in report.findings)
    known = [gain for code in wanted if (gain := gains.of(report.name, code)) is not None]
    if not any(gain.saved_milliseconds is not None for gain in known):
        return None
    return gains.saved(report.name, wanted)


def gain_cell(value: float | None, room: int) -> Span:
    """A saving in a column."""
    if value is None:
        return quiet(" " * room)
    return Span(right(time_cell(value), room), "hw") if value > 0 else quiet(right(NONE_FOUND, room))


def by_gain(snapshot: Snapshot) -> list[LayerReport]:
    """The layers that a fix makes the model faster for, the largest saving first."""
    values = [(value, report) for report in snapshot.layers if (value := saved(snapshot, report))]
    return [report for _, report in sorted(values, key=lambda pair: -pair[0])]
