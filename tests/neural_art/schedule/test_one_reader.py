"""Builds with --Oalt-sched: one reader of a step is chained to it."""

from __future__ import annotations

from dataclasses import replace

from npuscope.machine.machine import target
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.schedule.scheduler import pack_in_order
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement

UNITS = target("2.2").units


def step(name: str, reads: tuple[str, ...], op: str = "Mul", **units: int) -> Step:
    return Step(op, name, Placement.HW, tuple(Read(tensor) for tensor in reads), (name,), **units)


def epochs(steps: list[Step], one_reader: bool) -> list[list[str]]:
    packed = pack_in_order(StepGraph(steps), UNITS, range(len(steps)), one_reader)
    return [[steps[at].layer for at in taken] for taken in packed]


GATE = [
    step("conv", ("x",), "Conv", conv=1),
    step("sigmoid", ("conv",), "Sigmoid", activ=1),
    step("half", ("conv",), arith=1),
]


def test_the_last_numbered_reader_joins_and_the_others_read_memory() -> None:
    """yolov8_face: the Mul shares the convolution's epoch, the Sigmoid beside it comes later."""
    assert epochs(GATE, one_reader=False) == [["conv", "sigmoid", "half"]]
    assert epochs(GATE, one_reader=True) == [["conv", "half"], ["sigmoid"]]


def test_subs_before_convolutions_do_not_count() -> None:
    steps = [*GATE[:1], step("one", ("conv",), "Sub", arith=1), step("two", ("conv",), "Sub", arith=1)]
    assert epochs(steps, one_reader=True) == [["conv", "one", "two"]]


def test_a_reader_of_another_step_of_the_epoch_does_not_count() -> None:
    steps = [*GATE[:2], step("gate", ("conv", "sigmoid"), arith=1)]
    assert epochs(steps, one_reader=True)[0][:2] == ["conv", "sigmoid"]


def test_it_is_an_option_up_to_2_2() -> None:
    for version, expected in (("2.1", True), ("2.2", True), ("3.0", False), ("4.0", False)):
        machine = target(version)
        assert not machine.alt_scheduler
        assert replace(machine, build=replace(machine.build, scheduler="alt")).alt_scheduler is expected
