"""What `validate --mode target` prints: the board, and the time each epoch took on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from npuscope.neural_art.artefacts.text.figures import integer, real
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, Content, ReportedEpoch, Totals

KIND = "timing"
MAX_ROWS = 200_000

_ROW = re.compile(
    r"[\s>|]*(\d{1,7})\s{1,60}\S{1,20}\s{1,60}(epoch(?: \([^()]{1,40}\))?)\s{1,60}([\d.]{1,20})\s{1,60}[\d.]{1,12}%"
    r"(?:\s{1,20}[\d.]{1,12}%)?(?:\s{1,20}\[([\d,\s]{1,80})\])?\s{1,20}(EpochBlock_\S.{0,80})"
)
_BLOCK = re.compile(r"EpochBlock_(\d{1,9})(?: ?-> ?(\d{1,9}))?(?: \(\d{1,9}\))?")
_DURATION = re.compile(r"[\s>|]*duration\s{1,40}:\s{1,20}([\d.]{1,20}) ms by sample")
_CLOCK = re.compile(r"(mcu|npu)_freq=(\d{1,6})MHz")
_TYPES = {
    "epoch": (HW, "HW"),
    "epoch (SW)": (SW, "SW"),
    "epoch (HYBRID)": (HYBRID, "Hybrid"),
    "epoch (EC)": (HW, "EC"),
}


def mentions(line: str) -> bool:
    """A line this table is made of."""
    return "EpochBlock_" in line and "%" in line


def read_timing(lines: Iterable[str]) -> Content:
    """Epochs with milliseconds. The steps inside a hybrid epoch ('extra HW') count to that epoch."""
    by_index: dict[int, ReportedEpoch] = {}
    not_understood: dict[str, None] = {}
    clocks: dict[str, int] = {}
    milliseconds = None
    for line in lines:
        if "EpochBlock_" in line and (row := _ROW.fullmatch(line)) is not None:
            if len(by_index) >= MAX_ROWS:
                not_understood.setdefault(f"more than {MAX_ROWS:,} epochs; the rest was left out")
                break
            _add(row, by_index, not_understood)
        elif "c_id" in line and "dur (ms)" in line and by_index:
            not_understood.setdefault("a second table of times; the first one counts")
            break
        elif "_freq=" in line and not clocks:
            clocks |= {match[1]: int(match[2]) * 1_000_000 for match in _CLOCK.finditer(line)}
        elif milliseconds is None and "duration" in line and (duration := _DURATION.match(line)) is not None:
            milliseconds = real(duration[1])
    totals = Totals(milliseconds=milliseconds, npu_hz=clocks.get("npu"), cpu_hz=clocks.get("mcu"))
    epochs = tuple(by_index[index] for index in sorted(by_index))
    return Content(KIND, epochs=epochs, totals=totals, not_understood=tuple(not_understood))


def _add(row: re.Match[str], epochs: dict[int, ReportedEpoch], not_understood: dict[str, None]) -> None:
    kind, time = row[2], real(row[3])
    block = _BLOCK.fullmatch(row[5].rstrip(" |"))
    if block is None or time is None:
        not_understood.setdefault(f"timing of {row[5].strip()[:40]!r}")
        return
    index, last = int(block[1]), integer(block[2] or "")
    if kind in _TYPES:
        placement, printed = _TYPES[kind]
        if index in epochs:
            not_understood.setdefault("an epoch timed twice; the first table counts")
            return
        epochs[index] = ReportedEpoch(
            index, placement, milliseconds=time, last=last, printed=printed, cpu_cycles=_cycles(row[4])
        )
    elif kind.startswith("epoch (extra"):
        if index in epochs:
            before, more = epochs[index], _cycles(row[4])
            epochs[index] = replace(
                before,
                milliseconds=(before.milliseconds or 0.0) + time,
                cpu_cycles=None
                if before.cpu_cycles is None or more is None
                else tuple(a + b for a, b in zip(before.cpu_cycles, more, strict=True)),  # type: ignore[arg-type]
            )
    else:
        not_understood.setdefault(f"epoch type {kind[:40]!r}")
        epochs.setdefault(
            index, ReportedEpoch(index, milliseconds=time, last=last, cpu_cycles=_cycles(row[4]))
        )


def _cycles(text: str | None) -> tuple[int, int, int] | None:
    """'22,993   9,440,048   5,849': before, while and after the NPU runs."""
    numbers = [integer(word) for word in (text or "").split()]
    known = [number for number in numbers if number is not None]
    return (known[0], known[1], known[2]) if len(known) == len(numbers) == 3 else None
