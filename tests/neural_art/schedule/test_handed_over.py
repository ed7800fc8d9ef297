"""What the CPU takes back of what a run of epochs on the NPU writes."""

from __future__ import annotations

from npuscope.neural_art.price.traffic import Flow
from npuscope.neural_art.schedule.handovers import taken_back

SIZES = {"x": 100, "a": 40, "b": 7, "c": 3}


def read(tensor: str) -> Flow:
    return Flow(tensor, SIZES[tensor], 0, False)


def write(tensor: str) -> Flow:
    return Flow(tensor, SIZES[tensor], 0, True)


def test_what_software_and_the_application_read_counts_once() -> None:
    flows = [
        [read("x"), write("a")],
        [read("x"), read("a"), write("b"), write("b")],
        [read("b"), read("b"), write("c")],  # software
        [read("c"), read("a"), write("x")],
    ]
    assert taken_back([False, False, True, False], flows, SIZES, ["x"]) == {0: 7, 3: 100}


def test_what_the_npu_reads_itself_is_not_taken_back() -> None:
    flows = [[read("x"), read("a"), write("a"), write("b")], [read("b"), write("c")]]
    assert taken_back([False, False], flows, SIZES, ["c"]) == {0: 3}


def test_what_software_writes_anew_is_not_what_the_npu_wrote() -> None:
    flows = [[write("a")], [write("a")], [read("a")]]  # NPU, software, software
    assert taken_back([False, True, True], flows, SIZES, []) == {0: 0}


def test_each_run_pays_for_its_own() -> None:
    flows = [[write("a")], [read("a"), write("b")], [write("a")], [read("a")]]
    assert taken_back([False, True, False, True], flows, SIZES, []) == {0: 40, 2: 40}


def test_software_alone_has_no_run() -> None:
    assert taken_back([True, True], [[write("a")], [read("a")]], SIZES, []) == {}
