"""network.csv (`--csv-file`): per epoch the traffic of each memory pool, operations and estimated cycles."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable

from npuscope.neural_art.artefacts.text.figures import byte_count, count, integer, real
from npuscope.neural_art.artefacts.values import Content, Pool, Property, ReportedEpoch, Totals, Traffic

KIND = "network_csv"
MAX_ROWS = 200_000
MAX_PROPERTIES = 5000

_POOL_COLUMN = re.compile(r"(\S.{0,60}) \(r\)")
_POOL_USE = re.compile(r"(\w{1,60}) , ([\d.]{1,20}) (\w{1,6}) ,")
_CLOCK = re.compile(r"Frames/sec\((\d{1,6}) MHz\)")
_COMPUTE, _MAX, _OPS = "epoch compute", "max (cycles)", "epoch OPS"


def recognises(head: str) -> bool:
    """The header line, with the first pool's first column in it."""
    first = head.lstrip().split("\n", 1)[0]
    return first.lower().startswith("epoch") and _OPS in first and _COMPUTE in first


def read_network_csv(lines: Iterable[str]) -> Content:
    """Epochs with cycles. Rows in which nothing is moved or computed are left out: they are not executed."""
    rows = iter(lines)
    header = [cell.strip() for cell in next(csv.reader([next(rows, "")]), [])]
    reading = _Reading(header)
    for number, line in enumerate(rows):
        if number > MAX_ROWS:
            reading.not_understood.setdefault(f"more than {MAX_ROWS:,} rows; the rest was left out")
            break
        if line.strip().lower().startswith("epochs,"):
            reading.not_understood.setdefault("a second table; the first one counts")
            break
        reading.row(line)
    for wanted, column in ((_COMPUTE, reading.columns.compute), (_MAX, reading.columns.largest)):
        if column is None:
            reading.not_understood.setdefault(f"no column {wanted!r}")
    figures = Totals(
        cycles=integer(reading.totals.get("Total cycles", "")),
        compute_cycles=integer(reading.totals.get("Total ideal cycles", "")),
        npu_hz=reading.npu_hz,
    )
    return Content(
        KIND,
        epochs=tuple(reading.epochs),
        pools=tuple(reading.pools.values()),
        totals=figures,
        properties=tuple(reading.properties),
        not_understood=tuple(reading.not_understood),
    )


class _Reading:
    """What the rows said so far."""

    def __init__(self, header: list[str]) -> None:
        names = tuple(match[1] for cell in header if (match := _POOL_COLUMN.fullmatch(cell)) is not None)
        self.header, self.columns = header, _Columns(header, names)
        self.pools = {name: Pool(name) for name in names if not name.startswith("bus port")}
        self.epochs: list[ReportedEpoch] = []
        self.totals: dict[str, str] = {}
        self.properties: list[Property] = []
        self.npu_hz: int | None = None
        self.not_understood: dict[str, None] = {}

    def row(self, line: str) -> None:
        cells = line.split(",")
        index, name = count(cells[0]), cells[0].strip()
        if index is not None and len(cells) == len(self.header):
            # A value that is not a number would be read as idle; the row is then kept for its index alone.
            if any(cell.strip() not in ("", "0") for cell in cells[1:]):
                self.epochs.append(self.columns.epoch(index, cells))
        elif (use := _POOL_USE.match(line)) is not None and use[1] in self.pools:
            self.pools[use[1]] = Pool(use[1], used=byte_count(use[2], use[3]))
            self.properties.append(Property("pools", use[1], ",".join(cells[1:]).strip()))
        elif len(cells) == 2:
            self.total(name, cells)
        elif name in _SUMS and len(self.properties) < MAX_PROPERTIES:
            for column, cell in zip(self.header[1:], cells[1:], strict=False):
                if cell.strip() not in ("", "0"):
                    self.properties.append(Property(name, column, cell.strip()))
        elif index is not None or name not in (*_SUMS, *self.pools):
            self.not_understood.setdefault(f"row {name[:40]!r}")

    def total(self, name: str, cells: list[str]) -> None:
        """A figure of the whole network, in two cells."""
        self.totals[name] = cells[1]
        if len(self.properties) < MAX_PROPERTIES and name not in self.pools:
            self.properties.append(Property("totals", name, cells[1].strip()))
        clock = _CLOCK.match(cells[0]) if self.npu_hz is None else None
        if clock is not None:
            self.npu_hz = int(clock[1]) * 1_000_000


_SUMS = ("Total", "BW")
"""Rows of sums over all epochs."""


class _Columns:
    """Where the figures of a row are; None where the file has no such column, or two of them."""

    def __init__(self, header: list[str], pools: tuple[str, ...]) -> None:
        columns: dict[str, list[int]] = {}
        for i, cell in enumerate(header):
            columns.setdefault(cell, []).append(i)
        self._at = {cell: places[0] for cell, places in columns.items() if len(places) == 1}
        self.compute, self.largest = _column(header, _COMPUTE), _column(header, _MAX)
        self._ops = self._at.get(_OPS)
        self._power = (
            self._at.get("epoch average ATON power (mW)"),
            self._at.get("epoch average memory power (mW)"),
        )
        self._pools = {
            pool: tuple(self._at.get(f"{pool} ({word})") for word in ("r", "w", "r cycles", "w cycles"))
            for pool in pools
        }

    def epoch(self, index: int, cells: list[str]) -> ReportedEpoch:
        """The epoch that a row describes."""
        return ReportedEpoch(
            index,
            compute_cycles=_cycles(cells, self.compute),
            cycles=_cycles(cells, self.largest),
            ops=_cycles(cells, self._ops),
            milliwatts=self.power_of(cells),
            traffic=self.traffic_of(cells),
        )

    def power_of(self, cells: list[str]) -> tuple[float, float] | None:
        """Of the accelerators and of the memories, mW."""
        accelerators, memories = (
            real(cells[column]) if column is not None else None for column in self._power
        )
        return None if accelerators is None or memories is None else (accelerators, memories)

    def traffic_of(self, cells: list[str]) -> tuple[Traffic, ...]:
        """The pools, and ports, that are touched."""
        per_pool = (
            (pool, [_cycles(cells, column) for column in places]) for pool, places in self._pools.items()
        )
        return tuple(Traffic(pool, *figures) for pool, figures in per_pool if any(figures))


def _column(header: list[str], wanted: str) -> int | None:
    """The column of a figure, not that of its share of the total. The tool spells cycles 'cyles' here and there."""
    columns = [i for i, cell in enumerate(header) if cell.startswith(wanted) and " vs " not in cell]
    return columns[0] if len(columns) == 1 else None


def _cycles(cells: list[str], column: int | None) -> int | None:
    value = real(cells[column]) if column is not None else None
    return None if value is None or value < 0 else round(value)
