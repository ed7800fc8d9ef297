"""What `validate` prints besides the epochs' times: the board, its runtime, and how far the outputs are off."""

from __future__ import annotations

import re
from collections.abc import Iterable

from npuscope.neural_art.artefacts.values import Content, Property

KIND = "timing"
MAX_PROPERTIES = 2000

_FIELD = re.compile(
    r"[\s>|]*(device(?:\.desc|\.attrs)?|attrs|runtime lib|tools|protocol|capabilities|n_nodes|compile_datetime|"
    r"nb sample\(s\)|duration|CPU cycles|network initialize time \(ms\))\s{0,40}:\s{1,20}(\S.{0,1000})"
)
_TENSOR = re.compile(r"[\s>|]*([IO]\[\d{1,5}/\d{1,5}\]) ('[^']{0,300}')\s{0,40}:\s{1,20}(\S.{0,300})")
_TOTAL = re.compile(r"[\s>|]*total\s{1,60}([\d.]{1,20})\s{1,60}(\[[\d,\s]{1,80}\])")
_RATE = re.compile(r"[\s>|]*([\d.]{1,20}) inf/s\s{1,60}(\[[\d.%\s]{1,80}\])")
_SHARES = re.compile(r"[\s>|]*(HW: {1,4}[\d.]{1,8}%, SW: {1,4}[\d.]{1,8}%, SW ctrl: {1,4}[\d.]{1,8}%)")
_METRICS = re.compile(r"[\s>|]*Output((?:\s{1,20}[a-z]\w{0,8}){2,20})\s{1,20}tensor")
_OUTPUT = re.compile(
    r"[\s>|]*(\S.{0,20}? #\d{1,5})((?:\s{1,20}(?:n\.a\.|-?[\d.]{1,20}%?)){2,20})\s{1,20}(\S.{0,300})"
)


def read_board(lines: Iterable[str]) -> Content:
    """The figures as printed, by section. The same name said again is left out."""
    stated: dict[tuple[str, str], str] = {}
    metrics: tuple[str, ...] = ()
    for line in lines:
        entry: tuple[str, str, str] | None = None
        if ":" in line and (field := _FIELD.fullmatch(line)) is not None:
            entry = ("board", field[1], field[2])
        elif "[" in line and (tensor := _TENSOR.fullmatch(line)) is not None:
            entry = ("board", f"{tensor[1]} {tensor[2]}", tensor[3])
        elif "total" in line and (total := _TOTAL.match(line)) is not None:
            entry = ("board", "total", f"{total[1]} ms {_even(total[2])}")
        elif "inf/s" in line and (rate := _RATE.match(line)) is not None:
            entry = ("board", "inf/s", f"{rate[1]} {_even(rate[2])}")
        elif "SW ctrl" in line and (shares := _SHARES.match(line)) is not None:
            entry = ("board", "shares", shares[1])
        elif "tensor" in line and (heading := _METRICS.fullmatch(line)) is not None:
            metrics = tuple(heading[1].split())
        elif metrics and "#" in line and (output := _OUTPUT.fullmatch(line)) is not None:
            values = output[2].split()
            if len(values) == len(metrics):
                text = ", ".join(f"{name} {value}" for name, value in zip(metrics, values, strict=True))
                entry = ("accuracy", output[1], f"{text}, {output[3]}")
        if entry is not None and len(stated) < MAX_PROPERTIES:
            stated.setdefault((entry[0], entry[1]), entry[2].strip())
    return Content(
        KIND, properties=tuple(Property(section, name, text) for (section, name), text in stated.items())
    )


def _even(text: str) -> str:
    """'[ 1,074 5 6 ]' without the blanks that align it."""
    return "[" + " ".join(text.strip("[] ").split()) + "]"
