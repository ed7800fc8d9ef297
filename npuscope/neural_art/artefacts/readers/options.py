"""The compiler's options: a command line, atonn_options.ini, or the header of the generated C file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from npuscope.neural_art.artefacts.text.versions import build
from npuscope.neural_art.artefacts.values import Content

KIND = "options"
MAX_OPTIONS = 500

_FLAG = re.compile(r"--?[A-Za-z][\w-]{0,60}")
_INI = re.compile(r"([A-Za-z][\w-]{0,60})=(.{0,4000})")
_COMMENT = re.compile(r"[ *]{0,6}--([A-Za-z][\w-]{0,60}) = (.{0,4000})")
_EXPANDED = re.compile(r"[ *]{0,6}(alt-scheduler) = (true|false)")
"""What an auto option came to: without dashes, below 'auto* option expanded into:'."""
_VERSION = re.compile(r"#\s*Version atonn[.\s](\S{1,40})")

Options = tuple[tuple[str, str], ...]


def recognises(head: str) -> bool:
    """The file of options that the compiler saves beside its output."""
    return head.lstrip().startswith("# Tool:") and "atonn" in head


def of_command(command: str) -> Options:
    """(option, value) pairs of a command line; '' for a switch. A path with blanks in it stays one value."""
    options: list[tuple[str, list[str]]] = []
    for word in command.split()[:4000]:
        if _FLAG.fullmatch(word):
            if len(options) == MAX_OPTIONS:
                break
            options.append((word, []))
        elif options:
            options[-1][1].append(word)
    return tuple((name, " ".join(values).strip('"')) for name, values in options)


def of_header(lines: Iterable[str]) -> Options:
    """Options in the comment at the top of network.c."""
    matches = (
        m for line in lines if (m := _COMMENT.fullmatch(line) or _EXPANDED.fullmatch(line)) is not None
    )
    return tuple(("--" + match[1], match[2].strip().strip('"')) for match in matches)[:MAX_OPTIONS]


def read_options(lines: Iterable[str]) -> Content:
    """atonn_options.ini."""
    options: list[tuple[str, str]] = []
    not_understood: dict[str, None] = {}
    compiler = ""
    for line in lines:
        if line.startswith("#"):
            if (version := _VERSION.match(line)) is not None:
                compiler = build(version[1])
        elif (match := _INI.fullmatch(line)) is not None and len(options) < MAX_OPTIONS:
            options.append(("--" + match[1], match[2].strip().strip('"')))
        elif len(not_understood) < 20:
            not_understood.setdefault(f"line {line.strip()[:40]!r}")
    return Content(KIND, compiler=compiler, options=tuple(options), not_understood=tuple(not_understood))
