"""Memory pools: ST's defaults, and the reader of the compiler's .mpool files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from npuscope.model.errors import ModelError
from npuscope.record import dataclass

MAGNITUDES = {"BYTES": 1, "KBYTES": 1 << 10, "MBYTES": 1 << 20, "GBYTES": 1 << 30}

MOST_BYTES = 1 << 24
"""Of a .mpool file; the compiler's own have 10 kB."""

LARGEST = 1 << 40
"""Bytes; a pool said to be larger has no memory behind it (the compiler's own 'ec params pool')."""


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
        listed = data["memory"]["mempools"]
        pools = tuple(pool for entry in listed for pool in _pool(entry))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: is not a .mpool file the compiler would read ({error!r})") from error
    if not any(pool.writable and pool.size for pool in pools):
        raise ModelError(f"{path}: has no pool that activations could be written to")
    return pools


def _pool(entry: dict[str, Any]) -> Iterable[PoolSpec]:
    size = _amount(entry["size"])
    properties = entry["prop"]
    if size > LARGEST or entry.get("fformat") == "FORMAT_C":
        return
    byte_width, freq_ratio = int(properties["byteWidth"]), float(properties["freqRatio"])
    if byte_width < 1 or freq_ratio <= 0 or size < 0:
        raise ValueError(f"pool {entry['name']!r}")
    yield PoolSpec(
        name=str(entry["name"]),
        size=size,
        byte_width=byte_width,
        freq_ratio=freq_ratio,
        writable=properties.get("rights", "ACC_WRITE") != "ACC_READ",
        constants_preferred=_on(properties.get("constantsPreferred", properties.get("constants_preferred"))),
        external=_on(properties.get("cacheable")),
        address=_amount(entry.get("offset", {"value": 0})),
        read_power=float(properties.get("readPower", properties.get("read_power", 0.0))),
        write_power=float(properties.get("writePower", properties.get("write_power", 0.0))),
    )


def _amount(entry: dict[str, Any]) -> int:
    value = entry["value"]
    number = value if isinstance(value, int) else int(str(value), 0)
    return number * MAGNITUDES[entry.get("magnitude", "BYTES")]


def _on(value: object) -> bool:
    """JSON says it as a bool, as 'true' or as 'CACHEABLE_ON'."""
    return value is True or str(value).upper() in ("TRUE", "CACHEABLE_ON", "1")
