"""Advice that is void because something else sets the layer's time."""

from __future__ import annotations

from dataclasses import replace

from npuscope.machine.machine import Target
from npuscope.neural_art.rules import BY_CODE
from npuscope.npu.cost import Cost
from npuscope.npu.figures import thousands
from npuscope.npu.ledger import Line
from npuscope.npu.verdict import Finding


def with_moot(
    findings: tuple[Finding, ...], cost: Cost | None, line: Line, target: Target
) -> tuple[Finding, ...]:
    """The findings, those that only make the accelerators faster marked where a memory pool sets the time."""
    if not any((rule := BY_CODE.get(finding.code)) is not None and rule.accelerators for finding in findings):
        return findings
    why = _waits(cost, line, target)
    return tuple(
        replace(finding, moot=why)
        if finding.code in BY_CODE and BY_CODE[finding.code].accelerators
        else finding
        for finding in findings
    )


def _waits(cost: Cost | None, line: Line, target: Target) -> str:
    """What the accelerators wait for; '' where they do not."""
    if cost is None or line.cycles is None or line.bound_by not in {pool.name for pool in target.pools}:
        return ""
    if (
        line.cycles <= cost.compute_cycles
    ):  # the compiler thinks the memory faster than boards showed it to be
        return f"{line.bound_by} sets the time"
    return (
        f"{line.bound_by} sets the time: its bytes take {thousands(line.cycles)} cycles, "
        f"the accelerators {thousands(cost.compute_cycles)}"
    )
