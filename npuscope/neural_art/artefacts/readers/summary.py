"""The summary block of a report: inputs and outputs with their quantization, and the options in force."""

from __future__ import annotations

import re
from collections.abc import Iterable

from npuscope.neural_art.artefacts.readers.options import MAX_OPTIONS, of_command
from npuscope.neural_art.artefacts.text.figures import byte_count, digest, dimensions, integer, real
from npuscope.neural_art.artefacts.values import Content, Property, Tensor

KIND = "report"
MAX_TENSORS = 10_000

_TENSOR = re.compile(
    r"[\s>]*(input|output) (\d{1,5})/\d{1,5}\s{0,20}:\s{0,20}'([^']{0,300})', (\w{1,16})\(([\dx]{0,80})\)(.{0,300})"
)
_SIZE = re.compile(r", ([\d.,]{1,16}) (\w{1,8})")
_QUANT = re.compile(r"QLinear\(([-+\d.e]{1,40}),(-?\d{1,12}),\w{1,16}\)")
_FIELD = re.compile(r"[\s>]*([A-Za-z][\w #/()]{0,40}?)\s{0,20}:\s{1,20}(\S.{0,4000})")
_COMMAND = re.compile(
    r"[\s>]*(?:Compiler arguments:|\S.{0,400}?[/\\]atonn(?:\.exe)?[\"']?)\s{1,8}(-\S.{0,19000})"
)
_START, _ENDS = (
    "Exec/report summary",
    ("Compilation details", "Computing ", "Total number", "====", "Running "),
)
_SETTINGS = {
    "type",
    "c_name",
    "compression",
    "options",
    "optimization",
    "target/series",
    "model_fmt",
    "model_name",
}
_MEASURES = {"model file", "workspace dir", "output dir", "params #", "macc", "weights (ro)",
             "activations (rw)", "ram (total)", "inputs (total)", "outputs (total)"}  # fmt: skip
_OWN = {"c_name", "target/series", "model_fmt", "model_name", "model_hash", "macc", *_MEASURES}
"""Fields that nothing else prints: they count where the heading was cut off."""


def mentions(line: str) -> bool:
    """A line this block is recognised by."""
    return _START in line or _TENSOR.match(line) is not None


def read_summary(lines: Iterable[str]) -> Content:
    """The first block of the text; a later one, of a validation, names the tensors otherwise."""
    tensors: dict[tuple[str, str], Tensor] = {}
    settings: dict[str, str] = {}
    measures: dict[str, str] = {}
    signature = ""
    command: tuple[tuple[str, str], ...] = ()
    not_understood: dict[str, None] = {}
    blocks = 0
    inside = False
    for line in lines:
        if _START in line:
            blocks += 1
            inside = blocks == 1
        elif inside and line.lstrip(" >").startswith(_ENDS):
            inside = False
        if "put " in line and (tensor := _TENSOR.match(line)) is not None:
            if len(tensors) < MAX_TENSORS:
                tensors.setdefault((tensor[1], tensor[2]), _tensor(tensor))
        elif not command and ("atonn" in line or "Compiler arguments" in line):
            match = _COMMAND.match(line)
            command = of_command(match[1]) if match is not None else ()
        elif ":" in line and (setting := _FIELD.fullmatch(line)) is not None:
            name = setting[1]
            if not inside and (blocks > 1 or name not in _OWN):
                continue
            if name == "model_hash":
                signature = signature or digest(setting[2])
            elif name in _SETTINGS:
                settings.setdefault(name, setting[2].strip())
            elif name in _MEASURES:
                measures.setdefault(name, setting[2].strip())
            elif len(not_understood) < 20:
                not_understood.setdefault(f"field {name[:40]!r} of the summary")
    return Content(
        KIND,
        inputs=tuple(tensor for (side, _), tensor in tensors.items() if side == "input"),
        outputs=tuple(tensor for (side, _), tensor in tensors.items() if side == "output"),
        options=(*settings.items(), *command)[:MAX_OPTIONS],
        signatures=(signature,) if signature else (),
        properties=tuple(Property("summary", name, text) for name, text in measures.items()),
        not_understood=tuple(not_understood),
    )


def _tensor(match: re.Match[str]) -> Tensor:
    quant, size = _QUANT.search(match[6]), _SIZE.match(match[6])
    return Tensor(
        match[3],
        match[4],
        dimensions(match[5]),
        None if quant is None else real(quant[1]),
        None if quant is None else integer(quant[2]),
        None if size is None else byte_count(size[1].replace(",", ""), size[2]),
    )
