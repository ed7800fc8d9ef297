"""Samples: drawn, and read from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.models import from_text
from builders.weighted_layers import Spec, model, saved

from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.numbers.inputs import random_samples, read_samples
from npuscope.numbers.verify_models import verify


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return saved(model(Spec(ich=12, rows=1)), tmp_path_factory.mktemp("inputs"))


def test_samples_are_the_same_for_the_same_seed() -> None:
    denoiser = load(models.DENOISER)
    one, same, other = (random_samples(denoiser, 3, seed) for seed in (1, 1, 2))
    for name in denoiser.graph.inputs:
        assert all(np.array_equal(a[name], b[name]) for a, b in zip(one, same, strict=True))
        assert not all(np.array_equal(a[name], b[name]) for a, b in zip(one, other, strict=True))
        assert one[0][name].dtype == np.int8 and one[0][name].shape == denoiser.graph.type(name).dims


def test_integers_fill_their_range_without_sticking_to_its_ends(source: Source) -> None:
    drawn = np.concatenate([sample["x"].ravel() for sample in random_samples(source, 200)])
    assert drawn.min() < -100 and drawn.max() > 100
    assert np.count_nonzero(np.abs(drawn.astype(int)) > 126) < drawn.size * 0.02
    assert abs(drawn.mean()) < 5


def test_floats_that_are_quantized_at_once_fill_that_range() -> None:
    mobilenet = load(models.SAMPLES / "mobilenet_mini_int8.onnx")
    drawn = random_samples(mobilenet, 2)[0]["image"]
    assert drawn.dtype == np.float32 and drawn.shape == (1, 3, 64, 64)
    assert -2.2 < drawn.min() < -1 and 1.5 < drawn.max() < 2.7


TYPES = '<ir_version: 8, opset_import: ["" : 13]> g (%s[2] a) => (%s[2] b) { b = Identity(a) }'


@pytest.mark.parametrize("kind", ["float", "double", "float16", "int64", "int32", "bool", "uint8", "int16"])
def test_every_number_can_be_drawn(kind: str, tmp_path: Path) -> None:
    source = models.from_text(TYPES % (kind, kind), tmp_path)
    assert random_samples(source, 1)[0]["a"].shape == (2,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TYPES % ("string", "string"), "is string"),
        (
            '<ir_version: 8, opset_import: ["" : 13]> g (float[1, T] a) => (float[1, T] b) { b = Identity(a) }',
            "free size T on axis 1; fix it \\(.npuscope fix MODEL fix-dimensions T=N",
        ),
        (
            '<ir_version: 8, opset_import: ["" : 13]> g (float[9999999, 9999999] a) => (float[1] b) { b = Relu(a) }',
            "too large to run: 9999999×9999999",
        ),
        (
            '<ir_version: 8, opset_import: ["" : 13]> g (float[] a) => (float[] b) { b = Relu(a) }',
            "the shape of input 'a' is not known",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        random_samples(models.from_text(text, tmp_path), 1)


def test_no_sample_is_refused(source: Source) -> None:
    with pytest.raises(ModelError, match="0 samples: at least one is needed"):
        random_samples(source, 0)


def test_a_free_batch_is_one(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 13]> g (float[N, 3] a) => (float[N, 3] b) { b = Identity(a) }'
    assert random_samples(models.from_text(text, tmp_path), 1)[0]["a"].shape == (1, 3)


@pytest.mark.parametrize("shape", [(1, 12), (5, 1, 12), (5, 12)])
def test_a_file_may_hold_one_sample_or_an_axis_of_them(
    shape: tuple[int, ...], source: Source, tmp_path: Path
) -> None:
    values = np.arange(np.prod(shape), dtype=np.int8).reshape(shape)
    np.savez(tmp_path / "x.npz", x=values, more=values)
    np.save(tmp_path / "x.npy", values)
    for name in ("x.npz", "x.npy"):
        samples = read_samples(tmp_path / name, source)
        assert len(samples) == (1 if shape == (1, 12) else 5)
        assert np.array_equal(np.stack([sample["x"][0] for sample in samples]), values.reshape(-1, 12))
        assert len(read_samples(tmp_path / name, source, limit=1)) == 1


def test_other_integers_are_taken_where_they_fit(source: Source, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 12), -128, np.int64))
    assert read_samples(tmp_path / "x.npy", source)[0]["x"].dtype == np.int8


BAD = {
    "floats for integers": (np.ones((1, 12), np.float32), r"round\(x / 0\.0\d+\) \+ 5"),
    "too large": (np.full((1, 12), 200), "do not fit int8"),
    "another shape": (np.ones((1, 13), np.int8), "has shape 1×13; the input takes 1×12"),
    "no samples": (np.ones((0, 1, 12), np.int8), "holds no samples"),
    "text": (np.full((1, 12), "a"), "not numbers"),
    "objects": (np.array([{}], object), "cannot be read as .npz or .npy"),
}


@pytest.mark.parametrize("case", BAD)
def test_arrays_that_do_not_fit_are_refused(case: str, source: Source, tmp_path: Path) -> None:
    values, message = BAD[case]
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(ModelError, match=message):
        read_samples(tmp_path / "x.npy", source)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    source = models.from_text(TYPES % ("float", "float"), tmp_path)
    np.save(tmp_path / "x.npy", np.array([1, np.nan]))
    with pytest.raises(ModelError, match="not finite"):
        read_samples(tmp_path / "x.npy", source)


def test_files_that_are_none_are_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        read_samples(tmp_path / "absent.npz", source)
    for content in (b"", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00v\x00{'descr': '|i1', 'shape': (9"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ModelError, match=r"bad\.npz"):
            read_samples(tmp_path / "bad.npz", source)
    np.savez(tmp_path / "other.npz", z=np.ones(3))
    with pytest.raises(ModelError, match="has no array 'x'; it holds z"):
        read_samples(tmp_path / "other.npz", source)
    np.save(tmp_path / "one.npy", np.ones((1, 256), np.int8))
    with pytest.raises(ModelError, match="the model has 5 inputs"):
        read_samples(tmp_path / "one.npy", load(models.DENOISER))
    arrays = {name: np.ones((2, 1, 256), np.int8) for name in load(models.DENOISER).graph.inputs}
    arrays["Input_18_out_0"] = np.ones((3, 1, 257, 1), np.int8)
    np.savez(tmp_path / "uneven.npz", **arrays)
    with pytest.raises(ModelError, match="different numbers of samples"):
        read_samples(tmp_path / "uneven.npz", load(models.DENOISER))


def test_an_input_without_dimensions_is_run(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float x, float[2] v) => (float[2] y) <float s = {0.1}, int8 z = {3}>
    { q = QuantizeLinear(x, s, z)
      f = DequantizeLinear(q, s, z)
      y = Mul(f, v) }"""
    source = from_text(text, tmp_path)
    assert verify(source, source, samples=2).bit_exact
