"""Opening a model, with the `_Q.json` that lies beside it where it is one of the intermediate form."""

from __future__ import annotations

import os
import re
from pathlib import Path

from npuscope.model.load import Source, load

INTERMEDIATE = re.compile(r"(.{0,400}_OE_\d_\d_\d)(?:_Q)?\.(?:onnx|json)", re.DOTALL)
"""The names of the two files of the intermediate form."""


def companion(path: str | os.PathLike[str]) -> Path | None:
    """The `_Q.json` that lies beside an intermediate .onnx file, None where there is none.

    `X_OE_3_3_0.onnx` has `X_OE_3_3_0_Q.json`; a file kept under another name, as `OE.onnx`, has `Q.json`.
    """
    place = Path(path)
    if not place.name:
        return None
    match = INTERMEDIATE.fullmatch(place.name)
    names = [f"{place.stem}_Q.json"] if match is not None or place.stem != "OE" else ["Q.json", "OE_Q.json"]
    for name in names:
        beside = place.with_name(name)
        try:
            if beside.is_file():
                return beside
        except OSError:
            continue
    return None


def open_model(path: str | os.PathLike[str]) -> Source:
    """Open a model; an intermediate one with the quantization that lies beside it. Raises ModelError."""
    beside = companion(path)
    if beside is None:
        return load(path)
    # Few models have one, and the readers of what ST's tools write take as long to import as a small model to open.
    from npuscope.neural_art.artefacts.readers.intermediate import open_intermediate

    return open_intermediate(path, beside)
