"""Figures as views and reports show them, and what the ledger says of each."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import NamedTuple

from builders import models
from builders.networks.compiled import network
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.ledger import bound_name
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


class Seen(NamedTuple):
    """A figure of a layer as a view shows it; `layer` is '' for the model."""

    view: str
    layer: str
    figure: str
    text: str


@cache
def opened(name: str) -> tuple[Session, Snapshot]:
    sample = models.SAMPLES / f"{name}.onnx"
    session = Session.open(load(sample) if sample.exists() else network(name), target())
    return session, analyse(session)


# -- reading what is shown

SCALE = {"ms": 1.0, "µs": 1e-3, "s": 1e3, "%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9, "": 1.0}
FIGURE = re.compile(r"(-?\d[\d.]*(?:e-?\d+)?)(ms|µs|s|%|k|M|G|)")


def agrees(text: str, value: float | None) -> bool:
    """What is shown is the value, to as many places as are shown: three at least, but for whole percent."""
    text = re.sub(r"\s", "", text)
    if text in ("", "·", "?", "None"):
        return value is None or (text != "?" and abs(value) < 0.005)
    if text.startswith("<"):
        return value is not None and abs(value) < float(text[1:].removesuffix("%").removesuffix("ms")) * (
            0.01 if text.endswith("%") else 1
        )
    shown = FIGURE.fullmatch(text)
    assert shown is not None, text
    if value is None:
        return False
    number, scale = float(shown[1]), SCALE[shown[2]]
    mantissa, _, exponent = shown[1].partition("e")
    last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    if number and shown[2] != "%" and "." not in mantissa and not exponent:
        last = min(
            last, 10.0 ** (math.floor(math.log10(abs(number))) - 2)
        )  # zeros behind the point are left out
    return abs(number * scale - value) <= 0.501 * last * scale + 1e-12


def truth(snapshot: Snapshot, seen: Seen) -> float | str | None:
    """What the ledger says."""
    if not seen.layer:
        if seen.figure.startswith("epoch "):
            parts = [part for line in snapshot.ledger.lines for part in line.parts]
            return math.fsum(part.milliseconds for part in parts if seen.figure == f"epoch {part.epoch}")
        return {"ms": snapshot.ledger.milliseconds, "layers": float(len(snapshot.layers))}[seen.figure]
    line = snapshot.by_name[seen.layer].line
    return {
        "ms": line.milliseconds,
        "share": snapshot.ledger.share(line),
        "cycles": line.cycles,
        "cpu cycles": line.cpu_cycles,
        "compute": line.compute_cycles,
        "MAC/cycle": line.macs_per_cycle,
        "OPS/cycle": line.ops_per_cycle,
        "effective": line.effective_macs_per_cycle,
        "bound": bound_name(line.bound_by),
    }[seen.figure]
