"""What a file is, from its name and its first bytes: cheap enough for every file of a folder."""

from __future__ import annotations

import os
import stat
from pathlib import PurePath

from npuscope.model.tensors import READ_AT_ONCE
from npuscope.neural_art.artefacts.artefact import QUANTIZATION, TITLES
from npuscope.neural_art.artefacts.readers import (
    dot,
    intermediate,
    network_c,
    network_csv,
    network_report,
    options,
    report,
    summary,
    timing,
)
from npuscope.neural_art.artefacts.readers import lowering_log as lowering
from npuscope.neural_art.artefacts.text.lines import MAX_BYTES, decode, is_text, lines
from npuscope.neural_art.artefacts.text.versions import in_banner

HEAD = 16_384
"""Bytes read of a file."""

SUFFIXES = frozenset({".txt", ".log", ".json", ".dot", ".csv", ".c", ".mpool", ".mdesc", ".ini", ".out", ""})
"""Endings of files that are looked into."""

_BY_NAME = {".mpool": "mpool", ".mdesc": "mdesc"}
_BY_END = (("c_info.json", "c_info"), ("_q.json", QUANTIZATION))
_BY_KEY = (
    ('"json_schema_version"', "c_info"),
    ('"memory_accesses"', "c_info"),
    ('"mempools"', "mpool"),
    ('"accelerators"', "mdesc"),
    ('"Profiles"', "profiles"),
    ('"cli_parameters"', network_report.KIND),
)
_LOGS = (
    (report.mentions, report.KIND),
    (summary.mentions, report.KIND),
    (timing.mentions, timing.KIND),
    (lowering.mentions, lowering.KIND),
)


def kind_of(path: str | os.PathLike[str]) -> str:
    """A kind of TITLES, '' where the file is none of them or cannot be read."""
    name = PurePath(path).name.lower()
    suffix = PurePath(name).suffix
    if suffix not in SUFFIXES:
        return ""
    if suffix in _BY_NAME:
        return _BY_NAME[suffix]
    by_name = next((kind for end, kind in _BY_END if name.endswith(end) or name == end.lstrip("_")), "")
    if by_name:
        return by_name
    try:
        with os.fdopen(os.open(path, READ_AT_ONCE), "rb") as file:  # which waits for no pipe
            status = os.fstat(file.fileno())
            if status.st_size > MAX_BYTES or not stat.S_ISREG(status.st_mode):
                return ""
            data = file.read(HEAD)
    except (OSError, ValueError):
        return ""
    return _in_text(decode(data)) if data.strip() and is_text(data) else ""


def _in_text(head: str) -> str:
    text = head.lstrip()
    if text.startswith(("{", "//", "/*")) and not network_c.recognises(text):
        known = next((kind for key, kind in _BY_KEY if key in text), "")
        return known or (QUANTIZATION if intermediate.recognises(text) else "")
    if dot.recognises(text):
        return dot.KIND
    if network_c.recognises(text) or "GIT_DESCRIPTION" in text:
        return network_c.KIND
    if network_csv.recognises(text):
        return network_csv.KIND
    if options.recognises(text):
        return options.KIND
    for line in lines(head):
        if in_banner(line):
            return report.KIND
        for mentions, kind in _LOGS:
            if mentions(line):
                return kind
    return ""


def title_of(path: str | os.PathLike[str]) -> str:
    """What to call the file, '' where it is none that is read."""
    return TITLES.get(kind_of(path), "")
