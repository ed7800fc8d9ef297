"""Memory pools and .mpool files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.machine.pools import contiguous, for_activations, for_weights, read_mpool
from npuscope.machine.variants import with_mpool, with_profile, with_toolchain, without_external_memory
from npuscope.model.errors import ModelError


def pool(name: str, size: str, magnitude: Any, offset: str, **properties: Any) -> dict[str, Any]:
    prop = {"rights": "ACC_WRITE", "byteWidth": 8, "freqRatio": 1.25, **properties}
    return {
        "fname": name,
        "name": name,
        "fformat": "FORMAT_RAW",
        "prop": prop,
        "offset": {"value": offset, "magnitude": "BYTES"},
        "size": {"value": size, "magnitude": magnitude},
    }


def write(folder: Path, *pools: dict[str, Any]) -> Path:
    path = folder / "own.mpool"
    path.write_text(json.dumps({"memory": {"mempools": list(pools)}}))
    return path


FLASH = {"rights": "ACC_READ", "byteWidth": 1, "freqRatio": 6.0, "cacheable": "CACHEABLE_ON"}


def test_both_spellings_of_a_pool(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        pool("npuRAM6", "448", "KBYTES", "0x34350000", read_power=19.0, write_power=15.8),
        pool("octoFlash", "63", "MBYTES", "0x70180000", constants_preferred="true", **FLASH),
        pool(
            "hyperRAM", "16", "MBYTES", "2415919104", constantsPreferred=True, cacheable=True, readPower=380
        ),
    )
    ram, flash, outside = read_mpool(path)
    assert (ram.size, ram.address, ram.read_power, ram.external) == (458_752, 0x34350000, 19.0, False)
    assert (flash.writable, flash.constants_preferred, flash.external) == (False, True, True)
    assert (outside.writable, outside.read_power, outside.cycles_per_byte) == (True, 380, 1.25 / 8)


def test_orders_of_preference() -> None:
    machine = target()
    assert [p.name for p in for_activations(machine.pools)] == [
        "npuRAM5", "npuRAM4", "npuRAM3", "npuRAM6", "cpuRAM2", "hyperRAM",
    ]  # fmt: skip
    assert [p.name for p in for_weights(machine.pools)][:2] == ["octoFlash", "hyperRAM"]
    assert [[p.name for p in run] for run in contiguous(machine.pools)] == [
        ["cpuRAM2", "npuRAM3", "npuRAM4", "npuRAM5", "npuRAM6"]
    ]


def test_pools_without_size_and_the_compilers_own_are_left_out(tmp_path: Path) -> None:
    own = pool("ec params pool", "9223372036854775807", "BYTES", "0")
    code = {**pool("params", "10", "BYTES", "0"), "fformat": "FORMAT_C"}
    path = write(tmp_path, pool("a", "1", "KBYTES", "0"), pool("b", "0", "KBYTES", "0"), own, code)
    assert [p.name for p in read_mpool(path)] == ["a", "b"]
    assert [p.name for p in for_activations(read_mpool(path))] == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"memory": {}}',
        '{"memory": {"mempools": [1]}}',
        '{"memory": {"mempools": []}}',
        '{"memory": {"mempools": [{"name": "a"}]}}',
        json.dumps({"memory": {"mempools": [pool("a", "1", "KBYTES", "0", byteWidth=0)]}}),
        json.dumps({"memory": {"mempools": [pool("a", "many", "KBYTES", "0")]}}),
        *(
            json.dumps({"memory": {"mempools": [pool("a", "1", "KBYTES", "0", **{key: value})]}})
            for key in ("byteWidth", "freqRatio", "read_power")
            for value in (math.inf, math.nan, 10**400, -1, "fast", [])
        ),
        json.dumps(
            {"memory": {"mempools": [pool("a", "1", "KBYTES", offset) for offset in ("0", "0x" + "f" * 99)]}}
        ),
        json.dumps({"memory": {"mempools": [pool("a", "1", [], "0")]}}),
        json.dumps({"memory": {"mempools": [pool("a", "1", "KBYTES", "0")] * 2_000}}),
        "[" * 100_000,
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.mpool"
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        read_mpool(path)
    assert "\n" not in str(error.value) and "Error(" not in str(error.value)
    with pytest.raises(ModelError):
        read_mpool(tmp_path / "absent.mpool")


def test_variants_are_derived_and_leave_their_base_alone(tmp_path: Path) -> None:
    base = target("2.1")
    path = write(tmp_path, pool("only", "1", "MBYTES", "0x34100000", freqRatio=2.5))
    own = with_mpool(base, path)
    assert [p.name for p in own.pools] == ["only"] and own.mpool == str(path)
    assert own.bytes_per_second(own.pools[0]) == 8 * base.clocks.noc_hz
    assert with_profile(base, "nominal").clocks.npu_hz == 800_000_000
    assert with_toolchain(own, "3.0").pools == own.pools
    assert with_toolchain(own, "3.0").toolchain.dss2
    assert all(not p.external for p in without_external_memory(base).pools)
    assert base.weight_pools[0].name == "octoFlash"
    with pytest.raises(ModelError):
        with_profile(base, "turbo")


def test_documented_peak_rates() -> None:
    """DOC2.1-pm: OctoFlash 0.4 GB/s, PSRAM 0.8 GB/s, 3.2 GB/s each way through the interconnect."""
    machine = target()
    rates = {p.name: machine.bytes_per_second(p) for p in machine.pools}
    assert rates["octoFlash"] == 400e6
    assert rates["hyperRAM"] == 250e6  # seen; 800e6 is documented
    assert rates["cpuRAM2"] == 3200e6
    assert rates["npuRAM5"] == 7200e6
