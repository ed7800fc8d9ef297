"""An opened model: the forms its constants have, and what became of its files since."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.models import gemm_qdq
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.convolution import convolution
from npuscope.model.errors import ModelError
from npuscope.model.layers import fold
from npuscope.model.load import load
from npuscope.model.tensors import ModelFile, sparse_constant

SPARSE = helper.make_sparse_tensor(
    helper.make_tensor("v", TensorProto.FLOAT, [2], [3, 5]), helper.make_tensor("i", TensorProto.INT64, [2], [1, 3]), [4]
)  # fmt: skip
FORMS: dict[str, tuple[Any, list[Any], str]] = {
    "value": (numpy_helper.from_array(np.array([1, 2], np.int8)), [1, 2], "int8"),
    "value_int": (7, 7, "int64"),
    "value_ints": ([7, 8], [7, 8], "int64"),
    "value_float": (0.5, 0.5, "float32"),
    "value_floats": ([0.5, 2.0], [0.5, 2.0], "float32"),
    "sparse_value": (SPARSE, [0, 3, 0, 5], "float32"),
}


def test_positions_outside_a_file_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "w.bin"
    place.write_bytes(b"12345")
    file = ModelFile(place)
    assert file.read(1, 3) == b"234"
    for offset, length, words in (
        (-1, 2, "points outside the file"),
        (0, -1, "points outside the file"),
        (3, 3, "needs bytes 3 to 6, the file has 5"),
    ):
        with pytest.raises(ModelError, match=words):
            file.read(offset, length)
    with pytest.raises(ModelError, match=r"is not a regular file|cannot be read"):
        ModelFile(tmp_path).read(0, 1)
    with pytest.raises(ModelError, match="does not exist"):
        ModelFile(tmp_path / "none").read(0, 1)


@pytest.mark.parametrize("places", [[1, 9], [1, 2, 3], [-9, 1]])
def test_places_of_sparse_values_that_do_not_fit_are_refused(places: list[int]) -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [2], [3, 5]),
        helper.make_tensor("i", TensorProto.INT64, [len(places)], places),
        [4],
    )
    with pytest.raises(ModelError, match="cannot be read"):
        sparse_constant(sparse).array()


def test_a_sparse_tensor_of_nothing_and_sizes_that_no_array_has() -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [0], []),
        helper.make_tensor("i", TensorProto.INT64, [0], []),
        [0, 1 << 40, 1 << 40],
    )
    with pytest.raises(ModelError, match="cannot be read"):
        sparse_constant(sparse).array()


@pytest.mark.parametrize("sizes", [[1 << 20, 1 << 20], [1 << 40]])
def test_more_values_than_a_sparse_tensor_may_stand_for_are_not_made(sizes: list[int]) -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [1], [3]),
        helper.make_tensor("i", TensorProto.INT64, [1], [1]),
        sizes,
    )
    with pytest.raises(ModelError, match="too many to expand"):
        sparse_constant(sparse).array()


@pytest.mark.parametrize("form", FORMS)
def test_a_constant_in_each_form(form: str, tmp_path: Path) -> None:
    stated, values, dtype = FORMS[form]
    nodes = [
        helper.make_node("Constant", [], ["c"], **{form: stated}),
        helper.make_node("Cast", ["c"], ["f"], to=1),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    constant = load(tmp_path / "m.onnx").graph.constants["c"]
    assert constant.dtype == dtype
    assert constant.array().tolist() == values


def test_a_constant_of_no_form_is_none(tmp_path: Path) -> None:
    nodes = [helper.make_node("Constant", [], ["c"], value_of_mine=1), helper.make_node("Add", ["x", "c"], ["y"])]  # fmt: skip
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, [1])], [value("y", 1, [1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    assert load(tmp_path / "m.onnx").graph.constant("c") is None


def test_what_became_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npuscope.model.load.SET_ASIDE_ABOVE", 0)  # no digest is taken as it is read
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(64, 48).SerializeToString())
    kept, changed, gone = load(path), load(path), load(path)
    assert kept.since_opened == "" and kept.is_current
    assert kept.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(gemm_qdq(64, 49).SerializeToString())
    assert changed.since_opened == "changed on disk" and not changed.is_current
    with pytest.raises(ModelError, match="changed since it was opened"):
        _ = changed.sha256
    path.unlink()
    assert gone.since_opened == "deleted or moved" and gone.is_current
    with pytest.raises(ModelError, match="cannot be read"):
        _ = gone.sha256


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ("y = MatMul(w, x)", (4, 4, 5)),
        ("y = MatMul(x, v)", (5, 2, 4)),
        ("f = Flatten(x) y = Gemm <transA = 1> (f, g)", (1, 2, 20)),
        ("y = Conv(x, k)", (4, 6, 4)),
        ("r = Unsqueeze(x, at) s = Unsqueeze(r, at) y = Conv(s, k5)", None),
        ("y = ConvTranspose(x, k)", None),
    ],
)
def test_channels_and_rows_of_a_layer(
    nodes: str, wanted: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    """Input channels, output channels, positions along the rows."""
    numbers = {
        "w": (4, 4), "v": (5, 2), "g": (1, 2), "k": (6, 4, 2) if " Conv(x" in nodes else (4, 6, 2), "k5": (1, 1, 1, 1, 1),
    }  # fmt: skip
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,4,5] x) => (float[] y) {{ {nodes} }}'
    rank = 2 if "Gemm" in nodes else 5 if "k5" in nodes else 3
    model = onnx.parser.parse_model(text.replace("float[] y", f"float[{','.join('abcde'[:rank])}] y"))
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in numbers.items()
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "at"))
    onnx.save(model, tmp_path / "m.onnx")
    layers = fold(load(tmp_path / "m.onnx").graph).layers
    geometry = convolution(next(layer for layer in layers if layer.weight is not None))
    found = geometry and (geometry.in_channels, geometry.out_channels, max(geometry.output_size))
    assert found == wanted
