"""Boards: data files, what they change, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import DENOISER, analysed

from npuscope.machine.board import BOARDS, Board, board, board_text
from npuscope.machine.build import Build
from npuscope.machine.machine import target, target_of
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import Totals
from npuscope.neural_art.comparison.board_fit import fit_board
from npuscope.neural_art.comparison.compare import compare
from npuscope.reports.text_report import room_lines
from npuscope.services.builds import BuildOptions
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_gives_its_flash_rate_clocks_and_memories(name: str) -> None:
    known = board(name)
    machine = target_of(BuildOptions(board=name.lower()).build())
    assert known.name == name and machine.profile == known.profile
    assert machine.bytes_per_second(machine.weight_pools[0]) == known.flash_bytes_per_second
    sizes = {pool.name: pool.size for pool in machine.pools}
    assert all(sizes.get(memory, 0) == size for memory, size in known.memories)


def test_a_profile_and_pools_stand_over_a_board() -> None:
    pools = target().pools[:2]
    build = BuildOptions(board="NUCLEO-N657X0-Q", profile="overdrive").build(Build(pools=pools, mpool="own"))
    assert (target_of(build).profile, target_of(build).pools) == ("overdrive", pools)


def test_set_up_takes_longer_on_a_slower_board() -> None:
    slow, usual = target_of(Build(board=Board("x", setup=2.0))).latency, target().latency
    assert (slow.start_cycles, slow.unit_cycles) == (2 * usual.start_cycles, 2 * usual.unit_cycles)
    assert slow.fill_cycles == usual.fill_cycles
    assert slow.hybrid_start_cycles == usual.hybrid_start_cycles


def test_a_board_may_have_its_own_start_of_hybrid_epochs() -> None:
    usual = target().latency
    known = target_of(Build(board=board("STM32N6570-DK"))).latency
    assert known.hybrid_start_cycles == board("STM32N6570-DK").hybrid_start_cycles < usual.hybrid_start_cycles
    assert target_of(Build(board=board("NUCLEO-N657X0-Q"))).latency == usual


def test_a_board_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    written = Board('a "b"\n', "nominal", 94e6, 1.25, (("octoFlash", 1 << 20), ("odd name", 5)), 12_000)
    path.write_text(board_text(written, "fitted\nsomewhere"))
    assert board(str(path)) == written


@pytest.mark.parametrize(
    "text",
    [
        "flash_bytes_per_second = 1", "flash_bytes_per_second = nan", "flash_bytes_per_second = 'fast'",
        f"flash_bytes_per_second = {'9' * 400}", "setup = 0",
        "setup = inf", "hybrid_start_cycles = -1", "hybrid_start_cycles = 1e9", "profile = 'turbo'", "memories = 3", "[memories]\na = -1", "[memories]\na = true", "[", "\x00",
        "a = " + "[" * 5000, "#" * 200_000,
    ],
)  # fmt: skip
def test_files_that_describe_no_board_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        board(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nowhere", "/nowhere.toml", "x" * 10_000])
def test_names_of_no_board_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        board(name)


def test_what_does_not_fit_is_said() -> None:
    usual = analysed(load(DENOISER))
    assert not usual.memory.too_full and room_lines(usual) == []
    sizes = tuple((pool.name, 1000) for pool in target().pools)
    small = target_of(Build(board=Board("small", memories=sizes)))
    snapshot = analyse(Session.open(load(DENOISER), small))
    assert snapshot.memory.too_full
    assert room_lines(snapshot)[0].startswith("does not fit: ")
    fitting = analyse(Session.open(load(DENOISER), target_of(Build(board=board("STM32N6570-DK")))))
    assert room_lines(fitting) == ["fits on STM32N6570-DK"]


@pytest.mark.parametrize("rate", [30e6, 99e6, 300e6])
def test_a_measured_time_gives_the_rate_of_the_flash(rate: float) -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    on_board = target_of(Build("2.1", board=Board("x", flash_bytes_per_second=rate)))
    measured = analyse(session.with_target(on_board)).summary.milliseconds
    report = Artefact("report", totals=Totals(milliseconds=measured), path="report.txt")
    fit = fit_board(session, compare(analyse(session), [report]), "mine")
    assert fit is not None and fit.board.name == "mine" and fit.rows == 0
    assert fit.board.flash_bytes_per_second == pytest.approx(rate, rel=0.05)
    assert "which the fit makes so" in fit.words


def test_no_rate_explains_a_time_below_the_computation() -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    for totals in (Totals(), Totals(milliseconds=1e-9), Totals(milliseconds=0.0)):
        report = Artefact("report", totals=totals, path="report.txt")
        assert fit_board(session, compare(analyse(session), [report])) is None
