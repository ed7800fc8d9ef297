"""Versions: what a banner, a compiler build or an intermediate file's name says of the tool that wrote it."""

from __future__ import annotations

import re

from npuscope.machine.catalogue import TOOLCHAINS, VERSIONS

_BANNER = re.compile(r"ST Edge AI Core v?(\d{1,3}(?:\.\d{1,4}){1,3}(?:-\d{1,8})?)")
_BUILD = re.compile(r"(\d{1,2}\.\d{1,3}\.\d{1,3})(?:-(\d{1,6}))?")
_INTERMEDIATE = re.compile(r"_OE_(\d_\d_\d)(?:_Q)?\.")

OF_COMPILER = {build: version for version, own in VERSIONS["versions"].items() for build in own["compilers"]}
"""atonn version or build -> ST Edge AI Core."""
OF_INTERMEDIATE = {
    own["intermediate"]: version for version, own in VERSIONS["versions"].items() if "intermediate" in own
}
"""Version in the name of the intermediate file -> ST Edge AI Core."""


def in_banner(line: str) -> str:
    """'2.1.0-20194' of the line the tool begins with, '' where there is none."""
    match = _BANNER.search(line)
    return match[1] if match is not None else ""


def build(text: str) -> str:
    """'1.1.3-275' out of 'atonn-v1.1.3-275-g6770925d2-dirty', '' where there is none or it is 0.0.0."""
    match = _BUILD.search(text)
    return "" if match is None or match[1] == "0.0.0" else match[0]


def known(toolchain: str, compiler: str = "", intermediate: str = "") -> str:
    """The version of TOOLCHAINS that wrote an artefact, '' where it is not known.

    The first builds of 2.0 call themselves 10.0.0.
    """
    short = ".".join(toolchain.lstrip("vV").split("-")[0].split(".")[:2])
    short = "2.0" if short == "10.0" else short
    if short in TOOLCHAINS:
        return short
    if not toolchain:
        version = OF_COMPILER.get(compiler) or OF_COMPILER.get(compiler.split("-")[0])
        if version is None and (match := _INTERMEDIATE.search(intermediate)) is not None:
            version = OF_INTERMEDIATE.get(match[1])
        return version or ""
    return ""
