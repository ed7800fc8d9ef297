"""Opening files: what is read, what is refused, and that weights stay where they are."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.models import DENOISER, from_text, gemm_qdq
from corpus.case import model, node
from onnx import NodeProto, TensorProto, helper, numpy_helper

from npuscope.files.onnx_file import write
from npuscope.files.recipe import recipe_of
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.model.serialize import to_model
from npuscope.model.wire import KEEP_BELOW
from npuscope.session import Session


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.onnx")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    assert "is empty" in refused(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "content", [b"hello world\n" * 20, b"\x00" * 100, b"PK\x03\x04zip", b"{}", b"\xff" * 5000]
)
def test_other_formats(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "is not an ONNX model" in refused(path)


def test_directory(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)


def test_fifo_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe.onnx"
    os.mkfifo(path)
    caught: list[str] = []
    worker = threading.Thread(target=lambda: caught.append(refused(path)), daemon=True)
    worker.start()
    worker.join(5)
    assert caught and "not a regular file" in caught[0]


def test_device() -> None:
    assert "not a regular file" in refused(Path("/dev/null"))


def test_null_in_the_path(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load(f"{tmp_path}/a\0b.onnx")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path: Path, keep: float) -> None:
    data = DENOISER.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * keep)])
    refused(path)


def test_a_model_without_a_graph(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.ModelProto(ir_version=8, producer_name="x").SerializeToString())
    assert "no graph" in refused(path)


@pytest.mark.parametrize("opset", [0, -1])
def test_opsets_before_the_range(tmp_path: Path, opset: int) -> None:
    model = gemm_qdq(8, 8)
    model.opset_import[0].version = opset
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    assert f"opset {opset}" in refused(path)


def test_a_model_that_states_no_opset_is_said_to(tmp_path: Path) -> None:
    model = gemm_qdq(8, 8)
    del model.opset_import[:]
    onnx.save(model, tmp_path / "m.onnx")
    assert "states no opset" in load(tmp_path / "m.onnx").notes[0]


def big_model(path: Path, elements: int = 3 << 20) -> np.ndarray:
    weights = np.arange(elements, dtype=np.int32).view(np.int8)[: elements * 4].reshape(-1, 1024)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["w", "i"], ["y"], name="take")],
        "big",
        [helper.make_tensor_value_info("i", TensorProto.INT64, [1])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 1024])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return weights


def test_large_weights_are_set_aside_and_read_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    weights = big_model(path)
    source = load(path)
    assert set(source.spans) == {"w"}
    assert source.proto.ByteSize() < KEEP_BELOW
    assert source.graph.type("y").dims == (1, 1024)
    constant = source.graph.constants["w"]
    assert np.array_equal(constant.array(), weights)
    with pytest.raises(ValueError, match="read-only"):
        constant.array()[0] = 1


def test_weights_cut_off_after_opening_are_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    big_model(path)
    source = load(path)
    with path.open("r+b") as file:
        file.truncate(5 << 20)
    with pytest.raises(ModelError, match="changed since it was opened"):
        source.graph.constants["w"].array()


def external(path: Path, location: str, offset: int = 0, length: int | None = None) -> None:
    model = gemm_qdq(64, 64)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    (path.parent / "weights.bin").write_bytes(b"\0" * offset + tensor.raw_data)
    length = len(tensor.raw_data) if length is None else length
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    external(path, "weights.bin", offset=16)
    assert load(path).graph.constants["w"].array().shape == (64, 64)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "a/../../weights.bin", ""])
def test_external_data_may_not_leave_the_folder(tmp_path: Path, location: str) -> None:
    path = tmp_path / "m.onnx"
    external(path, location)
    assert "outside the model's folder" in refused(path)


def test_external_data_behind_a_symlink_out_of_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    external(inner / "m.onnx", "link.bin")
    (tmp_path / "secret").write_bytes(b"x" * 5000)
    (inner / "link.bin").symlink_to(tmp_path / "secret")
    assert "outside the model's folder" in refused(inner / "m.onnx")


@pytest.mark.parametrize(("offset", "length"), [(0, 10**12), (10**9, 4096), (0, 17)])
def test_external_data_that_does_not_fit(tmp_path: Path, offset: int, length: int) -> None:
    path = tmp_path / "m.onnx"
    external(path, "weights.bin", 0, length)
    source = load(path)
    if offset:
        return
    with pytest.raises(ModelError):
        source.graph.constants["w"].array()


def test_a_shape_larger_than_its_data_allocates_nothing(tmp_path: Path) -> None:
    model = gemm_qdq(8, 8)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.dims[0] = 1 << 40
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="fewer are stored"):
        load(path).graph.constants["w"].array()


def test_a_free_batch_is_taken_as_one(tmp_path: Path) -> None:
    source = from_text(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (float[N,3,8,8] x) => (float[N,3,8,8] y) { y = Relu(x) }""",
        tmp_path,
    )
    assert source.free_batch == ("x",)
    assert source.graph.type("y").dims == (1, 3, 8, 8)


def test_com_microsoft_operators_do_not_stop_inference(tmp_path: Path) -> None:
    source = from_text(
        """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
        g (int8[1,8,4,4] a, int8[1,8,4,4] b) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
        { c = com.microsoft.QLinearAdd(a, s, z, b, s, z, s, z)
          d = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
          y = com.microsoft.QLinearGlobalAveragePool(d, s, z, s, z) }""",
        tmp_path,
    )
    assert source.graph.type("c").dims == (1, 8, 4, 4)
    assert source.graph.type("d").dims == (1, 8, 2, 2)


def test_nothing_is_written_beside_a_refused_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"nonsense")
    refused(path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    data = gemm_qdq(8, 8, name="Gemm_name").SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data.replace(b"Gemm_name", b"Gemm\xff\xfeame"))
    assert "not UTF-8" in refused(path)


def test_the_hash_is_that_of_the_bytes_that_were_opened(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(gemm_qdq(8, 8), path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    source = load(path)
    onnx.save(gemm_qdq(8, 8, seed=1), path)
    assert source.sha256 == expected and not source.is_current
    path.unlink()
    assert source.sha256 == expected and source.is_current


def test_weights_beside_the_model_that_change_are_noticed_and_no_longer_edited(tmp_path: Path) -> None:
    path, weights = tmp_path / "m.onnx", tmp_path / "weights.bin"
    external(path, "weights.bin", offset=16)
    session = Session.open(load(path), target())
    source = session.source
    assert source.is_current and not source.since_opened
    assert [file.path for file in source.weight_files] == [weights]
    aside = weights.rename(tmp_path / "aside.bin")
    assert source.is_current and source.since_opened == "weights deleted or moved"
    aside.rename(weights)
    assert not source.since_opened
    weights.write_bytes(bytes(16 + 65))
    assert not source.is_current and source.since_opened == "weights changed on disk"
    for use in (recipe_of, lambda s: write(s, tmp_path / "out.onnx"), lambda s: to_model(source, s.graph)):
        with pytest.raises(ModelError, match=r"weights\.bin: changed since it was opened"):
            use(session)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_large_file_that_was_replaced_has_no_hash(same_size: bool, tmp_path: Path) -> None:
    path = tmp_path / "big.onnx"
    big_model(path)
    source, times = load(path), path.stat()
    other = tmp_path / "other.onnx"
    other.write_bytes(path.read_bytes() if same_size else b"\x08\x08")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert not source.is_current
    with pytest.raises(ModelError, match="changed since it was opened"):
        _ = source.sha256


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = gemm_qdq(8, 8).SerializeToString()

    class Piped(io.TextIOWrapper):
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Piped(io.BytesIO(data)))
    source = load("-")
    assert source.sha256 == hashlib.sha256(data).hexdigest() and source.is_current
    assert source.graph.constants["w"].array().shape == (8, 8)
    for content, words in ((b"", "standard input was empty"), (b"PK\x03\x04zip", "zip archive")):
        monkeypatch.setattr("sys.stdin", Piped(io.BytesIO(content)))
        with pytest.raises(ModelError, match=words):
            load("-")


class _Stream:
    """A standard input that nothing can be read from."""

    closed = False

    def __init__(self, terminal: bool) -> None:
        self.buffer, self.terminal = self, terminal

    def isatty(self) -> bool:
        return self.terminal

    def read(self, size: int) -> bytes:
        raise OSError(errno.EBADF, "Bad file descriptor")


def test_standard_input_that_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream, words in (
        (None, "is closed"),
        (closed, "is closed"),
        (_Stream(terminal=True), "is a terminal"),
        (_Stream(terminal=False), r"cannot be read \(Bad file descriptor\)"),
    ):
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(ModelError, match=f"^-: standard input {words}; pipe a model into it$"):
            load("-")


def test_weights_that_are_not_there_are_said_and_what_is_unknown_for_it(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save_with_data_beside(path)
    assert not load(path).notes
    data = tmp_path / "m.bin"
    data.write_bytes(data.read_bytes()[:100])
    (note,) = load(path).notes
    assert "'m.bin'" in note and "has 100 of the" in note
    data.unlink()
    (note,) = load(path).notes
    assert "'m.bin'" in note and "'w'" in note and "is missing" in note
    with pytest.raises(ModelError, match="does not exist, and the model needs the values in it"):
        load(path).graph.constants["w"].array()


def save_with_data_beside(path: Path) -> None:
    """A MatMul whose weights lie in a file of their own."""
    weights = numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    ends = [helper.make_tensor_value_info(name, 1, [1, 8]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(made, path, save_as_external_data=True, location="m.bin", size_threshold=0)


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (
            helper.make_node("Dropout", ["x", "", "yes"], ["y"], name="D"),
            "'D' is in training mode: it drops values",
        ),
        (helper.make_node("Dropout", ["x", "", "no"], ["y"], name="D"), ""),
        (
            helper.make_node(
                "BatchNormalization", ["x", *["s"] * 4], ["y", "m", "v"], name="B", training_mode=1
            ),
            "'B' is in training mode: it takes mean and variance",
        ),
    ],
    ids=lambda value: value.op_type if hasattr(value, "op_type") else value[:12],
)
def test_training_mode_is_said(operator: NodeProto, words: str, tmp_path: Path) -> None:
    initializers = {"yes": np.array(True), "no": np.array(False), "s": np.ones(4, np.float32)}
    made = model([operator], {"x": ("float", (1, 4, 2, 2))}, ["y"], initializers, 15)
    onnx.save(made, tmp_path / "m.onnx")
    notes = " ".join(load(tmp_path / "m.onnx").notes)
    assert (words in notes) if words else not notes


def test_more_nodes_than_are_judged_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    chain = [node("Relu" if i % 3 else "Tanh", [f"t{i}"], [f"t{i + 1}"]) for i in range(1001)]
    onnx.save(model(chain, {"t0": ("float", (1, 4))}, ["t1001"]), path)
    monkeypatch.setattr("npuscope.model.budget.JUDGED_NODES", 1001)
    assert len(load(path).graph.nodes) == 1001
    monkeypatch.setattr("npuscope.model.budget.JUDGED_NODES", 1000)
    assert "has 1,001 nodes (667 Relu, 334 Tanh); npuscope analyses up to 1,000" in refused(path)


def test_outputs_that_nothing_makes_are_said(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    x: dict[str, Any] = {"x": ("float", (1, 4))}
    onnx.save(model([node("Relu", ["x"], ["y"])], x, ["y", "z"]), path)
    assert "No node writes the output 'z'" in load(path).notes[0]
    made = model([node("Relu", ["x"])], x)
    del made.graph.output[:]
    onnx.save(made, path)
    assert "has no outputs" in load(path).notes[0]
