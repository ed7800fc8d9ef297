"""The clocks a board ran at, as artefacts state them, and whether a prediction is for the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from npuscope.machine.catalogue import PROFILES
from npuscope.machine.machine import Clocks, target
from npuscope.neural_art.artefacts.artefact import Artefact

WORDS = {"npu_hz": "NPU", "cpu_hz": "CPU", "npu_ram_hz": "NPU RAM", "noc_hz": "other RAM"}
"""Field of `Clocks` -> what runs at it."""
_ATTRIBUTES = {"nic_freq": "npu_ram_hz", "noc_freq": "noc_hz"}
"""Name in the board's `device.attrs` -> field; `Totals` has those of NPU and CPU."""


def stated(artefacts: Sequence[Artefact]) -> Mapping[str, int]:
    """Field of `Clocks` -> Hz, of the first artefact that names any; a board's count before a file's of settings."""
    for artefact in sorted(artefacts, key=lambda artefact: artefact.totals.cpu_hz is None):
        clocks = {"npu_hz": artefact.totals.npu_hz, "cpu_hz": artefact.totals.cpu_hz}
        for statement in artefact.properties:
            if statement.name == "device.attrs":
                pairs = (part.strip().partition("=") for part in statement.text.split(","))
                clocks |= {_ATTRIBUTES[name]: _hertz(text) for name, _, text in pairs if name in _ATTRIBUTES}
        if known := {name: hertz for name, hertz in clocks.items() if hertz}:
            return known
    return {}


def _hertz(text: str) -> int | None:
    number = text.removesuffix("MHz")
    return int(number) * 1_000_000 if len(number) <= 6 and number.isascii() and number.isdecimal() else None


def profile_of(artefacts: Sequence[Artefact]) -> str:
    """The profile with the clocks of NPU and CPU that the artefacts state; '' where they state none, or others."""
    clocks = {name: hertz for name, hertz in stated(artefacts).items() if name in ("npu_hz", "cpu_hz")}
    fitting = (name for name in PROFILES if clocks and not _others(clocks, target(profile=name).clocks))
    return next(fitting, "")


def clock_notes(artefacts: Sequence[Artefact], clocks: Clocks) -> tuple[str, ...]:
    """A note where the prediction is for other clocks than the artefacts state."""
    hertz_of = stated(artefacts)
    others = [
        f"{WORDS[name]} {hertz_of[name] / 1e6:g} MHz, not {getattr(clocks, name) / 1e6:g}"
        for name in _others(hertz_of, clocks)
    ]
    return (
        (f"the prediction is for other clocks than the artefacts state: {'; '.join(others)}",)
        if others
        else ()
    )


def _others(hertz_of: Mapping[str, int], clocks: Clocks) -> list[str]:
    names = (field.name for field in fields(clocks))
    return [name for name in names if name in hertz_of and hertz_of[name] != getattr(clocks, name)]
