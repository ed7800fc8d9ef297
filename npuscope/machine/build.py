"""Build: the options a model is compiled with. A prediction follows from the model and its build, from nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.machine.board import Board
from npuscope.machine.catalogue import DEFAULT_PROFILE, DEFAULT_TOOLCHAIN
from npuscope.machine.pools import PoolSpec
from npuscope.model.errors import ModelError
from npuscope.record import dataclass

INT8, UINT8, FLOAT32 = "int8", "uint8", "float32"
DATA_TYPES = (INT8, UINT8, FLOAT32)
CHANNELS_FIRST, CHANNELS_LAST = "chfirst", "chlast"
CHANNEL_POSITIONS = (CHANNELS_FIRST, CHANNELS_LAST)
COMPILERS_OWN = "default"
"""An optimization level or a scheduler that no option names, where all options are known."""
OPTIMIZATIONS = ("0", "1", "2", "3", COMPILERS_OWN)
AUTO, ALT = "auto", "alt"


@dataclass(frozen=True, slots=True)
class Build:
    """The options of one compilation. '' and () mean that the user has not said.

    1. Data types and channel positions are one for each input or output, or a single one for all of them.
    2. `optimization` is the level of `-O0` to `-O3`; `scheduler` is 'auto' (`--Oauto-sched`) or 'alt' (`--Oalt-sched`).
       Both are 'default' where an artefact lists all options and none of these is among them.
    3. `pools` are the memory pools of an .mpool file or of an artefact, () for those of the board; `mpool` is what
       they are called.
    4. `swish` is `--SWISH-recognition`: every x * Sigmoid(x) is one Swish (see `Toolchain.recognises_swish`).
    5. `board` gives the rate of its flash and the sizes of its memories; None for the machine's own figures.
    """

    toolchain: str = DEFAULT_TOOLCHAIN
    profile: str = DEFAULT_PROFILE
    input_data_types: tuple[str, ...] = ()
    output_data_types: tuple[str, ...] = ()
    input_channel_positions: tuple[str, ...] = ()
    output_channel_positions: tuple[str, ...] = ()
    optimization: str = ""
    scheduler: str = ""
    epoch_controller: bool = False
    swish: bool = False
    pools: tuple[PoolSpec, ...] = ()
    mpool: str = ""
    board: Board | None = None

    def input_data_type(self, index: int) -> str:
        """'int8', 'uint8', 'float32', or '' where the input keeps the type it has in the model."""
        return _of(self.input_data_types, index)

    def output_data_type(self, index: int) -> str:
        """As `input_data_type`, of an output."""
        return _of(self.output_data_types, index)


def _of(values: Sequence[str], index: int) -> str:
    """The value for one input or output: a single value is for all of them."""
    if len(values) == 1:
        return values[0]
    return values[index] if index < len(values) else ""


def choices(option: str, text: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """'uint8' or 'uint8,float32' as a tuple, () for ''. Raises ModelError for a word that is not allowed."""
    words = tuple(word.strip().lower() for word in text.split(",")) if text.strip() else ()
    for word in words:
        if word not in allowed:
            raise ModelError(f"{option} {text[:80]}: {word[:40]!r} is none of {', '.join(allowed)}")
    return words
