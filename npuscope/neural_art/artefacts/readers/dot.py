"""The compiler's graphs: tmp.dot (the final schedule) and its siblings, scheduled and not.

Read line by line, since a general DOT parser takes half a minute for what is needed here in a fifth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any, NamedTuple

from npuscope.neural_art.artefacts.text.figures import dimensions, integer, real, scaled
from npuscope.neural_art.artefacts.text.lines import MAX_LINE
from npuscope.neural_art.artefacts.values import HW, SW, Buffer, Content, Flow, Node, ReportedEpoch, Structure
from npuscope.record import dataclass

KIND = "dot"
MAX_NODES = 100_000
MAX_FIELDS = 200
"""Fields of a node that are looked at; 40 are the most seen."""

_EPOCH = re.compile(r'subgraph cluster_(\d{1,9}) \{ label="epoch (\d{1,9})"')
_EDGE = re.compile(r"([\w.]{1,300})(?::o?\w{1,8})?(?::\w)? ?-> ?([\w.]{1,300})(?::i(\d{1,3}))?")
_NODE = re.compile(r'"?([\w.]{1,300})"? \[ label="\{')
_SHAPE = re.compile(r"\\l(\d{1,9}(?:x\d{1,9}){1,7})\\l")
_SCALE = re.compile(r"\\lscale=\(([-+\d.e]{1,40}), \)\\loffset=\((-?\d{1,9}), \)")
_FIRST_SCALE = re.compile(r"\\lscale=\(([-+\d.e]{1,40}), ")
_ATTRIBUTE = re.compile(r"(\w{1,80}) (?:i|f|s|is|fs) (.{0,400})", re.DOTALL)
_KEPT = (
    "A=", "shifts:", "unit max power", "conv mode=", "hw conf name=", "extra DMAs", "Feat. stat", "(bytes=",
    "Special output batch mode",
)  # fmt: skip
"""Fields that are kept as printed."""
_CONSTANT = re.compile(
    r'"?([\w.]{1,300})"? \[ label="\{.{0,300}?\[(\d{1,9})\]\\l[^\\]{1,300}\\l\(bytes=(\d{1,18}) , ([\d.e+-]{1,16})% of '
    r"total\)((?:\\l|[\w\s.+-]){0,4000})"
)
_DMA = re.compile(r'(dma_\w{1,40}) \[ label="Dma (in|out)\\nepoch=(\d{1,9})')
_MOVES = re.compile(r" ?(axi port=\d{1,4})\\n(\w{1,40} \d{1,6})")


class _Label(NamedTuple):
    """What an edge says of its tensor; `scale` only where it is quantized as a whole."""

    shape: tuple[int, ...] | None
    scale: float | None
    first_scale: float | None


NOTHING = _Label(None, None, None)


@dataclass
class _Parsed:
    """What is collected while reading."""

    epochs: dict[int, list[str]] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    inputs: dict[tuple[str, int], _Label] = field(default_factory=dict)
    outputs: dict[str, _Label] = field(default_factory=dict)
    not_understood: dict[str, None] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    constants: list[Buffer] = field(default_factory=list)
    structures: list[Structure] = field(default_factory=list)
    dma: tuple[str, str, int, list[tuple[str, str]]] | None = None
    """A DMA node whose label goes on in the next line."""


def recognises(head: str) -> bool:
    """The beginning of a DOT graph."""
    return head.lstrip().startswith("digraph ")


def read_dot(text: str) -> Content:
    """Epochs, lowered nodes with their figures, and the shapes on the edges around them."""
    parsed = _Parsed()
    epoch = None
    listing = False
    for raw in text.split("\n"):
        line = raw[:MAX_LINE].strip()
        if line.startswith("digraph "):
            if parsed.nodes or parsed.epochs:
                parsed.not_understood.setdefault("a second graph; the first one counts")
                break
        elif line.startswith("subgraph cluster"):
            match = _EPOCH.match(line)
            if match is not None:
                epoch = int(match[2])
                parsed.epochs.setdefault(epoch, [])
            listing = "_nodes {" in line[:60]
        elif not line:
            continue
        elif listing:
            listing = False
            if epoch is not None:
                parsed.epochs[epoch] += [name for part in line.split(";") if (name := part.strip(' }"'))]
        elif line.startswith("dma_") and (dma := _DMA.match(line)) is not None:
            words = line.rpartition("\\n")[2].strip()
            attributes = [("moves", words)] if words.startswith("mem=") and len(words) < 100 else []
            parsed.dma = (dma[1], dma[2], int(dma[3]), attributes)
        elif parsed.dma is not None:
            _moves(line, parsed)
        elif "-> " in line or "->" in line[:700]:
            _edge(line, parsed)
        elif 'label="{' in line:
            _node(line, parsed)
        if len(parsed.nodes) > MAX_NODES:
            parsed.not_understood.setdefault(f"more than {MAX_NODES:,} nodes; the rest was left out")
            break
    nodes = tuple(_with_shapes(node, parsed) for node in parsed.nodes.values())
    return Content(
        KIND,
        epochs=_epochs(parsed),
        nodes=nodes,
        buffers=tuple(parsed.constants),
        flows=tuple(parsed.flows),
        structures=tuple(parsed.structures),
        not_understood=tuple(parsed.not_understood),
    )


def _moves(line: str, parsed: _Parsed) -> None:
    """The second line of a DMA node: its port and its stream engine."""
    assert parsed.dma is not None
    name, side, epoch, attributes = parsed.dma
    parsed.dma = None
    if (match := _MOVES.match(line)) is not None:
        attributes += [("axi port", match[1].rpartition("=")[2]), ("unit", match[2])]
    if len(parsed.structures) < MAX_NODES:
        parsed.structures.append(Structure(f"dma {side}", name, epoch, fields=tuple(attributes)))


def _epochs(parsed: _Parsed) -> tuple[ReportedEpoch, ...]:
    epochs = []
    for index, names in sorted(parsed.epochs.items()):
        members = [parsed.nodes[name] for name in names if name in parsed.nodes]
        on_cpu = [node for node in members if node.placement == SW]
        latencies = [node.latency_cycles for node in members if node.latency_cycles is not None]
        if not members or members[0].kind == "Return":
            continue
        epochs.append(
            ReportedEpoch(
                index,
                SW if on_cpu else HW,
                on_cpu[0].kind if on_cpu else "",
                tuple(node.name for node in members),
                max(latencies, default=None),
                printed="PROCESSOR" if on_cpu else "",
            )
        )
    return tuple(epochs)


def _node(line: str, parsed: _Parsed) -> None:
    """A record: ports | fields joined by '\\l' | ports. A constant's record has no kind."""
    match = _NODE.match(line)
    if match is None or "\\lkind=" not in line:
        _constant(line, parsed)
        return
    name = match[1]
    fields: dict[str, Any] = {}
    for text in line.split("\\l", MAX_FIELDS)[1:]:
        if text.strip() and not text.startswith((" |", "}", name)):
            _field(text.strip(), fields, parsed.not_understood)
    unit = fields.get("unit", "")
    placement = SW if unit.startswith("PROCESSOR") else HW if unit else ""
    kept = tuple(fields.pop(_REST, {}).items())
    parsed.nodes[name] = Node(name, fields.pop("kind", ""), placement=placement, attributes=kept, **fields)


_REST = " "
"""Key of the fields that are kept as printed."""


def _constant(line: str, parsed: _Parsed) -> None:
    """A record of a graph before scheduling: number, name, bytes, share of the whole, first values."""
    match = _CONSTANT.match(line)
    if match is not None and len(parsed.constants) < MAX_NODES:
        values = " ".join(match[5].replace("\\l", " ").split())
        attributes = (("id", match[2]), ("% of total", match[4]), ("values", values))
        parsed.constants.append(Buffer(match[1], size=int(match[3]), constant=True, attributes=attributes))


_READERS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("kind=", "kind", str),
    ("NUM_OPS = ", "ops", lambda text: scaled(text.split("(")[0], "OPS")),
    ("latency = ", "latency_cycles", lambda text: scaled(text, "cycles")),
    ("OPS/cycle = ", "ops_per_cycle", real),
    ("sched epoch=", "epoch", lambda text: integer(text.rstrip("."))),
    ("sched unit=", "unit", str.strip),
    ("hw unit=", "unit", str.strip),
    ("choked ports=(", "choked_ports", lambda text: tuple(text.rstrip(" )").split()[:8])),
    ("simd mode:", "simd", str.strip),
    ("Deep mode", "deep1x1", lambda _: True),
    ("Dss2 mode", "dss2", lambda _: True),
)
"""How a field begins, what it tells, and how to read the rest of it."""

_ATTRIBUTES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "Conv_fsub": ("fsub", lambda text: None if (value := real(text)) is None else round(value)),
    "group": ("group", integer),
    "kernel_shape": ("kernel", lambda text: dimensions(text, " ")),
    "strides": ("strides", lambda text: dimensions(text, " ")),
}


def _field(text: str, fields: dict[str, Any], not_understood: dict[str, None]) -> None:
    for start, name, reader in _READERS:
        if text.startswith(start):
            fields[name] = reader(text[len(start) :])
            return
    attribute = _ATTRIBUTE.fullmatch(text)
    if attribute is not None:
        if attribute[1] in _ATTRIBUTES:
            name, reader = _ATTRIBUTES[attribute[1]]
            fields[name] = reader(attribute[2].strip())
        else:
            fields.setdefault(_REST, {}).setdefault(attribute[1], attribute[2].strip())
    elif text.startswith(_KEPT):
        word = next(word for word in _KEPT if text.startswith(word))
        rest = text.removeprefix(word).strip(" ,)") if word != "A=" else text
        fields.setdefault(_REST, {}).setdefault(
            "coefficients" if word == "A=" else word.strip("(:="), rest[:400]
        )
    elif len(not_understood) < 50:
        not_understood.setdefault(f"field {text.split('=')[0].split(':')[0].strip()[:60]!r} of a node")


def _edge(line: str, parsed: _Parsed) -> None:
    """Keep what an edge into an operator's first two ports says, and the first edge out of one."""
    match = _EDGE.match(line)
    if match is None or "\\l" not in line or len(parsed.outputs) > 2 * MAX_NODES:
        return
    start, end, port = match[1], match[2], match[3]
    if len(parsed.flows) < 2 * MAX_NODES:
        label = line[match.end() :].partition('label="')[2].rpartition('"')[0][:2000]
        text = " | ".join(part.strip() for part in label.split("\\l") if part.strip())
        parsed.flows.append(
            Flow("", start, end, ports=(None, integer(port) if port else None), attributes=(("label", text),))
        )
    if port in ("0", "1"):
        parsed.inputs.setdefault((end, int(port)), _label(line))
    if not start.startswith("dma_") and start not in parsed.outputs:
        parsed.outputs[start] = _label(line)


def _label(line: str) -> _Label:
    shape, scale, first = _SHAPE.search(line), _SCALE.search(line), _FIRST_SCALE.search(line)
    return _Label(
        None if shape is None else dimensions(shape[1]),
        None if scale is None else real(scale[1]),
        None if first is None else real(first[1]),
    )


def _with_shapes(node: Node, parsed: _Parsed) -> Node:
    convolves = node.kind == "Conv"
    source = parsed.inputs.get((node.name, 0), NOTHING)
    weights = parsed.inputs.get((node.name, 1), NOTHING) if convolves else NOTHING
    result = parsed.outputs.get(node.name, NOTHING)
    return replace(
        node,
        deep1x1=False if node.deep1x1 is None and node.simd else node.deep1x1,
        dss2=False if node.dss2 is None and node.simd else node.dss2,
        input_shape=source.shape,
        weight_shape=weights.shape,
        output_shape=result.shape,
        input_scale=source.scale,
        weight_scale=weights.first_scale,
        output_scale=result.scale,
    )
