"""Accuracy layer by layer: what each layer of a quantized model loses itself, and what it inherited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

import numpy as np
from onnx import ModelProto, TensorProto, helper

from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node
from npuscope.model.inspection.weights import reach
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, fold, is_qdq
from npuscope.model.load import Source
from npuscope.model.quant import of_node
from npuscope.model.serialize import to_model
from npuscope.model.tensors import Array, resolved
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.differences import DifferenceMeter
from npuscope.numbers.runner import Sample, serialized
from npuscope.numbers.runtime.sessions import RuntimeSession
from npuscope.record import dataclass

FED = "npuscope reference "
"""Begins the name of a tensor that the reference model's value is fed to."""


@dataclass(frozen=True, slots=True)
class LayerAccuracy:
    """One layer of a quantized model against the reference, on the same samples; None in dB where nothing differs."""

    name: str
    tensor: str
    sqnr_db: float | None
    """Of its output, everything before it quantized too."""
    own_sqnr_db: float | None
    """Of its output where it reads the reference's own values: its weights, its arithmetic and its output's scale.

    What a model's input loses on its grid is the input's own, not of the first layer that computes.
    """
    clipped: float | None
    """Share of the reference's values beyond the ends of its output's range; None where that is not quantized."""
    used_range: float | None
    """Share of its output's range that the reference's values span."""
    worst_channel: int | None
    """Index on axis 1 with the smallest own SQNR."""
    weight_outlier: tuple[int, float] | None = None
    """Channel whose scale one weight sets, and how many times the next largest that one is; None where none
    stands out."""
    mean_error: tuple[float, ...] = ()
    """What each channel of axis 1 lacks of the reference on average, by its own error; empty below two channels."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All layers that both models have, largest own error first; `layers_of` is how many the second model has."""

    layers: tuple[LayerAccuracy, ...]
    layers_of: int
    samples: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A tensor both models have: `written` by the quantized one's layer, and `read` by those after it.

    `others` hold the same values: a Q may have a DQ for each of its readers. An input that no layer quantizes has no
    layer: nothing is said of it, but what reads it is fed the reference's values as well.
    """

    layer: str
    tensor: str
    written: str
    read: str
    ends: tuple[float, float] | None
    others: tuple[str, ...] = ()


class _Channels:
    """Power of the reference and of the difference for each index of axis 1, over all samples."""

    def __init__(self) -> None:
        self.signal: Array | None = None
        self.noise: Array | None = None
        self.lacking: Array | None = None
        self.count = 0

    def add(self, reference: Array, value: Array) -> None:
        if reference.ndim < 2 or reference.shape[1] < 2:
            return
        wanted = reference.astype(np.float64)
        others = (0, *range(2, wanted.ndim))
        signal = np.square(wanted).sum(axis=others)
        lacking = wanted - value.astype(np.float64)
        noise, lack = np.square(lacking).sum(axis=others), lacking.sum(axis=others)
        self.lacking = lack if self.lacking is None else self.lacking + lack
        self.count += wanted.size // wanted.shape[1]
        self.signal = signal if self.signal is None else self.signal + signal
        self.noise = noise if self.noise is None else self.noise + noise

    @property
    def mean(self) -> tuple[float, ...]:
        if self.lacking is None or not self.count:
            return ()
        return tuple(float(value) for value in self.lacking / self.count)

    @property
    def worst(self) -> int | None:
        if self.signal is None or self.noise is None or not self.noise.any():
            return None
        with np.errstate(over="ignore"):  # of a channel that is 0 in the reference: no ratio is worse
            return int(np.argmax(self.noise / np.maximum(self.signal, np.finfo(np.float64).tiny)))


def layer_accuracy(
    a: Source, b: Source, samples: Sequence[Sample], job: Job = QUIET, inputs_apart: bool = True
) -> Accuracy:
    """Every layer of `b` whose output tensor `a`, the reference, has under the same name and shape.

    1. A layer's own error is found by feeding it the values of `a`, so that errors before it do not count.
    2. Unless `inputs_apart`, what an input loses on its grid counts as its readers' own: their biases can make up for it.
    3. Raises ModelError where a model does not run or they share no layer, StoppedError where the job is stopped.
    """
    places = _places(a.graph, b.graph, inputs_apart)
    if not any(place.layer for place in places):
        raise ModelError(
            f"{b.path}: no layer writes a tensor that {a.path} has; they cannot be compared layer by layer"
        )
    if set(a.graph.inputs) != set(b.graph.inputs):
        raise ModelError(f"{b.path}: has other inputs than {a.path}")
    shown = {place.tensor: _shown(a.graph, place.tensor)[0] for place in places}
    reads = [place.read for place in places]
    computed = [name for name in shown.values() if name not in a.graph.inputs]
    reference = _runner(a, _watching(to_model(a, a.graph), computed))
    quantized = _runner(b, _watching(to_model(b, b.graph), reads))
    alone = _runner(b, _watching(_fed(to_model(b, b.graph), places), reads))
    taken = set(alone.inputs)
    inherited, own_only = ([DifferenceMeter(place.tensor, None) for place in places] for _ in range(2))
    channels = [_Channels() for _ in places]
    spans = [(inf, -inf)] * len(places)
    outside, counts = [0] * len(places), [0] * len(places)
    for sample in job.each(samples):
        plain = _run(reference, list(shown.values()), adapt_inputs(a.graph, sample))
        feed = adapt_inputs(b.graph, sample)
        values = _run(quantized, reads, feed)
        feeds = {FED + place.tensor: value for place, value in zip(places, plain, strict=True)}
        own = _run(alone, reads, {name: value for name, value in {**feed, **feeds}.items() if name in taken})
        for index, (wanted, value, single) in enumerate(zip(plain, values, own, strict=True)):
            inherited[index].add(wanted, value)
            own_only[index].add(wanted, single)
            channels[index].add(wanted, single)
            ends = places[index].ends
            if ends is not None and wanted.size:
                low, high = spans[index]
                spans[index] = (min(low, float(wanted.min())), max(high, float(wanted.max())))
                step = (ends[1] - ends[0]) / 255
                outside[index] += int(((wanted < ends[0] - step) | (wanted > ends[1] + step)).sum())
                counts[index] += wanted.size
    by_name = fold(b.graph).by_name
    layers = [
        LayerAccuracy(
            place.layer,
            place.tensor,
            inherited[index].result().sqnr_db,
            own_only[index].result().sqnr_db,
            outside[index] / counts[index] if counts[index] else None,
            _used(place.ends, spans[index]) if counts[index] else None,
            channels[index].worst,
            _outlier(by_name.get(place.layer)),
            channels[index].mean,
        )
        for index, place in enumerate(places)
        if place.layer
    ]
    layers.sort(key=lambda layer: inf if layer.own_sqnr_db is None else layer.own_sqnr_db)
    return Accuracy(tuple(layers), len(by_name), len(samples))


def _outlier(layer: Layer | None) -> tuple[int, float] | None:
    found = reach(layer) if layer is not None else None
    return found.worst if found is not None else None


def _used(ends: tuple[float, float] | None, span: tuple[float, float]) -> float | None:
    if ends is None or not ends[1] > ends[0]:
        return None
    return max(0.0, min(span[1], ends[1]) - max(span[0], ends[0])) / (ends[1] - ends[0])


def _places(a: Graph, b: Graph, inputs: bool) -> list[_Place]:
    """One a layer and output, in the order of `b`."""
    layers = fold(b)
    places = [place for name in b.inputs if inputs for place in _input_places(a, b, layers, name)]
    seen = {place.read for place in places}
    for layer in layers.layers:
        for operand in layer.outputs:
            writer = b.producer(operand.tensor)
            is_q = writer is not None and is_qdq(writer) and writer.op == QUANTIZE
            tensor = writer.input(0) if writer is not None and is_q else operand.tensor
            read, *others = _shown(b, tensor)
            # An output of the model keeps its name behind its DQ; the layer's own tensor then has another.
            name = tensor if tensor in a.producers else read
            if name not in a.producers or read in seen or a.type(name).dtype != "float32":
                continue
            dims = a.type(name).dims
            if dims is None or b.type(tensor).dtype != "float32" or dims != b.type(tensor).dims:
                continue
            seen.add(read)
            ends = _ends(b, writer) if is_q else None
            places.append(_Place(layer.name, name, tensor, read, ends, tuple(others)))
    return places


def _input_places(a: Graph, b: Graph, layers: Layers, name: str) -> Iterator[_Place]:
    """An input of both models that the second quantizes, or takes as integers."""
    if a.type(name).dtype != "float32" or a.type(name).dims != b.type(name).dims:
        return
    if b.type(name).dtype == "float32":
        quantizers = _reading(b, name, QUANTIZE)
        read, *others = _shown(b, name)
        if quantizers and read != name:
            layer = layers.of_node.get(quantizers[0].name)
            own = layer is not None and layer.op == QUANTIZE
            label = layer.name if layer is not None and own else ""
            yield _Place(label, name, name, read, _ends(b, quantizers[0]), tuple(others))
        return
    seen = [node.outputs[0] for node in _reading(b, name, DEQUANTIZE)]
    if seen:
        yield _Place("", name, seen[0], seen[0], None, tuple(seen[1:]))


def _reading(graph: Graph, tensor: str, op: str) -> list[Node]:
    """The Qs, or DQs, of a tensor."""
    readers = (graph.nodes[index] for index in graph.consumers.get(tensor, ()))
    return [node for node in readers if is_qdq(node) and node.op == op and node.input(0) == tensor]


def _shown(graph: Graph, tensor: str) -> list[str]:
    """The tensors behind its Q and that one's DQs, where it has them: what the layers after it read."""
    for node in _reading(graph, tensor, QUANTIZE):
        behind = [following.outputs[0] for following in _reading(graph, node.outputs[0], DEQUANTIZE)]
        if behind:
            return behind
    return [tensor]


def _ends(graph: Graph, quantizer: Node | None) -> tuple[float, float] | None:
    """The range of a Q of one scale."""
    quant = of_node(graph, quantizer) if quantizer is not None else None
    return quant.range if quant is not None and not quant.per_channel else None


def _fed(model: ModelProto, places: Sequence[_Place]) -> ModelProto:
    """The model with every shared tensor read from a new input: each layer computes on the reference's values."""
    renamed: dict[str, str] = {}
    for place in places:
        for name in (place.read, place.written, *place.others):
            renamed[name] = FED + place.tensor
        model.graph.input.append(helper.make_tensor_value_info(FED + place.tensor, TensorProto.FLOAT, None))
    writers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            if name not in renamed or (node.op_type == QUANTIZE and position == 0):
                continue  # a layer's own Q keeps reading what the layer wrote
            if node.op_type == DEQUANTIZE and name in writers:
                continue
            node.input[position] = renamed[name]
    return model


def _watching(model: ModelProto, tensors: Sequence[str]) -> ModelProto:
    del model.graph.output[:]
    for name in dict.fromkeys(tensors):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


def _runner(source: Source, model: ModelProto) -> RuntimeSession:
    # External data lies beside the path the model was opened by, be that a link.
    return RuntimeSession(
        serialized(model, source.path),
        source.path,
        resolved(source.path.parent),
        source.graph,
    )


def _run(runner: RuntimeSession, names: Sequence[str], feeds: Sample) -> list[Array]:
    """The named inputs and outputs, one that is named twice given twice. Raises ModelError."""
    unique = list(dict.fromkeys(name for name in names if name not in feeds))
    by_name = {**feeds, **dict(zip(unique, runner.run(unique, feeds), strict=True))}
    return [by_name[name] for name in names]
