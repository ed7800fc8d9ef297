"""A board: external memories, the rate of its flash, and what setting up an epoch takes there. Read from data files."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from npuscope.machine.catalogue import known_profile
from npuscope.machine.pools import PoolSpec
from npuscope.machine.toml_text import loads
from npuscope.model.errors import ModelError
from npuscope.record import dataclass

BOARDS = ("STM32N6570-DK", "NUCLEO-N657X0-Q")
SLOWEST, FASTEST = 1e6, 1e10
"""Bytes a second that a flash may give."""
MAX_SETUP = 100.0
MAX_HYBRID_START = 10_000_000
"""CPU cycles."""
MAX_BYTES = 100_000
"""Of a board file."""


@dataclass(frozen=True, slots=True)
class Board:
    """What of a prediction belongs to the board. 0, '' and () leave the machine's own.

    1. `profile` are the clocks it was seen at; `memories` (name, bytes) the room a network has in its external memories.
    2. `setup` is a factor on the CPU's time to set up and close an epoch, `hybrid_start_cycles` what a hybrid one takes of it.
    """

    name: str
    profile: str = ""
    flash_bytes_per_second: float = 0.0
    setup: float = 1.0
    memories: tuple[tuple[str, int], ...] = ()
    hybrid_start_cycles: int = 0

    def pools(self, standard: Iterable[PoolSpec]) -> tuple[PoolSpec, ...]:
        """Memory pools with the sizes they have on this board; a memory it does not have has no pool."""
        sizes = dict(self.memories)
        resized = (replace(pool, size=sizes.get(pool.name, pool.size)) for pool in standard)
        return tuple(pool for pool in resized if pool.size)


@cache
def board(name: str) -> Board:
    """A board by its name, or one that a file describes. Raises ModelError."""
    known = {known.lower(): known for known in BOARDS}.get(name.lower())
    if known is not None:
        text = files("npuscope.machine.boards").joinpath(f"{known.lower()}.toml").read_text("utf-8")
        return _board(tomllib.loads(text), name)
    path = Path(name)
    if path.suffix.lower() != ".toml":
        raise ModelError(f"--board {name[:80]}: is unknown; use one of {', '.join(BOARDS)}, or a .toml file")
    from npuscope.model.tensors import file_bytes  # with onnx behind it, which ST's own boards do not need

    data = file_bytes(path, MAX_BYTES, "a description of a board")
    try:
        return _board(loads(data.decode("utf-8")), name)
    except ValueError as error:
        raise ModelError(f"--board {name[:200]}: is not TOML ({error})") from error


def _board(data: Mapping[str, Any], where: str) -> Board:
    rate, setup = _number(data, "flash_bytes_per_second", 0.0), _number(data, "setup", 1.0)
    if rate and not SLOWEST <= rate <= FASTEST:
        raise ModelError(f"--board {where[:200]}: flash_bytes_per_second {rate:g} is not from 1e6 to 1e10")
    if not 0 < setup <= MAX_SETUP:
        raise ModelError(f"--board {where[:200]}: setup {setup:g} is not above 0 and at most {MAX_SETUP:g}")
    hybrid = _number(data, "hybrid_start_cycles", 0.0)
    if not 0 <= hybrid <= MAX_HYBRID_START:
        raise ModelError(
            f"--board {where[:200]}: hybrid_start_cycles {hybrid:g} is not from 0 to {MAX_HYBRID_START}"
        )
    memories = data.get("memories", {})
    if not isinstance(memories, dict) or any(
        type(size) is not int or not 0 <= size <= 1 << 40 for size in memories.values()
    ):
        raise ModelError(f"--board {where[:200]}: memories must give each a number of bytes")
    profile = data.get("profile", "")
    if profile:
        known_profile(str(profile)[:40])
    name = data.get("name", "")
    return Board(
        name=name[:80] if isinstance(name, str) and name else Path(where).stem[:80],
        profile=str(profile),
        flash_bytes_per_second=rate,
        setup=setup,
        memories=tuple((str(memory)[:80], size) for memory, size in memories.items()),
        hybrid_start_cycles=round(hybrid),
    )


def _number(data: Mapping[str, Any], key: str, default: float) -> float:
    value = data.get(key, default)
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ModelError(f"--board: {key} must be a number")
    return number


def board_text(described: Board, source: str) -> str:
    """The file that describes a board; `source` says where its figures come from, in one line."""
    from json import dumps

    lines = [
        f"# {' '.join(source.split())}",
        f"name = {dumps(described.name)}",
        *([f"profile = {dumps(described.profile)}"] if described.profile else []),
        f"flash_bytes_per_second = {described.flash_bytes_per_second:.0f}",
        f"setup = {described.setup:.3f}",
        *(
            [f"hybrid_start_cycles = {described.hybrid_start_cycles}"]
            if described.hybrid_start_cycles
            else []
        ),
    ]
    if described.memories:
        lines += ["", "[memories]", *(f"{dumps(name)} = {size}" for name, size in described.memories)]
    return "\n".join(lines) + "\n"
