"""What artefacts say beyond epochs and layers, as lines: versions, tensors, memory, options, and all that is printed."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import Buffer, Pool, Tensor
from npuscope.npu.figures import thousands
from npuscope.record import dataclass

MOST = 20_000
"""Statements of one artefact."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing said: `path` is the artefact's, `section` groups what belongs together."""

    path: str
    section: str
    name: str
    text: str


def statements(artefact: Artefact) -> tuple[Statement, ...]:
    """All of them, the most useful first."""
    listed: list[Statement] = []
    for section, name, text in _all(artefact):
        if text and len(listed) < MOST:
            listed.append(Statement(artefact.path, section, name, text))
    return tuple(listed)


def _all(artefact: Artefact) -> Iterator[tuple[str, str, str]]:
    for item in artefact.not_understood:
        yield "not understood", "", item
    yield "tool", "ST Edge AI Core", artefact.toolchain or artefact.version
    yield "tool", "compiler", artefact.compiler
    for side, tensors in (("input", artefact.inputs), ("output", artefact.outputs)):
        for tensor in tensors:
            yield side, tensor.name, _tensor(tensor)
    totals = artefact.totals
    for word, value, unit in (
        ("epochs", totals.epochs, ""),
        ("in software", totals.sw, ""),
        ("hybrid", totals.hybrid, ""),
        ("on the NPU", totals.hw, ""),
        ("measured", totals.milliseconds, " ms"),
        ("compute cycles", totals.compute_cycles, ""),
        ("cycles with memory", totals.cycles, ""),
        ("NPU clock", None if totals.npu_hz is None else totals.npu_hz / 1e6, " MHz"),
        ("CPU clock", None if totals.cpu_hz is None else totals.cpu_hz / 1e6, " MHz"),
    ):
        if value is not None:
            yield "totals", word, thousands(value).removesuffix(".0") + unit
    for pool in artefact.pools:
        yield "memory pool", pool.name, _pool(pool)
    for used in artefact.ranges:
        yield "memory in use", used.pool, f"{used.start:#x} to {used.end:#x}, {used.end - used.start:,} bytes"
    for statement in artefact.properties:
        yield statement.section, statement.name, statement.text
    for name, text in artefact.options:
        yield "option", name, text or "on"
    for name, originals in artefact.originals:
        yield "made from", name, ", ".join(originals)
    for buffer in artefact.buffers:
        yield "tensor", buffer.name, _buffer(buffer)
    for signature in artefact.signatures:
        yield "MD5", "model", signature


def sizes(shape: tuple[int, ...] | None) -> str:
    """'1x3x224x224'."""
    return "x".join(map(str, shape)) if shape else ""


def _tensor(tensor: Tensor) -> str:
    quant = f"scale {tensor.scale:.6g}, zero {tensor.zero_point}" if tensor.scale is not None else ""
    size = f"{tensor.size:,} bytes" if tensor.size is not None else ""
    return _joined(tensor.dtype, sizes(tensor.shape), quant, size)


def _pool(pool: Pool) -> str:
    parts = [f"{count:,} bytes {word}" for word, count in (
        ("in all", pool.size), ("used", pool.used), ("of weights", pool.weights), ("of activations", pool.activations),
    ) if count is not None]  # fmt: skip
    start = f"at {pool.start:#x}" if pool.start is not None else ""
    speed = (
        f"{pool.byte_width} bytes in {pool.freq_ratio:g} NPU cycles"
        if pool.byte_width and pool.freq_ratio
        else ""
    )
    return _joined(*parts, start, speed, *(f"{name} {text}" for name, text in pool.attributes))


def _buffer(buffer: Buffer) -> str:
    place = f"{buffer.pool} at {buffer.offset}" if buffer.pool and buffer.offset is not None else buffer.pool
    size = f"{buffer.size:,} bytes" if buffer.size is not None else ""
    life = f"epochs {buffer.first_epoch} to {buffer.last_epoch}" if buffer.first_epoch is not None else ""
    scale = ""
    if buffer.scales:
        more = f" and {len(buffer.scales) - 1} more" if len(buffer.scales) > 1 else ""
        zero = f", zero {buffer.zero_points[0]:g}" if buffer.zero_points else ""
        scale = f"scale {buffer.scales[0]:.6g}{zero}{more}"
    kind = "constant" if buffer.constant else ""
    attributes = (f"{name} {text}" for name, text in buffer.attributes)
    return _joined(kind, sizes(buffer.shape), size, place, life, scale, *attributes)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
