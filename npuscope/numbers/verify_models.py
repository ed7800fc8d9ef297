"""Do two models give the same numbers? Both run in onnxruntime on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.layer import QLINEAR, moves_integers
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, fold, is_qdq
from npuscope.model.load import Source
from npuscope.model.quant import Quant, of_node, read
from npuscope.model.tensors import Array
from npuscope.numbers.adapt_inputs import BYTES, adapt_inputs, dequantized, quantized, quantized_input
from npuscope.numbers.differences import DifferenceMeter, OutputDifference
from npuscope.numbers.exact_sums import with_exact_sums
from npuscope.numbers.inputs import input_quant, input_shape, kept_range, random_samples, read_samples
from npuscope.numbers.quantize import calibrated_at_random
from npuscope.numbers.runner import Edited, Runner, Sample, model_of
from npuscope.record import dataclass

SCHEMA = "npuscope.verify/1"


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the second model's outputs are from the first's.

    `sqnr_db_min` is the smallest signal-to-difference ratio over all outputs, None where all are bit-exact.
    """

    bit_exact: bool
    sqnr_db_min: float | None
    outputs: tuple[OutputDifference, ...]
    samples: int
    seed: int | None
    """What the inputs were drawn with; None where they came from a file."""

    def to_json(self) -> dict[str, Any]:
        """The object `verify --json` prints."""
        return {
            "schema": SCHEMA,
            "bit_exact": self.bit_exact,
            "sqnr_db_min": self.sqnr_db_min,
            "outputs": [output.to_json() for output in self.outputs],
            "samples": self.samples,
            "seed": self.seed,
        }


def verify(
    a: Source | Edited,
    b: Source | Edited,
    samples: int = 8,
    seed: int = 0,
    inputs: Sequence[Sample] | str | PathLike[str] | None = None,
    job: Job = QUIET,
) -> Verification:
    """Run two models on the same inputs and compare their outputs; `a` is the reference.

    1. `inputs` are samples or a file of them (all of it is used); without it `samples` are drawn with `seed`.
    2. Inputs and outputs belong together by name, else by position where their shapes agree.
    3. Where `b` takes or gives as 8-bit integers what is float in `a`, values are converted on its scale; likewise
       where an edit gave an integer input or output another scale.
    4. Sums of quantized layers are formed over integers (see exact_sums), so a bit-exact edit shows as one.
    5. Raises ModelError where the models do not fit each other or do not run, StoppedError where the job is stopped.
    """
    (source_a, graph_a), (source_b, graph_b) = model_of(a), model_of(b)
    renamed = _matched_inputs(source_a, graph_a, source_b, graph_b)
    pairs = _matched_outputs(source_a, graph_a, source_b, graph_b)
    regridded = _regridded(graph_a, graph_b, renamed)
    real = _real(graph_a, graph_b, renamed)
    if inputs is None:
        chosen: Sequence[Sample] = samples_for_both(source_a, source_b, samples, seed)
    elif isinstance(inputs, (str, PathLike)):
        chosen = read_samples(inputs, source_a)
    else:
        chosen = inputs
    if not chosen:
        raise ModelError("no samples to compare the models on")
    first = Runner(source_a, with_exact_sums(graph_a, fold(graph_a)))
    second = Runner(source_b, with_exact_sums(graph_b, fold(graph_b)))
    comparisons = [
        DifferenceMeter(graph_a.outputs[i], output_quant(graph_a, graph_a.outputs[i])) for i, _ in pairs
    ]
    for sample in job.each(chosen):
        found_a = first.run(adapt_inputs(graph_a, sample))
        feed = {renamed[name]: value for name, value in sample.items()}
        for name, (old, new) in regridded.items():
            feed[name] = quantized(dequantized(feed[name], old), new)
        for name, quant in real.items():
            if feed[name].dtype.kind in "iu":
                feed[name] = dequantized(feed[name], quant)
        found_b = second.run(adapt_inputs(graph_b, feed))
        for comparison, (i, j) in zip(comparisons, pairs, strict=True):
            one, other = found_a[i], found_b[j]
            own = output_quant(graph_b, graph_b.outputs[j])
            comparison.add(*_alike(one, other, comparison.quant, own))
    outputs = tuple(comparison.result() for comparison in comparisons)
    ratios = [output.sqnr_db for output in outputs if output.sqnr_db is not None]
    exact = all(output.bit_exact for output in outputs)
    return Verification(
        exact,
        None if exact else min(ratios, default=0.0),
        outputs,
        len(chosen),
        seed if inputs is None else None,
    )


def _alike(one: Array, other: Array, quant_a: Quant | None, quant_b: Quant | None) -> tuple[Array, Array]:
    """Both outputs as integers of one grid, or as real numbers where their grids are known."""
    bytes_a, bytes_b = one.dtype.name in BYTES, other.dtype.name in BYTES
    if bytes_a and bytes_b:
        if not _other_grid(quant_a, quant_b):
            return one, other
        assert quant_a is not None and quant_b is not None
        return dequantized(one, quant_a), dequantized(other, quant_b)
    known = (quant_b or quant_a) if bytes_b else (quant_a or quant_b)
    if known is None:
        return one, other
    if bytes_b and one.dtype.kind == "f":
        return one, dequantized(other, known)
    if bytes_a and other.dtype.kind == "f":
        return dequantized(one, known), other
    return one, other


def samples_for_both(a: Source, b: Source, count: int, seed: int = 0) -> tuple[Sample, ...]:
    """Random inputs of `a`, in the range that whichever model quantizes an input keeps. Raises ModelError.

    Where `b` was calibrated on random inputs of `a`, drawn as those: both say the same of its accuracy then.
    """
    if calibrated_at_random(b):
        return random_samples(a, count, seed)
    ranges = {}
    for one, other in _matched_inputs(a, a.graph, b, b.graph).items():
        quant = quantized_input(b.graph, other)
        ends = kept_range(b.graph, other) if quant is None else quant.range
        if ends is not None:
            ranges[one] = ends
    return random_samples(a, count, seed, ranges)


def output_quant(graph: Graph, name: str) -> Quant | None:
    """The quantization of a graph output: of the Q that writes it, or of the DQ that ends it.

    Operators that only move integers may stand between.
    """
    passed: set[str] = set()
    node = graph.producer(name)
    while node is not None and moves_integers(node) and node.input(0) not in passed:
        if graph.type(name).dtype not in BYTES:
            return None
        passed.add(node.input(0))
        node = graph.producer(node.input(0))
    if node is None:
        return None
    if is_qdq(node) and node.op in (QUANTIZE, DEQUANTIZE):
        quant = of_node(graph, node)
    elif node.op in QLINEAR:
        _, _, (scale, zero), _ = QLINEAR[node.op]
        quant = read(graph, node.input(scale), node.input(zero), graph.type(node.output(0)).dtype)
    else:
        return None
    return quant if quant is not None and not quant.per_channel else None


def _matched_inputs(source_a: Source, a: Graph, source_b: Source, b: Graph) -> dict[str, str]:
    """Name of each input of `a` -> name of the one of `b` that gets its value."""
    if len(a.inputs) != len(b.inputs):
        raise ModelError(
            f"{source_b.path}: has {len(b.inputs)} inputs, {source_a.path} has {len(a.inputs)}; "
            "these are different models"
        )
    by_name = set(a.inputs) == set(b.inputs)
    pairs = {name: name for name in a.inputs} if by_name else dict(zip(a.inputs, b.inputs, strict=True))
    for one, other in pairs.items():
        kinds = (a.type(one).dtype, b.type(other).dtype)
        shapes = (input_shape(source_a, one), input_shape(source_b, other))
        converted = (kinds[0] == "float32" and quantized_input(b, other) is not None) or (
            kinds[1] == "float32" and quantized_input(a, one) is not None
        )
        if (kinds[0] != kinds[1] and not converted) or shapes[0] != shapes[1]:
            raise ModelError(
                f"{source_b.path}: input {other!r} is {kinds[1]} {list(shapes[1])}, {source_a.path} takes "
                f"{kinds[0]} {list(shapes[0])} as {one!r}; these models cannot be compared"
            )
        quants = (input_quant(a, one), input_quant(b, other))
        if source_a is not source_b and _other_grid(*quants):
            raise ModelError(
                f"{source_b.path}: input {other!r} is quantized differently from {one!r} of {source_a.path}; "
                "the same numbers would mean different values"
            )
    return pairs


def _other_grid(one: Quant | None, other: Quant | None) -> bool:
    """Both are quantized, and not alike."""
    return one is not None and other is not None and not one.same_as(other)


def _regridded(a: Graph, b: Graph, renamed: Mapping[str, str]) -> dict[str, tuple[Quant, Quant]]:
    """The integer inputs of `b` on another scale than in `a`, with both quantizations."""
    regridded = {}
    for one, other in renamed.items():
        quants = (quantized_input(a, one), quantized_input(b, other))
        if quants[0] is not None and quants[1] is not None and _other_grid(*quants):
            regridded[other] = (quants[0], quants[1])
    return regridded


def _real(a: Graph, b: Graph, renamed: Mapping[str, str]) -> dict[str, Quant]:
    """The inputs that `a` takes as integers and `b` as real numbers, with the quantization of `a`."""
    real = {}
    for one, other in renamed.items():
        quant = quantized_input(a, one)
        if quant is not None and b.type(other).dtype == "float32":
            real[other] = quant
    return real


def _matched_outputs(source_a: Source, a: Graph, source_b: Source, b: Graph) -> list[tuple[int, int]]:
    if not a.outputs:
        raise ModelError(f"{source_a.path}: names no outputs; there is nothing to compare")
    if len(a.outputs) != len(b.outputs):
        raise ModelError(
            f"{source_b.path}: has {len(b.outputs)} outputs, {source_a.path} has {len(a.outputs)}; "
            "these are different models"
        )
    if set(a.outputs) == set(b.outputs):
        pairs = [(i, b.output_places[name]) for i, name in enumerate(a.outputs)]
    else:
        pairs = [(i, i) for i in range(len(a.outputs))]
    for i, j in pairs:
        shapes = (a.type(a.outputs[i]), b.type(b.outputs[j]))
        if None not in (shapes[0].dims, shapes[1].dims) and shapes[0].dims != shapes[1].dims:
            raise ModelError(
                f"{source_b.path}: output {b.outputs[j]!r} has shape {list(shapes[1].dims or ())}, "
                f"{source_a.path} gives {list(shapes[0].dims or ())} as {a.outputs[i]!r}"
            )
    return pairs
