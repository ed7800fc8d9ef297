"""Samples from where people keep them: a file, a folder of files, or a calibration data reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.model.tensors import Array
from npuscope.numbers.inputs import from_mappings, random_samples, read_samples
from npuscope.numbers.runner import Sample
from npuscope.numbers.user_supplied.arrays import read_array
from npuscope.places import is_file, is_folder

SUFFIXES = frozenset({".npz", ".npy"})


class Reader(Protocol):
    """A calibration data reader as onnxruntime's quantization tools take one."""

    def get_next(self) -> Mapping[str, Any] | None:
        """One value for each input of the model, None at the end."""
        ...


class SampleReader:
    """Samples as such a reader, to calibrate with onnxruntime on what npuscope ran on."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.rewind()

    def get_next(self) -> dict[str, Array] | None:
        """The next sample, None at the end."""
        sample = next(self._rest, None)
        return None if sample is None else dict(sample)

    def rewind(self) -> None:
        """Begin again."""
        self._rest = iter(self.samples)


def samples_from(
    inputs: str | PathLike[str] | Reader, source: Source, limit: int | None = None
) -> tuple[Sample, ...]:
    """At most `limit` samples from a .npz or .npy file, a folder of them, or a reader.

    A text may also name a folder of images with their preparation, or a .py file (see user_supplied.stated).

    Raises ModelError for anything that does not fit the model.
    """
    if isinstance(inputs, (str, PathLike)):
        from npuscope.numbers.user_supplied.stated import stated_samples

        stated = stated_samples(str(inputs), source, limit)
        if stated is not None:
            return stated
        place = Path(inputs)
        return _folder(place, source, limit) if is_folder(place) else read_samples(place, source, limit)
    return _read(inputs, source, limit)


def samples_or_random(
    inputs: str | PathLike[str] | None, source: Source, count: int, seed: int = 0
) -> tuple[Sample, ...]:
    """All samples that lie at a path; without one, `count` drawn in the range of each input."""
    return samples_from(inputs, source) if inputs else random_samples(source, count, seed)


def _folder(place: Path, source: Source, limit: int | None) -> tuple[Sample, ...]:
    """The samples of all files, in the order of their names.

    A model of several inputs may have a folder of .npy files for each, named by the input.
    """
    try:
        names = sorted(place.iterdir())
    except OSError as error:
        raise ModelError(f"{place}: cannot be read ({error.strerror or error})") from error
    files = [path for path in names if path.suffix in SUFFIXES and is_file(path)]
    folders = {path.name: path for path in names if is_folder(path)}
    if not files and set(source.graph.inputs) <= folders.keys():
        return _folder_an_input(place, source, limit)
    samples: list[Sample] = []
    for file in files:
        rest = None if limit is None else limit - len(samples)
        if rest == 0:
            break
        samples += read_samples(file, source, rest)
    if not samples:
        raise ModelError(f"{place}: holds no .npz or .npy files")
    return tuple(samples)


def _folder_an_input(place: Path, source: Source, limit: int | None) -> tuple[Sample, ...]:
    columns = {}
    for name in source.graph.inputs:
        files = sorted(path for path in (place / name).iterdir() if path.suffix == ".npy")
        columns[name] = files[:limit]
    counts = {name: len(files) for name, files in columns.items()}
    if len(set(counts.values())) != 1 or not all(counts.values()):
        listed = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise ModelError(f"{place}: the folders hold different numbers of .npy files: {listed}")

    def arrays() -> Iterator[Mapping[str, Array]]:
        for row in zip(*columns.values(), strict=True):
            yield {name: read_array(path) for name, path in zip(columns, row, strict=True)}

    return from_mappings(place, arrays(), source, limit)


def _read(reader: Reader, source: Source, limit: int | None) -> tuple[Sample, ...]:
    def values() -> Iterator[Mapping[str, Any]]:
        while (feed := reader.get_next()) is not None:
            yield feed

    return from_mappings(Path(type(reader).__name__), values(), source, limit)
