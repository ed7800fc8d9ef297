"""Samples to run a model on: random within what its inputs hold, or from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from npuscope.edits.toolkit.ranges import INTEGERS, limits
from npuscope.model.budget import limits as limits_of_files
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.inspection.extent import dtype_bits, elements
from npuscope.model.layers import QUANTIZE, is_qdq
from npuscope.model.load import Source
from npuscope.model.names import typed
from npuscope.model.quant import Quant, of_node
from npuscope.model.tensors import Array
from npuscope.numbers.runner import Sample
from npuscope.numbers.user_supplied.arrays import read_arrays

MOST_SAMPLES = 10_000

SIGMAS = 3.0
"""Half of an integer input's range in standard deviations: values reach its ends, few stick there."""

DRAWN = 16
"""Bytes that an element takes while it is drawn, as a double."""

MOST_ELEMENTS = 1 << 28
"""Larger inputs are a mistake in the file; drawing them would fill the memory."""


def random_samples(
    source: Source, count: int, seed: int = 0, ranges: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Sample, ...]:
    """`count` samples, the same ones for the same seed; `ranges` are of float inputs which the model does not quantize.

    1. An integer input is drawn from a normal distribution over its whole range, clipped.
    2. A float input that goes straight into a QuantizeLinear is drawn likewise over the range that one keeps.
    3. Any other float input is standard normal, any other integer one 0 or 1.
    4. Raises ModelError where an input's shape is not fixed (a free batch is 1).
    """
    if count < 1:
        raise ModelError(f"{count} samples: at least one is needed")
    shapes = {name: input_shape(source, name) for name in source.graph.inputs}
    _refuse_too_much(source, count, shapes)
    rng = np.random.default_rng(seed)
    return tuple(
        {name: _draw(source, name, shapes[name], rng, ranges or {}) for name in shapes} for _ in range(count)
    )


def _refuse_too_much(source: Source, count: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ModelError where the samples would take more memory than the budget allows."""
    allowed, total = limits_of_files().memory, 0
    for name, shape in shapes.items():
        total += elements(shape) * dtype_bits(source.graph.type(name).dtype) // 8 * count
        total += elements(shape) * DRAWN  # while it is drawn
    if total > allowed:
        raise ModelError(
            f"{source.path}: {count} random samples would take {total >> 20} MB, --memory-limit allows "
            f"{allowed >> 20}; ask for fewer with --samples, or raise it"
        )


def input_shape(source: Source, name: str) -> tuple[int, ...]:
    """The shape of a graph input. Raises ModelError where a size is free."""
    type_ = source.graph.type(name)
    if type_.shape is None:
        raise ModelError(f"{source.path}: the shape of input {name!r} is not known; give it a fixed one")
    for axis, size in enumerate(type_.shape):
        if isinstance(size, int) and size < 0:
            raise ModelError(f"{source.path}: input {name!r} has size {size} on axis {axis}")
        if not isinstance(size, int):
            word = typed(f"{size or f'{name}:{axis}'}=N")
            raise ModelError(
                f"{source.path}: input {name!r} has a free size {size or '?'} on axis {axis}; "
                f"fix it ('npuscope fix MODEL fix-dimensions {word} -o OUT') and open that model"
            )
    shape = tuple(size for size in type_.shape if isinstance(size, int))
    if elements(shape) > MOST_ELEMENTS:
        raise ModelError(f"{source.path}: input {name!r} is too large to run: {_listed(shape)}")
    return shape


def _draw(
    source: Source,
    name: str,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    ranges: Mapping[str, tuple[float, float]],
) -> Array:
    dtype = source.graph.type(name).dtype
    if dtype in INTEGERS:
        low, high = limits(dtype)
        return np.rint(_bell(low, high, shape, rng)).astype(dtype)
    if dtype in ("float32", "float64", "float16"):
        ends = kept_range(source.graph, name) or ranges.get(name)
        values = rng.standard_normal(shape) if ends is None else _bell(*ends, shape, rng)
        return values.astype(dtype)
    if dtype in ("int32", "int64", "uint32", "uint64", "bool"):
        return rng.integers(0, 2, shape).astype(dtype)
    raise ModelError(
        f"{source.path}: input {name!r} is {dtype}, for which no values can be drawn; give a file"
    )


def _bell(low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    middle, sigma = (low + high) / 2, (high - low) / 2 / SIGMAS
    values = np.asarray(rng.standard_normal(shape))
    values *= sigma
    values += middle
    return np.clip(values, low, high, out=values)


def kept_range(graph: Graph, name: str) -> tuple[float, float] | None:
    """The range of the QuantizeLinear that reads a float input, None where none does."""
    for index in graph.consumers.get(name, ()):
        node = graph.nodes[index]
        if is_qdq(node) and node.op == QUANTIZE and node.input(0) == name:
            quant = of_node(graph, node)
            if quant is not None:
                return quant.range
    return None


def read_samples(path: str | PathLike[str], source: Source, limit: int | None = None) -> tuple[Sample, ...]:
    """Samples from a `.npz` (one array per input, by its name) or a `.npy` (a model with one input).

    1. An array has the input's shape, or one axis of samples before it; that axis may stand for a batch of 1.
    2. At most `limit` samples are read. Raises ModelError for anything that does not fit the model.
    """
    place = Path(path)
    return samples_of(place, source, _arrays(place, source), limit)


def samples_of(
    place: Path, source: Source, arrays: Mapping[str, Array], limit: int | None = None
) -> tuple[Sample, ...]:
    """At most `limit` samples from one array per input. Raises ModelError that names `place`."""
    columns = {name: _column(place, source, name, array) for name, array in arrays.items()}
    counts = {name: len(column) for name, column in columns.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise ModelError(f"{place}: the inputs hold different numbers of samples: {listed}")
    count = min(next(iter(counts.values()), 0), limit if limit is not None else 1 << 30)
    if count < 1:
        raise ModelError(f"{place}: holds no samples")
    return tuple({name: column[i] for name, column in columns.items()} for i in range(count))


def _arrays(place: Path, source: Source) -> Mapping[str, Array]:
    wanted = source.graph.inputs
    loaded = read_arrays(place, wanted)
    if isinstance(loaded, dict):
        return loaded
    if len(wanted) != 1:
        raise ModelError(
            f"{place}: is one array, the model has {len(wanted)} inputs; save a .npz with the arrays "
            f"{', '.join(wanted)}"
        )
    return {wanted[0]: loaded}


def _column(place: Path, source: Source, name: str, array: Array) -> Array:
    """The samples of one input, along a new first axis, in the input's type."""
    shape = input_shape(source, name)
    if array.shape == shape:
        samples = array[None]
    elif array.shape[1:] == shape:
        samples = array
    elif shape and shape[0] == 1 and array.ndim == len(shape) and array.shape[1:] == shape[1:]:
        samples = array[:, None]
    else:
        raise ModelError(
            f"{place}: array {name!r} has shape {_listed(array.shape)}; the input takes {_listed(shape)}, "
            "or an axis of samples before it"
        )
    return _converted(place, source, name, samples)


def _converted(place: Path, source: Source, name: str, array: Array) -> Array:
    dtype = source.graph.type(name).dtype
    wanted = np.dtype(dtype if dtype != "unknown" else "float32")
    if array.dtype == wanted:
        pass
    elif array.dtype.kind not in "biuf":
        raise ModelError(f"{place}: array {name!r} holds {array.dtype}, not numbers")
    elif wanted.kind == "f" and array.dtype.kind != "f":
        raise ModelError(
            f"{place}: array {name!r} holds {array.dtype}, the input takes {dtype}: prepare the values as the application "
            "does and save them as floats; pixels of 0 to 255 are not what a model of 0 to 1 was trained on"
        )
    elif wanted.kind in "iu":
        if array.dtype.kind == "f":
            raise ModelError(
                f"{place}: array {name!r} holds floats, the input takes {dtype}; {_how_to_quantize(source, name)}"
            )
        ends = np.iinfo(wanted)
        if array.size and (array.min() < ends.min or array.max() > ends.max):
            raise ModelError(f"{place}: array {name!r} holds values that do not fit {dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError(f"{place}: array {name!r} holds values that are not finite")
    with np.errstate(over="ignore"):
        return array.astype(wanted, copy=False)


def _how_to_quantize(source: Source, name: str) -> str:
    quant = input_quant(source.graph, name)
    if quant is None:
        return "convert them first"
    return f"quantize them first: round(x / {quant.scale[0]:.8g}) + {quant.zero}"


def input_quant(graph: Graph, name: str) -> Quant | None:
    """The quantization of an integer graph input, as the DequantizeLinear that reads it states it."""
    for index in graph.consumers.get(name, ()):
        node = graph.nodes[index]
        if is_qdq(node) and node.op != QUANTIZE and node.input(0) == name:
            return of_node(graph, node)
    return None


def _listed(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"


def from_mappings(
    place: Path, values: Iterable[Mapping[str, Any]], source: Source, limit: int | None = None
) -> tuple[Sample, ...]:
    """Samples from mappings that hold an array for each input; `place` is what errors name. Raises ModelError."""
    checked: list[Sample] = []
    most = MOST_SAMPLES if limit is None else min(limit, MOST_SAMPLES)
    for value in values:
        missing = [name for name in source.graph.inputs if name not in value]
        if missing:
            raise ModelError(f"{place}: gives no {missing[0]!r}; it gives {', '.join(value) or 'nothing'}")
        arrays = {name: np.asarray(value[name]) for name in source.graph.inputs}
        checked += samples_of(place, source, arrays, most - len(checked))
        if len(checked) >= most:
            break
    if not checked:
        raise ModelError(f"{place}: gives no samples")
    return tuple(checked)
