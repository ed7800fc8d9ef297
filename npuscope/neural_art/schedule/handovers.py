"""Hand-overs: where the NPU's work passes to the CPU, or comes back.

A hybrid epoch counts as the CPU's: the NPU waits until a routine on the CPU has set its DMAs up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from npuscope.neural_art.price.traffic import Flow


def handovers(off_npu: Sequence[bool]) -> int:
    """How often an epoch on the NPU follows one that is not, or the other way round."""
    return sum(before != after for before, after in pairwise(off_npu))


def excursion(off_npu: Sequence[bool], index: int) -> range:
    """The epochs off the NPU around epoch `index`, itself one of them; empty where it is on the NPU."""
    if not off_npu[index]:
        return range(index, index)
    first, end = index, index + 1
    while first and off_npu[first - 1]:
        first -= 1
    while end < len(off_npu) and off_npu[end]:
        end += 1
    return range(first, end)


def saved(off_npu: Sequence[bool], moved: range) -> int:
    """Hand-overs less if the epochs of an excursion ran on the NPU; negative where there would be more."""
    around = off_npu[max(moved.start - 1, 0) : moved.stop + 1]
    start = moved.start - max(moved.start - 1, 0)
    after = [off and not start <= index < start + len(moved) for index, off in enumerate(around)]
    return handovers(around) - handovers(after)


def handed_over(
    off_npu: Sequence[bool], flows: Sequence[Sequence[Flow]], sizes: Mapping[str, int]
) -> dict[int, int]:
    """First epoch of each run on the NPU -> bytes it reads that the NPU did not write: inputs, results of the CPU.

    The CPU's cache is written back for them before the run starts.
    """
    by_npu = set[str]()
    counted = set[str]()
    bytes_by_epoch: dict[int, int] = {}
    first = 0
    for position, (off, moved) in enumerate(zip(off_npu, flows, strict=True)):
        if off:
            by_npu.difference_update(flow.tensor for flow in moved if flow.write)
            continue
        if position == 0 or off_npu[position - 1]:
            first = position
            bytes_by_epoch[first] = 0
            counted = set[str]()
        # First: sums of the passes before lie in a buffer that the epoch itself writes
        by_npu.update(flow.tensor for flow in moved if flow.write)
        for flow in moved:
            if not flow.write and flow.tensor not in by_npu and flow.tensor not in counted:
                counted.add(flow.tensor)
                bytes_by_epoch[first] += sizes.get(flow.tensor, 0)
    return bytes_by_epoch
