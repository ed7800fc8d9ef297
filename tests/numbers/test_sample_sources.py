"""Samples from folders and calibration data readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import models

from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.sample_sources import SampleReader, samples_from


@pytest.fixture(scope="module")
def denoiser() -> Source:
    return load(models.DENOISER)


def same(actual: Any, expected: Any) -> bool:
    return len(actual) == len(expected) and all(
        a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(actual, expected, strict=True)
    )


def test_a_reader_gives_its_samples_to_the_end(denoiser: Source) -> None:
    samples = random_samples(denoiser, 4)
    reader = SampleReader(samples)
    assert same(samples_from(reader, denoiser), samples)
    assert reader.get_next() is None
    reader.rewind()
    assert same(samples_from(reader, denoiser, limit=2), samples[:2])


def test_a_folder_of_archives_in_the_order_of_their_names(denoiser: Source, tmp_path: Path) -> None:
    samples = random_samples(denoiser, 4)
    for name, sample in zip("dbca", samples, strict=True):
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **sample)
    (tmp_path / "readme.txt").write_text("not a sample")
    ordered = [samples[i] for i in (3, 1, 2, 0)]
    assert same(samples_from(tmp_path, denoiser), ordered)
    assert same(samples_from(str(tmp_path), denoiser, limit=3), ordered[:3])


def test_a_folder_for_each_input(denoiser: Source, tmp_path: Path) -> None:
    samples = random_samples(denoiser, 3)
    for name in denoiser.graph.inputs:
        (tmp_path / name).mkdir()
        for number, sample in enumerate(samples):
            np.save(tmp_path / name / f"{number}.npy", sample[name])
    assert same(samples_from(tmp_path, denoiser), samples)
    next((tmp_path / denoiser.graph.inputs[0]).iterdir()).unlink()
    with pytest.raises(ModelError, match="different numbers"):
        samples_from(tmp_path, denoiser)


class Reader:
    def __init__(self, *values: Any) -> None:
        self.values = iter(values)

    def get_next(self) -> Any:
        return next(self.values, None)


def test_what_does_not_fit_says_so(denoiser: Source, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \.npz or \.npy"):
        samples_from(tmp_path, denoiser)
    with pytest.raises(ModelError, match="Reader: gives no samples"):
        samples_from(Reader(), denoiser)
    with pytest.raises(ModelError, match="Reader: gives no 'Input"):
        samples_from(Reader({"other": np.zeros(3)}), denoiser)
    bad = {name: np.zeros(3, np.int8) for name in denoiser.graph.inputs}
    with pytest.raises(ModelError, match="has shape 3"):
        samples_from(Reader(bad), denoiser)
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ModelError, match="is one array"):
        samples_from(tmp_path, denoiser)
