"""What holds between the layers and the epochs of any analysis."""

from __future__ import annotations

from npuscope.npu.verdict import Placement
from npuscope.snapshot import Snapshot


def epochs_and_layers_agree(snapshot: Snapshot) -> None:
    """A layer runs where the worst of its epochs does; an epoch of the CPU has a layer, or is inserted for a named one."""
    derived: dict[str, Placement] = {}
    for epoch in snapshot.epochs:
        for name in epoch.layers:
            derived[name] = max(derived.get(name, Placement.HW), epoch.placement, key=lambda p: p.rank)
        if epoch.placement is Placement.HW or epoch.layers:
            continue
        for inserted in epoch.inserted:
            assert inserted.layer in snapshot.by_name, (epoch.op, inserted)
            assert snapshot.by_name[inserted.layer].causes, (epoch.op, inserted)
    for report in snapshot.layers:
        if report.name in derived:
            assert derived[report.name] is report.placement, report.name
        else:
            assert report.placement in (Placement.HW, Placement.NONE), report.name
        if report.off_npu:
            assert report.causes and all(finding.cause for finding in report.forced_by), report.name
