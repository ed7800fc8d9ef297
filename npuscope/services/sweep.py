"""All targets that options leave open: versions, boards, clocks and memory pools."""

from __future__ import annotations

from dataclasses import replace

from npuscope.machine.board import BOARDS, board
from npuscope.machine.build import Build
from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
from npuscope.machine.machine import Target, target_of
from npuscope.machine.variants import without_external_memory
from npuscope.record import dataclass
from npuscope.services.builds import BuildOptions, on_board

ALL_POOLS, ON_CHIP = "all", "on-chip"


@dataclass(frozen=True, slots=True)
class Variant:
    """One target. `pools` is 'all' for those of the board or the .mpool file, 'on-chip' for those without external memory."""

    build: Build
    pools: str = ALL_POOLS

    @property
    def board(self) -> str:
        """The board's name, '' for the machine's own figures."""
        return self.build.board.name if self.build.board is not None else ""

    def target(self) -> Target:
        """What to judge for."""
        made = target_of(self.build)
        return without_external_memory(made) if self.pools == ON_CHIP else made


def variants(options: BuildOptions) -> tuple[Variant, ...]:
    """Every combination; an axis that an option names has its value alone, and --as-built names the version.

    Raises ModelError for an option that is not known.
    """
    base = options.build()
    fixed = options.toolchain is not None or options.as_built is not None
    versions = (base.toolchain,) if fixed else TOOLCHAINS
    boards = (base.board,) if options.board is not None else (None, *map(board, BOARDS))
    profiles = (base.profile,) if options.profile is not None else PROFILES
    external = any(pool.external for pool in target_of(base).pools)
    pools = (ALL_POOLS, ON_CHIP) if external and options.mpool is None else (ALL_POOLS,)
    return tuple(
        Variant(
            replace(on_board(base, place) if place is not None else base, toolchain=version, profile=profile),
            memory,
        )
        for version in versions
        for place in boards
        for profile in profiles
        for memory in pools
    )
