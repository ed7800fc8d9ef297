"""What the data files know: tool versions, clock profiles, and which of them are taken by default."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from npuscope.model.errors import ModelError

MACHINE = "stm32n6"


@cache
def data(name: str = MACHINE) -> dict[str, Any]:
    """A data file of this folder."""
    loaded: dict[str, Any] = tomllib.loads(
        files("npuscope.machine").joinpath(f"{name}.toml").read_text("utf-8")
    )
    return loaded


VERSIONS: dict[str, Any] = data("toolchains")
TOOLCHAINS: tuple[str, ...] = tuple(VERSIONS["versions"])
"""Versions of ST Edge AI Core, oldest first."""
PROFILES: tuple[str, ...] = tuple(data()["clocks"])
DEFAULT_TOOLCHAIN: str = VERSIONS["default"]
DEFAULT_PROFILE: str = data()["defaults"]["profile"]


def known_toolchain(asked: str) -> str:
    """'2.1', '2.1.0' and 'v2.1.0-20194' all mean 2.1. Raises ModelError for a version without data."""
    short = ".".join(asked.strip().lstrip("vV").split("-")[0].split(".")[:2])
    if short not in TOOLCHAINS:
        raise ModelError(f"--toolchain {asked}: is unknown; use one of {', '.join(TOOLCHAINS)}")
    return short


def known_profile(asked: str) -> str:
    """The name itself. Raises ModelError where it is not a profile."""
    if asked not in PROFILES:
        raise ModelError(f"--profile {asked}: is unknown; use one of {', '.join(PROFILES)}")
    return asked


@lru_cache(maxsize=64)
def ordinal(version: str) -> tuple[int, ...]:
    """A version as something that can be ordered: '2.1' is (2, 1)."""
    return tuple(int(part) for part in version.split("."))
