"""What the compiler makes of each kind of layer: every table of `steps/` is a topic, every case says why and by what source."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.lowered import cases, lowered

CASES = {
    f"{table.stem}: {name}": case
    for table in sorted((Path(__file__).parent / "steps").glob("*.txt"))
    for name, case in cases(table.read_text("utf-8")).items()
}


@pytest.mark.parametrize("name", CASES)
def test_the_steps_a_network_is_lowered_to(name: str, tmp_path: Path) -> None:
    assert lowered(CASES[name], tmp_path) == CASES[name].steps
