"""Which layer of the model a lowered node comes from, and how sure that is.

Four ways, the surest first; each takes what the ones before it left over:
1. 'q_json': the compiler's own map from its names to the model's (Q.json, `nodes`).
2. 'name': the layer is called as the front end calls it.
3. 'scales': the same operator with the same weight scale or output scale, which no other layer shares.
4. 'order': alignment of both sequences by operator and shape, the compiler's in the order of its running numbers,
   the model's depth first from its outputs, which is how the front end numbers nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from npuscope.model.convolution import Convolution, convolution
from npuscope.model.graph import Graph
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.neural_art.artefacts.text.names import Name, parse
from npuscope.neural_art.artefacts.values import Node
from npuscope.record import dataclass

CERTAIN, NAMED, SCALED, ALIGNED, LEFT_OVER, GUESSED = 1.0, 0.98, 0.95, 0.8, 0.6, 0.4
"""Confidence of a match by each way; LEFT_OVER where branches are numbered in another order, GUESSED where not even
a shape is known."""

MAX_ROUNDS = 20
"""Alignments in a row, each of what the one before it could not place without crossing."""

MAX_CELLS = 25_000_000
"""Cells of the largest alignment made, four bytes each."""
MOST_SHARING = 40
"""Layers that may share a scale and still be told apart by their shapes."""

_SAME_SCALE = 2e-5
"""Relative difference of two scales that are one, printed with 6 digits."""

_KEEPS_SHAPE = frozenset({"Add", "Mul"})
_GENERATED = "__FE_GENERATED__"
_ALIKE = (
    {"Gemm", "MatMul"},
    {"AveragePool", "GlobalAveragePool", "ReduceMean"},
    {"MaxPool", "GlobalMaxPool", "ReduceMax"},
    {"Relu", "Clip"},
    {"Slice", "Split"},
    {"Resize", "Upsample"},
)
_FAMILY = {kind: family for family in map(frozenset, _ALIKE) for kind in family}
_ANY_ELEMENTWISE = "Eltwise"
_ELEMENTWISE = frozenset({_ANY_ELEMENTWISE, "Add", "Sub", "Mul", "Div", "Sum"})


@dataclass(frozen=True, slots=True)
class Operator:
    """All lowered nodes of one front end operator, its own ('lead') ones first."""

    name: Name
    nodes: tuple[Node, ...]
    leads: int

    @property
    def lead(self) -> Node:
        """The node that does the operator's own work."""
        return self.nodes[0]

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        """What the operator writes: its bias and scale may be nodes of their own, which keep the shape."""
        shapes = (
            self.lead.output_shape,
            *(node.output_shape for node in self.nodes if node.kind in _KEEPS_SHAPE),
        )
        return next((shape for shape in shapes if shape is not None), None)

    @property
    def undivided(self) -> bool:
        """Not cut in sub-masks: the node's kernel is the operator's."""
        return self.leads == 1 and "_subm" not in self.lead.name


@dataclass(frozen=True, slots=True)
class Match:
    """A layer and the operator it became. `by` is one of the four ways; `confidence` is from 0 to 1."""

    layer: str
    operator: Operator
    by: str
    confidence: float


@dataclass(frozen=True, eq=False)
class Matching:
    """All matches, in the order of the layers."""

    matches: tuple[Match, ...]
    unmatched: tuple[Operator, ...]

    @cached_property
    def by_layer(self) -> Mapping[str, Match]:
        """Layer name -> match."""
        return {match.layer: match for match in self.matches}


def operators(nodes: Iterable[Node]) -> tuple[Operator, ...]:
    """The nodes by front end operator, in the order of their numbers. Inserted nodes and constants are left out."""
    named: dict[str, tuple[Name, list[Node], list[Node]]] = {}
    for node in nodes:
        name = parse(node.name)
        if name.base and not name.base.startswith("__"):
            _, leads, others = named.setdefault(name.base, (name, [], []))
            (leads if name.lead and _does_the_work(node, name) else others).append(node)
    grouped = [
        Operator(name, (*leads, *rest), len(leads)) for name, leads, rest in named.values() if leads or rest
    ]
    return tuple(sorted(grouped, key=lambda operator: operator.name.number))


def _does_the_work(node: Node, name: Name) -> bool:
    """A Gemm's lead is the Conv it was lowered to, or the Gemm itself."""
    return name.kind not in WEIGHTED or node.kind in ("Conv", "", name.kind)


def match(
    layers: Sequence[Layer],
    graph: Graph,
    nodes: Iterable[Node],
    originals: Iterable[tuple[str, tuple[str, ...]]] = (),
) -> Matching:
    """Matches of lowered nodes with the layers of a model."""
    open_layers = {layer.name: layer for layer in layers}
    open_operators = {operator.name.base: operator for operator in operators(nodes)}
    matched: dict[str, Match] = {}

    def take(pairs: Iterable[tuple[str, str, float]], by: str) -> None:
        for layer, base, confidence in pairs:
            if layer in open_layers and base in open_operators:
                matched[layer] = Match(layer, open_operators.pop(base), by, confidence)
                del open_layers[layer]

    take(_by_map(open_layers, open_operators, dict(originals)), "q_json")
    take(_by_name(open_layers, open_operators), "name")
    take(_by_scale(open_layers, open_operators), "scales")
    for turn in range(MAX_ROUNDS):
        pairs = _by_order(_numbered(graph, open_layers), tuple(open_operators.values()))
        if not pairs:
            break
        take(((a, b, c if turn == 0 else min(c, LEFT_OVER)) for a, b, c in pairs), "order")
    matches = tuple(matched[layer.name] for layer in layers if layer.name in matched)
    return Matching(matches, tuple(open_operators.values()))


def plain(name: str) -> str:
    """A name without the characters the front end replaces or drops."""
    return "".join(c for c in name if c.isalnum())


def _by_map(
    layers: Mapping[str, Layer], named: Mapping[str, Operator], originals: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str, float]]:
    if not originals:
        return []
    known = _names_of(layers.values())
    pairs = []
    for base, operator in named.items():
        for original in originals.get(base, ()):
            layer = known.get(plain(original)) if original != _GENERATED else None
            if layer is not None and same_kind(operator.name.kind, layer.kind):
                pairs.append((layer.name, base, CERTAIN))
                break
    return pairs


def _names_of(layers: Iterable[Layer]) -> dict[str, Layer]:
    """Plain names of nodes and outputs -> layer; a name that two layers share is left out."""
    known: dict[str, Layer | None] = {}
    for layer in layers:
        outputs = (name for output in layer.outputs for name in (output.tensor, output.seen))
        for name in {plain(name) for name in (layer.name, *layer.core.outputs, *outputs)}:
            known[name] = layer if name not in known else None
    return {name: layer for name, layer in known.items() if layer is not None and name}


def _by_name(layers: Mapping[str, Layer], named: Mapping[str, Operator]) -> list[tuple[str, str, float]]:
    return [
        (base, base, NAMED)
        for base, operator in named.items()
        if base in layers and same_kind(operator.name.kind or operator.lead.kind, layers[base].kind)
    ]


def same_kind(first: str, second: str) -> bool:
    """Two words for one operator."""
    if _ANY_ELEMENTWISE in (first, second):
        return first in _ELEMENTWISE and second in _ELEMENTWISE
    return first == second or (first in _FAMILY and second in _FAMILY[first])


def _by_scale(layers: Mapping[str, Layer], named: Mapping[str, Operator]) -> list[tuple[str, str, float]]:
    """Pairs that share a scale with nobody else on either side."""
    pairs: list[tuple[str, str, float]] = []
    for of_layer, of_operator in ((_weight_scale, _given_weight_scale), (_out_scale, _given_out_scale)):
        taken = {name for layer, base, _ in pairs for name in (layer, f"\0{base}")}
        buckets: dict[tuple[str, int], list[tuple[float, Layer]]] = {}
        for layer in layers.values():
            scale = of_layer(layer)
            if scale is not None and scale > 0 and layer.name not in taken:
                buckets.setdefault((_word(layer.kind), _bucket(scale)), []).append((scale, layer))
        claims: dict[str, list[str]] = {}
        for base, operator in named.items():
            scale = of_operator(operator)
            if scale is None or scale <= 0 or f"\0{base}" in taken:
                continue
            around = [
                pair
                for step in (-1, 0, 1)
                for pair in buckets.get((_word(operator.name.kind), _bucket(scale) + step), ())
            ]
            near = [
                layer.name
                for other, layer in around[: MOST_SHARING + 1]
                if abs(other / scale - 1) < _SAME_SCALE and score(layer, operator) > 0
            ]
            if len(around) > MOST_SHARING:
                continue
            if len(near) == 1:
                claims.setdefault(near[0], []).append(base)
        pairs += [(layer, bases[0], SCALED) for layer, bases in claims.items() if len(bases) == 1]
    return pairs


def _word(kind: str) -> str:
    """One word for all operators that may be alike."""
    if kind in _ELEMENTWISE:
        return _ANY_ELEMENTWISE
    return min(_FAMILY[kind]) if kind in _FAMILY else kind


def _bucket(scale: float) -> int:
    return round(math.log(scale) / (2 * _SAME_SCALE))


def _weight_scale(layer: Layer) -> float | None:
    quant = layer.weight.quant if layer.weight is not None else None
    return float(quant.scale.flat[0]) if quant is not None else None


def _out_scale(layer: Layer) -> float | None:
    quant = layer.output.quant if layer.output is not None else None
    return float(quant.scale.flat[0]) if quant is not None and not quant.per_channel else None


def _given_weight_scale(operator: Operator) -> float | None:
    return next((node.weight_scale for node in operator.nodes if node.weight_scale is not None), None)


def _given_out_scale(operator: Operator) -> float | None:
    scales = [node.output_scale for node in operator.nodes if node.output_scale is not None]
    return scales[-1] if scales else None


def _numbered(graph: Graph, layers: Mapping[str, Layer]) -> list[Layer]:
    """The layers depth first from the graph's outputs, each after what it reads."""
    seen: set[int] = set()
    order: dict[str, int] = {}
    for output in graph.outputs:
        stack = [(graph.producers.get(output, -1), False)]
        while stack:
            index, done = stack.pop()
            if index < 0 or (index in seen and not done):
                continue
            node = graph.nodes[index]
            if done:
                order[node.name] = len(order)
                continue
            seen.add(index)
            stack.append((index, True))
            stack += [(graph.producers.get(tensor, -1), False) for tensor in reversed(node.inputs)]
    last = len(order)
    return sorted(layers.values(), key=lambda layer: order.get(layer.core.name, last))


def _by_order(layers: Sequence[Layer], candidates: Sequence[Operator]) -> list[tuple[str, str, float]]:
    """The alignment with the largest sum of scores; layers and operators without a partner cost nothing."""
    candidates = [operator for operator in candidates if operator.name.number >= 0]
    if not layers or not candidates or len(layers) * len(candidates) > MAX_CELLS:
        return []
    row_of, gains = _gains(layers, candidates)
    sums = np.zeros((len(layers) + 1, len(candidates) + 1), np.float32)
    for i in range(len(layers)):
        best = np.maximum(sums[i, 1:], sums[i, :-1] + gains[row_of[i]])
        np.maximum.accumulate(best, out=sums[i + 1, 1:])
    pairs = []
    i, j = len(layers), len(candidates)
    while i and j:
        gain = gains[row_of[i - 1], j - 1]
        if gain > 0 and sums[i, j] == sums[i - 1, j - 1] + gain:
            confidence = ALIGNED if gain > 1 else GUESSED
            pairs.append((layers[i - 1].name, candidates[j - 1].name.base, confidence))
            i, j = i - 1, j - 1
        elif sums[i, j] == sums[i - 1, j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _gains(layers: Sequence[Layer], candidates: Sequence[Operator]) -> tuple[list[int], NDArray[np.float32]]:
    """Row of each layer, and the scores of each row with every operator. Equal layers share a row."""
    rows: dict[Signature, int] = {}
    row_of = [rows.setdefault(_signature(layer), len(rows)) for layer in layers]
    columns: dict[tuple[object, ...], int] = {}
    column_of = [columns.setdefault(_scored_by(operator), len(columns)) for operator in candidates]
    examples = dict(zip(column_of, candidates, strict=True))
    scores = np.array(
        [[_score(row, examples[column]) for column in range(len(columns))] for row in rows], np.float32
    )
    return row_of, scores[:, column_of]


Signature = tuple[str, Convolution | None, tuple[int, ...] | None, tuple[int, ...] | None]
"""What a score asks of a layer: kind, geometry, sizes of input and output."""


def _signature(layer: Layer) -> Signature:
    source = layer.input_dims
    result = layer.output_dims
    return layer.kind, convolution(layer), _sizes(source), _sizes(result)


def _scored_by(operator: Operator) -> tuple[object, ...]:
    """What a score asks of an operator."""
    lead = operator.lead
    shapes = (lead.input_shape, lead.weight_shape, operator.output_shape)
    return (operator.name.kind, operator.undivided, lead.kernel, lead.channels, *shapes)


def _sizes(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The sizes above 1 whatever their order, since the compiler lays tensors out in its own."""
    return None if shape is None else tuple(sorted(size for size in shape if size > 1))


def score(layer: Layer, operator: Operator) -> float:
    """How well a layer and an operator agree: 0 where they cannot be one, 1 where only the kind is known."""
    return _score(_signature(layer), operator)


def _score(signature: Signature, operator: Operator) -> float:
    kind, conv, source, result = signature
    node, written = operator.lead, operator.output_shape
    if not same_kind(operator.name.kind, kind):
        return 0.0
    value = 1.0
    if kind == "ConvTranspose":
        return value
    if conv is not None:
        if not _fits(conv, operator):
            return 0.0
        value += node.channels is not None
        value += node.input_shape is not None and conv.batch == 1
    if written is not None and result is not None:
        if _sizes(written) == result:
            value += 2.0
        elif conv is not None:
            return 0.0
    if node.input_shape is not None and source is not None and _sizes(node.input_shape) == source:
        value += 2.0
    return value


def _fits(conv: Convolution, operator: Operator) -> bool:
    """Nothing the operator tells of channels and kernel contradicts the geometry."""
    node = operator.lead
    if node.channels is not None and sorted(node.channels) != sorted((conv.in_channels, conv.out_channels)):
        return False
    if node.weight_shape is not None and node.weight_shape[0] != conv.out_channels:
        return False
    if operator.undivided and node.kernel is not None and _sizes(node.kernel) != _sizes(conv.kernel):
        return False
    if node.input_shape is None or len(node.input_shape) < 2 or conv.batch != 1:
        return True
    return node.input_shape[1] in (conv.in_channels, *conv.input_size)
