"""Weight bytes are set aside where a file is laid out as exporters do; any other layout is parsed whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from onnx import ModelProto

from npuscope.model.load import load
from npuscope.model.wire import KEEP_BELOW, FileBytes, Span, UnusualEncodingError, set_aside

VARINT, FIXED64, BYTES, GROUP, FIXED32 = 0, 1, 2, 3, 5
MODEL_VERSION, GRAPH, INITIALIZER, NAME, RAW, FLOATS = 5, 7, 5, 8, 9, 4
LARGE = bytes(KEEP_BELOW + 1)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, body: bytes = b"", kind: int = BYTES) -> bytes:
    return varint(number << 3 | kind) + (varint(len(body)) if kind == BYTES else b"") + body


def tensor(*parts: bytes) -> bytes:
    return field(INITIALIZER, b"".join(parts))


def aside(data: bytes, folder: Path) -> tuple[bytes, dict[str, Span]]:
    path = folder / "model"
    path.write_bytes(data)
    handle = os.open(path, os.O_RDONLY)
    try:
        return set_aside(FileBytes(handle, len(data)))
    finally:
        os.close(handle)


NAMED = field(NAME, b"w")
KEPT = {
    "a number": field(MODEL_VERSION, varint(3), VARINT),
    "a number of 63 bits": field(MODEL_VERSION, varint(2**63 - 1), VARINT),
    "four bytes that nobody knows": field(999, bytes(4), FIXED32),
    "eight bytes that nobody knows": field(999, bytes(8), FIXED64),
    "a graph without weights": field(GRAPH, field(2, b"g")),
    "small weights": field(GRAPH, tensor(NAMED, field(RAW, bytes(8)))),
    "a long name": field(GRAPH, tensor(field(NAME, b"w" * (KEEP_BELOW + 1)))),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_no_large_weight_stays(name: str, tmp_path: Path) -> None:
    assert aside(KEPT[name], tmp_path) == (KEPT[name], {})


@pytest.mark.parametrize("payload", [RAW, FLOATS])
def test_large_weights_are_known_by_place(payload: int, tmp_path: Path) -> None:
    before, after = field(2, b"g"), field(10, b"said")
    data = field(GRAPH, before + tensor(field(payload, LARGE), NAMED) + tensor(NAMED) + after)
    kept, spans = aside(data, tmp_path)
    assert kept == field(GRAPH, before + tensor(NAMED) + tensor(NAMED) + after)
    assert data[spans["w"].offset :][: spans["w"].length] == LARGE and list(spans) == ["w"]


UNUSUAL = {
    "two graphs": field(GRAPH) + field(GRAPH),
    "a graph that is a number": field(GRAPH, varint(3), VARINT),
    "a group": field(999, b"", GROUP),
    "field 0": field(0, b"x"),
    "a length past the end": field(GRAPH, bytes(9))[:-1],
    "a tag cut short": b"\x80",
    "a number without end": varint(MODEL_VERSION << 3 | VARINT) + b"\xff" * 11,
    "eight bytes cut short": field(999, bytes(7), FIXED64),
    "two payloads": field(GRAPH, tensor(NAMED, field(RAW, LARGE), field(FLOATS, LARGE))),
    "weights without a name": field(GRAPH, tensor(field(RAW, LARGE))),
    "two weights of one name": field(GRAPH, 2 * tensor(NAMED, field(RAW, LARGE))),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_another_layout_is_said_to_be_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnusualEncodingError):
        aside(UNUSUAL[name], tmp_path)


def test_a_file_that_becomes_shorter_is_an_unusual_one(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"")
    handle = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(UnusualEncodingError):
            set_aside(FileBytes(handle, 100))
    finally:
        os.close(handle)


def test_a_model_of_an_unusual_layout_opens_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph in two parts is one graph, as protobuf merges them."""
    monkeypatch.setattr("npuscope.model.load.SET_ASIDE_ABOVE", 0)
    halves = [ModelProto(ir_version=8), ModelProto()]
    halves[0].opset_import.add(version=13)
    halves[0].graph.name = "g"
    halves[0].graph.node.add(op_type="Relu", name="op", input=["x"], output=["y"])
    halves[1].graph.output.add(name="y")
    (tmp_path / "m.onnx").write_bytes(b"".join(half.SerializeToString() for half in halves))
    graph = load(tmp_path / "m.onnx").graph
    assert [node.name for node in graph.nodes] == ["op"] and graph.outputs == ("y",)
