"""Set the weight bytes of a serialized ModelProto aside without parsing them.

A 500 MB model with inline weights then opens in the time and memory of its graph alone.
Field numbers are those of onnx.proto3: ModelProto.graph = 7, GraphProto.initializer = 5,
TensorProto.name = 8, float_data = 4, raw_data = 9, double_data = 10.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from npuscope.record import record

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_NAME = 7, 5, 8
_TENSOR_PAYLOADS = {4: "float_data", 9: "raw_data", 10: "double_data"}

KEEP_BELOW = 4096
"""Payloads below this many bytes stay in the message: shape inference reads small constants."""


class UnusualEncodingError(Exception):
    """The bytes are valid protobuf at best, but not in the shape every exporter writes."""


@record()
class Span:
    """Where a tensor's bytes lie in its file."""

    offset: int
    length: int


class FileBytes:
    """The bytes of an open file, read by position through one small window.

    Not a memory map: the kernel counts whole large pages of one as resident, and a file cut short kills its reader.
    """

    WINDOW = 1 << 16

    def __init__(self, handle: int, size: int) -> None:
        self.handle = handle
        self.size = size
        self.start = 0
        self.window = b""

    def __len__(self) -> int:
        return self.size

    def byte(self, position: int) -> int:
        """One byte."""
        offset = position - self.start
        if not 0 <= offset < len(self.window):
            self.start, offset = position, 0
            self.window = self._read(position, self.WINDOW)
            if not self.window:
                raise UnusualEncodingError
        return self.window[offset]

    def short_field(self, position: int) -> tuple[int, int, int] | None:
        """(tag, start of the body, end) of a length-delimited field of a one-byte tag and fewer than 16 KB; None for any other.

        So most are; and for one of which the window does not hold the beginning.
        """
        offset, window = position - self.start, self.window
        if not 0 <= offset < len(window) - 2 or window[offset] & 0x87 != _BYTES:
            return None
        length = window[offset + 1]
        if length < 0x80:
            return window[offset], position + 2, position + 2 + length
        more = window[offset + 2]
        if more < 0x80:
            return window[offset], position + 3, position + 3 + (length & 0x7F | more << 7)
        return None

    def _read(self, position: int, count: int) -> bytes:
        os.lseek(self.handle, position, os.SEEK_SET)
        return os.read(self.handle, count)

    def slice(self, start: int, stop: int) -> bytes:
        """The bytes from start to stop, which may be fewer at the end of the file."""
        if self.start <= start and stop <= self.start + len(self.window):
            return self.window[start - self.start : stop - self.start]
        parts = []
        while start < stop and (part := self._read(start, min(stop - start, 1 << 30))):
            parts.append(part)
            start += len(part)
        return b"".join(parts)


def set_aside(data: FileBytes) -> tuple[bytes, dict[str, Span]]:
    """The message without large initializer payloads, and where each of those lies.

    Raises UnusualEncodingError where the file is not laid out as exporters do; parse it whole then.
    """
    model: list[bytes] = []
    spans: dict[str, Span] = {}
    graphs = 0
    for number, kind, start, body, end in _fields(data, 0, len(data)):
        if number != _MODEL_GRAPH:
            model.append(data.slice(start, end))
            continue
        graphs += 1
        if kind != _BYTES or graphs > 1:
            raise UnusualEncodingError
        graph = b"".join(_graph(data, body, end, spans))
        model += [_header(_MODEL_GRAPH, len(graph)), graph]
    return b"".join(model), spans


def length_prefixed(number: int, length: int) -> bytes:
    """The tag and length that go before a length-delimited field."""
    return _header(number, length)


def _graph(data: FileBytes, start: int, stop: int, spans: dict[str, Span]) -> Iterator[bytes]:
    kept = start
    for number, _kind, begin, body, end in _fields(data, start, stop):
        if number == _GRAPH_INITIALIZER and end - begin > KEEP_BELOW:
            if kept < begin:
                yield data.slice(kept, begin)
            tensor = _tensor(data, body, end, spans)
            yield _header(_GRAPH_INITIALIZER, len(tensor)) + tensor
            kept = end
    if kept < stop:
        yield data.slice(kept, stop)


def _tensor(data: FileBytes, start: int, stop: int, spans: dict[str, Span]) -> bytes:
    kept: list[bytes] = []
    name, payload = "", None
    for number, kind, begin, body, end in _fields(data, start, stop):
        if number in _TENSOR_PAYLOADS and kind == _BYTES and end - body > KEEP_BELOW:
            if payload is not None:
                raise UnusualEncodingError
            payload = Span(body, end - body)
            continue
        if number == _TENSOR_NAME and kind == _BYTES:
            name = data.slice(body, end).decode("utf-8", "replace")
        kept.append(data.slice(begin, end))
    if payload is not None:
        if not name or name in spans:
            raise UnusualEncodingError
        spans[name] = payload
    return b"".join(kept)


def _fields(data: FileBytes, start: int, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(field number, wire type, start of the tag, start of the body, end) of each field in the range."""
    position = start
    while position < stop:
        begin = position
        short = data.short_field(position)
        if short is not None:
            tag, body, position = short
            if position > stop or tag < 8:
                raise UnusualEncodingError
            yield tag >> 3, _BYTES, begin, body, position
            continue
        tag, position = _varint(data, position, stop)
        number, kind = tag >> 3, tag & 7
        body = position
        if kind == _BYTES:
            length, body = _varint(data, position, stop)
            position = body + length
        elif kind == _VARINT:
            _, position = _varint(data, position, stop)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        else:
            raise UnusualEncodingError
        if position > stop or number == 0:
            raise UnusualEncodingError
        yield number, kind, begin, body, position


def _varint(data: FileBytes, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while position < stop:
        byte = data.byte(position)
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            break
    raise UnusualEncodingError


def _header(number: int, length: int) -> bytes:
    out = bytearray([number << 3 | _BYTES])
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)
