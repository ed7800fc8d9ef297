"""Every setting turns through its values and back, and what it says is what the options of the command line say."""

from __future__ import annotations

import pytest

from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.services.build_settings import ON_CHIP, settings, with_setting
from npuscope.services.builds import BuildOptions

NAMES = [setting.name for setting in settings(Build())]


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_turns_through_all_its_values_and_back(name: str) -> None:
    build = Build(profile="nominal") if name == "board" else Build()
    first = next(s for s in settings(build) if s.name == name)
    seen, at = [first.value], build
    for _ in first.values:
        setting = next(s for s in settings(at) if s.name == name)
        at = with_setting(at, name, setting.next(1))
        target_of(at)
        seen.append(next(s for s in settings(at) if s.name == name).value)
    assert seen[0] == seen[-1]
    assert set(seen) == set(first.values)


@pytest.mark.parametrize("mpool", [ON_CHIP, "pools.mpool"])
def test_the_memories_that_are_there_already_stay(mpool: str) -> None:
    build = Build(mpool=mpool)
    assert with_setting(build, "memories", mpool) is build


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("Core", "2.1", BuildOptions(toolchain="2.1")),
        ("clocks", "nominal", BuildOptions(profile="nominal")),
        ("board", "NUCLEO-N657X0-Q", BuildOptions(board="NUCLEO-N657X0-Q")),
        ("optimization", "3", BuildOptions(optimization="3")),
        ("scheduler", "alt", BuildOptions(scheduler="alt")),
        ("epoch controller", "on", BuildOptions(epoch_controller=True)),
        ("input type", "uint8", BuildOptions(input_data_type="uint8")),
        ("output type", "float32", BuildOptions(output_data_type="float32")),
        ("input layout", "chlast", BuildOptions(inputs_ch_position="chlast")),
        ("output layout", "chfirst", BuildOptions(outputs_ch_position="chfirst")),
    ],
)
def test_a_setting_is_the_option(name: str, value: str, options: BuildOptions) -> None:
    assert with_setting(Build(), name, value) == options.build()


def test_memories_on_the_chip_have_no_external_pool_and_go_again() -> None:
    on_chip = with_setting(Build(), "memories", ON_CHIP)
    assert on_chip.pools and not any(pool.external for pool in target_of(on_chip).pools)
    assert with_setting(on_chip, "memories", "") == Build()


def test_a_value_for_each_input_is_kept_until_it_is_turned() -> None:
    build = BuildOptions(input_data_type="uint8,int8").build()
    setting = next(s for s in settings(build) if s.name == "input type")
    assert setting.value == "uint8,int8"
    assert with_setting(build, "input type", setting.next(1)).input_data_types == ()
