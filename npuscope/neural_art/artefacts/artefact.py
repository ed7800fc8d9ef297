"""`read`: any file that ST's tools wrote, recognised by its content, as one common value."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.readers import (
    board,
    c_info,
    configuration,
    dot,
    intermediate,
    layer_table,
    network_c,
    network_csv,
    network_report,
    options,
    report,
    summary,
    timing,
)
from npuscope.neural_art.artefacts.readers import lowering_log as lowering
from npuscope.neural_art.artefacts.text import versions
from npuscope.neural_art.artefacts.text.documents import mapping, parse
from npuscope.neural_art.artefacts.text.lines import decode, is_text, lines, read_bytes
from npuscope.neural_art.artefacts.text.paste import parts
from npuscope.neural_art.artefacts.values import HYBRID, SW, Content, ReportedEpoch, Totals
from npuscope.record import dataclass
from npuscope.tflite import is_tflite

MODEL = "model"
"""Kind of an ONNX or TFLite file; what it holds is the business of `npuscope.model.load`."""
QUANTIZATION = "quantization"
"""Kind of a `_Q.json` file."""

READABLE = (
    "the report of generate, analyze or validate, c_info.json, tmp.dot, a --d-lower log, network.csv, network.c, network_report.json, "
    ".mpool, .mdesc, profiles, atonn_options.ini, _Q.json"
)

TITLES = {
    "report": "report",
    "timing": "timing on a board",
    "c_info": "c_info.json",
    "dot": "compiler graph",
    "lowering_log": "lowering log",
    "network_csv": "network.csv",
    "network_c": "network.c",
    "network_report": "network_report.json",
    "options": "compiler options",
    "mpool": "memory pools",
    "mdesc": "machine description",
    "profiles": "compilation profiles",
    QUANTIZATION: "Q.json",
    MODEL: "model",
}
"""Kind -> what to call it."""

_HEAD = 200_000
_ONNX_FIRST = (b"\x08", b"\x12", b"\x3a")
"""First byte of a serialized ModelProto: ir_version, producer_name or graph."""


@dataclass(frozen=True, slots=True)
class Artefact(Content):
    """What a file says, and which file it is. `not_understood` names what was not recognised."""

    path: str = ""

    @property
    def title(self) -> str:
        """What to call it."""
        return TITLES.get(self.kind, self.kind)

    @property
    def version(self) -> str:
        """The version of TOOLCHAINS it was written by, '' where it does not tell."""
        inputs = [value for name, value in self.options if name in ("-i", "--onnx-input")]
        return versions.known(self.toolchain, self.compiler, next(iter(inputs), Path(self.path).name))


def read(path: str | os.PathLike[str]) -> Artefact:
    """Read a file of ST's tools, of a paste of several the first. Raises ModelError, in one line, for anything else."""
    return read_all(path)[0]


def read_all(path: str | os.PathLike[str]) -> tuple[Artefact, ...]:
    """Read a file that may hold several artefacts, pasted one after the other."""
    place = Path(path)
    data = read_bytes(place)
    if not data.strip(b" \t\r\n\0"):
        raise ModelError(f"{place}: is empty; copy it again")
    if is_onnx(data) or is_tflite(data[:8]):
        return (_of(Content(MODEL), place),)
    packed = next((advice for magic, advice in _PACKED if data.startswith(magic)), "")
    if packed:
        raise ModelError(f"{place}: {packed}")
    if not is_text(data):
        raise ModelError(f"{place}: is not text; npuscope reads {READABLE}")
    return tuple(_of(content, place) for content in read_texts(decode(data), str(place)))


_PACKED = (
    (b"PK\x03\x04", "is a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it first"),
    (b"\x89PNG", "is a picture; the text in it is needed"),
    (b"\xff\xd8\xff", "is a picture; the text in it is needed"),
    (b"%PDF-", "is a PDF file; copy the text out of it"),
)
"""First bytes of what people attach instead, and what to do."""


def is_onnx(data: bytes) -> bool:
    """Bytes that can only be a model: a serialized message, with a NUL or an unprintable byte near its start."""
    return data[:1] in _ONNX_FIRST and any(byte < 9 or 13 < byte < 32 for byte in data[1:200])


def _of(content: Content, place: Path) -> Artefact:
    values = {f.name: getattr(content, f.name) for f in fields(Content)}
    values["compiler"] = versions.build(content.compiler) or content.compiler
    return Artefact(**values, path=str(place))


def read_text(text: str, where: str) -> Content:
    """The first artefact of a text. Raises ModelError where no reader knows it."""
    return read_texts(text, where)[0]


def read_texts(text: str, where: str) -> tuple[Content, ...]:
    """All artefacts of a text. Raises ModelError where no reader knows any."""
    if network_c.is_for_cpu(text):
        raise ModelError(
            f"{where}: is the C code of a network for the CPU, which has no epochs; build for the NPU"
        )
    alone = _alone(text, where)
    if alone is not None:
        return (alone,)
    contents: list[Content] = []
    refused: ModelError | None = None
    for kind, part in parts(text):
        try:
            contents += _PARTS[kind](part, where) if kind in _PARTS else _lines(part, where, bool(contents))
        except ModelError as error:
            refused = refused or error
    if not contents:
        if text.lstrip().startswith("{"):
            return (_document(text, where),)
        raise refused or ModelError(
            f"{where}: holds nothing that ST's tools print; npuscope reads {READABLE}"
        )
    return tuple(_without_twins(contents))


def _alone(text: str, where: str) -> Content | None:
    """The whole text as one document, None where more is in it."""
    if options.recognises(text[:_HEAD]):
        return options.read_options(lines(text, where))
    if text.lstrip().startswith(("{", "//", "/*")) and not network_c.recognises(text):
        try:
            return _document(text, where)
        except ModelError:
            if not text.lstrip().startswith("{"):
                raise
    return None


def _graph(text: str, where: str) -> list[Content]:
    contents = dot.read_dot(text)
    if not contents.nodes and not contents.epochs and not contents.buffers:
        raise ModelError(f"{where}: is a graph, but none of the compiler's")
    return [contents]


def _table(text: str, where: str) -> list[Content]:
    return [network_csv.read_network_csv(lines(text, where))]


def _object(text: str, where: str) -> list[Content]:
    return [_document(text, where)]


def _saved(text: str, where: str) -> list[Content]:
    return [options.read_options(lines(text, where))]


_PARTS: dict[str, Callable[[str, str], list[Content]]] = {
    "graph": _graph,
    "options": _saved,
    "table": _table,
    "document": _object,
}


def _lines(text: str, where: str, more: bool) -> list[Content]:
    """What is left beside whole documents: generated C code, a console log, or both."""
    if not text.strip():
        return []
    contents = [network_c.read_network_c(lines(text, where))] if network_c.recognises(text) else []
    try:
        contents.append(_log(text, where))
    except ModelError:
        if not contents and not more:
            raise
    return contents


def _without_twins(contents: list[Content]) -> Iterator[Content]:
    """The same artefact pasted twice counts once."""
    seen: list[Content] = []
    for content in contents:
        if content not in seen:
            seen.append(content)
            yield content


_CONFIGURATION: tuple[tuple[Callable[[dict[str, Any]], bool], Callable[[dict[str, Any]], Content]], ...] = (
    (configuration.is_memory, configuration.read_memory),
    (configuration.is_machine, configuration.read_machine),
    (configuration.is_profiles, configuration.read_profiles),
    (network_report.is_network_report, network_report.read_network_report),
)


def _document(text: str, where: str) -> Content:
    if c_info.recognises(text):
        return c_info.read_c_info(text, where)
    if intermediate.recognises(text):
        return intermediate.described(intermediate.read_quantization(text, where), QUANTIZATION)
    document = mapping(parse(text, where))
    for recognises, reader in _CONFIGURATION:
        if recognises(document):
            return reader(document)
    raise ModelError(f"{where}: is a JSON file of another kind; npuscope reads {READABLE}")


def _log(text: str, where: str) -> Content:
    """A console log: report, timing and lowering log may all be in it."""
    known = list(lines(text, where))
    read = [
        report.read_report(known),
        summary.read_summary(known),
        timing.read_timing(known),
        lowering.read_lowering(known),
        layer_table.read_layer_table(known),
        board.read_board(known),
    ]
    statements, block, times, log, table, _ = read
    if (
        statements.epochs
        or statements.pools
        or statements.totals != Totals()
        or statements.toolchain
        or block.inputs
        or block.outputs
        or table.rows
    ):
        kind = report.KIND
    elif times.epochs or times.totals != Totals():
        kind = timing.KIND
    elif log.lowerings:
        kind = lowering.KIND
    else:
        raise ModelError(f"{where}: holds nothing that ST's tools print; npuscope reads {READABLE}")
    return Content(
        kind,
        toolchain=statements.toolchain,
        compiler=statements.compiler,
        epochs=_together(statements.epochs, times.epochs),
        lowerings=log.lowerings,
        pools=statements.pools,
        inputs=block.inputs,
        outputs=block.outputs,
        options=block.options,
        signatures=block.signatures,
        totals=filled(statements.totals, times.totals),
        rows=table.rows,
        ranges=statements.ranges,
        properties=tuple(item for part in read for item in part.properties),
        not_understood=tuple(item for part in read for item in part.not_understood),
    )


def _together(
    first: tuple[ReportedEpoch, ...], second: tuple[ReportedEpoch, ...]
) -> tuple[ReportedEpoch, ...]:
    by_index = {epoch.index: epoch for epoch in first}
    for epoch in second:
        by_index[epoch.index] = joined(by_index[epoch.index], epoch) if epoch.index in by_index else epoch
    return tuple(by_index[index] for index in sorted(by_index))


def joined(first: ReportedEpoch, second: ReportedEpoch) -> ReportedEpoch:
    """`first`, with what only `second` says. A hybrid epoch wins over software, which some artefacts call it."""
    placement = first.placement or second.placement
    if {placement, second.placement} == {SW, HYBRID}:
        placement = HYBRID
    return ReportedEpoch(
        first.index,
        placement,
        first.op or second.op,
        first.nodes or second.nodes,
        second.compute_cycles if first.compute_cycles is None else first.compute_cycles,
        second.cycles if first.cycles is None else first.cycles,
        second.milliseconds if first.milliseconds is None else first.milliseconds,
        second.last if first.last is None else first.last,
        first.printed or second.printed,
        second.ops if first.ops is None else first.ops,
        second.macc if first.macc is None else first.macc,
        first.milliwatts or second.milliwatts,
        first.cpu_cycles or second.cpu_cycles,
        first.traffic or second.traffic,
        second.in_float if first.in_float is None else first.in_float,
    )


def filled(first: Totals, second: Totals) -> Totals:
    """`first`, with what only `second` says."""
    pairs = ((getattr(first, f.name), getattr(second, f.name)) for f in fields(Totals))
    return Totals(*(other if own is None else own for own, other in pairs))
