"""What users give: images with their preparation, data readers, metrics of their own; and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.command_line import run
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.numbers.sample_sources import samples_from
from npuscope.numbers.user_supplied import modules
from npuscope.numbers.user_supplied.images import Preparation, image_samples

MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.5, 2.0)


def classifier(path: Path, shape: tuple[int, ...] = (1, 3, 4, 6), scale: float = 1.0) -> Path:
    """y = the sums of the channels, times a scale."""
    axes = [2, 3] if shape[1] in (1, 3) else [1, 2]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["x", "axes"], ["s"], name="sum", keepdims=0),
            helper.make_node("Mul", ["s", "scale"], ["y"], name="mul"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array(axes, np.int64), "axes"),
            numpy_helper.from_array(np.float32(scale), "scale"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


# -- images


def picture(path: Path, seed: int, size: tuple[int, int] = (4, 6)) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_images_are_prepared_as_stated(tmp_path: Path, layout: str, order: str) -> None:
    pixels = [picture(tmp_path / f"{name}.png", seed) for name, seed in (("b", 1), ("a", 2))]
    source = load(classifier(tmp_path / "m.onnx", (1, 3, 4, 6) if layout == "nchw" else (1, 4, 6, 3)))
    samples = image_samples(tmp_path, source, Preparation(MEAN, STD, order=order))
    assert len(samples) == 2
    for sample, raw in zip(samples, reversed(pixels), strict=True):
        colours = raw if order == "rgb" else raw[..., ::-1]
        wanted = (colours.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
        wanted = wanted.transpose(2, 0, 1) if layout == "nchw" else wanted
        np.testing.assert_allclose(sample["x"], wanted[None], rtol=1e-6)


def test_other_sizes_and_grey_images_are_made_to_fit(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1, (9, 13))
    source = load(classifier(tmp_path / "m.onnx", (1, 1, 4, 6)))
    (sample,) = image_samples(tmp_path, source, Preparation((0.0,), (1.0,), size=(4, 6)), limit=3)
    assert sample["x"].shape == (1, 1, 4, 6)
    assert sample["x"].min() >= 0
    assert 0.1 < sample["x"].max() <= 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Preparation((0.5, 0.5), (1.0,)), "2 values"),
        (Preparation((0.5,), (0.0,)), "above 0"),
        (Preparation((0.5,), (1.0,), size=(6, 4)), "6x4"),
        (Preparation((0.5,), (1.0,), layout="nhwc"), "not an image"),
    ],
)
def test_a_preparation_that_does_not_fit_is_refused(tmp_path: Path, how: Preparation, words: str) -> None:
    picture(tmp_path / "a.png", 1)
    with pytest.raises(ModelError, match=words):
        image_samples(tmp_path, load(classifier(tmp_path / "m.onnx")), how)


def test_a_damaged_image_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="cannot be read as an image"):
        image_samples(tmp_path, load(classifier(tmp_path / "m.onnx")), Preparation((0.0,), (1.0,)))


def test_images_without_pillow_are_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("npuscope.numbers.user_supplied.images.import_module", missing)
    (tmp_path / "a.png").write_bytes(b"no matter")
    with pytest.raises(ModelError, match=r"npuscope\[images\]"):
        image_samples(tmp_path, load(classifier(tmp_path / "m.onnx")), Preparation((0.0,), (1.0,)))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--inputs", "FOLDER"), "--image-mean"),
        (("--inputs", "FOLDER", "--image-mean", "0"), "give both"),
        (("--inputs", "FOLDER", "--image-mean", "x", "--image-std", "1"), "one a channel"),
        (("--inputs", "FOLDER", "--image-mean", "0", "--image-std", "1", "--image-size", "wide"), "224x224"),
        (("--reader", "nothing.py"), "no such file"),
    ],
)
def test_options_of_images_are_held_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    model = classifier(tmp_path / "m.onnx")
    command = [tmp_path / "photos" if a == "FOLDER" else a for a in arguments]
    status, text, error = run(capsys, "quantize", model, *command, "-o", tmp_path / "q.onnx")
    assert (status, text, error.count("\n")) == (2, "", 1)
    assert words in error


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ("mean=0.5 std=0.25", Preparation((0.5,), (0.25,))),
        ("mean=0.5,0.25,0.0 std=0.5,0.5,2.0 order=bgr", Preparation(MEAN, STD, order="bgr")),
        ("std=1 mean=0 size=6x4 layout=nchw", Preparation((0.0,), (1.0,), (4, 6), "nchw")),
    ],
)
def test_a_preparation_may_stand_behind_the_folder(tmp_path: Path, words: str, how: Preparation) -> None:
    folder = tmp_path / "my photos"
    folder.mkdir()
    picture(folder / "a.png", 1)
    source = load(classifier(tmp_path / "m.onnx"))
    (samples,) = samples_from(f"{folder} {words}", source)
    (wanted,) = image_samples(folder, source, how)
    assert (samples["x"] == wanted["x"]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "how they are prepared"),
        (" mean=0.5", "give both"),
        (" order=bgr", "mean=M,M,M"),
        (" mean=a std=1", "give a number"),
        (" mean=0 std=1 layout=chw", "nchw or nhwc"),
    ],
)
def test_half_a_preparation_is_said(tmp_path: Path, words: str, message: str) -> None:
    picture(tmp_path / "a.png", 1)
    with pytest.raises(ModelError, match=message):
        samples_from(f"{tmp_path}{words}", load(classifier(tmp_path / "m.onnx")))


def test_a_path_may_be_a_reader(tmp_path: Path) -> None:
    place = tmp_path / "reader.py"
    place.write_text(READERS["function"])
    assert len(samples_from(str(place), load(classifier(tmp_path / "m.onnx")))) == 3


# -- data readers


READERS = {
    "function": """
import numpy as np
def samples():
    for seed in range(3):
        yield {"x": np.random.default_rng(seed).standard_normal((1, 3, 4, 6)).astype(np.float32)}
""",
    "class": """
import numpy as np
class MyReader:
    def __init__(self):
        self.left = 3
    def get_next(self):
        self.left -= 1
        return {"x": np.ones((1, 3, 4, 6), np.float32)} if self.left >= 0 else None
""",
    "beside": """
from helper_beside import samples
""",
}


@pytest.mark.parametrize("kind", READERS)
def test_a_reader_calibrates(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str) -> None:
    (tmp_path / "helper_beside.py").write_text(READERS["function"])
    (tmp_path / "reader.py").write_text(READERS[kind])
    model = classifier(tmp_path / "m.onnx")
    status, text, error = run(
        capsys, "quantize", model, "--reader", tmp_path / "reader.py", "-o", tmp_path / "q.onnx"
    )
    assert (status, error) == (0, "")
    assert "3 samples, from a reader" in text
    assert (tmp_path / "q.onnx").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1", "neither samples()"),
        ("def samples(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError in line 1"),
        ("def samples():\n    yield 1", "a dict of arrays"),
        ("def samples():\n    yield {}\n", "gives no 'x'"),
        ("def samples():\n    x = 1\n    raise KeyError('no')\n    yield x", "KeyError in line 3"),
        ("import numpy as n\ndef samples():\n    yield {'x': n.zeros((1, 3, 4, 6), n.uint8)}", "uint8"),
        ("samples = 3", "not a function"),
        ("import sys\nsys.exit(0)", "SystemExit in line 2"),
        ("def samples():\n    raise SystemExit", "SystemExit in line 2"),
    ],
)
def test_a_bad_reader_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, code: str, words: str
) -> None:
    (tmp_path / "reader.py").write_text(code)
    arguments = ("quantize", classifier(tmp_path / "m.onnx"), "--reader", tmp_path / "reader.py", "--try")
    status, text, error = run(capsys, *arguments)
    assert (status, text, error.count("\n")) == (2, "", 1)
    assert words in error


def test_integers_for_a_float_input_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    np.save(tmp_path / "photos.npy", np.zeros((2, 1, 3, 4, 6), np.uint8))
    model = classifier(tmp_path / "m.onnx")
    status, _, error = run(capsys, "quantize", model, "--inputs", tmp_path / "photos.npy", "--try")
    assert (status, error.count("\n")) == (2, 1)
    assert "uint8" in error
    assert "float32" in error


# -- metrics


ACCURACY = """
import numpy as np
def metric(outputs, labels):
    assert all(o["y"].dtype == np.float32 for o in outputs)
    right = [int(o["y"].argmax()) == int(label) for o, label in zip(outputs, labels)]
    return {"accuracy": sum(right) / len(right), "largest": float(max(o["y"].max() for o in outputs))}
"""


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[Source, Path, Path]:
    samples = np.random.default_rng(0).standard_normal((40, 1, 3, 4, 6)).astype(np.float32)
    labels = samples.sum(axis=(1, 3, 4)).argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 3  # a quarter of the labels is wrong on purpose
    np.save(tmp_path / "x.npy", samples)
    np.save(tmp_path / "labels.npy", labels)
    return load(classifier(tmp_path / "a.onnx")), tmp_path / "x.npy", tmp_path / "labels.npy"


def test_both_models_are_scored(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, labelled: tuple[Source, Path, Path]
) -> None:
    _, inputs, labels = labelled
    a, b = tmp_path / "a.onnx", classifier(tmp_path / "b.onnx", scale=-1.0)
    (tmp_path / "metric.py").write_text(ACCURACY)
    arguments = ("--metric", tmp_path / "metric.py", "--inputs", inputs, "--labels", labels)
    status, text, error = run(capsys, "verify", a, b, *arguments, "--json")
    assert (status, error) == (0, "")
    data = json.loads(text)
    assert data["samples"] == 40
    assert data["a"]["accuracy"] == 0.75
    assert data["b"]["accuracy"] < 0.5
    status, text, _ = run(capsys, "verify", a, b, *arguments, "--fail-drop", "0.1")
    assert status == 1
    assert "accuracy" in text
    assert run(capsys, "verify", a, a, *arguments, "--fail-drop", "0")[0] == 0


def test_an_int8_model_is_scored_on_real_numbers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, labelled: tuple[Source, Path, Path]
) -> None:
    _, inputs, labels = labelled
    (tmp_path / "metric.py").write_text(ACCURACY)
    made, int8 = tmp_path / "q.onnx", tmp_path / "int8.onnx"
    assert run(capsys, "quantize", tmp_path / "a.onnx", "--inputs", inputs, "-o", made)[0] == 0
    assert run(capsys, "fix", made, "int8-borders", "-o", int8)[0] == 0
    arguments = ("--metric", tmp_path / "metric.py", "--inputs", inputs, "--labels", labels, "--json")
    status, text, error = run(capsys, "verify", tmp_path / "a.onnx", int8, *arguments)
    assert (status, error) == (0, "")
    data = json.loads(text)
    assert data["b"]["accuracy"] == pytest.approx(data["a"]["accuracy"], abs=0.1)
    assert data["b"]["largest"] == pytest.approx(data["a"]["largest"], rel=0.1)


def test_the_file_may_give_the_samples(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = """
def samples():
    for label in range(3):
        x = np.zeros((1, 3, 4, 6), np.float32)
        x[0, label] = 1
        yield {"x": x, "label": label}
"""
    (tmp_path / "metric.py").write_text(ACCURACY + code)
    model = classifier(tmp_path / "m.onnx")
    status, text, _ = run(capsys, "verify", model, model, "--metric", tmp_path / "metric.py", "--json")
    assert status == 0
    assert json.loads(text)["a"] == {"accuracy": 1.0, "largest": 24.0}


def test_what_the_file_prints_is_not_in_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, labelled: tuple[Source, Path, Path]
) -> None:
    """Nor is it kept from the user: it goes where messages go."""
    _, inputs, labels = labelled
    reader = READERS["function"].replace("        yield", "        print('sample')\n        yield")
    (tmp_path / "reader.py").write_text("print('loaded')\n" + reader)
    (tmp_path / "metric.py").write_text("def metric(outputs, labels):\n    print('scored')\n    return 1\n")
    model = tmp_path / "a.onnx"
    arguments = ("--metric", tmp_path / "metric.py", "--inputs", inputs, "--labels", labels, "--json")
    status, text, error = run(capsys, "verify", model, model, *arguments)
    assert (status, json.loads(text)["a"], error) == (0, {"score": 1.0}, "scored\n" * 2)
    status, text, error = run(capsys, "verify", model, model, "--reader", tmp_path / "reader.py", "--json")
    assert (status, error) == (0, "loaded\n" + "sample\n" * 3)
    assert json.loads(text)["bit_exact"] is True


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1", "no metric"),
        ("def metric(outputs, labels):\n    return float('nan')", "finite"),
        ("def metric(outputs, labels):\n    return 'good'", "ValueError"),
        ("def metric(outputs, labels):\n    return outputs[0]['z']", "KeyError in line 2"),
    ],
)
def test_a_bad_metric_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    labelled: tuple[Source, Path, Path],
    code: str,
    words: str,
) -> None:
    _, inputs, labels = labelled
    (tmp_path / "metric.py").write_text(code)
    a = tmp_path / "a.onnx"
    arguments = ("--metric", tmp_path / "metric.py", "--inputs", inputs, "--labels", labels)
    status, text, error = run(capsys, "verify", a, a, *arguments)
    assert (status, text, error.count("\n")) == (2, "", 1)
    assert words in error


def test_labels_that_do_not_fit_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, labelled: tuple[Source, Path, Path]
) -> None:
    _, inputs, _ = labelled
    (tmp_path / "metric.py").write_text(ACCURACY)
    np.save(tmp_path / "few.npy", np.zeros(7))
    a = tmp_path / "a.onnx"
    arguments = ("verify", a, a, "--metric", tmp_path / "metric.py", "--inputs", inputs)
    assert "7 labels for 40 samples" in run(capsys, *arguments, "--labels", tmp_path / "few.npy")[2]
    assert "no such file" in run(capsys, *arguments, "--labels", tmp_path / "none.npy")[2]
    assert "labelled inputs" in run(capsys, *arguments)[2]


HOSTILE = {
    "an error that cannot be said": "class E(Exception):\n  def __str__(self): raise ValueError\n",
    "an error with escapes in its name": "E = type('\\x1b[31mE', (Exception,), {})\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_errors_of_the_users_file_are_one_plain_line(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text(HOSTILE[kind] + "def samples(): raise E\n")
    with pytest.raises(ModelError, match=r"m\.py: .*E in line") as caught:
        samples_from(str(file), load(classifier(tmp_path / "m.onnx")))
    assert str(caught.value).isprintable()


def test_samples_without_an_end_are_taken_up_to_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "MOST_SAMPLES", 3)
    file = tmp_path / "m.py"
    file.write_text("def samples():\n  while True: yield {'x': 1}\n")
    assert len(list(modules.user_samples(str(file), modules.user_module(str(file))))) == 3
