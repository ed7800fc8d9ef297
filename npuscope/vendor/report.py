"""network_generate_report.txt and the console output of `generate` and `analyze`.

Two dialects of the table of epochs are read: up to 2.2 `epoch 6 -SW- ( Softmax )`, from 3.0 on
`| epoch_65 | Hybrid | Split |` with three counters before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from npuscope.vendor.figures import byte_count, integer
from npuscope.vendor.values import HW, HYBRID, SW, Content, Epoch, Pool, Totals
from npuscope.vendor.versions import build, in_banner

KIND = "report"
MAX_EPOCHS = 200_000

_OLD_ROW = re.compile(
    r"[\s>]*epoch\s{1,8}(\d{1,9})\s{1,12}(HW|EC|-SW-|\?\?)\s{0,12}(?:\(\s{0,40}([\w.()]{1,60})\s{0,40}\))?\s*"
)
_NEW_ROW = re.compile(
    r"[\s>]*\|\s{0,12}(epochs?)[_ ]{1,8}(\d{1,9})(?:\s{0,8}->\s{0,8}(\d{1,9}))?\s{0,30}\|\s{0,12}(\w{2,12})\s{0,12}"
    r"\|\s{0,40}([^|]{0,80})\|\s*"
)
_OLD_TOTAL = re.compile(
    r"[\s>]*Total number of epochs:\s{0,8}(\d{1,9}) of which (\d{1,9}) implemented in software\s*"
)
_NEW_TOTAL = re.compile(r"[\s>]*Total number of epochs\s{1,80}(\d{1,9})\s*")
_COUNTER = re.compile(
    r"[\s>]*(pure software|hybrid|pure hardware)\s?(?:\([^()]{1,60}\) )?epochs.{0,60}?\s{1,80}(\d{1,9})\b"
)
_POOL = re.compile(
    r"\s*([A-Za-z]\w{0,60})\s{1,12}\[0x([0-9A-Fa-f]{1,12}) - 0x[0-9A-Fa-f]{1,12}\]:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}) /"
    r"\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}).{0,60}?weights:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}).{0,60}?"
    r"activations:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3})"
)
_COMPILER = re.compile(r"[\s>]*Compiler version:?\s{1,20}(.{1,200})")

_TYPES = {"HW": HW, "EC": HW, "-SW-": SW, "SW": SW, "HYBRID": HYBRID, "??": ""}


@dataclass
class _Found:
    epochs: dict[int, Epoch] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    strange: dict[str, None] = field(default_factory=dict)
    toolchain: str = ""
    compiler: str = ""


def mentions(line: str) -> bool:
    """A line this report is recognised by."""
    return "Total number of epochs" in line or "Memory usage information" in line


def read_report(lines: Iterable[str]) -> Content:
    """Version, epochs and memory pools of clean lines (`text.lines`)."""
    found = _Found()
    for line in lines:
        _line(line, found)
        if len(found.epochs) >= MAX_EPOCHS:
            found.strange.setdefault(f"more than {MAX_EPOCHS:,} epochs; the rest was left out")
            break
    count = found.counters
    return Content(
        KIND,
        toolchain=found.toolchain,
        compiler=found.compiler,
        epochs=tuple(found.epochs[index] for index in sorted(found.epochs)),
        pools=tuple(found.pools.values()),
        totals=Totals(
            epochs=count.get("total"),
            sw=count.get("pure software"),
            hybrid=count.get("hybrid"),
            hw=count.get("pure hardware"),
        ),
        not_understood=tuple(found.strange),
    )


def _line(line: str, found: _Found) -> None:
    if "epoch" in line:
        if (row := _OLD_ROW.fullmatch(line)) is not None:
            _add(found, int(row[1]), None, row[2], row[3] or "")
        elif (row := _NEW_ROW.fullmatch(line)) is not None:
            _add(found, int(row[2]), integer(row[3] or ""), row[4], row[5].strip())
        elif (total := _OLD_TOTAL.fullmatch(line)) is not None:
            # This dialect counts hybrid epochs as software.
            found.counters |= {"total": int(total[1]), "pure software": int(total[2])}
            found.counters["pure hardware"] = int(total[1]) - int(total[2])
        elif (total := _NEW_TOTAL.fullmatch(line)) is not None:
            found.counters["total"] = int(total[1])
        elif (counter := _COUNTER.match(line)) is not None:
            found.counters[counter[1]] = int(counter[2])
    elif "weights:" in line and (pool := _POOL.match(line)) is not None:
        found.pools[pool[1]] = Pool(
            pool[1],
            size=byte_count(pool[5], pool[6]),
            used=byte_count(pool[3], pool[4]),
            weights=byte_count(pool[7], pool[8]),
            activations=byte_count(pool[9], pool[10]),
            start=integer(f"0x{pool[2]}"),
        )
    elif not found.toolchain and (version := in_banner(line)):
        found.toolchain = version
    elif (compiler := _COMPILER.match(line)) is not None:
        found.compiler = build(compiler[1]) or compiler[1].strip()


def _add(found: _Found, index: int, last: int | None, word: str, details: str) -> None:
    placement = _TYPES.get(word.upper())
    if placement is None:
        found.strange.setdefault(f"epoch type {word[:40]!r}")
        placement = ""
    if index in found.epochs:
        found.strange.setdefault("an epoch listed twice; the first table counts")
        return
    op = "" if placement == HW else details.partition("(")[0].strip()
    found.epochs[index] = Epoch(index, placement, op, last=last, printed=word.strip("-"))
