"""The generated network.c: its epoch table, the unit and operator of each node, software calls, conv settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field

from npuscope.neural_art.artefacts.readers.c_structures import Structures
from npuscope.neural_art.artefacts.readers.options import of_header
from npuscope.neural_art.artefacts.text.figures import byte_count, count, integer, real
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.text.versions import build
from npuscope.neural_art.artefacts.values import (
    HW,
    HYBRID,
    SW,
    SW_FLOAT,
    SW_INT,
    Content,
    Node,
    Pool,
    Property,
    ReportedEpoch,
    Structure,
)
from npuscope.record import dataclass

KIND = "network_c"
MAX_NODES = 100_000

_DESCRIPTION = re.compile(r'[ *]{0,6}GIT_DESCRIPTION\s{1,20}"([^"]{1,200})"')
_SCHEDULING = re.compile(r"/\* scheduling epoch=(\d{1,9})\s")
_TRACED = re.compile(r"\s{0,20}ec_trace_start_(?:epoch\((\d{1,9})\)|blob\(\"(\w{1,200})\"\))")
_NOTHING = re.compile(r"\s{0,20}/\* ?no resources allocated to kind=(\w{1,60}) node=(\S{1,300}?) ?\*/")
_USED = re.compile(r"/\* global pool (\d{1,6}) is ([\d.]{1,16}) (\w{1,3}) \*/")
_ABOUT = re.compile(r'[ *]{0,6}(GIT_\w{1,40})\s{1,20}"([^"]{0,200})"')
_GUARD = re.compile(r"#if LL_ATON_VERSION_MAJOR.{0,300}")
_UNIT = re.compile(r"\s{0,20}/\* ?Unit= ?\d{1,6} \[(\w{1,40} \d{1,6})\]")
_NODE = re.compile(r"\s{0,20}/\* ?kind=(\w{1,60}) node=(\S{1,300}) ?\*/")
_MAPPED = re.compile(r"\s{0,20}/\* ?Node (\S{1,300}) mapped on \w{1,40} \((\w{1,20})\)")
_FIELD = re.compile(r"\s{0,20}\.(\w{1,60}) = (.{1,400}?),?")
_POOL = re.compile(
    r"/\* index=(\d{1,6}) .{0,200}? name=(\S{1,300}) offset=(0x[0-9a-fA-F]{1,16}) .{0,80}?size=(\d{1,20}) "
)
_WEIGHT_SCALE = re.compile(
    r"\s{0,20}static const float buff_info_(\w{1,200}_weights\w{0,200})_quant_scale\[\] = \{ ?([^,}]{1,40})"
)
_PROPERTY = re.compile(r"([A-Za-z_][A-Za-z_0-9]{0,20}(?: [a-z]{1,12}){0,2})=(\S{1,40})")
_SPEEDS = ("byte width", "freq ratio")
_POOL_SPEED = re.compile(r"byte width=(\d{1,6}) freq ratio=([\d.]{1,12}) ")
_CONV = {"simd", "fsub", "deepmode", "dss2mode", "kernelWidth", "kernelHeight", "hstride", "vstride", "nKernels",
         "batchDepth"}  # fmt: skip
_SIMD = {0: "16x16", 1: "8x8", 2: "16x8"}
_TYPES = (("_hybrid", HYBRID, "Hybrid"), ("_pure_sw", SW, "SW"), ("_blob", HW, "EC"), ("_pure_hw", HW, "HW"))


@dataclass
class _Parsed:
    kinds: dict[str, str] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, int]] = field(default_factory=dict)
    items: list[dict[str, str]] = field(default_factory=list)
    pools: dict[str, Pool] = field(default_factory=dict)
    scales: dict[str, float | None] = field(default_factory=dict)
    not_understood: dict[str, None] = field(default_factory=dict)
    structures: Structures = field(default_factory=Structures)
    idle: set[str] = field(default_factory=set)
    """Nodes that take no unit."""
    used: dict[str, int | None] = field(default_factory=dict)
    properties: dict[tuple[str, str], str] = field(default_factory=dict)
    traced: dict[int, str] = field(default_factory=dict)
    """Epochs of a trace of the epoch controller -> the blob they are in."""
    compiler: str = ""


def recognises(text: str) -> bool:
    """The file for the NPU, or its epoch table; the C file for a CPU has the same name and another content."""
    return '#include "ll_aton' in text or "EpochBlock_Flags_" in text


_CPU = (
    "ai_platform_interface.h",
    "AI_LAYER_OBJ_DECLARE",
    '#include "layers.h"',
    '#include "layers_common.h"',
)
"""What only the C code for a CPU target holds."""


def is_for_cpu(text: str) -> bool:
    """The C file that the same tool generates for a target without an NPU."""
    return "#include" in text[:20_000] and not recognises(text) and any(word in text for word in _CPU)


def read_network_c(lines: Iterable[str]) -> Content:
    """Epochs from the table at the end; where the epoch controller is on, a blob is one entry."""
    reading, parsed = _Reading(), _Parsed()
    for line in lines:
        reading.line(line, parsed)
        if len(parsed.kinds) > MAX_NODES:
            parsed.not_understood.setdefault(f"more than {MAX_NODES:,} nodes; the rest was left out")
            break
    if parsed.structures.twice:
        parsed.not_understood.setdefault("an epoch's traffic is stated twice; the first figure counts")
    return Content(
        KIND,
        compiler=parsed.compiler,
        epochs=_epochs(parsed),
        nodes=tuple(_node(name, parsed) for name in parsed.kinds),
        pools=tuple(parsed.pools.values()),
        options=of_header(reading.header),
        structures=(*parsed.structures.listed, *_items(parsed)),
        properties=tuple(
            Property(section, name, text) for (section, name), text in parsed.properties.items()
        ),
        not_understood=tuple(parsed.not_understood),
    )


class _Reading:
    """Where in the file a line is: its epoch, unit, node and blob."""

    def __init__(self) -> None:
        self.epoch, self.unit, self.node, self.blob = 0, "", "", ""
        self.header: list[str] = []
        self.in_header, self.in_table = True, False

    def line(self, line: str, parsed: _Parsed) -> None:
        if self.in_header:
            self.head(line, parsed)
        parsed.structures.line(line, self.epoch, self.node)
        if "ec_trace_start_" in line and (traced := _TRACED.match(line)) is not None:
            self.blob = traced[2] or self.blob
            if traced[1] and len(parsed.traced) < MAX_NODES:
                self.epoch, self.node = int(traced[1]), ""
                parsed.traced.setdefault(self.epoch, self.blob)
        elif line.startswith("#if LL_ATON_VERSION") and (guard := _GUARD.match(line)) is not None:
            _guarded(guard[0], parsed)
        if "/*" in line:
            self.comment(line, parsed)
        if "_quant_scale[] = {" in line and (scale := _WEIGHT_SCALE.match(line)) is not None:
            parsed.scales.setdefault(parse(scale[1]).base, real(scale[2]))
        elif "epoch_block_array[]" in line:
            if parsed.items:
                parsed.not_understood.setdefault("a second epoch table; the first one counts")
            self.in_table = not parsed.items
        elif self.in_table:
            self.in_table = _table(line, parsed)
        elif (
            self.node and self.unit.startswith("CONV_ACC") and (setting := _FIELD.fullmatch(line)) is not None
        ):
            value = integer(setting[2])
            if setting[1] in _CONV and value is not None:
                parsed.settings.setdefault(self.node, {}).setdefault(setting[1], value)
        elif line.startswith("}"):
            self.node = ""

    def head(self, line: str, parsed: _Parsed) -> None:
        """A line before the first include."""
        self.header.append(line)
        self.in_header = len(self.header) < 400 and not line.startswith("#include")
        if (description := _DESCRIPTION.match(line)) is not None:
            parsed.compiler = build(description[1])
        if (about := _ABOUT.match(line)) is not None:
            parsed.properties.setdefault(("tool", about[1]), about[2])

    def comment(self, line: str, parsed: _Parsed) -> None:
        """What the compiler writes beside its code."""
        if (start := _SCHEDULING.match(line)) is not None:
            self.epoch, self.node = int(start[1]), ""
        elif (named := _UNIT.match(line)) is not None:
            self.unit, self.node = named[1], ""
        elif (operator := _NODE.match(line)) is not None:
            node = self.node = operator[2]
            parsed.kinds[node], parsed.epochs[node], parsed.units[node] = operator[1], self.epoch, self.unit
        elif line.startswith("/* index="):
            _pool(line, parsed)
        elif (used := _USED.match(line)) is not None:
            parsed.used[used[1]] = byte_count(used[2], used[3])
        elif (nothing := _NOTHING.match(line)) is not None:
            parsed.kinds.setdefault(nothing[2], nothing[1])
            parsed.epochs.setdefault(nothing[2], self.epoch)
            parsed.idle.add(nothing[2])
        elif (mapped := _MAPPED.match(line)) is not None:
            parsed.settings.setdefault(mapped[1], {})["float"] = int(mapped[2].upper() == "FLOAT")


def _guarded(guard: str, parsed: _Parsed) -> None:
    """The version of the runtime that the file asks for, which was built together with the compiler."""
    numbers = re.findall(r"\d{1,6}", guard)
    if len(numbers) == 4:
        parsed.properties.setdefault(("tool", "LL_ATON_VERSION"), " ".join(numbers))
        if not parsed.compiler:
            parsed.compiler = build(f"{'.'.join(numbers[:3])}-{numbers[3]}")


def _pool(line: str, parsed: _Parsed) -> None:
    match, speed = _POOL.match(line), _POOL_SPEED.search(line[:1000])
    if match is not None and "vpool" not in line:
        properties = _PROPERTY.findall(line[match.end() : match.end() + 1000])
        parsed.pools[match[2]] = Pool(
            match[2],
            size=integer(match[4]),
            used=parsed.used.get(match[1]),
            start=integer(match[3]),
            byte_width=int(speed[1]) if speed is not None else None,
            freq_ratio=float(speed[2]) if speed is not None and speed[2].count(".") < 2 else None,
            attributes=tuple(
                (name.strip(), text) for name, text in properties if name.strip() not in _SPEEDS
            ),
        )


def _table(line: str, parsed: _Parsed) -> bool:
    """One line of the epoch table; False at its end."""
    text = line.strip()
    if text == "{":
        if len(parsed.items) < MAX_NODES:
            parsed.items.append({})
    elif text.startswith(("};", "return ")):
        return False
    elif parsed.items and (setting := _FIELD.fullmatch(line)) is not None:
        parsed.items[-1].setdefault(setting[1], setting[2])
    return True


def _epochs(parsed: _Parsed) -> tuple[ReportedEpoch, ...]:
    left = MAX_NODES
    members: dict[int, list[str]] = {}
    for name, epoch in parsed.epochs.items():
        if name not in parsed.idle:
            members.setdefault(epoch, []).append(name)
    if not parsed.items:
        return _traced(parsed, members)
    epochs = []
    for item in parsed.items:
        flags = item.get("flags", "")
        if "_last_eb" in flags or "_internal" in flags or not flags:
            continue
        index = count(item.get("epoch_num", "")) or _number_of(item)
        if index is None:
            parsed.not_understood.setdefault("an entry of the epoch table without a number")
            continue
        last = count(item.get("last_epoch_num", ""))
        word, placement, printed = next((t for t in _TYPES if t[0] in flags), ("", "", ""))
        if not word:
            parsed.not_understood.setdefault(f"flags {flags[:80]!r}")
        span = range(index, (last if last is not None and index < last < index + left else index) + 1)
        left -= len(span)  # a table of overlapping blobs must not take for ever
        nodes = tuple(name for number in span for name in members.get(number, ()))
        epochs.append(
            ReportedEpoch(
                index,
                placement,
                parsed.kinds[nodes[0]] if nodes and placement in (SW, HYBRID) else "",
                nodes,
                _estimate(item, "estimated_npu_cycles"),
                _estimate(item, "estimated_tot_cycles"),
                last=last if last is not None and last > index else None,
                printed=printed,
                traffic=parsed.structures.traffic(index) if last in (None, index) else (),
            )
        )
    return tuple(epochs)


def _items(parsed: _Parsed) -> list[Structure]:
    """The rows of the epoch table as they stand, but for the one that ends it."""
    items = []
    for item in parsed.items:
        index = count(item.get("epoch_num", "")) or _number_of(item)
        if index is not None:
            fields = tuple((name, text) for name, text in item.items())
            items.append(Structure("epoch block", str(index), index, fields=fields))
    return items


def _traced(parsed: _Parsed, members: dict[int, list[str]]) -> tuple[ReportedEpoch, ...]:
    """Epochs of the file that traces the epoch controller's blobs: all of them are the NPU's."""
    return tuple(
        ReportedEpoch(
            index,
            HW,
            nodes=tuple(members.get(index, ())),
            printed="EC",
            traffic=parsed.structures.traffic(index),
        )
        for index in sorted(parsed.traced)
    )


def _number_of(item: dict[str, str]) -> int | None:
    """The number in the name of an entry's function."""
    for key in ("end_epoch_block", "start_epoch_block"):
        _, _, number = item.get(key, "").rpartition("EpochBlock_")
        if number.isdecimal() and len(number) < 10:
            return int(number)
    return None


def _estimate(item: dict[str, str], key: str) -> int | None:
    """With the epoch controller the tool writes 0, which is not an estimate (FACTS 5)."""
    return count(item.get(key, "")) or None


def _node(name: str, parsed: _Parsed) -> Node:
    unit, settings = parsed.units.get(name, ""), parsed.settings.get(name, {})
    kernel = _pair(settings, "kernelHeight", "kernelWidth")
    in_float = settings.get("float")
    on_cpu = SW if in_float is None else SW_FLOAT if in_float else SW_INT
    parts = parse(name)
    return Node(
        name,
        parsed.kinds[name],
        parsed.epochs.get(name),
        placement=on_cpu if unit.startswith("PROCESSOR") else HW if unit else "",
        unit=unit,
        simd=_SIMD.get(settings.get("simd", -1), ""),
        deep1x1=bool(settings["deepmode"]) if "deepmode" in settings else None,
        dss2=bool(settings["dss2mode"]) if "dss2mode" in settings else None,
        fsub=settings.get("fsub") or None,
        weight_scale=parsed.scales.get(parts.base) if parts.lead and parsed.kinds[name] == "Conv" else None,
        kernel=kernel,
        strides=_pair(settings, "vstride", "hstride"),
        kernels_per_pass=settings.get("nKernels"),
        batch_depth=settings.get("batchDepth"),
    )


def _pair(settings: dict[str, int], first: str, second: str) -> tuple[int, int] | None:
    return (settings[first], settings[second]) if first in settings and second in settings else None
