"""What holds between the layers and the epochs of any analysis."""

from __future__ import annotations

from npuscope.neural_art.kernels.why import Why
from npuscope.npu.verdict import Placement
from npuscope.snapshot import LayerReport, Snapshot

BROUGHT_BY = frozenset(
    {Why.CARRIES_QUANTIZE, Why.CARRIES_DEQUANTIZE, Why.QUANTIZES_PARTS, Why.CONV_DILATED, Why.CONV_BLOCKS}
)
"""Causes for which a layer on the NPU has epochs of the CPU inserted: changes of type, and routines beside a CONV."""


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
            assert _brings_cpu(snapshot.by_name[inserted.layer]), (epoch.op, inserted)
    for report in snapshot.layers:
        if report.name in derived:
            assert derived[report.name] is report.placement, report.name
        else:
            assert report.placement in (Placement.HW, Placement.NONE), report.name


def _brings_cpu(report: LayerReport) -> bool:
    """The reason for an epoch that is inserted for a layer: where it runs, or a cause that stands beside it."""
    return report.off_npu or any(cause.why in BROUGHT_BY for cause in report.causes)


def findings_name_causes(snapshot: Snapshot) -> None:
    """What keeps a layer off the NPU is a cause that chose its kernel, and the finding that says so names it."""
    for report in snapshot.layers:
        forcing = {cause.why.value: cause.placement for cause in report.causes if cause.placement.rank > 0}
        assert bool(forcing) is report.off_npu, report.name
        named = {finding.cause: finding.placement for finding in report.forced_by}
        assert set(named) <= set(forcing), report.name
        assert all(placement is forcing[cause] for cause, placement in named.items()), report.name
        if report.off_npu:
            assert any(forcing[cause] is report.placement for cause in named), report.name
