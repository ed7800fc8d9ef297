"""What the CPU hands over to a run of epochs on the NPU."""

from __future__ import annotations

from npuscope.neural_art.price.traffic import Flow
from npuscope.neural_art.schedule.handovers import handed_over

SIZES = {"x": 100, "a": 40, "b": 7, "c": 3}


def read(tensor: str) -> Flow:
    return Flow(tensor, SIZES[tensor], 0, False)


def write(tensor: str) -> Flow:
    return Flow(tensor, SIZES[tensor], 0, True)


def test_inputs_and_results_of_software_count_once() -> None:
    flows = [
        [read("x"), write("a")],
        [read("x"), read("a"), write("b")],
        [read("b"), write("c")],  # software
        [read("c"), read("c"), read("a")],
    ]
    assert handed_over([False, False, True, False], flows, SIZES) == {0: 100, 3: 3}


def test_what_an_epoch_reads_of_its_own_sums_is_not_handed_over() -> None:
    assert handed_over([False], [[read("x"), read("a"), write("a"), write("b")]], SIZES) == {0: 100}


def test_what_software_writes_anew_is_handed_over_again() -> None:
    flows = [[write("a")], [read("a"), write("a")], [read("a")]]
    assert handed_over([False, True, False], flows, SIZES) == {0: 0, 2: 40}


def test_software_alone_hands_nothing_over() -> None:
    assert handed_over([True, True], [[write("a")], [read("a")]], SIZES) == {}
