"""One switch changes one thing, and turned back gives the target one had."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from npuscope.machine.machine import target
from npuscope.machine.what_if import SLOW_FLASH_HZ, Options, options_of, with_options
from npuscope.model.errors import ModelError


def test_no_switch_is_the_same_target() -> None:
    base = target("2.1", "overdrive")
    assert options_of(base) == Options()
    assert with_options(base, Options()) is base


@pytest.mark.parametrize("name", ["on_chip", "nominal", "epoch_controller", "slow_flash"])
def test_a_switch_turned_there_and_back(name: str) -> None:
    base = target("2.1", "overdrive")
    changed = with_options(base, replace(Options(), **{name: True}))
    assert options_of(changed) == replace(Options(), **{name: True})
    assert changed.toolchain is base.toolchain
    back = with_options(changed, Options())
    assert (back.pools, back.clocks, back.epoch_controller) == (base.pools, base.clocks, False)


def test_all_switches_at_once() -> None:
    changed = with_options(target("3.0"), Options(True, True, True, True))
    assert options_of(changed) == Options(True, True, True, True)
    assert changed.clocks.flash_hz == SLOW_FLASH_HZ
    assert changed.clocks.npu_hz == 800_000_000


def test_pools_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.mpool"
    pool = {
        "name": "mine",
        "size": {"value": 64, "magnitude": "KBYTES"},
        "prop": {"byteWidth": 8, "freqRatio": 1.25},
    }
    file.write_text(json.dumps({"memory": {"mempools": [pool]}}))
    changed = with_options(target("2.1"), Options(mpool=str(file), nominal=True))
    assert [pool.name for pool in changed.pools] == ["mine"]
    assert changed.profile == "nominal"
    with pytest.raises(ModelError, match="nowhere"):
        with_options(target("2.1"), Options(mpool="/nowhere.mpool"))
