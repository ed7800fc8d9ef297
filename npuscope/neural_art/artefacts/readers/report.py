"""network_generate_report.txt and the console output of `generate` and `analyze`.

Two dialects of the table of epochs are read: up to 2.2 `epoch 6 -SW- ( Softmax )`, from 3.0 on
`| epoch_65 | Hybrid | Split |` with three counters before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field

from npuscope.neural_art.artefacts.text.figures import byte_count, integer
from npuscope.neural_art.artefacts.text.versions import build, in_banner
from npuscope.neural_art.artefacts.values import (
    HW,
    HYBRID,
    SW,
    Content,
    Pool,
    Property,
    Range,
    ReportedEpoch,
    Totals,
)
from npuscope.record import dataclass

KIND = "report"
MAX_EPOCHS = 200_000

_OLD_ROW = re.compile(
    r"[\s>]*epoch\s{1,40}(\d{1,9})\s{1,40}(HW|EC|[-–—]SW[-–—]|\?\?)\s{0,40}(?:\(\s{0,40}([\w.()]{1,60})\s{0,40}\))?\s*"
)
_NEW_ROW = re.compile(
    r"[\s>]*\|?\s{0,12}(epochs?)[_ ]{1,8}(\d{1,9})(?:\s{0,8}->\s{0,8}(\d{1,9}))?\s{0,30}\|\s{0,12}(\w{2,12})\s{0,12}"
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
    r"\s*([A-Za-z]\w{0,60})\s{1,12}\[0x([0-9A-Fa-f]{1,12}) - 0x([0-9A-Fa-f]{1,12})\]:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}) /"
    r"\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}).{0,60}?weights:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3}).{0,60}?"
    r"activations:\s{1,40}([\d.]{1,16})\s{1,4}(\w{1,3})"
)
_COMPILER = re.compile(r"[\s>]*Compiler version:?\s{1,20}(.{1,200})")
_RANGE = re.compile(
    r"\s*([A-Za-z]\w{0,60})\s{1,12}\[0x[0-9A-Fa-f]{1,12} - 0x[0-9A-Fa-f]{1,12}\]:\s{1,8}0x([0-9A-Fa-f]{1,12})"
    r"-0x([0-9A-Fa-f]{1,12})\s*"
)
_BLOBS = re.compile(r"\(implemented in (\d{1,9}) epoch controller blobs")
_HEADER = re.compile(r"[\s>]*(Created date|Parameters)\s{1,20}: (\S.{0,4000})")
_FRONT_END = re.compile(
    r"[\s>]*\S.{0,400}?stedgeai(?:\.exe)?[\"']?\s{1,8}((?:generate|analyze|validate)\s.{1,4000})"
)
"""The command as a console shows it, where the report's own line is not printed."""
_ALL = re.compile(r"Total:\s{1,80}(\S.{0,400})")
_SECTION = re.compile(
    r" {0,4}(\S.{0,60}?)\s{2,60}([\d,]{1,20})\s{1,20}([\d,]{1,20})\s{1,20}([\d,]{1,20})\s{1,20}([\d,]{1,20})"
)
_FLASH = re.compile(
    r"\s{1,8}(RT total|TOTAL)\s{1,40}([\d,]{1,20})(?:\s{1,12}[\d.]{1,8}%)?\s{1,40}([\d,]{1,20})(?:\s{1,12}[\d.]{1,8}%)?"
)
_ELAPSED = re.compile(r"[\s>]*elapsed time \((\w{1,20})\): (\S.{0,40})")
_FILES = re.compile(r"[\s>]*Generated files \((\d{1,4})\)")
MAX_PROPERTIES = 2000

_TYPES = {"HW": HW, "EC": HW, "SW": SW, "HYBRID": HYBRID, "??": ""}


@dataclass
class _Parsed:
    epochs: dict[int, ReportedEpoch] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    not_understood: dict[str, None] = field(default_factory=dict)
    ranges: dict[Range, None] = field(default_factory=dict)
    properties: dict[tuple[str, str], str] = field(default_factory=dict)
    headings: int = 0
    done: bool = False
    """Another report begins: what it says is not mixed in."""
    files: int = 0
    """Names of generated files that are still to come."""
    toolchain: str = ""
    compiler: str = ""

    def keep(self, section: str, name: str, text: str) -> None:
        """Keep what is said first."""
        if len(self.properties) < MAX_PROPERTIES:
            self.properties.setdefault((section, name), text.strip())


def mentions(line: str) -> bool:
    """A line this report is recognised by."""
    return "Total number of epochs" in line or "Memory usage information" in line


def read_report(lines: Iterable[str]) -> Content:
    """Version, epochs and memory pools of clean lines (`text.lines`)."""
    parsed = _Parsed()
    for line in lines:
        _line(line, parsed)
        if len(parsed.epochs) >= MAX_EPOCHS:
            parsed.not_understood.setdefault(f"more than {MAX_EPOCHS:,} epochs; the rest was left out")
            break
    count = parsed.counters
    return Content(
        KIND,
        toolchain=parsed.toolchain,
        compiler=parsed.compiler,
        epochs=tuple(parsed.epochs[index] for index in sorted(parsed.epochs)),
        pools=tuple(parsed.pools.values()),
        totals=Totals(
            epochs=count.get("total"),
            sw=count.get("pure software"),
            hybrid=count.get("hybrid"),
            hw=count.get("pure hardware"),
        ),
        ranges=tuple(parsed.ranges),
        properties=tuple(
            Property(section, name, text) for (section, name), text in parsed.properties.items()
        ),
        not_understood=tuple(parsed.not_understood),
    )


def _line(line: str, parsed: _Parsed) -> None:
    if parsed.files:
        parsed.files -= 1
        name = line.strip()
        if name.startswith("---"):
            parsed.files += 1
        elif "/" in name or "\\" in name:
            parsed.keep("generated files", name.replace("\\", "/").rpartition("/")[2], name)
            return
        else:
            parsed.files = 0
    if parsed.done and ("epoch" in line or "weights:" in line):
        return
    if "epoch" in line:
        if (row := _OLD_ROW.fullmatch(line)) is not None:
            _add(parsed, int(row[1]), None, row[2], row[3] or "")
        elif (row := _NEW_ROW.fullmatch(line)) is not None:
            _add(parsed, int(row[2]), integer(row[3] or ""), row[4], row[5].strip())
        elif "epoch ID" in line:
            _heading(parsed)
        elif (total := _OLD_TOTAL.fullmatch(line)) is not None:
            if _counted(parsed):
                return
            # This dialect counts hybrid epochs as software.
            parsed.counters |= {"total": int(total[1]), "pure software": int(total[2])}
            parsed.counters["pure hardware"] = int(total[1]) - int(total[2])
        elif (total := _NEW_TOTAL.fullmatch(line)) is not None:
            if _counted(parsed):
                return
            parsed.counters["total"] = int(total[1])
        elif (counter := _COUNTER.match(line)) is not None:
            parsed.counters[counter[1]] = int(counter[2])
            if (blobs := _BLOBS.search(line[:300])) is not None:
                parsed.keep("epochs", "epoch controller blobs", blobs[1])
    elif "weights:" in line and (pool := _POOL.match(line)) is not None:
        if pool[1] in parsed.pools:
            return
        parsed.pools[pool[1]] = Pool(
            pool[1],
            size=byte_count(pool[6], pool[7]),
            used=byte_count(pool[4], pool[5]),
            weights=byte_count(pool[8], pool[9]),
            activations=byte_count(pool[10], pool[11]),
            start=integer(f"0x{pool[2]}"),
            end=integer(f"0x{pool[3]}"),
        )
    elif "-0x" in line and (used := _RANGE.fullmatch(line)) is not None:
        if len(parsed.ranges) < MAX_PROPERTIES:
            parsed.ranges.setdefault(Range(used[1], int(used[2], 16), int(used[3], 16)))
    elif not parsed.toolchain and (version := in_banner(line)):
        parsed.toolchain = version
    elif not parsed.compiler and (compiler := _COMPILER.match(line)) is not None:
        parsed.compiler = build(compiler[1]) or compiler[1].strip()
    else:
        _rest(line, parsed)


def _counted(parsed: _Parsed) -> bool:
    """The total of another table than the one that was read."""
    if "total" not in parsed.counters:
        return False
    parsed.done = True
    parsed.not_understood.setdefault("a second table of epochs; the first one counts")
    return True


def _heading(parsed: _Parsed) -> None:
    """The heading of a table: a second one is another report's."""
    parsed.headings += 1
    if parsed.headings > 1:
        parsed.done = True
        parsed.not_understood.setdefault("a second table of epochs; the first one counts")


def _rest(line: str, parsed: _Parsed) -> None:
    """What has no figure of its own: who made it, from what, what the sections of the C code take."""
    if (header := _HEADER.fullmatch(line)) is not None:
        parsed.keep("header", header[1], header[2])
    elif "stedgeai" in line and (command := _FRONT_END.fullmatch(line)) is not None:
        parsed.keep("header", "Parameters", command[1])
    elif "Total:" in line and "weights:" in line and (all_epochs := _ALL.match(line.lstrip())) is not None:
        parsed.keep("memory", "Total", " ".join(all_epochs[1].split()))
    elif (section := _SECTION.fullmatch(line)) is not None:
        words = ("text", "rodata", "data", "bss")
        text = ", ".join(f"{word} {section[index]}" for index, word in enumerate(words, 2))
        parsed.keep("requested memory by section", section[1].strip(), text)
    elif (flash := _FLASH.fullmatch(line)) is not None:
        parsed.keep("requested memory", flash[1], f"FLASH (ro) {flash[2]}, RAM (rw) {flash[3]}")
    elif (elapsed := _ELAPSED.fullmatch(line)) is not None:
        parsed.keep("elapsed time", elapsed[1], elapsed[2])
    elif (files := _FILES.fullmatch(line)) is not None:
        parsed.files = int(files[1])


def _add(parsed: _Parsed, index: int, last: int | None, word: str, details: str) -> None:
    word = word.strip("-–—")
    placement = _TYPES.get(word.upper())
    if placement is None:
        parsed.not_understood.setdefault(f"epoch type {word[:40]!r}")
        placement = ""
    if last is not None and last < index:
        parsed.not_understood.setdefault(f"epochs {index} -> {last}")
        last = None
    if index in parsed.epochs:
        parsed.not_understood.setdefault("an epoch listed twice; the first table counts")
        return
    op = "" if placement == HW else details.partition("(")[0].strip()
    in_float = True if details.endswith("(float)") else None
    parsed.epochs[index] = ReportedEpoch(index, placement, op, last=last, printed=word, in_float=in_float)
