"""The clocks that artefacts state: a prediction is made for them, or says that it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.artefacts.texts import TIMING
from builders.models import DENOISER

from npuscope.machine.machine import target
from npuscope.neural_art.artefacts.artefact import Artefact, read_text
from npuscope.neural_art.artefacts.values import Content, Totals
from npuscope.neural_art.comparison.clocks import clock_notes, profile_of, stated
from npuscope.neural_art.comparison.compare import compare
from npuscope.reports.compare_json import compare_json
from npuscope.reports.compare_markdown import compare_markdown
from npuscope.reports.compare_report import compare_text
from npuscope.services.builds import BuildOptions
from npuscope.services.open import compare_files

NOMINAL, OVERDRIVE = target(profile="nominal").clocks, target(profile="overdrive").clocks


def board(text: str = TIMING) -> Artefact:
    content = read_text(text, "board.txt")
    return Artefact(
        **{name: getattr(content, name) for name in Content.__dataclass_fields__}, path="board.txt"
    )


def test_the_profile_whose_clocks_the_board_states() -> None:
    assert stated([board()]) == {
        "npu_hz": 800_000_000, "cpu_hz": 600_000_000, "npu_ram_hz": 800_000_000, "noc_hz": 400_000_000
    }  # fmt: skip
    assert profile_of([board()]) == "nominal"
    assert not clock_notes([board()], NOMINAL)
    (note,) = clock_notes([board()], OVERDRIVE)
    assert note.endswith("NPU 800 MHz, not 1000; NPU RAM 800 MHz, not 900; CPU 600 MHz, not 800")


def test_clocks_of_no_profile_and_of_other_memories() -> None:
    odd = board(TIMING.replace("mcu_freq=600", "mcu_freq=800"))
    assert profile_of([odd]) == "" and clock_notes([odd], OVERDRIVE)
    slow = board(TIMING.replace("nic_freq=800", "nic_freq=400"))
    assert profile_of([slow]) == "nominal"
    assert clock_notes([slow], NOMINAL)[0].endswith("state: NPU RAM 400 MHz, not 800")


def test_a_boards_clocks_count_before_a_files_of_settings() -> None:
    settings = Artefact("mdesc", totals=Totals(npu_hz=1_000_000_000), path="x.mdesc")
    assert profile_of([settings]) == "overdrive"
    assert profile_of([settings, board()]) == "nominal"
    assert profile_of([]) == "" and not clock_notes([], OVERDRIVE)


def test_where_none_are_asked_for_the_stated_ones_are_taken_and_named(tmp_path: Path) -> None:
    path = tmp_path / "board.txt"
    path.write_text(TIMING)
    comparison, snapshot = compare_files([DENOISER, path])
    assert snapshot is not None and snapshot.target.profile == "nominal"
    line = "at nominal clocks (NPU 800 MHz, CPU 600 MHz), as the artefacts state"
    assert line in compare_text(comparison) and line in compare_markdown(comparison)
    value = json.loads(json.dumps(compare_json(comparison)))
    assert (value["profile"], value["profile_stated"]) == ("nominal", True)
    asked, _ = compare_files([DENOISER, path], BuildOptions(profile="overdrive"))
    text = compare_text(asked)
    assert "at overdrive clocks (NPU 1000 MHz, CPU 800 MHz)\n" in text
    assert "note: the prediction is for other clocks than the artefacts state: NPU 800 MHz" in text


@pytest.mark.parametrize(
    "text", ["npu_freq=999999MHz,nic_freq=x", "nic_freq=99999999999MHz", "noc_freq=²MHz"]
)
def test_odd_clocks_are_no_error(text: str) -> None:
    odd = board(TIMING.replace("npu_freq=800MHz,nic_freq=800MHz", text))
    assert profile_of([odd]) in ("", "nominal")
    assert compare(None, [odd]).profile == "overdrive"
