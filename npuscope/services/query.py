"""Layers by what they are: words of their names, and comparisons such as `op=Conv`, `kernel=7`, `>1ms` or `where:cpu`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import onnx

from npuscope.model.convolution import channel_counts
from npuscope.model.graph import Graph
from npuscope.model.inspection.attributes import attributes
from npuscope.model.layer import Layer, Operand
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot

Figure = Callable[[LayerReport, Snapshot], float | None]
Texts = Callable[[LayerReport], Iterator[str]]


def _operands(layer: Layer) -> Iterator[Operand]:
    yield from layer.inputs
    yield from layer.outputs
    yield from (operand for operand in (layer.weight, layer.bias) if operand is not None)


def _sized(report: LayerReport) -> Iterator[str]:
    return ("x".join(map(str, one.dims)) for one in _operands(report.layer) if one.dims is not None)


FIGURES: Mapping[str, Figure] = {
    "ms": lambda report, snapshot: snapshot.time_of(report) if report.cost is not None else None,
    "%": lambda report, snapshot: snapshot.share(report) * 100 if report.cost is not None else None,
    "cycles": lambda report, _: report.line.cycles,
    "mac": lambda report, _: report.line.macs_per_cycle,
    "epoch": lambda report, _: report.epoch,
    "db": lambda report, snapshot: snapshot.own_decibels.get(report.name),
    "in": lambda report, _: channel_counts(report.layer)[0],
    "out": lambda report, _: channel_counts(report.layer)[1],
}
"""Figures of a layer, by the name they are asked for; time in milliseconds, parts in percent."""

TEXTS: Mapping[str, Texts] = {
    "name": lambda report: iter((report.name,)),
    "scope": lambda report: iter((report.layer.scope,)),
    "op": lambda report: iter((report.layer.op, report.layer.kind, *report.layer.fused)),
    "node": lambda report: iter(report.layer.nodes),
    "tensor": lambda report: (text for one in _operands(report.layer) for text in (one.tensor, one.seen)),
    "type": lambda report: (one.type.dtype for one in _operands(report.layer)),
    "shape": _sized,
    "code": lambda report: (finding.code for finding in report.findings),
}

PLACES: Mapping[str, Callable[[Placement], bool]] = {
    "npu": lambda place: place is Placement.HW,
    "hyb": lambda place: place is Placement.HYBRID,
    "cpu": lambda place: place.on_cpu,
    "off": lambda place: place.rank > 0,
}
"""What `where:` takes; `off` is all that is not wholly on the NPU."""

SHORT = {
    "time": "ms",
    "share": "%",
    "kernel": "kernel_shape",
    "stride": "strides",
    "dilation": "dilations",
    "pad": "pads",
    "groups": "group",
}
"""What hands type -> what it stands for."""

_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_TERM = re.compile(r"(?P<key>[a-z_%][\w%]*)?(?P<sign>>=|<=|!=|[=:<>])(?P<value>.+)", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<number>-?\d+(?:\.\d+)?)(?P<unit>[a-zµ%]*)", re.IGNORECASE)
_UNITS: Mapping[str, tuple[str, float]] = {
    "ms": ("ms", 1.0), "us": ("ms", 1e-3), "µs": ("ms", 1e-3), "s": ("ms", 1e3), "%": ("%", 1.0), "db": ("db", 1.0),
    "": ("", 1.0), "k": ("", 1e3), "m": ("", 1e6),
}  # fmt: skip
"""Unit -> the figure it is of, '' for any, and what it multiplies by."""


@dataclass(frozen=True, slots=True)
class Term:
    """A comparison. `sign` is one of = : != > < >= <=; for texts = is 'is', : is 'holds'."""

    key: str
    sign: str
    value: str
    number: float | None
    word: str = ""
    """What is typed, where it may be part of a name as well."""

    def holds(self, report: LayerReport, snapshot: Snapshot) -> bool:
        """Whether it is so; never where the layer has nothing of the kind."""
        if self.key == "where":
            return PLACES[self.value](report.placement) is (self.sign != "!=")
        if self.key in FIGURES:
            figure = FIGURES[self.key](report, snapshot)
            return figure is not None and self._numbers((float(figure),))
        if self.key in TEXTS:
            found = [text.lower() for text in TEXTS[self.key](report)]
            if self.sign == ":":
                return any(self.value in text for text in found)
            return (self.value in found) is (self.sign == "=") and bool(found)
        text = attribute_text(report.layer, snapshot.graph, self.key)
        return self._attribute(text) if text is not None else _has(report, self.word, "")

    def _attribute(self, text: str) -> bool:
        items = re.split(r"[x×, ]+", text.lower())
        numbers = [float(item) for item in items if re.fullmatch(r"-?\d+(\.\d+)?", item)]
        if self.number is not None and len(numbers) == len(items):
            return self._numbers(numbers)
        alike = items == re.split(r"[x×,]+", self.value) or text.lower() == self.value
        return alike is (self.sign != "!=") if self.sign in ("=", ":", "!=") else False

    def _numbers(self, numbers: tuple[float, ...] | list[float]) -> bool:
        """Of several, such as a kernel's sizes, one has to be equal; the largest is compared."""
        assert self.number is not None
        if self.sign in _COMPARED:
            return _COMPARED[self.sign](max(numbers), self.number)
        return any(abs(number - self.number) < 1e-9 for number in numbers) is (self.sign != "!=")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: all of it has to be so. `words` are found in a name, an operator or a scope."""

    words: tuple[str, ...]
    terms: tuple[tuple[bool, str | Term], ...]
    """(whether it has to be so, a word or a comparison)."""

    def holds(self, report: LayerReport, snapshot: Snapshot, beside: str = "") -> bool:
        """Whether a layer is meant; `beside` is more text, in lower case, to find words in."""
        return all(
            (term.holds(report, snapshot) if isinstance(term, Term) else _has(report, term, beside)) is wanted
            for wanted, term in self.terms
        )

    def find(self, reports: tuple[LayerReport, ...], snapshot: Snapshot) -> tuple[LayerReport, ...]:
        """Those of some layers that are meant; none where nothing is asked for."""
        return tuple(report for report in reports if self.terms and self.holds(report, snapshot))


def _has(report: LayerReport, word: str, beside: str) -> bool:
    layer = report.layer
    return (
        word in layer.name.lower()
        or word in layer.op.lower()
        or word in layer.scope.lower()
        or word in beside
        or any(word == finding.code.lower() for finding in report.findings)
    )


@lru_cache(maxsize=16)
def parsed(text: str) -> Query:
    """What is typed, as a query: words apart by blanks, ! before what must not be so.

    What reads like a comparison of nothing that a layer has is looked for as a word: names hold such signs, too.
    """
    terms: list[tuple[bool, str | Term]] = []
    for part in text.split():
        wanted = not (part.startswith("!") and len(part) > 1)
        bare = part if wanted else part[1:]
        terms.append((wanted, _term(bare) or bare.lower()))
    return Query(tuple(term for wanted, term in terms if wanted and isinstance(term, str)), tuple(terms))


def _term(text: str) -> Term | None:
    match = _TERM.fullmatch(text)
    if match is None:
        return None
    key, sign, value = (match["key"] or "").lower(), match["sign"], match["value"].lower()
    quantity = _NUMBER.fullmatch(value)
    of, factor = _UNITS.get(quantity["unit"], ("?", 1.0)) if quantity is not None else ("?", 1.0)
    number = float(quantity["number"]) * factor if quantity is not None and of != "?" else None
    key = SHORT.get(key, key) or (of if number is not None else "")
    if key == "where":
        return Term(key, sign, value, None) if value in PLACES and sign in ("=", ":", "!=") else None
    if key in FIGURES:
        return Term(key, sign, value, number) if number is not None and of in ("", key) else None
    if key in TEXTS:
        value = value.replace("×", "x") if key == "shape" else value
        return Term(key, sign, value, None) if sign in ("=", ":", "!=") else None
    return Term(key, sign, value, number if of == "" else None, text.lower()) if key else None


# -- attributes


@lru_cache(maxsize=1)
def _known() -> Mapping[str, frozenset[str]]:
    """Operator of ONNX -> its attributes, in all its versions."""
    names: dict[str, set[str]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain:
            names.setdefault(schema.name, set()).update(schema.attributes)
    return {op: frozenset(known) for op, known in names.items()}


def attribute_text(layer: Layer, graph: Graph, name: str) -> str | None:
    """An attribute of a layer's operator as text, its default where none is stated; None where it has no such thing."""
    node = layer.core
    values: dict[str, str] | None = layer.facts.get(_FACT)
    if values is None:
        # Few layers have what is asked for, and to write all attributes out takes longer than to look for a name.
        known = _known().get(node.op.removeprefix("QLinear"), frozenset())
        if name not in known and all(entry.name.lower() != name for entry in node.proto.attribute):
            return None
        values = layer.facts[_FACT] = {entry.name.lower(): entry.value for entry in attributes(node, graph)}
    return values.get(name)


_FACT = "attributes"
