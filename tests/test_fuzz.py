"""A bounded run of every fuzzer, the same cases each time; `make fuzz` runs them for as long as one likes."""

from pathlib import Path
from random import Random

import pytest
from builders.fuzzing import TARGETS

CASES = {"loading": 60, "analysis": 40, "plan": 12, "recipes": 40, "readers": 60, "commands": 60}


def test_each_fuzzer_has_its_part() -> None:
    assert CASES.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_damage_of_every_kind(name: str, tmp_path: Path) -> None:
    for number in range(CASES[name]):
        try:
            TARGETS[name](Random(f"{name} 0 {number}"), tmp_path)
        except BaseException as error:
            error.add_note(f"python tools/fuzz.py {name} --seed 0 --only {number}")
            raise
