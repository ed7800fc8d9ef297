"""Files of other formats, files that are none, and models that were damaged on their way."""

from __future__ import annotations

import io
import os
import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnx import ModelProto, numpy_helper

from corpus.case import EITHER, Case, Write, content, model, node, quantized

ONNX_TEXT = '<ir_version: 8, opset_import: ["" : 13]> g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }'

TEXTS: dict[str, tuple[bytes, str]] = {
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "git lfs pull"),
    "old lfs pointer": (b"version http://git-media.io/v/2\n", "git lfs pull"),
    "lfs pointer with a mark": (b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "annex pointer": (b"/annex/objects/SHA256E-s1--aa.onnx\n", "git annex get"),
    "onnx text": (ONNX_TEXT.encode(), "ONNX text format"),
    "onnx text without header": (b"agraph (float[N] x) => (float[N] y) { y = Relu(x) }", "ONNX text format"),
    "protobuf text": (b'ir_version: 8\nproducer_name: "x"\ngraph {\n}\n', "protobuf text"),
    "protobuf text behind a comment": (b"# made by hand\nir_version: 8\n", "protobuf text"),
    "tensorflow graph as text": (b'node {\n  name: "x"\n  op: "Placeholder"\n}\n', "protobuf text"),
    "json": (b'{"irVersion": "8", "graph": {}}', "JSON"),
    "tfjs": (b'{"format": "layers-model"}', "JSON"),
    "xml": (b'<?xml version="1.0"?><a/>', "XML"),
    "openvino": (b'<?xml version="1.0"?>\n<net name="m" version="11"></net>', "OpenVINO"),
    "web page": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "web page in capitals": (b"  <HTML></HTML>", "web page"),
    "caffe text": (b'name: "net"\nlayer {\n name: "data"\n}', "Caffe"),
    "caffe input": (b'input: "data"\ninput_dim: 1\n', "Caffe"),
    "a report": (b"epoch ID   HW/SW/EC Operation (SW only)\nepoch 1     HW\n", "text"),
    "a sentence": (b"Not found", "text"),
    "utf-8 with a mark": (b"\xef\xbb\xbfir_version: 8\n", "protobuf text"),
    "an error in place of a file": (b"Entry not found", "begins 'Entry not found'"),
    "an error as json": (b'{"error":"gated"}', "gated"),
    "a web page behind a comment": (b"<!-- saved -->\n<html>", "web page"),
    "c source": (b"#include <stdint.h>\nconst unsigned char model[] = {0x1c};", "C source"),
    "ncnn": (b"7767517\n3 3\n", "ncnn"),
    "nnef": (b"version 1.0;\ngraph net(x) -> (y) {}", "NNEF"),
    "cyrillic": (("Файл не найден\n" * 400).encode(), "text"),
}  # fmt: skip

BINARIES: dict[str, tuple[bytes, str]] = {
    "ort": (b"\x1c\0\0\0ORTM" + b"\0" * 64, "ORT format"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "Keras"),
    "numpy": (b"\x93NUMPY\x01\0" + b"\0" * 64, "NumPy array"),
    "gguf": (b"GGUF\x03\0\0\0" + b"\0" * 64, "GGUF"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 64, "compressed"),
    "bzip2": (b"BZh91AY&SY" + b"\0" * 64, "compressed"),
    "xz": (b"\xfd7zXZ\0" + b"\0" * 64, "compressed"),
    "zstd": (b"\x28\xb5\x2f\xfd" + b"\0" * 64, "compressed"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + b"\0" * 64, "compressed"),
    "rar": (b"Rar!\x1a\x07" + b"\0" * 64, "compressed"),
    "saved model": (b"\x08\x01\x12\x10\x0a\x04tags" + b"\0" * 64, "SavedModel"),
    "frozen graph": (b"\x0a\x20\x0a\x05input\x12\x0bPlaceholder" + b"\0" * 64, "frozen graph"),
    "pickle 2": (b"\x80\x02}q\x00." + b"\0" * 16, "pickle"),
    "pickle 4": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.", "pickle"),
    "old torch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "pickle"),
    "safetensors": (
        b"\x40\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        "safetensors",
    ),
    "executorch": (b"\x20\0\0\0ET12" + b"\0" * 64, "ExecuTorch"),
    "circle": (b"\x1c\0\0\0CIR0" + b"\0" * 64, "Circle"),
    "tensorrt": (b"ftrt" + b"\0" * 64, "TensorRT"),
    "hailo": (b"\x01HEF" + b"\0" * 64, "another device"),
    "pdf": (b"%PDF-1.7\n" + b"\0" * 64, "document"),
    "utf-16": ("ir_version: 8".encode("utf-16"), "UTF-16"),
    "tflite cut short": (b"\x1c\0\0\0TFL3", EITHER),
    "tflite of noise": (b"\x1c\0\0\0TFL3" + bytes(range(256)) * 8, EITHER),
    "nothing": (b"", "is empty"),
    "zeros": (b"\0" * 4096, "is not an ONNX model"),
    "ones": (b"\xff" * 4096, "is not an ONNX model"),
    "elf": (b"\x7fELF\x02\x01\x01" + b"\0" * 64, "is not an ONNX model"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "a picture"),
}


def cases() -> Iterator[Case]:
    for name, (data, expected) in {**TEXTS, **BINARIES}.items():
        yield Case(f"format: {name}", content(data), expected)
    for name, (files, expected) in ARCHIVES.items():
        yield Case(f"format: {name}", content(_zipped(files), "model.zip"), expected)
    yield Case("format: tar", content(_tar()), "tar archive")
    tensor = numpy_helper.from_array(np.ones((2, 3), np.float32), "x").SerializeToString()
    yield Case("format: tensor", content(tensor, "input_0.pb"), "TensorProto")
    graph = _small().graph.SerializeToString()
    yield Case("format: a graph alone", content(graph, "graph.pb"), "GraphProto")
    yield Case("format: a folder of a model", _folder("a.tflite"), "such as a.tflite")
    yield Case("format: a SavedModel", _folder("saved_model.pb"), "SavedModel")
    yield from _files()
    yield from _damaged()


def _folder(name: str) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(b"x")
        return folder

    return write


ARCHIVES: dict[str, tuple[dict[str, bytes], str]] = {
    "zip of a model": ({"a/model.onnx": b"\x08\x08"}, "unpack it and name a/model.onnx"),
    "zip of nothing": ({}, "unpack it"),
    "torch": ({"archive/data.pkl": b"\x80\x02}q\0.", "archive/version": b"3"}, "PyTorch"),
    "torchscript": ({"net/code/__torch__.py": b"", "net/data.pkl": b"\x80\x02"}, "PyTorch"),
    "exported program": ({"archive_format": b"pt2"}, "exported program"),
    "keras": ({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF"}, "Keras"),
    "npz": ({"x.npy": b"\x93NUMPY"}, "NumPy archive"),
    "core ml": ({"Data/com.apple.CoreML/model.mlmodel": b"\x08"}, "Core ML"),
}


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return buffer.getvalue()


def _files() -> Iterator[Case]:
    def directory(folder: Path) -> Path:
        return folder

    def missing(folder: Path) -> Path:
        return folder / "none.onnx"

    def pipe(folder: Path) -> Path:
        os.mkfifo(folder / "pipe.onnx")
        return folder / "pipe.onnx"

    def dangling(folder: Path) -> Path:
        (folder / "link.onnx").symlink_to(folder / "none.onnx")
        return folder / "link.onnx"

    def loop(folder: Path) -> Path:
        (folder / "loop.onnx").symlink_to(folder / "loop.onnx")
        return folder / "loop.onnx"

    def sparse(size: int, head: bytes) -> Write:
        def write(folder: Path) -> Path:
            path = folder / "sparse.onnx"
            with path.open("wb") as file:
                file.write(head)
                file.truncate(size)
            return path

        return write

    yield Case("file: directory", directory, "is a directory")
    yield Case("file: missing", missing, "no such file")
    yield Case("file: pipe", pipe, "not a regular file")
    yield Case("file: device", lambda folder: Path("/dev/zero"), "not a regular file")
    yield Case("file: dangling link", dangling, "no such file")
    yield Case("file: link to itself", loop, "cannot be opened")
    yield Case("file: a null in its name", lambda folder: Path(f"{folder}/a\0b.onnx"), "cannot be opened")
    yield Case("file: a name of 5,000 characters", lambda folder: folder / ("n" * 5000), "cannot be opened")
    begin = quantized("Relu", (1, 4)).SerializeToString()
    for size in (8 << 20, 3 << 30, 64 << 30):
        yield Case(f"file: {size >> 20} MB of holes", sparse(size, b""), "is not an ONNX model")
        yield Case(f"file: a model and {size >> 20} MB of holes", sparse(size, begin), "is not an ONNX model")
    graph = (
        b"\x08\x08\x3a"
        + _varint((4 << 30) - 16)
        + b"\x2a"
        + _varint(3 << 30)
        + b"\x42\x01w\x4a"
        + _varint(3 << 30)
    )
    yield Case("file: weights of 3 GB that end before", content(graph), "is not an ONNX model")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _damaged() -> Iterator[Case]:
    complete = _small().SerializeToString()
    for keep in range(1, 20):
        yield Case(f"damaged: cut at {keep * 5} %", content(complete[: len(complete) * keep // 20]), EITHER)
    rng = random.Random(7)
    for number in range(100):
        data = bytearray(complete)
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[place] = rng.randrange(256)
            elif kind == 2:
                del data[place : place + rng.randint(1, 8)]
            else:
                data[place:place] = rng.randbytes(rng.randint(1, 8))
        yield Case(f"damaged: mutation {number}", content(bytes(data)), EITHER)


def _small() -> ModelProto:
    constants = {
        "s": np.float32(0.1),
        "z": np.int8(0),
        "w": np.ones((4, 3, 3, 3), np.int8),
        "k": np.array([1, -1], np.int64),
    }
    nodes = [
        node("DequantizeLinear", ["x", "s", "z"], ["f"]),
        node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
        node("Conv", ["f", "wf"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Reshape", ["d", "k"], ["v"]),
        node("Softmax", ["v"], ["y"], axis=-1),
    ]
    return model(nodes, {"x": ("int8", (1, 3, 8, 8))}, ["y"], constants)
