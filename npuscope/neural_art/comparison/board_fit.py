"""The rate of the flash and the set-up time of a board, fitted to what it measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from npuscope.machine.board import FASTEST, SLOWEST, Board
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.neural_art.comparison.values import Comparison
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

FEWEST_ROWS = 5
"""Measured epochs that a set-up time is read from."""
CLOSE = 0.002
"""Relative difference of the whole time at which the search ends."""
MOST_TRIALS = 24


@dataclass(frozen=True, slots=True)
class Fit:
    """A board as fitted, and how. `rows` are the measured epochs whose set-up was used, 0 where none was."""

    board: Board
    rows: int
    measured: float
    """Milliseconds of the whole."""
    fitted: float
    """Milliseconds predicted with the board."""

    @property
    def words(self) -> str:
        """In a sentence. A time that was fitted is not evidence for the prediction, and this says so."""
        setup = f", set-up of epochs x{self.board.setup:.2f} ({self.rows} epochs)" if self.rows else ""
        return (
            f"fitted to this measurement: flash {self.board.flash_bytes_per_second / 1e6:.0f} MB/s{setup}; then "
            f"{self.fitted:.2f} ms for {self.measured:.2f}, which the fit makes so"
        )


def fit_board(session: Session, comparison: Comparison, name: str = "fitted") -> Fit | None:
    """Fit the rate of the flash so that the predicted time is the measured one, after the set-up of single epochs.

    None where nothing was measured, where no weights come from flash, or where no rate explains the time.
    """
    measured = comparison.totals.milliseconds
    build = session.target.build
    if measured is None or not measured > 0:
        return None
    known = build.board or Board(name)
    setup, rows = _setup(analyse(session), comparison)
    start = replace(known, name=name, profile=build.profile, setup=known.setup * setup)

    def predicted(rate: float) -> Snapshot:
        on_board: Build = replace(build, board=replace(start, flash_bytes_per_second=rate))
        return analyse(session.with_target(target_of(on_board)))

    rate = _search(lambda rate: predicted(rate).summary.milliseconds, measured)
    if rate is None:
        return None
    return Fit(
        replace(start, flash_bytes_per_second=rate),
        rows,
        measured,
        predicted(rate).summary.milliseconds,
    )


def _setup(snapshot: Snapshot, comparison: Comparison) -> tuple[float, int]:
    """The factor on the set-up of epochs: the median over epochs on the NPU, told one by one and as many as predicted."""
    cpu_hz = snapshot.target.clocks.cpu_hz
    rows = [epoch for epoch in comparison.epochs if epoch.cpu_cycles is not None and epoch.last is None]
    if len(rows) != len(comparison.epochs) or len(rows) != len(snapshot.epochs):
        return 1.0, 0
    factors = [
        (row.cpu_cycles[0] + row.cpu_cycles[2]) / cpu_hz * 1e3 / epoch.start_milliseconds
        for row, epoch in zip(rows, snapshot.epochs, strict=True)
        if row.cpu_cycles is not None and epoch.placement is Placement.HW and epoch.start_milliseconds > 0
    ]
    if len(factors) < FEWEST_ROWS:
        return 1.0, 0
    return min(max(median(factors), 0.05), 20.0), len(factors)


def _search(milliseconds: Callable[[float], float], wanted: float) -> float | None:
    """The rate at which the whole takes `wanted`, by halving; more rate never takes longer."""
    low, high = SLOWEST, FASTEST
    if not milliseconds(high) < wanted < milliseconds(low):
        return None
    for _ in range(MOST_TRIALS):
        rate = math.sqrt(low * high)
        predicted = milliseconds(rate)
        if abs(predicted - wanted) <= CLOSE * wanted:
            return rate
        low, high = (rate, high) if predicted > wanted else (low, rate)
    return math.sqrt(low * high)
