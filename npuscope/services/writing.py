"""Writing results: the edited model, its recipe, and which names they may have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from npuscope.files.onnx_file import ExportResult, write
from npuscope.files.recipe import save
from npuscope.model.errors import ModelError
from npuscope.model.tensors import resolved
from npuscope.session import Session

RECIPE_SUFFIX = ".toml"


def unused_path(path: Path) -> Path:
    """The path, or the first with a number (`name2.onnx`) that does not exist."""
    candidate, count = path, 1
    while os.path.lexists(candidate):
        count += 1
        candidate = path.with_name(f"{path.stem}{count}{path.suffix}")
    return candidate


def write_result(
    session: Session, path: str | os.PathLike[str], force: bool = False, recipe: bool = False
) -> ExportResult:
    """Write the edited model, or its recipe where the name ends in .toml. Raises ModelError.

    With `recipe`, the recipe is written beside the model as well, under a name that is free.
    """
    place = Path(path)
    if place.suffix == RECIPE_SUFFIX:
        return write_recipe(session, place, force)
    result = write(session, place, force)
    if not recipe:
        return result
    beside = write_recipe(session, unused_path(place.with_suffix(RECIPE_SUFFIX)))
    return replace(result, checks=(*result.checks, f"recipe beside it: {beside.path.name}"))


def write_recipe(session: Session, path: str | os.PathLike[str], force: bool = False) -> ExportResult:
    """Write the edits alone. Raises ModelError."""
    place = Path(path)
    recipe = save(session, place, force)
    again = f"npuscope apply {session.source.path.name} {place.name} -o OUT makes them again"
    edits = tuple(edit.describe() for edit in recipe.edits)
    return ExportResult(place, place.stat().st_size, edits, (again,))


def refuse_shared_names(outputs: Mapping[str, str | os.PathLike[str] | None]) -> None:
    """Raises ModelError where two outputs of one command, by option, are the same file."""
    known: list[tuple[str, str | os.PathLike[str]]] = []
    for option, path in outputs.items():
        if path is None:
            continue
        for other, earlier in known:
            if _same(path, earlier):
                raise ModelError(f"{option} {os.fspath(path)}: is the file of {other} too; give another name")
        known.append((option, path))


def _same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """One file under two names, there or not yet."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return _resolved(one) == _resolved(other)


def _resolved(path: str | os.PathLike[str]) -> str:
    place = Path(path)
    try:
        return os.path.normcase(resolved(place.parent) / place.name)
    except (OSError, ValueError):
        return os.path.normcase(place.absolute())
