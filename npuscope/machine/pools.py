"""Memory pools: ST's defaults, and the reader of the compiler's .mpool files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from npuscope.model.errors import ModelError
from npuscope.model.names import quoted
from npuscope.record import dataclass

Wanted = TypeVar("Wanted")

MAGNITUDES = {"BYTES": 1, "KBYTES": 1 << 10, "MBYTES": 1 << 20, "GBYTES": 1 << 30}

MOST_BYTES = 1 << 24
"""Of a .mpool file; the compiler's own have 10 kB."""

LARGEST = 1 << 40
"""Bytes; a pool said to be larger has no memory behind it (the compiler's own 'ec params pool')."""


MOST_POOLS = 1000
BYTE_WIDTHS = (1, 1024)
"""Bytes of an access; ST's pools have 1 to 8."""
FREQ_RATIOS = (0.001, 1e6)
"""ST's pools have 1.25 to 6."""
MOST_ADDRESS = (1 << 48) - 1
MOST_POWER = 1e6
"""Milliwatts."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A memory pool: the compiler counts `freq_ratio` NPU cycles for `byte_width` bytes."""

    name: str
    size: int
    byte_width: int
    freq_ratio: float
    writable: bool
    constants_preferred: bool
    external: bool
    """Behind the NPU cache, off the chip."""
    address: int = 0
    read_power: float = 0.0
    """Milliwatts while it is read without pause."""
    write_power: float = 0.0

    @property
    def activations(self) -> bool:
        """May hold activations."""
        return self.writable

    @property
    def weights(self) -> bool:
        """Holds the weights where there is a choice."""
        return not self.writable or self.constants_preferred

    @property
    def cycles_per_byte(self) -> float:
        """NPU cycles for each byte of a transfer that fills every access."""
        return self.freq_ratio / self.byte_width


def for_activations(pools: Iterable[PoolSpec]) -> tuple[PoolSpec, ...]:
    """The pools activations may lie in, best first: on the chip, fast, then frugal (seen in the c_info files)."""
    usable = [pool for pool in pools if pool.writable and pool.size > 0]
    # Of equals the compiler takes the bank listed first: npuRAM5 before npuRAM4 before npuRAM3.
    return tuple(sorted(usable, key=lambda p: (p.external, p.freq_ratio / p.byte_width, p.read_power)))


def for_weights(pools: Iterable[PoolSpec]) -> tuple[PoolSpec, ...]:
    """The pools weights may lie in, best first: read-only, then constants preferred, then as activations."""
    usable = [pool for pool in pools if pool.size > 0]
    read_only = [pool for pool in usable if not pool.writable]
    preferred = [pool for pool in usable if pool.writable and pool.constants_preferred]
    others = [pool for pool in for_activations(usable) if not pool.constants_preferred]
    return (*read_only, *preferred, *others)


def contiguous(pools: Iterable[PoolSpec]) -> tuple[tuple[PoolSpec, ...], ...]:
    """Runs of neighbouring on-chip pools, in address order: the compiler's virtual pools."""
    runs: list[list[PoolSpec]] = []
    for pool in sorted(
        (p for p in pools if p.writable and not p.external and p.size), key=lambda p: p.address
    ):
        if runs and runs[-1][-1].address + runs[-1][-1].size == pool.address:
            runs[-1].append(pool)
        else:
            runs.append([pool])
    return tuple(tuple(run) for run in runs if len(run) > 1)


def read_mpool(path: Path | str) -> tuple[PoolSpec, ...]:
    """The pools of a .mpool file, in its order. Raises ModelError where it is none."""
    from npuscope.model.tensors import file_bytes  # with onnx behind it, which few need only to read pools

    path = Path(path)
    text = file_bytes(path, MOST_BYTES, "a .mpool file")
    try:
        data = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is not a .mpool file, it does not hold JSON ({error})") from error
    try:
        listed = _of(_of(data, "memory", dict, "the file"), "mempools", list, "'memory'")
        if len(listed) > MOST_POOLS:
            raise ValueError(f"it has {len(listed):,} pools, and {MOST_POOLS:,} are the most")
        pools = tuple(
            pool for number, entry in enumerate(listed, 1) for pool in _pool(entry, f"pool {number}")
        )
    except ValueError as error:
        raise ModelError(f"{path}: is not a .mpool file the compiler would read: {error}") from error
    if not any(pool.writable and pool.size for pool in pools):
        raise ModelError(f"{path}: has no pool that activations could be written to")
    return pools


def _of(mapping: object, key: str, kind: type[Wanted], where: str) -> Wanted:
    """The value of a key. Raises ValueError where it is missing or of another type."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    if isinstance(value, kind):
        return value
    raise ValueError(f"{where} has no {key!r} that is {_KINDS[kind]}")


_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


def _pool(entry: object, where: str) -> Iterable[PoolSpec]:
    name = _of(entry, "name", str, where)
    assert isinstance(entry, dict)
    where = f"{where}, {quoted(name)!r},"
    size = _amount(_of(entry, "size", dict, where), where)
    properties = _of(entry, "prop", dict, where)
    if size > LARGEST or entry.get("fformat") == "FORMAT_C":
        return
    address = _amount(_of(entry, "offset", dict, where), where) if "offset" in entry else 0
    if size < 0 or not 0 <= address <= MOST_ADDRESS:
        raise ValueError(f"{where} has a size or an offset that is none")
    width = _number(properties.get("byteWidth"), BYTE_WIDTHS, f"{where} byteWidth")
    yield PoolSpec(
        name=name,
        size=size,
        byte_width=int(width),
        freq_ratio=_number(properties.get("freqRatio"), FREQ_RATIOS, f"{where} freqRatio"),
        writable=properties.get("rights", "ACC_WRITE") != "ACC_READ",
        constants_preferred=_on(properties.get("constantsPreferred", properties.get("constants_preferred"))),
        external=_on(properties.get("cacheable")),
        address=address,
        read_power=_power(properties, "read", where),
        write_power=_power(properties, "write", where),
    )


def _power(properties: dict[str, Any], what: str, where: str) -> float:
    value = properties.get(f"{what}Power", properties.get(f"{what}_power", 0.0))
    return _number(value, (0.0, MOST_POWER), f"{where} {what}_power")


def _number(value: object, bounds: tuple[float, float], what: str) -> float:
    """A number, or a text of one. Raises ValueError where it is none between the bounds."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    low, high = bounds
    if not low <= number <= high:
        raise ValueError(f"{what} is not a number from {low:g} to {high:g}")
    return number


def _amount(entry: dict[str, Any], where: str) -> int:
    """{"value": "0x70000", "magnitude": "BYTES"} in bytes. Raises ValueError."""
    value, magnitude = entry.get("value"), entry.get("magnitude", "BYTES")
    if not isinstance(magnitude, str) or magnitude not in MAGNITUDES:
        raise ValueError(f"{where} has an amount in none of {', '.join(MAGNITUDES)}")
    try:
        return (value if isinstance(value, int) else int(str(value), 0)) * MAGNITUDES[magnitude]
    except ValueError:
        raise ValueError(f"{where} has an amount that is not a whole number") from None


def _on(value: object) -> bool:
    """JSON says it as a bool, as 'true' or as 'CACHEABLE_ON'."""
    return value is True or str(value).upper() in ("TRUE", "CACHEABLE_ON", "1")
