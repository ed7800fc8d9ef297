"""Targets derived from a target: what if the pools, the clocks or the options were others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from npuscope.machine.catalogue import known_profile
from npuscope.machine.machine import Target, target
from npuscope.machine.pools import PoolSpec, read_mpool


@cache
def with_profile(base: Target, profile: str) -> Target:
    """The same at other clocks: 'overdrive' or 'nominal'."""
    clocks = target(base.toolchain.version, known_profile(profile)).clocks
    return replace(base, build=replace(base.build, profile=profile), clocks=clocks)


@cache
def with_flash_clock(base: Target, hertz: int) -> Target:
    """The same with another clock of the external memories, such as a board that boots at 50 MHz."""
    return replace(base, clocks=replace(base.clocks, flash_hz=hertz))


@cache
def with_toolchain(base: Target, version: str) -> Target:
    """The same machine, memories and options, compiled by another version."""
    toolchain = target(version, base.profile).toolchain
    return replace(base, build=replace(base.build, toolchain=toolchain.version), toolchain=toolchain)


@cache
def with_epoch_controller(base: Target, enabled: bool = True) -> Target:
    """The same with or without `--enable-epoch-controller`."""
    return replace(base, build=replace(base.build, epoch_controller=enabled))


@cache
def with_optimization(base: Target, level: str) -> Target:
    """The same compiled at another level of optimization, '0' to '3'."""
    return replace(base, build=replace(base.build, optimization=level))


def with_mpool(base: Target, path: Path | str) -> Target:
    """The same with the memory pools of an .mpool file. Raises ModelError where it cannot be read."""
    return with_pools(base, read_mpool(path), str(path))


@cache
def with_pools(base: Target, pools: tuple[PoolSpec, ...], mpool: str) -> Target:
    """The same with other memory pools; `mpool` is what they are called."""
    return replace(base, build=replace(base.build, pools=pools, mpool=mpool), pools=pools)


@cache
def without_external_memory(base: Target) -> Target:
    """The same with everything on the chip, as ST's profile n6-noextmem does: weights in NPU RAM too."""
    return with_pools(base, tuple(pool for pool in base.pools if not pool.external), "no external memory")
