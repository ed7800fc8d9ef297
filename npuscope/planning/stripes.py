"""Proposals to compute a Conv in stripes of rows, where its activations do not fit on the chip."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.edits.toolkit.sizes import equal_parts
from npuscope.model.convolution import convolution
from npuscope.neural_art.price.traffic import partial_name
from npuscope.planning.proposals import Preview, preview
from npuscope.planning.rewrites import with_surroundings
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

NUMBERS = (2, 3, 4, 6, 8, 12, 16)
"""Numbers of stripes that are tried."""


def propose_stripes(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The number of stripes of a Conv that takes the least time, if less than the whole.

    1. Only where the input, the output or the partial sums lie in external memory: a stripe of them fits on the chip,
       where it is read once for each pass. Everywhere else stripes cost time.
    2. The price: Slices before and a Concat behind, which the CPU drives, and rows around each stripe that are
       computed twice. Times are those of the epochs around the layer, with that price in them.
    """
    report = snapshot.by_name.get(layer)
    if report is None or not outside(session, snapshot, report):
        return
    geometry = convolution(report.layer)
    assert geometry is not None, "it has been looked at"
    rows = geometry.output_size[0]
    previews = []
    for number in NUMBERS:
        sizes = equal_parts(rows, number)
        if isinstance(sizes, Refusal):
            break
        edit = SplitRows(layer, sizes)
        seen = preview(session, snapshot, edit)
        if isinstance(seen, Preview):
            priced = with_surroundings(session, snapshot, seen, price=True)
            if priced is not None and priced.saved_milliseconds is not None:
                previews.append((-priced.saved_milliseconds, number, priced))
    if previews:
        yield min(previews, key=lambda one: one[:2])[2]


def outside(session: Session, snapshot: Snapshot, report: LayerReport) -> bool:
    """A Conv on the NPU some of whose activations lie in external memory."""
    if report.layer.kind != "Conv" or report.off_npu or convolution(report.layer) is None:
        return False
    external = {pool.name for pool in session.target.pools if pool.external}
    names = {operand.tensor for operand in (*report.layer.inputs, *report.layer.outputs)}
    names |= {report.name, partial_name(report.layer.outputs[0].tensor)}
    # What the compiler inserts is named after a tensor or a layer: 'x#input' is a copy of x.
    shares_of_buffers = (
        shares
        for buffer, shares in snapshot.memory.buffers.items()
        if buffer in names or any(buffer.startswith(f"{name}#") for name in names)
    )
    return any(share.pool in external for shares in shares_of_buffers for share in shares)
