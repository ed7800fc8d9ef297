"""From options as a user writes them to the build they describe."""

from __future__ import annotations

from dataclasses import replace

from npuscope.machine.build import CHANNEL_POSITIONS, DATA_TYPES, Build, choices
from npuscope.machine.catalogue import known_profile, known_toolchain


def chosen(
    toolchain: str | None = None,
    profile: str | None = None,
    input_data_type: str | None = None,
    output_data_type: str | None = None,
    inputs_ch_position: str | None = None,
    outputs_ch_position: str | None = None,
    base: Build | None = None,
) -> Build:
    """`base` (by default ST's defaults) with the options that are not None. Raises ModelError for one that is not known."""
    build = base or Build()
    if toolchain is not None:
        build = replace(build, toolchain=known_toolchain(toolchain))
    if profile is not None:
        build = replace(build, profile=known_profile(profile))
    if input_data_type is not None:
        types = choices("--input-data-type", input_data_type, DATA_TYPES)
        build = replace(build, input_data_types=types)
    if output_data_type is not None:
        types = choices("--output-data-type", output_data_type, DATA_TYPES)
        build = replace(build, output_data_types=types)
    if inputs_ch_position is not None:
        positions = choices("--inputs-ch-position", inputs_ch_position, CHANNEL_POSITIONS)
        build = replace(build, input_channel_positions=positions)
    if outputs_ch_position is not None:
        positions = choices("--outputs-ch-position", outputs_ch_position, CHANNEL_POSITIONS)
        build = replace(build, output_channel_positions=positions)
    return build
