"""Small files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from npuscope.files.temporary import on_the_way_to, refuse_to_replace
from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.places import is_folder, is_there


def write_beside(source: Source, path: str | os.PathLike[str], content: bytes, force: bool = False) -> Path:
    """Write a file made from a model. Raises ModelError; replaces one only with `force`, and never the model."""
    place = Path(path)
    check_beside(source, place, force)
    try:
        write_bytes(place, content)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{place}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from error
    return place


def check_beside(source: Source, place: Path, force: bool) -> None:
    """Raise ModelError where a file may not be written: what `write_beside` would say, before any work is done."""
    try:
        _refuse(source, place, force)
    except (OSError, ValueError) as error:  # a name with a NUL, or one that is not text
        raise ModelError(
            f"{place}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from error


def _refuse(source: Source, place: Path, force: bool) -> None:
    if is_folder(place):
        raise ModelError(f"{place}: is a directory; give the name of a file in it")
    if not is_folder(place.parent):
        raise ModelError(f"{place}: there is no folder {str(place.parent)!r}; make it first")
    if is_there(place) and is_there(source.path) and place.samefile(source.path):
        raise ModelError(f"{place}: is the opened model, which is never overwritten; give another name")
    refuse_to_replace(place, force)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of a text in UTF-8; what UTF-8 cannot hold is escaped."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside the place, flush to the disk, then rename over it. Raises OSError, and then changes nothing."""
    with on_the_way_to(path) as temporary:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
