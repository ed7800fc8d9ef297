"""A build: its options, and the target they make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from npuscope.machine.build import CHANNEL_POSITIONS, DATA_TYPES, Build, choices
from npuscope.machine.machine import target, target_of
from npuscope.machine.variants import with_epoch_controller, with_profile, with_toolchain
from npuscope.model.errors import ModelError
from npuscope.services.builds import BuildOptions


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((), ["", "", ""]),
        (("uint8",), ["uint8", "uint8", "uint8"]),
        (("uint8", "float32"), ["uint8", "float32", ""]),
    ],
)
def test_one_word_is_for_all(types: tuple[str, ...], expected: list[str]) -> None:
    build = Build(input_data_types=types, output_data_types=types)
    assert [build.input_data_type(index) for index in range(3)] == expected
    assert [build.output_data_type(index) for index in range(3)] == expected


def test_equal_builds_give_one_target() -> None:
    assert target_of(Build("2.1", "nominal")) is target("2.1", "nominal")
    assert target_of(Build(epoch_controller=True)).epoch_controller


def test_a_variant_says_what_it_was_built_with() -> None:
    base = target_of(Build("2.1", input_data_types=("uint8",)))
    changed = with_profile(with_toolchain(with_epoch_controller(base), "3.0"), "nominal")
    assert changed.build == replace(base.build, toolchain="3.0", profile="nominal", epoch_controller=True)


def test_options_as_they_are_written() -> None:
    build = BuildOptions("v2.2.0", "nominal", None, "UINT8, float32", "int8", "chlast", "chfirst").build()
    assert build == Build("2.2", "nominal", ("uint8", "float32"), ("int8",), ("chlast",), ("chfirst",))
    assert BuildOptions().build(build) is build
    assert BuildOptions(input_data_type="").build(build).input_data_types == ()


@pytest.mark.parametrize("text", ["int4", "uint8,", "float", "uint8;int8", "x" * 1000, "\x1b[31m"])
def test_words_that_are_not_known_are_refused(text: str) -> None:
    for allowed in (DATA_TYPES, CHANNEL_POSITIONS):
        with pytest.raises(ModelError) as error:
            choices("--input-data-type", text, allowed)
        assert len(str(error.value)) < 250 and "\n" not in str(error.value)
