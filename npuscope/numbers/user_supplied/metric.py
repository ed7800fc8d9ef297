"""Two models scored by a function of the user's own, on labelled inputs: accuracy, IoU, word error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from npuscope.model.errors import ModelError, one_line
from npuscope.model.load import Source
from npuscope.model.names import printable
from npuscope.numbers.adapt_inputs import BYTES, adapt_inputs, dequantized
from npuscope.numbers.inputs import from_mappings
from npuscope.numbers.runner import Runner, Sample
from npuscope.numbers.user_supplied.arrays import read_array
from npuscope.numbers.user_supplied.modules import blaming, function, user_module, user_samples
from npuscope.numbers.verify_models import output_quant
from npuscope.record import dataclass

LABEL = "label"
"""Key of a label in a dict that `samples()` of the user's file gives."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the user's function says of each model; plain numbers by name, 'score' where it gives one alone."""

    a: Mapping[str, float]
    b: Mapping[str, float]
    samples: int


class Metric:
    """A file of the user's that defines `metric(outputs, labels)`.

    1. `outputs` is a list of dicts, a float array for each output by its name in the first model; `labels` a list.
    2. It returns a number, or a dict of them. `samples()` of the same file may give inputs with their labels.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.module = user_module(path)
        score = function(self.module, path, "metric")
        if score is None:
            raise ModelError(f"{path}: defines no metric(outputs, labels)")
        self.function: Callable[..., Any] = score

    def own_samples(self, source: Source) -> tuple[tuple[Sample, ...], list[Any]] | None:
        """The labelled samples that the file gives, None where it gives none. Raises ModelError."""
        if function(self.module, self.path, "samples") is None:
            return None
        pairs = list(user_samples(self.path, self.module))
        if not pairs:
            raise ModelError(f"{self.path}: samples() gives none")
        missing = next((index for index, sample in enumerate(pairs) if LABEL not in sample), None)
        if missing is not None:
            raise ModelError(f"{self.path}: sample {missing} has no {LABEL!r} beside its inputs")
        inputs = [{name: value for name, value in sample.items() if name != LABEL} for sample in pairs]
        samples = from_mappings(Path(self.path), inputs, source)
        if len(samples) != len(pairs):
            raise ModelError(
                f"{self.path}: samples() gives arrays of several samples; one sample per label is required"
            )
        return samples, [sample[LABEL] for sample in pairs]

    def score(self, outputs: Sequence[Mapping[str, Any]], labels: Sequence[Any]) -> dict[str, float]:
        """What the function returns, by name. Raises ModelError."""
        with blaming(self.path):
            result = self.function(list(outputs), list(labels))
            values = result if isinstance(result, Mapping) else {"score": result}
            numbers = {printable(str(name)): float(value) for name, value in values.items()}
            if not numbers or not all(isfinite(value) for value in numbers.values()):
                shown = one_line(repr(result), 80)
                raise ModelError(f"{self.path}: metric() gave {shown}, where a finite number is required")
        return numbers


def read_labels(path: str, count: int) -> list[Any]:
    """A label for each of `count` samples from a .npy file, along its first axis. Raises ModelError."""
    loaded = read_array(Path(path))
    if loaded.ndim == 0 or len(loaded) != count:
        size = len(loaded) if loaded.ndim else 0
        raise ModelError(f"{path}: holds {size} labels for {count} samples")
    return list(loaded)


def scores(a: Source, b: Source, metric: Metric, samples: Sequence[Sample], labels: Sequence[Any]) -> Scores:
    """Both models scored on the same samples. Raises ModelError."""
    if len(a.graph.outputs) != len(b.graph.outputs):
        raise ModelError(f"{b.path}: has {len(b.graph.outputs)} outputs, {a.path} has {len(a.graph.outputs)}")
    rows = []
    for model in (a, b):
        graph = model.graph
        runner, outputs = Runner(model, graph), []
        same = set(graph.outputs) == set(a.graph.outputs)
        names = graph.outputs if same else a.graph.outputs
        quants = [output_quant(graph, name) for name in graph.outputs]
        inputs = dict(zip(a.graph.inputs, graph.inputs, strict=False))
        if set(a.graph.inputs) == set(graph.inputs):
            inputs = {name: name for name in graph.inputs}
        if len(inputs) != len(graph.inputs):
            raise ModelError(f"{b.path}: has other inputs than {a.path}")
        for sample in samples:
            feed = {inputs[name]: value for name, value in sample.items()}
            values = runner.run(adapt_inputs(graph, feed))
            outputs.append(
                {
                    name: dequantized(value, quant)
                    if quant is not None and value.dtype.name in BYTES
                    else value
                    for name, value, quant in zip(names, values, quants, strict=True)
                }
            )
        rows.append(metric.score(outputs, labels))
    if rows[0].keys() != rows[1].keys():
        raise ModelError(f"{metric.path}: metric() names other scores for {b.path} than for {a.path}")
    return Scores(rows[0], rows[1], len(samples))
