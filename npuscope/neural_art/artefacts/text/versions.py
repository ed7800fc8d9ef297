"""Versions: what a banner, a compiler build or an intermediate file's name says of the tool that wrote it."""

from __future__ import annotations

import re

from npuscope.machine.catalogue import TOOLCHAINS

_BANNER = re.compile(r"ST Edge AI Core v?(\d{1,3}(?:\.\d{1,4}){1,3}(?:-\d{1,8})?)")
_BUILD = re.compile(r"(\d{1,2}\.\d{1,3}\.\d{1,3})(?:-(\d{1,6}))?")
_INTERMEDIATE = re.compile(r"_OE_(\d_\d_\d)(?:_Q)?\.")

OF_COMPILER = {
    "1.0.0": "2.0",
    "1.1.0": "2.1",
    "1.1.1": "2.2",
    "1.1.3-8": "3.0",
    "1.1.3-262": "4.0",
    "1.1.3-275": "4.0",
}
"""atonn version or build -> ST Edge AI Core (FACTS 5)."""
OF_INTERMEDIATE = {"3_1_0": "2.0", "3_2_0": "2.1", "3_3_0": "2.2"}
"""Version in the name of the intermediate file; 3_3_1 is written by 3.0 and by 4.0 (FORMATS 5)."""


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
