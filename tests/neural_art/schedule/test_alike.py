"""A stretch like one before it is packed like that: any steps, repeated any number of times, in all orders."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from builders.scheduled import UNITS, drawn

from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.alike import Alike
from npuscope.neural_art.schedule.orders import orders
from npuscope.neural_art.schedule.scheduler import FREELY, Packing, pack_in_order
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement


def repeated(rng: random.Random, times: int) -> list[Step]:
    """A block of steps again and again; some are changed, dropped or read what a block further back wrote."""
    block = drawn(rng, rng.randint(3, 9), reach=4)
    layers = [rng.choice(["one", "two", step.layer]) for step in block]
    steps: list[Step] = []
    for number in range(times):
        for i, (step, layer) in enumerate(zip(block, layers, strict=True)):
            if rng.random() < 0.02:
                continue
            made = replace(step, writes=(f"{number}.t{i}",), layer=layer if rng.random() < 0.93 else "other")
            reads = []
            for read in step.reads:
                at, back = int(read.tensor[1:]), 0 if rng.random() < 0.97 else rng.randint(1, 3)
                name = f"{number - back}.t{at}" if at >= 0 else f"{number - 1 - back}.t{len(block) - 1}"
                reads.append(read._replace(tensor=name))
            made.reads = tuple(reads)
            made.conv += made.conv > 0 and rng.random() < 0.02
            if rng.random() < 0.05:
                changed = rng.choice(["copy", "free", "renames", "loops", "portioned", "activ", "arith"])
                setattr(made, changed, not getattr(made, changed))
            steps.append(made)
    return steps


def packings(steps: list[Step]) -> list[list[list[int]]]:
    graph = StepGraph(steps)
    return [pack_in_order(graph, UNITS, order, noted=True) for order in orders(graph)]


def test_repeated_blocks_are_packed_as_if_none_were_known(monkeypatch: pytest.MonkeyPatch) -> None:
    like, found = Alike.like, 0

    def counted(*of: object) -> object:
        nonlocal found
        stretch = like(*of)  # type: ignore[arg-type]
        found += stretch is not None
        return stretch

    for seed in range(200):
        rng = random.Random(seed)
        steps = repeated(rng, rng.randint(2, 20))
        monkeypatch.setattr(Alike, "like", counted)
        known = packings(steps)
        monkeypatch.setattr(Alike, "like", lambda *_: None)
        assert packings(steps) == known, seed
    assert found > 500


def test_orders_that_follow_the_first_are_packed_as_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    follow, followed = Packing.follow_first, 0

    def counted(packing: Packing, begins: bool = False) -> bool:
        nonlocal followed
        found = follow(packing, begins)
        followed += found
        return found

    monkeypatch.setattr(Packing, "follow_first", counted)
    for seed in range(200):
        rng = random.Random(seed)
        steps = repeated(rng, rng.randint(2, 20))
        graph = StepGraph(steps)
        for order in orders(graph):
            packing = Packing(graph, UNITS, order, FREELY, noted=True)
            packed = packing.pack()
            assert packed == pack_in_order(StepGraph(steps), UNITS, order), seed
            run = packing.run
            assert len(run.passed) == len({*run.passed}) == len(steps)
            for moment in run.moments:
                done = {i for taken in run.epochs[: moment.epochs] for i in taken}
                assert done <= {*run.passed[: moment.passed]}
                assert {*moment.key[0], *moment.key[1]} <= {*run.begun[: moment.begun]}
    assert followed > 100


def test_steps_look_in_another_state_as_they_would_if_nothing_was_known() -> None:
    taken_over = 0
    for seed in range(60):
        rng = random.Random(seed)
        steps = repeated(rng, rng.randint(4, 20))
        before = StepGraph(steps)
        pack_in_order(before, UNITS, range(len(steps)), noted=True)
        place = rng.randrange(len(steps))
        changed = [*steps[:place], replace(steps[place], activ=3), *steps[place + 1 :]]
        if rng.random() < 0.5:
            changed.insert(place, replace(steps[place], writes=("new",)))
        now, anew = StepGraph(changed, before=before), StepGraph(changed)
        taken_over += sum(now.alike._looked(i) >= 0 for i in range(len(changed)))
        looks = [now.alike.look(i) for i in range(len(changed))]
        fresh = [anew.alike.look(i) for i in range(len(changed))]
        pairs = set(zip(looks, fresh, strict=True))
        assert len(pairs) == len(set(looks)) == len(set(fresh)), seed
    assert taken_over > 300


NAMES = {"op", "layer", "reads", "writes", "beside"}
FIGURES = {"lead", "elements", "width", "stored_bytes", "share", "constant_bytes", "batch"}
"""What is looked at only beside `corrects`, and what no packing looks at."""


@pytest.mark.parametrize("name", sorted({*Step.__slots__} - NAMES - FIGURES))
def test_steps_that_differ_in_what_a_packing_asks_do_not_look_alike(name: str) -> None:
    steps = [Step("Conv", f"t{i}", Placement.HW, (), (f"t{i}",), conv=1) for i in range(2)]
    alike = StepGraph(steps).alike
    assert alike.look(0) == alike.look(1)
    other = Placement.HYBRID if name == "placement" else 3
    setattr(steps[1], name, other)
    alike = StepGraph(steps).alike
    assert alike.look(0) != alike.look(1)
