"""Accuracy layer by layer: what each layer of a quantized model loses itself, and what it inherited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from onnx import ModelProto, TensorProto, helper

from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.inspection.weights import reach
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, fold, is_qdq
from npuscope.model.load import Source
from npuscope.model.quant import of_node
from npuscope.model.serialize import to_model
from npuscope.model.tensors import Array, resolved
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.differences import DifferenceMeter
from npuscope.numbers.runner import Sample, serialized
from npuscope.numbers.runtime.sessions import RuntimeSession

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
    """Of its output where it reads the reference's own values: its weights, its arithmetic and its output's scale."""
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
    """A tensor both models have: `written` by the quantized one's layer, and `read` by those after it."""

    layer: str
    tensor: str
    written: str
    read: str
    ends: tuple[float, float] | None


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
        return int(np.argmax(self.noise / np.maximum(self.signal, np.finfo(np.float64).tiny)))


def layer_accuracy(a: Source, b: Source, samples: Sequence[Sample], job: Job = QUIET) -> Accuracy:
    """Every layer of `b` whose output tensor `a`, the reference, has under the same name and shape.

    1. A layer's own error is found by feeding it the values of `a`, so that errors before it do not count.
    2. Raises ModelError where a model does not run or they share no layer, StoppedError where the job is stopped.
    """
    places = _places(a.graph, b.graph)
    if not places:
        raise ModelError(
            f"{b.path}: no layer writes a tensor that {a.path} has; they cannot be compared layer by layer"
        )
    if set(a.graph.inputs) != set(b.graph.inputs):
        raise ModelError(f"{b.path}: has other inputs than {a.path}")
    shown = {place.tensor: _shown(a.graph, place.tensor) for place in places}
    reads = [place.read for place in places]
    reference = _runner(a, _watching(to_model(a, a.graph), list(shown.values())))
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


def _places(a: Graph, b: Graph) -> list[_Place]:
    """One a layer and output, in the order of `b`."""
    places: list[_Place] = []
    seen: set[str] = set()
    for layer in fold(b).layers:
        for operand in layer.outputs:
            writer = b.producer(operand.tensor)
            is_q = writer is not None and is_qdq(writer) and writer.op == QUANTIZE
            tensor = writer.input(0) if writer is not None and is_q else operand.tensor
            read = _shown(b, tensor)
            # An output of the model keeps its name behind its DQ; the layer's own tensor then has another.
            name = tensor if tensor in a.producers else read
            if name not in a.producers or read in seen or a.type(name).dtype != "float32":
                continue
            dims = a.type(name).dims
            if dims is None or b.type(tensor).dtype != "float32" or dims != b.type(tensor).dims:
                continue
            seen.add(read)
            quant = of_node(b, writer) if writer is not None and is_q else None
            ends = quant.range if quant is not None and not quant.per_channel else None
            places.append(_Place(layer.name, name, tensor, read, ends))
    return places


def _shown(graph: Graph, tensor: str) -> str:
    """The tensor behind its Q and DQ, where it has them: what the layers after it read."""
    for index in graph.consumers.get(tensor, ()):
        node = graph.nodes[index]
        if is_qdq(node) and node.op == QUANTIZE and node.input(0) == tensor:
            for reader in graph.consumers.get(node.outputs[0], ()):
                following = graph.nodes[reader]
                if is_qdq(following) and following.op == DEQUANTIZE:
                    return following.outputs[0]
    return tensor


def _fed(model: ModelProto, places: Sequence[_Place]) -> ModelProto:
    """The model with every shared tensor read from a new input: each layer computes on the reference's values."""
    renamed: dict[str, str] = {}
    for place in places:
        renamed[place.read] = renamed[place.written] = FED + place.tensor
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
    """The named outputs, one that is named twice given twice. Raises ModelError."""
    unique = list(dict.fromkeys(names))
    by_name = dict(zip(unique, runner.run(unique, feeds), strict=True))
    return [by_name[name] for name in names]
