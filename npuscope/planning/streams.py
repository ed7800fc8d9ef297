"""The paddings of a whole stream of tensors that are worth trying for a layer."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.pad_stream import PadStream
from npuscope.edits.toolkit.weighted import weighted_layer
from npuscope.planning.layer_tuning import tuned_channels
from npuscope.planning.proposals import Preview, preview, rank
from npuscope.session import Session
from npuscope.snapshot import Snapshot

MULTIPLES = (2, 4, 8, 16, 32)
"""Channels are padded to the next multiple of each."""

MOST_ADDED = 8
"""At most one channel in so many is added."""

OFFERED = 2
"""Paddings that are offered."""


def stream_edits(session: Session, layer: str) -> tuple[Edit, ...]:
    """Paddings of the stream into a layer, by the numbers of channels that may tile well; none where it has none."""
    weighted = weighted_layer(session.graph, session.layers, layer, qlinear=False)
    if isinstance(weighted, Refusal) or weighted.group > 1:
        return ()
    present = weighted.in_channels
    tuned = tuned_channels(weighted.layer, session.target, inputs=True)
    numbers = {-(-present // multiple) * multiple for multiple in MULTIPLES}
    if tuned is not None:
        numbers.add(tuned)
    edits = [
        PadStream(layer, n)
        for n in sorted(numbers)
        if present < n <= present * (MOST_ADDED + 1) // MOST_ADDED
    ]
    if not edits or isinstance(edits[0].apply(session.graph, session.layers), Refusal):
        return ()
    return tuple(edits)


def propose_streams(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The best paddings of the stream into a layer that is off the NPU."""
    report = snapshot.by_name.get(layer)
    if report is None or not report.off_npu:
        return
    previews = [preview(session, snapshot, edit) for edit in stream_edits(session, layer)]
    yield from sorted((one for one in previews if isinstance(one, Preview)), key=rank)[:OFFERED]
