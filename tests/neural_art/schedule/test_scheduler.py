"""Steps packed into epochs: order, units, stream engines."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders.scheduled import UNITS, drawn

from npuscope.machine.machine import target
from npuscope.model.layers import Layers
from npuscope.neural_art.lowering.lower import Lowering
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.schedule.orders import orders
from npuscope.neural_art.schedule.scheduler import Packing, pack, pack_in_order
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement


def step(reads: tuple[str, ...], writes: str, placement: Placement = Placement.HW, **units: Any) -> Step:
    return Step("Step", writes, placement, tuple(Read(name) for name in reads), (writes,), lead=True, **units)


@pytest.mark.parametrize("seed", range(25))
def test_every_step_runs_once_after_what_it_reads(seed: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 60))
    epochs = pack(steps, UNITS)
    taken = [i for epoch in epochs for i in epoch]
    assert sorted(taken) == [i for i, s in enumerate(steps) if not s.free]
    at = {f"t{i}": k for k, epoch in enumerate(epochs) for i in epoch}
    for k, epoch in enumerate(epochs):
        epoch_steps = [steps[i] for i in epoch]
        assert (
            sum(s.conv for s in epoch_steps) <= UNITS.conv
            and sum(s.arith for s in epoch_steps) <= UNITS.arithmetic
        )
        assert (
            sum(s.activ for s in epoch_steps) <= UNITS.activation
            and sum(s.pool for s in epoch_steps) <= UNITS.pool
        )
        assert len(epoch_steps) == 1 or all(s.on_npu for s in epoch_steps)
        for s in epoch_steps:
            for read in s.reads:
                if read.tensor in at:
                    limit = k if read.chained and s.on_npu and not s.copy else k - 1
                    assert at[read.tensor] <= limit, (s, read)


@pytest.mark.parametrize("seed", range(25))
def test_every_order_lists_each_step_once_behind_what_it_reads(seed: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 60))
    sequences = list(orders(StepGraph(steps)))
    assert len({tuple(order) for order in sequences}) == len(sequences)
    for order in sequences:
        assert sorted(order) == list(range(len(steps)))
        place = {f"t{i}": k for k, i in enumerate(order)}
        assert all(place.get(r.tensor, -1) < place[f"t{i}"] for i in order for r in steps[i].reads)


@pytest.mark.parametrize(
    ("reach", "seed"),
    [*((reach, seed) for reach in (3, 60) for seed in range(25)), (3, 323), (60, 214)],
    # the last two: views behind a copy
)
def test_numbering_steps_is_the_same_as_moving_them(seed: int, reach: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 120), reach)
    graph = StepGraph(steps)  # one for all: what an order packed the next one need not
    for order in orders(graph):
        moved = pack([steps[i] for i in order], UNITS)
        assert pack_in_order(graph, UNITS, order) == [[order[i] for i in epoch] for epoch in moved]


@pytest.mark.parametrize(
    ("begins", "expected"), [(True, [[0], [1], [2, 4], [3]]), (False, [[0], [1, 2, 4], [3]])]
)
def test_what_begins_an_epoch_shares_it_with_what_follows_alone(
    begins: bool, expected: list[list[int]]
) -> None:
    """A routine, a convolution, a sum with what the routine wrote; another convolution, for which units are left beside the sum, an activation of the sum."""
    steps = [
        step((), "routine", Placement.HYBRID),
        step((), "map", conv=4),
        Step(
            "Add",
            "sum",
            Placement.HW,
            (Read("map"), Read("routine", False)),
            ("sum",),
            arith=1,
            begins=begins,
        ),
        step(("routine",), "beside", conv=1),
        step(("sum",), "behind", activ=1),
    ]
    assert [sorted(epoch) for epoch in pack(steps, UNITS)] == expected


@pytest.mark.parametrize(("sums", "expected"), [(1, [[0, 1, 2]]), (2, [[0, 1, 2], [3]])])
def test_a_product_joins_where_its_corrections_would_find_units(sums: int, expected: list[list[int]]) -> None:
    """Behind a convolution, a bias and another sum two of four ARITH units are left: too few for a product of two maps (4.0)."""
    steps = [step(("x",), "0", conv=1)]
    steps += [step((f"{k}",), f"{k + 1}", arith=1) for k in range(sums)]
    factors = Read(f"{sums}"), Read("y", False)
    steps.append(Step("Mul", "gate", Placement.HW, factors, ("z",), arith=1, lead=True, corrected=2))
    assert pack(steps, UNITS) == expected


def test_both_corrections_of_a_gated_map_are_an_epoch_each() -> None:
    """x comes from memory, its Sigmoid shares the epoch of x * Sigmoid(x): `again` of `cuts.separated` names where it was seen."""
    x = Read("x", False)
    steps = [
        Step("Sigmoid", "gate", Placement.HW, (x,), ("gate",), activ=1, lead=True),
        Step("Mul", "silu", Placement.HW, (Read("gate"), x), ("product",), arith=1, lead=True),
        Step("Add", "silu", Placement.HW, (Read("product"), Read("gate")), ("first",), arith=1),
        Step("Add", "silu", Placement.HW, (Read("first"), x), ("second",), arith=1, corrects=True),
        step(("second",), "behind", activ=1),
    ]
    assert pack(steps, UNITS) == [[0, 1], [2], [3, 4]]


@pytest.mark.parametrize(("toolchain", "begins"), [("4.0", True), ("2.2", False)])
def test_a_sum_with_what_the_cpu_wrote_begins_an_epoch_from_4_0_on(toolchain: str, begins: bool) -> None:
    lowering = Lowering(Layers((), ()), target(toolchain))
    lowering.add(step((), "routine", Placement.HYBRID))
    for name, reads, units in (
        ("sum", "routine", {"arith": 1}),
        ("map", "routine", {"conv": 1}),
        ("next", "sum", {"arith": 1}),
    ):
        lowering.add(step((reads,), name, **units))
    assert [s.begins for s in lowering.steps[1:]] == [begins, False, False]


def edited(rng: random.Random, steps: list[Step]) -> list[Step]:
    """The steps of another state of the model: the same objects, but for a few."""
    changed = list(steps)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed))
        reads = (Read(f"t{rng.randrange(len(steps))}"), *changed[at].reads[1:])
        new = replace(changed[at], reads=reads, writes=(f"new{rng.random()}",))
        match rng.choice(["rewire", "insert", "remove", "move"]):
            case "rewire":
                changed[at] = replace(changed[at], reads=reads)
            case "insert":
                changed.insert(at, new)
                after = rng.randrange(len(changed))
                changed[after] = replace(changed[after], reads=(*changed[after].reads, Read(new.writes[0])))
            case "remove" if len(changed) > 1:
                del changed[at]
            case _:
                changed.insert(rng.randrange(len(changed)), changed.pop(at))
    return changed


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("reach", [2, 60])
def test_steps_of_another_state_are_packed_as_anew(seed: int, reach: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 120), reach)
    graph = StepGraph(steps)
    for _ in range(3):
        packed: list[list[list[int]]] = []
        for order in orders(StepGraph(steps)):
            anew = pack_in_order(StepGraph(steps), UNITS, order)
            assert not graph.packed_alike(order) or anew in packed
            packed.append(pack_in_order(graph, UNITS, order, noted=True))
            assert packed[-1] == anew
        steps = edited(rng, steps)
        graph = StepGraph(steps, before=graph)


@pytest.mark.parametrize("at", [0, 30, 100])
def test_an_edit_packs_few_epochs_anew(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chains beside each other, so that at no moment one step alone can go on."""
    steps = [step((f"t{i - 2}",), f"t{i}", conv=3) for i in range(120)]
    before = StepGraph(steps)
    packed = pack_in_order(before, UNITS, range(120), noted=True)
    steps[at] = replace(steps[at], elements=steps[at].elements + 1)
    graph, anew = StepGraph(steps, before=before), list[int]()
    monkeypatch.setattr(Packing, "epoch", _counted(Packing.epoch, anew))
    assert pack_in_order(graph, UNITS, range(120)) == packed
    assert len(anew) < 10 < len(packed)


def _counted(epoch: Callable[[Packing], list[int]], calls: list[int]) -> Callable[[Packing], list[int]]:
    def counted(packing: Packing) -> list[int]:
        calls.append(1)
        return epoch(packing)

    return counted


def test_a_convolution_on_several_accelerators_is_as_many_levels() -> None:
    """Two chains from one input: the one on four accelerators is behind two steps of the other."""
    steps = [
        step(("x",), "a", conv=4),
        step(("a",), "b", arith=1),
        step(("x",), "c", arith=1),
        step(("c",), "d", arith=1),
        step(("d",), "e", arith=1),
    ]
    assert next(iter(orders(StepGraph(steps)))) == [0, 2, 3, 4, 1]


def test_the_readers_of_a_tensor_come_last_one_first() -> None:
    steps = [step(("x",), "a", arith=1), step(("a",), "b", arith=1), step(("a",), "c", arith=1)]
    assert next(iter(orders(StepGraph(steps)))) == [0, 2, 1]


def test_software_goes_first() -> None:
    steps = [step(("x",), "a", arith=1), step(("x",), "b", Placement.SW_INT), step(("b",), "c", arith=1)]
    assert pack(steps, UNITS) == [[1], [0, 2]]


def test_stream_engines_run_out() -> None:
    steps = [step((f"x{i}", f"y{i}", f"z{i}"), f"t{i}", arith=1) for i in range(4)]
    assert [len(epoch) for epoch in pack(steps, UNITS)] == [2, 2]


def test_a_cycle_ends() -> None:
    assert sorted(
        i for e in pack([step(("b",), "a", arith=1), step(("a",), "b", arith=1)], UNITS) for i in e
    ) == [0, 1]


class _Counted(list[int]):
    """A sequence that counts how many of its items are looked through."""

    looked_at = 0

    def __iter__(self) -> Iterator[int]:
        for item in super().__iter__():
            self.looked_at += 1
            yield item


def test_many_circles_are_broken_in_one_pass() -> None:
    """200 pairs of steps that wait for each other, as a damaged model has them."""
    pairs = [(f"a{n}", f"b{n}") for n in range(200)]
    steps = [step((source,), result, activ=1) for a, b in pairs for source, result in ((b, a), (a, b))]
    order = _Counted(range(len(steps)))
    epochs = pack_in_order(StepGraph(steps), UNITS, order)
    assert sorted(i for taken in epochs for i in taken) == list(range(len(steps)))
    assert order.looked_at <= 4 * len(steps)
