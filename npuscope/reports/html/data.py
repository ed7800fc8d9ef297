"""The columns that the page's script sorts and draws, as short as they can be: 10,000 layers stay below a megabyte."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from npuscope.model.convolution import channels_text
from npuscope.model.links import lanes
from npuscope.model.names import printable, shortened
from npuscope.npu.ledger import bound_name
from npuscope.npu.verdict import Placement
from npuscope.reports.short_names import short_names
from npuscope.snapshot import Snapshot

PLACES = tuple(Placement)
"""Their order is that of the digits in the data."""
NAME_WIDTH = 56
MOST_LANES = 14
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def page_data(snapshot: Snapshot) -> dict[str, Any]:
    """Layers and epochs, a list a column; words stand in a list of their own and the column has their places."""
    layers = snapshot.layers
    names = short_names((report.name for report in layers), NAME_WIDTH)
    places = {report.name: index for index, report in enumerate(layers)}
    links = [
        (places[start], places[end])
        for start, end in snapshot.links.edges
        if start in places and end in places
    ]
    rows = lanes(len(layers), links, MOST_LANES)
    into: list[list[int]] = [[] for _ in layers]
    for start, end in links:
        into[end].append(end - start)
    return {
        "layers": {
            "name": _front_coded([names[report.name] for report in layers]),
            "op": _coded(shortened(printable(report.layer.op), 32) for report in layers),
            "channels": _coded(channels_text(report.layer) for report in layers),
            "where": "".join(str(PLACES.index(report.placement)) for report in layers),
            "cycles": [report.line.cycles for report in layers],
            "macs": [report.line.macs for report in layers],
            "ms": [_short(snapshot.time_of(report)) for report in layers],
            "bound": _coded(printable(bound_name(report.line.bound_by)) for report in layers),
            "epoch": [report.epoch for report in layers],
            "codes": _coded(
                " ".join(dict.fromkeys(finding.code for finding in report.findings)) for report in layers
            ),
            "lane": [-1 if row.node is None else row.node for row in rows],
            "from": [-1 if row.starts is None else row.starts for row in rows],
            "in": into,
        },
        "epochs": {
            "where": "".join(str(PLACES.index(epoch.placement)) for epoch in snapshot.epochs),
            "op": _coded(shortened(printable(epoch.op), 32) for epoch in snapshot.epochs),
            "layer": [places.get(epoch.layers[0], -1) if epoch.layers else -1 for epoch in snapshot.epochs],
            "count": [len(epoch.layers) for epoch in snapshot.epochs],
            "cycles": [None if epoch.placement.on_cpu else epoch.cycles for epoch in snapshot.epochs],
            "ms": [_short(epoch.milliseconds) for epoch in snapshot.epochs],
            "bound": _coded(printable(bound_name(epoch.bound_by)) for epoch in snapshot.epochs),
        },
    }


def data_text(data: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in, nor begin another."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _short(value: float) -> float:
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _coded(texts: Iterable[str]) -> dict[str, Any]:
    """The different words, and for each row the place of its own."""
    words: dict[str, int] = {}
    indices = [words.setdefault(text, len(words)) for text in texts]
    return {"words": list(words), "at": indices}


def _front_coded(names: Sequence[str]) -> list[str]:
    """Each name as the number of characters it shares with the one before (a digit of 36), and the rest of it."""
    coded, before = [], ""
    for name in names:
        shared = 0
        for one, other in zip(name, before, strict=False):
            if one != other or shared == len(_DIGITS) - 1:
                break
            shared += 1
        coded.append(_DIGITS[shared] + name[shared:])
        before = name
    return coded
