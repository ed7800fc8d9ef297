"""Memory pools as an .mpool file: what `read_mpool` reads, written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from npuscope.machine.catalogue import data
from npuscope.machine.pools import PoolSpec

FAST_RATIO = 2.0
"""ST's files call pools below it fast: HIGH throughput, LOW latency."""


def mpool_text(pools: Iterable[PoolSpec]) -> str:
    """The file, in the keys of ST's own N6 files (Core 2.1 to 4.0); the order of the pools is kept."""
    document = {
        "memory": {
            "cacheinfo": [_cache(data()["cache"])],
            "mem_file_prefix": "atonbuf",
            "mempools": [_entry(pool) for pool in pools],
        }
    }
    return json.dumps(document, indent=2) + "\n"


def _entry(pool: PoolSpec) -> dict[str, Any]:
    files = {known["name"]: known["file"] for known in data()["pools"]}
    fast = not pool.external and pool.freq_ratio < FAST_RATIO
    properties: dict[str, Any] = {
        "rights": "ACC_WRITE" if pool.writable else "ACC_READ",
        "throughput": "HIGH" if fast else "MID",
        "latency": "LOW" if fast else "HIGH" if pool.external else "MID",
        "byteWidth": pool.byte_width,
        "freqRatio": pool.freq_ratio,
        "read_power": pool.read_power,
        "write_power": pool.write_power,
    }
    if pool.external:
        properties["cacheable"] = "CACHEABLE_ON"
    if pool.constants_preferred:
        properties["constants_preferred"] = "true"
    return {
        "fname": files.get(pool.name, pool.name),
        "name": pool.name,
        "fformat": "FORMAT_RAW",
        "prop": properties,
        "offset": {"value": f"0x{pool.address:08X}", "magnitude": "BYTES"},
        "size": {"value": str(pool.size), "magnitude": "BYTES"},
    }


def _cache(known: dict[str, Any]) -> dict[str, Any]:
    return {
        "nlines": known["lines"],
        "linesize": known["line_bytes"],
        "associativity": known["associativity"],
        "bypass_enable": 1,
        "prop": {
            "rights": "ACC_WRITE",
            "throughput": "MID",
            "latency": "MID",
            "byteWidth": known["byte_width"],
            "freqRatio": known["freq_ratio"],
            "read_power": known["read_power"],
            "write_power": known["write_power"],
        },
    }
