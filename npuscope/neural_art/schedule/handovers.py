"""Hand-overs: where the NPU's work passes to the CPU, or comes back.

A hybrid epoch counts as the CPU's: the NPU waits until a routine on the CPU has set its DMAs up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def taken_back(
    off_npu: Sequence[bool],
    flows: Sequence[Sequence[Flow]],
    sizes: Mapping[str, int],
    outputs: Collection[str],
) -> dict[int, int]:
    """First epoch of each run on the NPU -> bytes it writes that the CPU reads behind it, outputs of the network included.

    The start of a blob invalidates the CPU's cache for them, and for nothing else (network.c of 3.0, 4.0.0 and 4.0.1, four of four):
    the application writes inputs back, and a software epoch what it wrote.
    """
    read = set(outputs)
    bytes_by_epoch: dict[int, int] = {}
    counted = set[str]()
    for position in range(len(flows) - 1, -1, -1):
        moved = flows[position]
        if off_npu[position]:
            counted = set[str]()
            read.difference_update(flow.tensor for flow in moved if flow.write)
            read.update(flow.tensor for flow in moved if not flow.write)
            continue
        counted.update(flow.tensor for flow in moved if flow.write and flow.tensor in read)
        if position == 0 or off_npu[position - 1]:
            bytes_by_epoch[position] = sum(sizes.get(tensor, 0) for tensor in counted)
            read -= counted
    return bytes_by_epoch
