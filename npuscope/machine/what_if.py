"""What if: a target with some of its options turned, so that one question is one switch."""

from __future__ import annotations

from npuscope.machine.machine import Target, target
from npuscope.machine.variants import (
    with_epoch_controller,
    with_flash_clock,
    with_mpool,
    with_pools,
    with_profile,
    without_external_memory,
)
from npuscope.record import dataclass

SLOW_FLASH_HZ = 50_000_000
"""What boards boot at where nobody sets the clock of the external memories."""


@dataclass(frozen=True, slots=True)
class Options:
    """The switches. `mpool` is a file, '' for the pools the target has."""

    on_chip: bool = False
    """Weights too: no external memory."""
    nominal: bool = False
    epoch_controller: bool = False
    slow_flash: bool = False
    mpool: str = ""


def options_of(base: Target) -> Options:
    """How a target has them set."""
    return Options(
        on_chip=not any(pool.external for pool in base.pools),
        nominal=base.profile == "nominal",
        epoch_controller=base.epoch_controller,
        slow_flash=base.clocks.flash_hz <= SLOW_FLASH_HZ,
    )


def with_options(base: Target, wanted: Options) -> Target:
    """The target with the switches so; itself where they are so already. Raises ModelError for a bad .mpool file."""
    if wanted == options_of(base):
        return base
    changed = with_profile(base, "nominal" if wanted.nominal else "overdrive")
    if wanted.slow_flash:
        changed = with_flash_clock(changed, SLOW_FLASH_HZ)
    if wanted.epoch_controller != changed.epoch_controller:
        changed = with_epoch_controller(changed, wanted.epoch_controller)
    if wanted.mpool:
        changed = with_mpool(changed, wanted.mpool)
    elif not any(pool.external for pool in base.pools) and not wanted.on_chip:
        standard = target(base.toolchain.version, base.profile)
        changed = with_pools(changed, standard.pools, standard.mpool)
    if wanted.on_chip and any(pool.external for pool in changed.pools):
        changed = without_external_memory(changed)
    return changed
