"""What a finding is worth: what its best fix saves of the model. Found by `npuscope.planning.gains`."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.edits.edit import Edit
from npuscope.npu.cost import NOTHING
from npuscope.npu.ledger import START, bound_name
from npuscope.npu.times import SAME, in_ms, saving_words
from npuscope.npu.verdict import Finding
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Gain:
    """What the best fix of a finding saves; `edit` is None where no single edit answers the finding.

    `saved_milliseconds` are of the whole model, priced anew with the edit made; negative where it takes longer.
    """

    layer: str
    code: str
    edit: Edit | None = None
    saved_milliseconds: float | None = None
    bound_by: str = ""
    """What sets the layer's time now."""
    worth: bool = False
    """It saves enough to be called a gain."""
    asks: str = ""
    """What the edit that the finding names must be told before it can be tried: 'sizes'."""
    stated_by: tuple[str, str] | None = None
    """Layer and code of the finding that states this saving already: one and the same change of the model answers both."""

    @property
    def moot(self) -> bool:
        """A fix is known, and gains nothing."""
        return self.saved_milliseconds is not None and not self.worth

    def stated_as(self, layer: str) -> str:
        """'N903 of Conv_7', the finding that states the saving, with a form of its layer's name; '' where this one does."""
        if self.stated_by is None:
            return ""
        return self.stated_by[1] if self.stated_by[0] == self.layer else f"{self.stated_by[1]} of {layer}"

    @property
    def words(self) -> str:
        """'saves 0.37 ms', 'no gain: bound by octoFlash', 'no known single edit addresses it'.

        'alone': what no bound rules out may still be part of a plan, where another edit makes it worth something.
        """
        saved = self.saved_milliseconds
        if saved is None and self.asks:
            return f"unknown until {self.asks} are given"
        if saved is None:
            return "no known single edit addresses it"
        if self.worth and self.stated_by is not None:
            return "the same fix as " + self.stated_as(self.stated_by[0])
        if self.worth:
            return saving_words(saved)
        bound = bound_words(self.bound_by)
        if saved < -SAME:
            return f"no gain alone: the fix makes the model {in_ms(-saved)} ms slower{', ' if bound else ''}{bound}"
        return f"no gain: {bound}" if bound else "no gain alone"


def bound_words(bound: str) -> str:
    """'bound by octoFlash'; '' where nothing can be said."""
    return {"": "", NOTHING: "", "cpu": "", START: "the set-up takes the time"}.get(
        bound, f"bound by {bound_name(bound)}"
    )


def moot_words(finding: Finding, gain: Gain | None) -> str:
    """Why nothing is won by answering a finding; '' where something is, or nobody knows."""
    if gain is not None and gain.saved_milliseconds is not None:
        return gain.words if gain.moot else ""
    return finding.moot


LAYERS = 8
"""Layers whose best edit is listed with those of the whole model."""


class Gains:
    """The gains found so far, for a view that is filled while it is looked at."""

    def __init__(self, gains: Iterable[Gain] = ()) -> None:
        self._found: dict[tuple[str, str], Gain] = {}
        self.looking = False
        """More are looked for at the moment."""
        self.add(gains)

    def add(self, gains: Iterable[Gain]) -> None:
        """Take more in."""
        self._found |= {(gain.layer, gain.code): gain for gain in gains}

    def of(self, layer: str, code: str) -> Gain | None:
        """The gain of a finding; None where it was not looked for yet."""
        return self._found.get((layer, code))

    def saved(self, layer: str, codes: Iterable[str]) -> float:
        """The most that a fix of one of these findings of a layer saves; 0 where none is known to save anything."""
        known = [gain for code in codes if (gain := self._found.get((layer, code))) is not None]
        return max((gain.saved_milliseconds or 0.0 for gain in known if gain.worth), default=0.0)

    def best(self, most: int) -> tuple[Edit, ...]:
        """The edits of layers that save most of the model's time, as far as they are known; one change is named once."""
        gaining = [gain for gain in self._found.values() if gain.worth and gain.stated_by is None]
        gaining.sort(key=lambda gain: -(gain.saved_milliseconds or 0.0))
        return tuple(dict.fromkeys(gain.edit for gain in gaining if gain.edit is not None))[:most]

    def __len__(self) -> int:
        return len(self._found)
