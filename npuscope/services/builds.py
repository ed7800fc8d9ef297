"""From options as a user writes them to the build they describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from npuscope.machine.board import Board, board
from npuscope.machine.build import CHANNEL_POSITIONS, DATA_TYPES, OPTIMIZATIONS, Build, choices
from npuscope.machine.catalogue import known_profile, known_toolchain
from npuscope.machine.pools import read_mpool
from npuscope.model.brief import fitted
from npuscope.model.errors import ModelError
from npuscope.places import is_file, is_folder, is_there
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a user said of the build, as written. None: nothing, so that an artefact or the default decides.

    `as_built` is a file that ST's tools wrote, or PROFILE@FILE where it holds several profiles.
    """

    toolchain: str | None = None
    profile: str | None = None
    as_built: str | None = None
    input_data_type: str | None = None
    output_data_type: str | None = None
    inputs_ch_position: str | None = None
    outputs_ch_position: str | None = None
    optimization: str | None = None
    scheduler: str | None = None
    epoch_controller: bool | None = None
    swish_recognition: bool | None = None
    mpool: str | None = None
    board: str | None = None

    def build(self, base: Build | None = None) -> Build:
        """`base` (by default ST's defaults), over it what `as_built` states, over that the options.

        Raises ModelError for an option that is not known and for a file that cannot be used.
        """
        build = base or Build()
        if self.as_built is not None:
            build = as_built(self.as_built, build)
        if self.board is not None:
            build = on_board(build, board(self.board))
        if self.toolchain is not None:
            build = replace(build, toolchain=known_toolchain(self.toolchain))
        if self.profile is not None:
            build = replace(build, profile=known_profile(self.profile))
        build = self._with_borders(build)
        if self.optimization is not None:
            levels = choices("--optimization", self.optimization, OPTIMIZATIONS) or ("",)
            if len(levels) > 1:
                raise ModelError(f"--optimization {self.optimization[:80]}: give one level")
            build = replace(build, optimization=levels[0])
        if self.scheduler is not None:
            build = replace(build, scheduler=self.scheduler)
        if self.epoch_controller is not None:
            build = replace(build, epoch_controller=self.epoch_controller)
        if self.swish_recognition is not None:
            build = replace(build, swish=self.swish_recognition)
        if self.mpool is not None:
            build = replace(build, pools=read_mpool(self.mpool), mpool=self.mpool)
        return build

    def _with_borders(self, build: Build) -> Build:
        if self.input_data_type is not None:
            types = choices("--input-data-type", self.input_data_type, DATA_TYPES)
            build = replace(build, input_data_types=types)
        if self.output_data_type is not None:
            types = choices("--output-data-type", self.output_data_type, DATA_TYPES)
            build = replace(build, output_data_types=types)
        if self.inputs_ch_position is not None:
            positions = choices("--inputs-ch-position", self.inputs_ch_position, CHANNEL_POSITIONS)
            build = replace(build, input_channel_positions=positions)
        if self.outputs_ch_position is not None:
            positions = choices("--outputs-ch-position", self.outputs_ch_position, CHANNEL_POSITIONS)
            build = replace(build, output_channel_positions=positions)
        return build


def on_board(build: Build, described: Board) -> Build:
    """The build for a board, at the clocks the board was seen at."""
    return replace(build, board=described, profile=described.profile or build.profile)


def as_built(name: str, base: Build | None = None) -> Build:
    """`base` with the version, options, clocks and pools that a file states. Raises ModelError where it states none.

    The file is a report, atonn_options.ini, c_info.json, network.c, an .mpool file, or a file of compilation profiles.
    What it says of placements, epochs and cycles is not looked at.
    """
    # Few commands need the readers, which take as long to import as a small model to open.
    from npuscope.neural_art.artefacts.artefact import MODEL, read_all
    from npuscope.neural_art.comparison.stated_build import stated_build

    path, profile = _profile_and_path(name)
    path = _profiles_file(path)
    artefacts = read_all(path)
    if any(artefact.kind == MODEL for artefact in artefacts):
        raise ModelError(f"--as-built {path}: is a model; name a report, c_info.json, network.c or a profile")
    build = base or Build()
    if artefacts[0].kind == "profiles":
        return _of_profiles(path, profile, build)
    stated = stated_build(artefacts, build)
    if stated == build and not any(artefact.version or artefact.options for artefact in artefacts):
        raise ModelError(f"--as-built {path}: states no version, no option and no memory pool")
    return stated


def _profile_and_path(name: str) -> tuple[str, str]:
    """'default@user_neuralart.json' as stedgeai takes it; a file whose name has an @ is that file."""
    profile, separator, path = name.partition("@")
    if separator and profile and path and not is_there(name):
        return path, profile
    return name, ""


PROFILE_FILES = ("user_neuralart.json", "user_neural_art.json")
"""Both spellings of the file of profiles that ST's own projects use."""


def _profiles_file(path: str) -> str:
    """The path; of a folder the file of profiles in it, and where one spelling is not there the other."""
    place = Path(path)
    try:
        if is_folder(place):
            candidates = [place / name for name in PROFILE_FILES]
        elif place.name in PROFILE_FILES and not is_there(place):
            candidates = [place.with_name(name) for name in PROFILE_FILES]
        else:
            return path
        return next((str(candidate) for candidate in candidates if is_file(candidate)), path)
    except (OSError, ValueError):
        return path


def _of_profiles(path: str, profile: str, base: Build) -> Build:
    from npuscope.neural_art.artefacts.artefact import read
    from npuscope.neural_art.artefacts.as_built import build_of_profile, profiles

    artefact = read(path)
    names = profiles(artefact)
    chosen = profile or (names[0] if len(names) == 1 else "default")
    if chosen not in names:
        raise ModelError(f"--as-built {path}: {_listed(names)}; name one as PROFILE@{Path(path).name}")
    return build_of_profile(artefact, chosen, base)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(fitted(names[:8], 40))
    return (
        f"holds the profiles {shown}{' and others' if len(names) > 8 else ''}"
        if names
        else "holds no profile"
    )
