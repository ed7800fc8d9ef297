"""Where an epoch is cut: chains that part at one of its steps and meet again would wait for each other for ever."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.neural_art.lowering.steps import Step


def separated(
    taken: list[int],
    sources: Sequence[Sequence[tuple[int, bool, int]]],
    steps: Sequence[Step],
    again: frozenset[int] = frozenset(),
) -> list[list[int]]:
    """An epoch cut where chains that part at one of its steps meet again.

    `again` are corrections that were cut from their product: they are cut from what lies between, too. Where the Sigmoid
    of x shares the epoch of x * Sigmoid(x), both corrections are an epoch each (s4_5 and s5_1 of an EfficientNetV2-B1,
    vox-haolin/992_PlantDoctor, 2.0, and by its number of epochs 14 more).
    """
    if len(taken) < 3 and not again:  # one where they part, one on the way, one where they meet
        return [taken]
    reach: dict[int, int] = {}
    """Step -> the steps of the epoch it comes after, and itself: a bit each."""
    late = crossing(taken, sources)
    cut = set(again)
    portioned = 0
    for index, i in enumerate(taken):
        bit = 1 << index
        if steps[i].portioned:
            portioned |= bit
        before, chains = 0, list[int]()
        for source, _, _ in sources[i]:
            chain = reach.get(source)
            if chain is None:
                continue
            if source in late:
                late.add(i)
            for other in chains:
                if chain & other and not (chain | other) & portioned:
                    late.add(i)
            chains.append(chain)
            before |= chain
        if i in again:
            if before:
                late.add(i)
        elif steps[i].corrects and reads_again(i, taken[:index], steps):
            late.add(i)
            cut.add(i)
        reach[i] = before | bit
    if not late or len(late) == len(taken):
        return [taken]
    after = [i for i in taken if i in late]
    return [[i for i in taken if i not in late], *separated(after, sources, steps, frozenset(cut))]


def reads_again(i: int, taken: Sequence[int], steps: Sequence[Step]) -> bool:
    """What a correction reads from memory, its product reads in the same epoch."""
    made = {tensor for j in taken for tensor in steps[j].writes}
    fetched = {read.tensor for read in steps[i].reads} - made
    products = [steps[j] for j in taken if steps[j].lead and steps[j].layer == steps[i].layer]
    return any(read.tensor in fetched for product in products for read in product.reads)


def crossing(taken: list[int], sources: Sequence[Sequence[tuple[int, bool, int]]]) -> set[int]:
    """Steps of an epoch of which two read the same two steps of it: each stream would wait for the other."""
    first, late = dict[tuple[int, ...], int](), set[int]()
    several = [i for i in taken if len(sources[i]) > 1]
    if len(several) < 2:
        return late
    inside = set(taken)
    for i in several:
        made = tuple(sorted({source for source, _, _ in sources[i] if source in inside}))
        if len(made) > 1 and (other := first.setdefault(made, i)) != i:
            late |= {i, other}
    return late
