"""Targets derived from a target: what if the pools, the clocks or the options were others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from npuscope.machine.machine import PROFILES, Target, target
from npuscope.machine.pools import PoolSpec, read_mpool
from npuscope.model.errors import ModelError


@cache
def with_profile(base: Target, profile: str) -> Target:
    """The same at other clocks: 'overdrive' or 'nominal'."""
    if profile not in PROFILES:
        raise ModelError(f"--profile {profile}: is not known; take one of {', '.join(PROFILES)}")
    clocks = target(base.toolchain.version, profile, base.name).clocks
    return replace(base, profile=profile, clocks=clocks)


@cache
def with_flash_clock(base: Target, hertz: int) -> Target:
    """The same with another clock of the external memories, such as a board that boots at 50 MHz."""
    return replace(base, clocks=replace(base.clocks, flash_hz=hertz))


@cache
def with_toolchain(base: Target, version: str) -> Target:
    """The same machine, memories and options, compiled by another version."""
    return replace(base, toolchain=target(version, base.profile, base.name).toolchain)


@cache
def with_epoch_controller(base: Target, enabled: bool = True) -> Target:
    """The same with or without `--enable-epoch-controller`."""
    return replace(base, epoch_controller=enabled)


@cache
def without_feature_copies(base: Target) -> Target:
    """The same compiled without `-O3`: features are read as they lie (blazeface_128, mobilefacenet_qop)."""
    return replace(base, toolchain=replace(base.toolchain, copies_features=False))


def with_mpool(base: Target, path: Path | str) -> Target:
    """The same with the memory pools of an .mpool file. Raises ModelError where it cannot be read."""
    return replace(base, pools=read_mpool(path), mpool=str(path))


@cache
def with_pools(base: Target, pools: tuple[PoolSpec, ...], mpool: str) -> Target:
    """The same with other memory pools; `mpool` is what they are called."""
    return replace(base, pools=pools, mpool=mpool)


@cache
def without_external_memory(base: Target) -> Target:
    """The same with everything on the chip, as ST's profile n6-noextmem does: weights in NPU RAM too."""
    return with_pools(base, tuple(pool for pool in base.pools if not pool.external), "no external memory")
