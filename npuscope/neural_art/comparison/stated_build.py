"""The build that artefacts state, with the clocks their board ran at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.machine.build import Build
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.as_built import build_of
from npuscope.neural_art.comparison.clocks import profile_of


def stated_build(artefacts: Sequence[Artefact], base: Build | None = None) -> Build:
    """`base` (by default ST's defaults) with what the artefacts state; what they do not state is left as it is."""
    build = build_of(artefacts, base)
    return replace(build, profile=profile_of(artefacts) or build.profile)
