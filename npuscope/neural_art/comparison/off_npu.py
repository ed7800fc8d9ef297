"""The epochs and operators that are off the NPU, each with the reason npuscope gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from npuscope.neural_art.artefacts.matching import same_kind
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.values import HYBRID, SW, ReportedEpoch
from npuscope.neural_art.comparison.values import OffNpu
from npuscope.snapshot import Snapshot


def off_npu(
    epochs: Sequence[ReportedEpoch],
    explained: Sequence[OffNpu],
    of_node: Mapping[str, str],
    of_epoch: Mapping[int, str],
    snapshot: Snapshot | None = None,
) -> tuple[OffNpu, ...]:
    """Epochs off the NPU, joined with the operators of the log: by name, else in order where the numbers agree."""
    off = [epoch for epoch in epochs if epoch.placement in (SW, HYBRID)]
    log = {entry.node: entry for entry in explained}
    joined: dict[int, OffNpu] = {}
    for epoch in off:
        node = next((name for name in epoch.nodes if name in log), None)
        if node is not None:
            joined[epoch.index] = log.pop(node)
    free = [epoch for epoch in off if not epoch.nodes]
    for op in dict.fromkeys(entry.op for entry in log.values()):
        entries = [entry for entry in log.values() if entry.op == op]
        same = [epoch for epoch in free if same_kind(epoch.op, op)]
        if len(entries) == len(same):
            joined |= {epoch.index: entry for epoch, entry in zip(same, entries, strict=True)}
            log = {node: entry for node, entry in log.items() if entry.op != op}
    result = []
    for epoch in off:
        entry = joined.get(epoch.index, OffNpu(epoch.placement, epoch.op))
        node = entry.node or _lead(epoch)
        layer = of_node.get(node, "") or of_epoch.get(epoch.index, "")
        result.append(
            _predicted(
                replace(
                    entry,
                    placement=epoch.placement,
                    op=epoch.op or entry.op,
                    epoch=epoch.index,
                    node=node,
                    layer=layer,
                ),
                snapshot,
            )
        )
    result += [
        _predicted(replace(entry, layer=of_node.get(entry.node, "")), snapshot) for entry in log.values()
    ]
    return tuple(result)


def _lead(epoch: ReportedEpoch) -> str:
    """The node an epoch off the NPU is there for."""
    return next((name for name in epoch.nodes if parse(name).lead), epoch.nodes[0] if epoch.nodes else "")


def _predicted(entry: OffNpu, snapshot: Snapshot | None) -> OffNpu:
    """The model's own reason, which knows kernel and zero point, in place of one from the log's numbers."""
    report = snapshot.by_name.get(entry.layer) if snapshot is not None else None
    if report is None or not report.forced_by:
        return entry
    finding = report.forced_by[0]
    return replace(entry, code=finding.code, message=finding.message, fix=finding.fix, note="")
