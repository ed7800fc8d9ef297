"""Builds with --Oalt-sched, of which one reader is chained to a step, and with neither option for the scheduler."""

from __future__ import annotations

from dataclasses import replace

import pytest

from npuscope.machine.machine import target
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.schedule.scheduler import Way, pack_in_order
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement

UNITS = target("2.2").units


def step(name: str, reads: tuple[str, ...], op: str = "Mul", **units: int) -> Step:
    return Step(op, name, Placement.HW, tuple(Read(tensor) for tensor in reads), (name,), **units)


def epochs(steps: list[Step], one_reader: bool = False, apart: bool = False) -> list[list[str]]:
    packed = pack_in_order(StepGraph(steps), UNITS, range(len(steps)), Way(one_reader, apart))
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
