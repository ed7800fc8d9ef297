"""The machine's data file."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import pytest

import npuscope
from npuscope.machine.build import Build
from npuscope.machine.catalogue import (
    DEFAULT_PROFILE,
    DEFAULT_TOOLCHAIN,
    PROFILES,
    TOOLCHAINS,
    VERSIONS,
    known_toolchain,
)
from npuscope.machine.machine import target
from npuscope.machine.toolchain import Toolchain, first_with, toolchain
from npuscope.model.errors import ModelError

TEXT = files("npuscope.machine").joinpath("stm32n6.toml").read_text("utf-8")


SOURCE = re.compile(r"documented|inferred|3rd-party|no source")


def test_every_number_says_where_it_comes_from() -> None:
    """In its section, at the section's head, or at the head of the first section of its kind."""
    sourced: dict[str, bool] = {}
    kind, above, missing = "", "", []
    for line in TEXT.splitlines():
        if line.startswith("["):
            kind = line.strip("[]").split(".")[0].split("]")[0]
            sourced[kind] = sourced.get(kind, False) or bool(SOURCE.search(above + line))
        elif line.startswith("#"):
            above += line
            sourced[kind] = sourced.get(kind, False) or bool(SOURCE.search(line))
        else:
            if re.match(r"\w+ = [\d.]", line) and not sourced[kind]:
                missing.append(line)
            above = ""
    assert not missing


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_target_is_complete(toolchain: str, profile: str) -> None:
    machine = target(toolchain, profile)
    assert machine.toolchain.version == toolchain
    assert machine.profile == profile
    assert machine is target(toolchain, profile)


def test_the_defaults_are_among_what_is_known() -> None:
    assert TOOLCHAINS[-1] == DEFAULT_TOOLCHAIN
    assert DEFAULT_PROFILE in PROFILES
    assert target().build == Build()


def test_versions_may_be_written_in_full() -> None:
    assert target("v2.2.0-20266").toolchain.version == "2.2"
    assert known_toolchain("v3.0") == "3.0"
    with pytest.raises(ModelError):
        target("1.9")
    with pytest.raises(ModelError):
        target("2.2", "turbo")


def test_versions_differ_in_what_their_data_names_and_in_nothing_else() -> None:
    changes = VERSIONS["changes"]
    assert {field.name for field in fields(Toolchain)} == {"version", *changes}
    for name, values in changes.items():
        assert set(values) <= set(TOOLCHAINS) and list(values) == sorted(values), name
        assert len({getattr(toolchain(version), name) for version in TOOLCHAINS}) > 1, name


def test_what_changed_says_where_it_was_seen() -> None:
    sourced, missing = False, []
    lines = (
        files("npuscope.machine")
        .joinpath("toolchains.toml")
        .read_text("utf-8")
        .partition("[changes]")[2]
        .splitlines()
    )
    for line, above in zip(lines, ["#", *lines], strict=False):
        if line.startswith("#"):
            sourced = bool(SOURCE.search(line)) or (sourced and above.startswith("#"))
        elif " = " in line and not sourced:
            missing.append(line)
    assert not missing


def test_a_flag_holds_from_its_version_on() -> None:
    assert first_with("dss2") == "3.0"
    held = [toolchain(version).adds_rows_apart for version in ("2.1", "2.2", "3.0", "4.0")]
    assert held == [False, True, False, False]


def test_nothing_but_data_says_which_version_is_the_later_one() -> None:
    """Code asks for what differs by its name; only `Toolchain` and the rules' own bounds compare versions."""
    root = Path(npuscope.__file__).parent
    comparing = {path.name for path in root.rglob("*.py") if "ordinal(" in path.read_text("utf-8")}
    assert comparing == {"catalogue.py", "toolchain.py", "rule.py"}
