"""Builds with --Oalt-sched, which go depth first, and with neither option for the scheduler."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.schedule.depth_first import MOST_BESIDE, DepthFirst, pack_depth_first
from npuscope.neural_art.schedule.scheduler import Way, pack_in_order
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement

UNITS = target("2.2").units


def step(name: str, reads: tuple[str, ...], op: str = "Mul", **units: int) -> Step:
    return Step(op, name, Placement.HW, tuple(Read(tensor) for tensor in reads), (name,), **units)


def epochs(steps: list[Step], apart: bool = False) -> list[list[str]]:
    packed = pack_in_order(StepGraph(steps), UNITS, range(len(steps)), Way(apart=apart))
    return [[steps[at].layer for at in taken] for taken in packed]


def deep(steps: list[Step]) -> list[list[str]]:
    packed = pack_depth_first(StepGraph(steps), UNITS, range(len(steps)))
    return [[steps[at].layer for at in taken] for taken in packed]


GATE = [
    step("conv", ("x",), "Conv", conv=1),
    step("sigmoid", ("conv",), "Sigmoid", activ=1),
    step("half", ("conv",), arith=1),
]


def test_the_last_numbered_reader_joins_and_the_others_read_memory() -> None:
    """yolov8_face: the Mul shares the convolution's epoch, the Sigmoid beside it comes later."""
    assert epochs(GATE) == [["conv", "sigmoid", "half"]]
    assert deep(GATE) == [["conv", "half"], ["sigmoid"]]


def test_subs_before_convolutions_do_not_count() -> None:
    steps = [*GATE[:1], step("one", ("conv",), "Sub", arith=1), step("two", ("conv",), "Sub", arith=1)]
    assert deep(steps) == [["conv", "two", "one"]]


def test_a_reader_of_another_step_of_the_epoch_does_not_count() -> None:
    """Chains that part and meet are cut, not left to one reader."""
    steps = [*GATE[:2], step("gate", ("conv", "sigmoid"), arith=1)]
    assert deep(steps) == [["conv", "sigmoid"], ["gate"]]


def chain(name: str) -> list[Step]:
    names = [f"{name}{k}" for k in (1, 2, 3)]
    return [step(here, (before,), arith=1) for before, here in zip(["x", *names], names, strict=False)]


def test_the_last_numbered_goes_first_and_what_is_chained_to_it_follows() -> None:
    """The other way round than up to then: mobilefacenet_qop, 165 of 165 epochs."""
    steps = [step("relu", ("x",), activ=1), *chain("a"), *chain("b")]
    assert deep(steps) == [["b1", "b2", "b3", "a1", "relu"], ["a2", "a3"]]
    assert epochs(steps)[0] == ["relu", "a1", "a2", "a3", "b1"]


def test_an_epoch_ends_at_the_first_step_refused() -> None:
    steps = [step("relu", ("x",), activ=1), *chain("a"), step("pool", ("x",), pool=3), *chain("b")]
    assert deep(steps)[0] == ["b1", "b2", "b3"]


def fork(cas: int) -> list[Step]:
    """Two convolutions of one map, scale and bias of each, and a Sub before what comes next."""
    convs = [step(name, ("x",), "Conv", conv=cas) for name in ("c18", "c5")]
    scales = [step(f"{name}*", (name,), arith=1) for name in ("c18", "c5")]
    biases = [step(f"{name}+", (f"{name}*",), "Add", arith=1) for name in ("c18", "c5")]
    return [*convs, *scales, *biases, step("c6-", ("c5+",), "Sub", arith=1)]


def test_nothing_is_chained_beside_a_convolution_that_waits() -> None:
    """Epochs 7 to 9 of a YOLOX of 64 to 1,024 channels (rzetelnyStudent/stm32ai-modelzoo-services, 2.1, tmp.dot)."""
    waits = [["c18"], ["c5", "c18*", "c5*", "c18+", "c5+"], ["c6-"]]
    assert epochs(fork(4), apart=True) == waits
    assert epochs(fork(4))[0] == ["c18", "c18*", "c18+"]
    assert epochs(fork(2), apart=True) == epochs(fork(2))


def test_a_convolution_of_another_map_does_not_count() -> None:
    steps = [*fork(4)[:1], step("other", ("y",), "Conv", conv=4), step("c18*", ("c18",), arith=1)]
    assert epochs(steps, apart=True)[0] == ["c18", "c18*"]


@pytest.mark.parametrize(("scheduler", "name"), [("alt", "alt_scheduler"), ("default", "plain_scheduler")])
def test_they_are_options_up_to_2_2(scheduler: str, name: str) -> None:
    for version, expected in (("2.1", True), ("2.2", True), ("3.0", False), ("4.0", False)):
        machine = target(version)
        assert not getattr(machine, name)
        assert getattr(replace(machine, build=replace(machine.build, scheduler=scheduler)), name) is expected


def wide(name: str) -> list[Step]:
    """A convolution on all CAs that reads x, its scale and its bias."""
    return [
        step(name, ("x",), "Conv", conv=4),
        step(f"{name} scale", (name,), arith=1),
        step(f"{name} bias", (f"{name} scale",), "Add", arith=1),
    ]


def test_one_of_two_convolutions_of_a_map_waits_and_takes_the_chain_of_the_other_along() -> None:
    """Epochs 16 and 17 of a YOLOv5s, 34 and 35 of MoveNet (2.1, 2.2): the sums of the first alone, then both chains."""
    one, other = deep(wide("a") + wide("b"))
    assert one == ["a"]
    assert other[0] == "b" and sorted(other[1:]) == ["a bias", "a scale", "b bias", "b scale"]


def test_a_convolution_of_another_map_does_not_wait() -> None:
    first, second = wide("a"), wide("b")
    second[0] = step("b", ("y",), "Conv", conv=4)
    assert deep(first + second) == [["a", "a scale", "a bias"], ["b", "b scale", "b bias"]]


def test_many_convolutions_of_a_map_are_not_all_looked_at_for_each_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """4 000 of them took half a minute: each epoch tried all that were left."""
    asked, take = [], DepthFirst.take

    def counted(self: DepthFirst, i: int, *rest: Any) -> bool:
        asked.append(i)
        return take(self, i, *rest)

    monkeypatch.setattr(DepthFirst, "take", counted)
    count = 300
    packed = deep([one for k in range(count) for one in wide(f"c{k}")])
    assert sorted(name for taken in packed for name in taken) == sorted(
        one.layer for k in range(count) for one in wide(f"c{k}")
    )
    assert len(asked) < count * (MOST_BESIDE + 20)
