"""A build as a list of settings, each with the values it can take: what a screen of build options shows and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from npuscope.machine.board import BOARDS, board
from npuscope.machine.build import CHANNEL_POSITIONS, DATA_TYPES, Build
from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
from npuscope.record import dataclass
from npuscope.services.builds import on_board

UNSAID = ""
"""The value of a setting that nothing was said of: the model, the profile or the board decides."""
ON_CHIP = "on the chip"
"""Memories: those of the NPU alone, as ST's profile n6-noextmem has them."""

Change = Callable[[Build, str], Build]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of a build: its name, ST's flag, the value it has, and all it can have; '' stands for not said."""

    name: str
    flag: str
    value: str
    values: tuple[str, ...]
    change: Change

    def next(self, step: int) -> str:
        """The value `step` places on, round and round. A value of several words is followed by the first."""
        index = self.values.index(self.value) if self.value in self.values else -step
        return self.values[(index + step) % len(self.values)]


def settings(build: Build) -> tuple[Setting, ...]:
    """All settings of a build."""
    return tuple(_settings(build))


def with_setting(build: Build, name: str, value: str) -> Build:
    """The build with another value of one setting. Raises KeyError for a name that is none."""
    chosen = {setting.name: setting for setting in settings(build)}[name]
    return chosen.change(build, value)


def _settings(build: Build) -> Iterator[Setting]:
    yield Setting(
        "Core", "--toolchain", build.toolchain, TOOLCHAINS, lambda b, value: replace(b, toolchain=value)
    )
    yield Setting(
        "clocks", "--profile", build.profile, tuple(PROFILES), lambda b, value: replace(b, profile=value)
    )
    yield Setting(
        "board", "--board", build.board.name if build.board else UNSAID, (UNSAID, *BOARDS), _on_board
    )
    yield Setting("memories", "--mpool", build.mpool, _memories(build), _with_memories)
    levels = (UNSAID, "0", "1", "2", "3")
    yield Setting(
        "optimization", "-O", build.optimization, levels, lambda b, value: replace(b, optimization=value)
    )
    yield Setting(
        "scheduler",
        "--Oauto-sched, --Oalt-sched",
        build.scheduler,
        (UNSAID, "auto", "alt"),
        lambda b, value: replace(b, scheduler=value),
    )
    yield Setting(
        "epoch controller",
        "--enable-epoch-controller",
        "on" if build.epoch_controller else "off",
        ("off", "on"),
        lambda b, value: replace(b, epoch_controller=value == "on"),
    )
    yield Setting(
        "swish",
        "--SWISH-recognition",
        "on" if build.swish else "off",
        ("off", "on"),
        lambda b, value: replace(b, swish=value == "on"),
    )
    yield Setting(
        "input type", "--input-data-type", ",".join(build.input_data_types), (UNSAID, *DATA_TYPES),
        lambda b, value: replace(b, input_data_types=_word(value)),
    )  # fmt: skip
    yield Setting(
        "output type", "--output-data-type", ",".join(build.output_data_types), (UNSAID, *DATA_TYPES),
        lambda b, value: replace(b, output_data_types=_word(value)),
    )  # fmt: skip
    yield Setting(
        "input layout", "--inputs-ch-position", ",".join(build.input_channel_positions), (UNSAID, *CHANNEL_POSITIONS),
        lambda b, value: replace(b, input_channel_positions=_word(value)),
    )  # fmt: skip
    yield Setting(
        "output layout", "--outputs-ch-position", ",".join(build.output_channel_positions),
        (UNSAID, *CHANNEL_POSITIONS), lambda b, value: replace(b, output_channel_positions=_word(value)),
    )  # fmt: skip


def _word(value: str) -> tuple[str, ...]:
    """One word for all inputs or outputs, or none."""
    return (value,) if value else ()


def _on_board(build: Build, value: str) -> Build:
    """Another board, at its own clocks; none leaves the clocks."""
    return on_board(build, board(value)) if value else replace(build, board=None)


def _memories(build: Build) -> tuple[str, ...]:
    """Those of the board, those on the chip, and a file's where one was given."""
    named = (build.mpool,) if build.mpool not in (UNSAID, ON_CHIP) else ()
    return (UNSAID, ON_CHIP, *named)


def _with_memories(build: Build, value: str) -> Build:
    if value == build.mpool:
        return build
    if value != ON_CHIP:
        return replace(build, pools=(), mpool=UNSAID)
    from npuscope.machine.machine import target_of

    pools = target_of(replace(build, pools=(), mpool=UNSAID)).pools
    return replace(build, pools=tuple(pool for pool in pools if not pool.external), mpool=ON_CHIP)
