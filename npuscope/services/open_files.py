"""From paths to a comparison: which file is the model, which are artefacts, and which version to judge for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace

from npuscope.machine.catalogue import DEFAULT_PROFILE, DEFAULT_TOOLCHAIN
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.neural_art.artefacts.artefact import MODEL, QUANTIZATION, READABLE, Artefact, read, read_all
from npuscope.neural_art.artefacts.readers import intermediate
from npuscope.neural_art.comparison.clocks import profile_of
from npuscope.neural_art.comparison.compare import compare, likely, toolchain
from npuscope.neural_art.comparison.values import Comparison
from npuscope.services import open_model as pair
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

Path = str | os.PathLike[str]

FRONT_END = "Cube.AI"
"""Producer of intermediate models."""


def compare_files(
    paths: Sequence[Path], version: str | None = None, profile: str | None = None
) -> tuple[Comparison, Snapshot | None]:
    """Compare what the files say; a model among them is recognised by its content.

    Without a `version` or a `profile` the artefacts' own is taken. Raises ModelError where a file cannot be used.
    """
    target(version or DEFAULT_TOOLCHAIN, profile or DEFAULT_PROFILE)
    found = [artefact for path in paths for artefact in read_all(path)]
    artefacts = [artefact for artefact in found if artefact.kind != MODEL]
    models = [artefact.path for artefact in found if artefact.kind == MODEL]
    if not artefacts:
        raise ModelError(f"{paths[0]}: nothing to compare it with; name {READABLE}")
    judged_for = target(
        version or toolchain(artefacts) or likely(artefacts) or DEFAULT_TOOLCHAIN,
        profile or profile_of(artefacts) or DEFAULT_PROFILE,
    )
    source = _source(models, artefacts) if models else None
    snapshot = analyse(Session.open(source, judged_for)) if source is not None else None
    comparison = compare(snapshot, artefacts, judged_for)
    notes = [*comparison.notes, *(origins(source, artefacts) if source is not None else ())]
    stated = toolchain(artefacts)
    if version is not None and stated and stated != judged_for.toolchain.version:
        notes.append(
            f"judged for Core {judged_for.toolchain.version} as asked, the artefacts come from {stated}"
        )
    return replace(comparison, notes=tuple(notes)), snapshot


def _source(models: Sequence[str], artefacts: Sequence[Artefact]) -> Source:
    """The user's model; an intermediate one, opened with its quantization, only where there is no other."""
    sources = [load(path) for path in models]
    own = [source for source in sources if not source.producer.startswith(FRONT_END)]
    chosen = own or sources
    if len(chosen) > 1:
        raise ModelError(f"{chosen[1].path}: {chosen[0].path} is a model too; name one")
    if own:
        return own[0]
    names = [artefact.path for artefact in artefacts if artefact.kind == QUANTIZATION]
    path = chosen[0].path
    return intermediate.open_intermediate(path, names[0]) if names else pair.open_model(path)


def origins(source: Source, artefacts: Sequence[Artefact]) -> tuple[str, ...]:
    """A note on each artefact that was made from another file."""
    signed = [artefact for artefact in artefacts if artefact.signatures]
    if not signed:
        return ()
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with source.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(f"{source.path}: cannot be read ({error.strerror or error})") from error
    mine = digest.hexdigest()
    return tuple(
        f"made from another file than {source.path}, as its MD5 says: {artefact.path}"
        for artefact in signed
        if mine not in artefact.signatures
    )


def described(path: Path) -> str:
    """'report' where the path is an artefact of ST's tools, '' where it is not."""
    try:
        artefact = read(path)
    except ModelError:
        return ""
    return "" if artefact.kind == MODEL else artefact.title
