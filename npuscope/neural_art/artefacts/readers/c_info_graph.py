"""c_info.json: tensors in memory, edges between nodes, and what each epoch moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from npuscope.neural_art.artefacts.text.documents import (
    count_of,
    integer_of,
    listing,
    mapping,
    number_of,
    text_of,
)
from npuscope.neural_art.artefacts.values import Buffer, Flow, ReportedEpoch, Traffic

MAX_PRINTED = 400
"""Characters kept of a value of any form."""

Names = dict[int, str]
"""Id -> name."""

_OF_BUFFER = (
    "id",
    "alignment",
    "batch",
    "channel_first",
    "channel_last",
    "flags",
    "format",
    "nbits",
    "qmn",
    "shape_map",
)


def printed(value: object) -> str:
    """A value of any form, as JSON has it; '' for none."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, str):
        return value[:MAX_PRINTED]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(printed(one) for one in value[:16])}{', ...' if len(value) > 16 else ''}]"[
            :MAX_PRINTED
        ]
    if isinstance(value, dict):
        inner = ", ".join(f"{name[:60]} {printed(one)}" for name, one in list(value.items())[:16])
        return f"{{{inner}}}"[:MAX_PRINTED]
    return str(value)[:MAX_PRINTED] if isinstance(value, int | float) and abs(value) < 1e300 else ""


def buffers(document: dict[str, Any], pools: Names) -> tuple[Buffer, ...]:
    """All tensors that have a place in memory."""
    return tuple(_buffer(mapping(entry), pools) for entry in listing(document.get("buffers")))


def _buffer(entry: dict[str, Any], pools: Names) -> Buffer:
    life, quant = mapping(entry.get("epochs")), mapping(entry.get("intq"))
    pool, constant = integer_of(entry.get("mpool_id")), entry.get("is_param")
    attributes = [(name, printed(entry.get(name))) for name in _OF_BUFFER]
    attributes.append(("axis", printed(quant.get("axis"))))
    return Buffer(
        text_of(entry.get("name")),
        "" if pool is None else pools.get(pool, ""),
        integer_of(entry.get("offset_start")),
        count_of(entry.get("size_bytes")),
        integer_of(life.get("start")),
        integer_of(life.get("end")),
        sizes(entry.get("shape")),
        _numbers(quant.get("scales")),
        _numbers(quant.get("offsets")),
        constant if isinstance(constant, bool) else None,
        tuple((name, text) for name, text in attributes if text),
    )


def sizes(value: object) -> tuple[int, ...] | None:
    """A shape, None where a size is not a number."""
    counts = [count_of(size) for size in listing(value)[:16]]
    known = tuple(size for size in counts if size is not None)
    return known if known and len(known) == len(counts) else None


def _numbers(value: object) -> tuple[float, ...]:
    """All of them, none where one is not a number."""
    numbers = [number_of(one) for one in listing(value)]
    known = tuple(one for one in numbers if one is not None)
    return known if len(known) == len(numbers) else ()


def flows(graph: dict[str, Any], names: Names, known: dict[int, dict[str, Any]]) -> tuple[Flow, ...]:
    """The edges between nodes that have a name."""
    listed = []
    for entry in map(mapping, listing(graph.get("edges"))):
        start, end = mapping(entry.get("start")), mapping(entry.get("end"))
        ends = [names.get(integer_of(side.get("node_id")) or 0, "") for side in (start, end)]
        buffer = integer_of(entry.get("buffer"))
        listed.append(
            Flow(
                text_of(entry.get("name")),
                ends[0],
                ends[1],
                "" if buffer is None else text_of(known.get(buffer, {}).get("name")),
                text_of(entry.get("edge_kind")).removeprefix("EDGE_"),
                (integer_of(start.get("port")), integer_of(end.get("port"))),
                tuple((name[:60], printed(one)) for name, one in mapping(entry.get("attributes")).items()),
            )
        )
    return tuple(listed)


def traffic(document: dict[str, Any], pools: Names) -> dict[int, tuple[Traffic, ...]]:
    """Id of an epoch's node -> what it moves; pools it does not touch are left out."""
    by_epoch: dict[int, list[Traffic]] = {}
    words = ("reads", "writes", "read_cycles", "write_cycles")
    for entry in map(mapping, listing(document.get("memory_accesses"))):
        node, pool = integer_of(entry.get("node_id")), integer_of(entry.get("mpool_id"))
        figures = [number_of(entry.get(word)) for word in words]
        known = [None if number is None or number < 0 else number for number in figures]
        if node is not None and pool is not None and pool in pools and any(known):
            moved = [None if number is None else round(number) for number in known]
            by_epoch.setdefault(node, []).append(Traffic(pools[pool], *moved))
    return {node: tuple(moved) for node, moved in by_epoch.items()}


def spanning(epochs: list[ReportedEpoch], numbers: list[int]) -> list[ReportedEpoch]:
    """Blobs of the epoch controller reach to the number before the next epoch's."""
    after = dict(zip(sorted(set(numbers)), sorted(set(numbers))[1:], strict=False))
    return [
        replace(epoch, last=after[epoch.index] - 1)
        if epoch.printed == "EC" and after.get(epoch.index, 0) > epoch.index + 1
        else epoch
        for epoch in epochs
    ]


def inside(epochs: list[ReportedEpoch]) -> str:
    """Numbers without an epoch are left in a blob, so that they only bound how many there are."""
    blobs = [epoch for epoch in epochs if epoch.printed == "EC"]
    most = sum(len(epoch.span) for epoch in blobs)
    where = f"{len(blobs)} epoch controller blob{'' if len(blobs) == 1 else 's'}"
    return f"how many epochs are inside {where}: at most {most} by their numbers; the report of generate lists them"
