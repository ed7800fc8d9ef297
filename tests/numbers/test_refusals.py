"""What numbers cannot be had of, and that it is said in a line: metrics of a user's own, float models, channel counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import from_text

from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.layers import fold
from npuscope.model.load import Source
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.exact_sums import with_exact_sums
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.user_supplied.images import Preparation, image_samples
from npuscope.numbers.user_supplied.metric import Metric, read_labels, scores
from npuscope.planning.channels import channel_table, gemm_shape


def model(folder: Path, nodes: str = "y = Relu(x)", outputs: str = "float[1,4] y", name: str = "x") -> Source:
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] {name}) => ({outputs}) {{ {nodes} }}'
    return from_text(text, folder)


def metric(folder: Path, text: str) -> Metric:
    (folder / "metric.py").write_text(text)
    return Metric(str(folder / "metric.py"))


MEAN = "def metric(outputs, labels):\n    return sum(float(o['y'].sum()) for o in outputs)\n"
OWN = "import numpy as np\n" + MEAN + "def samples():\n    {}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "defines no metric(outputs, labels)"),
        (OWN.format("return []"), "samples() gives none"),
        (OWN.format("return [{'x': np.zeros((1, 4), np.float32)}]"), "sample 0 has no 'label' beside its inputs"),
        (OWN.format("yield {'x': np.zeros((3, 4), np.float32), 'label': 1}"), "one sample per label is required"),
    ],
)  # fmt: skip
def test_a_metric_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        metric(tmp_path, text).own_samples(model(tmp_path))
    assert words in str(raised.value)


def test_samples_of_a_metric_come_with_their_labels(tmp_path: Path) -> None:
    own = metric(tmp_path, OWN.format("yield {'x': np.ones((1, 4), np.float32), 'label': 3}"))
    found = own.own_samples(model(tmp_path))
    assert found is not None and found[1] == [3] and found[0][0]["x"].shape == (1, 4)
    assert metric(tmp_path, MEAN).own_samples(model(tmp_path)) is None


@pytest.mark.parametrize("given", ["{}", "float('nan')", "{'top': float('inf')}"])
def test_a_score_is_a_finite_number(given: str, tmp_path: Path) -> None:
    own = metric(tmp_path, f"def metric(outputs, labels):\n    return {given}\n")
    with pytest.raises(ModelError, match="where a finite number is required"):
        own.score([], [])


@pytest.mark.parametrize("labels", [np.zeros(3), np.array(1)])
def test_labels_are_one_a_sample(labels: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(ModelError, match="labels for 2 samples"):
        read_labels(str(tmp_path / "labels.npy"), 2)


def test_two_models_are_scored_by_their_places_where_names_differ(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
    one = model(folders[0])
    renamed = model(folders[1], "q = Relu(p)", "float[1,4] q", "p")
    more = model(folders[2], "y = Relu(x) z = Neg(x)", "float[1,4] y, float[1,4] z")
    samples = [{"x": np.full((1, 4), 2.0, np.float32)}]
    own = metric(tmp_path, MEAN)
    found = scores(one, renamed, own, samples, [0])
    assert found.samples == 1 and "8.0" in repr(found)
    with pytest.raises(ModelError, match="has 2 outputs"):
        scores(one, more, own, samples, [0])
    wider = from_text(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] a, float[1,4] b) => (float[1,4] y) { y = Add(a, b) }',
        folders[3],
    )
    with pytest.raises(ModelError, match="has other inputs than"):
        scores(one, wider, own, samples, [0])
    turning = metric(
        tmp_path,
        "seen = []\ndef metric(outputs, labels):\n    seen.append(1)\n    return {str(len(seen)): 1.0}\n",
    )
    with pytest.raises(ModelError, match="names other scores"):
        scores(one, one, turning, samples, [0])


QUANTIZED = (
    '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) <float s = {0.1}, int8 z = {0}>'
    "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
)


@pytest.mark.parametrize(
    ("text", "exclude", "words"),
    [
        (QUANTIZED, (), "holds Q/DQ already"),
        ('<ir_version: 8, opset_import: ["" : 17]> g (int32[1,4] x) => (int32[1,4] y) { y = Add(x, x) }', (), "has no float32 operators"),
        ('<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }', ("nope",), "has no node of this name"),
        ('<ir_version: 8, opset_import: ["own" : 1]> g (float[1,4] x) => (float[1,4] y) { y = own.Relu(x) }', (), "imports no opset"),
    ],
)  # fmt: skip
def test_a_model_that_is_not_quantized(
    text: str, exclude: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        quantize(from_text(text, tmp_path), (), Settings(exclude=exclude))
    assert words in str(raised.value)


def test_nodes_without_a_name_get_one_of_their_own(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,2,4,4] x) => (float[1,2,4,4] y)
    <float[2,2,1,1] w = {1, 2, 3, 4}> { c = Conv(x, w) [Conv_0] d = Conv(c, w) y = Relu(d) }"""
    source = from_text(text, tmp_path)
    made = quantize(source, random_samples(source, 1, 0), Settings())
    names = [node.name for node in made.proto.graph.node]
    assert len(names) == len(set(names)) and "Conv_0" in names and "" not in names


@pytest.mark.parametrize("counts", [[], [0, 8], [10**7]])
def test_counts_that_are_none(counts: list[int]) -> None:
    with pytest.raises(ModelError, match="channels must be from 1 to"):
        channel_table(gemm_shape(1, None, 64, 0), counts, target("2.1"))


IMAGES = "float[1,3,4,4] x"


@pytest.mark.parametrize(
    ("inputs", "mean", "std", "words"),
    [
        (f"{IMAGES}, float[1,3,4,4] z", (0.5,), (1.0,), "the model has 2 inputs; save a .npz for each"),
        (IMAGES, (0.5,), (0.0,), "--image-std: pixels are divided by it"),
        (IMAGES, (0.5, 0.5), (1.0,), "--image-mean: gives 2 values, the input has 3 channels"),
        (IMAGES, (0.5,), (1.0,), "holds no images"),
        ("int8[1,3,4,4] x", (0.5,), (1.0,), "takes int8; images are made for float32 inputs"),
        ("float[1,5,4,4] x", (0.5,), (1.0,), "takes 1×5×4×4, which is not an image of 1 or 3 channels"),
    ],
)
def test_images_that_no_input_takes(
    inputs: str, mean: tuple[float, ...], std: tuple[float, ...], words: str, tmp_path: Path
) -> None:
    pytest.importorskip("PIL")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    source = from_text(
        f'<ir_version: 8, opset_import: ["" : 17]> g ({inputs}) => (float[a,b,c,d] y) {{ f = Cast <to = 1> (x) y = Relu(f) }}',
        tmp_path,
    )
    with pytest.raises(ModelError) as raised:
        image_samples(pictures, source, Preparation(mean, std))
    assert words in str(raised.value)


def test_a_float_sample_for_bytes_on_a_scale_that_nobody_knows(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (int8[1,4] x) => (int8[1,4] y) { y = Identity(x) }'
    graph = from_text(text, tmp_path).graph
    taken = {"x": np.ones((1, 4), np.int8)}
    assert adapt_inputs(graph, taken)["x"] is taken["x"]
    with pytest.raises(ModelError, match="input 'x' takes int8, on a scale that is not known"):
        adapt_inputs(graph, {"x": np.ones((1, 4), np.float32)})


def test_a_model_without_nodes_has_no_sums(tmp_path: Path) -> None:
    graph = from_text(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[1] x) { }', tmp_path
    ).graph
    assert with_exact_sums(graph, fold(graph)) is graph
