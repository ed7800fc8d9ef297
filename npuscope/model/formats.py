"""What a file is, told from its first bytes, and how a user gets from there to an ONNX model."""

from __future__ import annotations

import re
from enum import Enum
from os import PathLike

from google.protobuf.message import DecodeError
from onnx import GraphProto, TensorProto

from npuscope.model.errors import ModelError
from npuscope.model.names import printable

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that `recognised` looks at."""

LARGEST_TENSOR = 4 << 20
"""Bytes above which a file is not tried as a tensor."""


class Format(Enum):
    """A format that is not an ONNX model: what it is, and the way to one."""

    LFS = ("a Git LFS pointer, not the model itself", "fetch the model with 'git lfs pull'")
    ANNEX = ("a git-annex pointer, not the model itself", "fetch the model with 'git annex get'")
    TFLITE = (
        "a TensorFlow Lite model",
        "convert it with tf2onnx: python -m tf2onnx.convert --tflite FILE --output m.onnx",
    )
    ORT = (
        "a model in ORT format, which onnxruntime made of an ONNX model",
        "open that ONNX model; there is no way back",
    )
    ONNX_TEXT = (
        "an ONNX model as text (ONNX text format)",
        "make it binary: onnx.save(onnx.parser.parse_model(open(FILE).read()), 'm.onnx')",
    )
    PROTOBUF_TEXT = (
        "a model as protobuf text",
        "make it binary: onnx.save(onnx.load(FILE, format='textproto'), 'm.onnx')",
    )
    JSON = (
        "JSON text",
        "for an ONNX model as JSON: onnx.save(onnx.load(FILE, format='json'), 'm.onnx'); else export the model to ONNX",
    )
    TENSOR = ("an ONNX tensor (TensorProto), not a model", "name the model.onnx beside it")
    SAVED_MODEL = (
        "a TensorFlow SavedModel",
        "convert its folder with tf2onnx: python -m tf2onnx.convert --saved-model FOLDER --output m.onnx",
    )
    FROZEN_GRAPH = (
        "a TensorFlow frozen graph",
        "convert it with tf2onnx: python -m tf2onnx.convert --graphdef FILE --inputs ... --outputs ... --output m.onnx",
    )
    HDF5 = (
        "an HDF5 file, such as a Keras .h5 model",
        "load it with Keras and call model.export('m.onnx', format='onnx'), or use tf2onnx",
    )
    KERAS = ("a Keras model (.keras)", "load it with Keras and call model.export('m.onnx', format='onnx')")
    TORCH = (
        "a PyTorch file (.pt, .pth)",
        "load it with PyTorch and export it: torch.onnx.export(model, inputs, 'm.onnx')",
    )
    TORCH_EXPORTED = (
        "a PyTorch exported program (.pt2)",
        "load it with torch.export.load and export it: torch.onnx.export(program, inputs, 'm.onnx')",
    )
    PICKLE = (
        "a Python pickle, such as an older PyTorch file (.pt, .pth)",
        "load it with the framework that wrote it and export it: torch.onnx.export(model, inputs, 'm.onnx')",
    )
    SAFETENSORS = (
        "a safetensors file: weights without a graph",
        "load them into the model and export that to ONNX",
    )
    GGUF = ("a GGUF model", "export the model to ONNX from the framework it was trained in")
    COREML = ("a Core ML package", "export the model to ONNX from the framework it was trained in")
    OPENVINO = ("an OpenVINO model (.xml)", "export the model to ONNX from the framework it was trained in")
    NUMPY = ("a NumPy array", "name an .onnx model")
    NPZ = ("a NumPy archive (.npz)", "name an .onnx model; arrays are inputs for --inputs")
    ZIP = ("a zip archive", "unpack it and name the .onnx file in it")
    TAR = ("a tar archive", "unpack it and name the .onnx file in it")
    COMPRESSED = ("a compressed file", "unpack it and name the .onnx file in it")
    XML = ("XML text", "name an .onnx model")
    HTML = ("a web page, not the file behind it", "download the file itself (GitHub: the 'raw' link)")
    CAFFE_TEXT = (
        "a Caffe model as text (.prototxt)",
        "export the model to ONNX from the framework it was trained in",
    )
    TEXT = ("text", "name an .onnx model")
    C_SOURCE = ("C source", "name the model that its array was made of")
    UTF16 = ("text in UTF-16", "name an .onnx model")
    GRAPH = (
        "an ONNX graph (GraphProto) without a model around it",
        "put it into one: onnx.save(onnx.helper.make_model(graph), 'm.onnx'), with the opset it was written in",
    )
    EXECUTORCH = (
        "an ExecuTorch program (.pte)",
        "export the PyTorch model: torch.onnx.export(model, inputs, 'm.onnx')",
    )
    CIRCLE = ("a Circle model, which ONE made of TFLite or ONNX", "open that model")
    TENSORRT = ("a TensorRT engine, compiled for a GPU", "open the ONNX model it was made of")
    DEPLOYED = ("a model compiled for another device", "open the ONNX or TFLite model it was made of")
    NCNN = ("an ncnn model (.param)", "export the model to ONNX from the framework it was trained in")
    NNEF = ("an NNEF graph", "export the model to ONNX from the framework it was trained in")
    PICTURE = ("a picture", "name an .onnx model; samples are for --inputs")
    DOCUMENT = ("a document", "name an .onnx model")
    PROGRAM = ("a program or library", "name an .onnx model")

    @property
    def what(self) -> str:
        """What it is, with an article."""
        return self.value[0]

    @property
    def way(self) -> str:
        """How to get to an ONNX model."""
        return self.value[1]


class ForeignFormatError(ModelError):
    """A file that is not an ONNX model but of a format that was recognised."""

    def __init__(self, path: str | PathLike[str], kind: Format, head: bytes = b"", tail: bytes = b"") -> None:
        inside = _model_in(head + tail) if kind in _ARCHIVES else ""
        way = f"unpack it and name {inside}" if inside else kind.way
        begins = _line(head) if kind in (Format.TEXT, Format.JSON, Format.XML) else ""
        what = f"{kind.what} that begins {begins!r}" if begins else kind.what
        super().__init__(f"{path}: is not an ONNX model but {what}; {way}")
        self.kind = kind


_ARCHIVES = frozenset({Format.ZIP, Format.TAR})
_MOST_SHOWN = 40


def _model_in(listing: bytes) -> str:
    """The name of a model among the names of an archive; '' where none is seen."""
    match = re.search(rb"[\w\-./]{1,100}\.(?:onnx|tflite)", listing)
    return match.group().decode("ascii", "replace") if match is not None else ""


def _line(head: bytes) -> str:
    """The first line of a short text: an error that was saved in place of a model says itself."""
    if len(head) >= HEAD_BYTES // 8:
        return ""
    line = head.decode("utf-8-sig", "replace").strip().split("\n")[0]
    return printable(line[:_MOST_SHOWN] + ("..." if len(line) > _MOST_SHOWN else ""))


_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"version https://git-lfs", Format.LFS),
    (b"version http://git-media", Format.LFS),
    (b"/annex/objects/", Format.ANNEX),
    (b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (b"\x93NUMPY", Format.NUMPY),
    (b"GGUF", Format.GGUF),
    (b"\x1f\x8b", Format.COMPRESSED),
    (b"BZh", Format.COMPRESSED),
    (b"\xfd7zXZ\x00", Format.COMPRESSED),
    (b"\x28\xb5\x2f\xfd", Format.COMPRESSED),
    (b"7z\xbc\xaf\x27\x1c", Format.COMPRESSED),
    (b"Rar!\x1a\x07", Format.COMPRESSED),
    (b"\x08\x01\x12", Format.SAVED_MODEL),
    (b"ftrt", Format.TENSORRT),
    (b"ptrt", Format.TENSORRT),
    (b"RKNN", Format.DEPLOYED),
    (b"IMOD", Format.DEPLOYED),
    (b"\x01HEF", Format.DEPLOYED),
    (b"\x89PNG\r\n", Format.PICTURE),
    (b"\xff\xd8\xff", Format.PICTURE),
    (b"GIF8", Format.PICTURE),
    (b"%PDF", Format.DOCUMENT),
    (b"\x7fELF", Format.PROGRAM),
    (b"MZ", Format.PROGRAM),
    (b"\xff\xfe", Format.UTF16),
    (b"\xfe\xff", Format.UTF16),
)

_IN_ZIP: tuple[tuple[bytes, Format], ...] = (
    (b"model.weights.h5", Format.KERAS),
    (b"archive_format", Format.TORCH_EXPORTED),
    (b"/data.pkl", Format.TORCH),
    (b"data.pkl", Format.TORCH),
    (b"com.apple.CoreML", Format.COREML),
    (b"/constants.pkl", Format.TORCH),
    (b".npy", Format.NPZ),
    (b"dlc.metadata", Format.DEPLOYED),
)

_IN_TEXT: tuple[tuple[str, Format], ...] = (
    (r"<\s*ir_version", Format.ONNX_TEXT),
    (r"[\w.\-]+\s*\([^)]*\)\s*=>\s*\(", Format.ONNX_TEXT),
    (r"(?is)(<!--.{0,2000}?-->\s*)*(<!doctype html|<html|<head|<body)", Format.HTML),
    (r"7767517\s", Format.NCNN),
    (r"version\s+\d+\.\d+;", Format.NNEF),
    (r"(#include|alignas|(static |const |unsigned )+char\b|extern )", Format.C_SOURCE),
    (r"<net\s", Format.OPENVINO),
    (r"(?s)<\?xml.*?<net\s", Format.OPENVINO),
    (r"<\?xml", Format.XML),
    (r"(?s)(name:\s*\"[^\"]*\"\s*)?(input:\s*\"|layers?\s*\{)", Format.CAFFE_TEXT),
    (r"(ir_version|producer_name|producer_version|domain|model_version|opset_import|graph|metadata_props)\s*[:{<]",
     Format.PROTOBUF_TEXT),
    (r"(node|versions|library)\s*\{", Format.PROTOBUF_TEXT),
    (r"[{\[]\s*[\"\]}]", Format.JSON),
)  # fmt: skip


_IDENTIFIED = {b"ORTM": Format.ORT, b"ET12": Format.EXECUTORCH, b"CIR0": Format.CIRCLE}
"""Identifiers of flatbuffers."""


def recognised(head: bytes, tail: bytes = b"") -> Format | None:
    """The format of a file by its first HEAD_BYTES and, for a zip archive, its last ones; None where it may be ONNX."""
    if head[4:8] == b"TFL3":
        return Format.TFLITE
    if (kind := _IDENTIFIED.get(head[4:8])) is not None:
        return kind
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((kind for mark, kind in _IN_ZIP if mark in head or mark in tail), Format.ZIP)
    for beginning, kind in _BEGINNINGS:
        if head.removeprefix(b"\xef\xbb\xbf").startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return Format.TAR
    if (
        len(head) > 2
        and head[0] == 0x80
        and 2 <= head[1] <= 5
        and head[2:3] in (b"\x8a", b"c", b"}", b"]", b"\x95")
    ):
        return Format.PICKLE
    if head[7:8] == b"\0" and head[8:10] == b'{"':
        return Format.SAFETENSORS
    if head[:1] == b"\x0a" and any(mark in head for mark in (b"\x12\x0bPlaceholder", b"\x12\x05Const")):
        return Format.FROZEN_GRAPH
    return _of_text(head)


def _of_text(head: bytes) -> Format | None:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return None
        text = head[: error.start].decode("utf-8-sig")
    if not text or any(ord(c) < 32 and c not in "\t\n\r\f" for c in text):
        return None
    bare = re.sub(r"^(\s*(#(?!include)|//)[^\n]*\n)+", "", text).lstrip()
    return next((kind for pattern, kind in _IN_TEXT if re.match(pattern, bare)), Format.TEXT)


def is_graph(content: bytes) -> bool:
    """The graph of an ONNX model, saved without the model around it."""
    graph = GraphProto()
    try:
        graph.ParseFromString(content)
    except (DecodeError, ValueError):
        return False
    return bool(graph.node) and all(node.op_type and node.output for node in graph.node)


def is_tensor(content: bytes) -> bool:
    """A tensor as ONNX saves it."""
    if len(content) > LARGEST_TENSOR:
        return False
    tensor = TensorProto()
    try:
        tensor.ParseFromString(content)
    except (DecodeError, ValueError):
        return False
    return tensor.data_type in TensorProto.DataType.values() and tensor.data_type > 0 and bool(
        tensor.raw_data or tensor.float_data or tensor.int32_data or tensor.int64_data or tensor.double_data
    )  # fmt: skip
