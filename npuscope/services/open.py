"""From paths to a session and a comparison: which file is the model, which are artefacts, which version to judge for."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.files.temporary import sweep
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, load
from npuscope.places import is_file
from npuscope.record import dataclass
from npuscope.tflite import is_tflite

if TYPE_CHECKING:
    from npuscope.machine.machine import Target
    from npuscope.neural_art.artefacts.artefact import Artefact
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.services.builds import BuildOptions
    from npuscope.session import Session
    from npuscope.snapshot import Snapshot

# Few models come with artefacts, and their readers take as long to import as a small model takes to open.

AnyPath = str | os.PathLike[str]

INTERMEDIATE = re.compile(r"(.{0,400}_OE_\d_\d_\d)(?:_Q)?\.(?:onnx|json)", re.DOTALL)
"""The names of the two files of the intermediate form."""

_HEAD = 4096


# -- one model


def open_model(path: AnyPath, quantization: AnyPath | None = None) -> Source:
    """Open a model; an intermediate one with its quantization, by default what lies beside it. Raises ModelError.

    What an export that was killed left beside it is cleared away.
    """
    sweep(Path(path).parent)
    beside = quantization if quantization is not None else companion(path)
    if beside is None:
        return load(path)
    from npuscope.neural_art.artefacts.readers.intermediate import open_intermediate

    return open_intermediate(path, beside)


def companion(path: AnyPath) -> Path | None:
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
            if is_file(beside):
                return beside
        except OSError:
            continue
    return None


def artefact_title(path: AnyPath) -> str:
    """'report' where the path is an artefact of ST's tools, '' where it is not."""
    from npuscope.neural_art.artefacts.artefact import MODEL, read

    try:
        artefact = read(path)
    except ModelError:
        return ""
    return "" if artefact.kind == MODEL else artefact.title


# -- a model among artefacts


@dataclass(frozen=True, slots=True)
class Sorted:
    """Which of some files is the model, None where none is, and what the others say; `refused` says why not."""

    model: str | None
    artefacts: tuple[Artefact, ...]
    refused: tuple[str, ...] = ()


def sort_files(paths: Sequence[AnyPath]) -> Sorted:
    """The model and the artefacts among some files, by their content.

    1. Of a user's model and the intermediate form made from it, the user's is the model.
    2. Raises ModelError where nothing can be used, or where two models are alike.
    """
    models: list[str] = []
    artefacts: list[Artefact] = []
    refused: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        if _may_be_model(path):
            models.append(path)
            continue
        from npuscope.neural_art.artefacts.artefact import MODEL, read_all

        try:
            parts = read_all(path)
        except ModelError as error:
            from npuscope.neural_art.artefacts.text.sniff import SUFFIXES

            if len(paths) > 1 or Path(path).suffix.lower() in SUFFIXES - {""}:
                refused.append(str(error))
            else:
                # A file of another ending is meant to be a model; its reader knows best what is wrong with it.
                models.append(path)
        else:
            models += [part.path for part in parts if part.kind == MODEL]
            artefacts += [part for part in parts if part.kind != MODEL]
    if len(models) > 1:
        models = [_the_model(models)]
    if not models and not artefacts:
        raise ModelError(refused[0])
    return Sorted(models[0] if models else None, tuple(artefacts), tuple(refused))


def two_models(paths: Sequence[AnyPath]) -> tuple[str, str] | None:
    """The two paths where both are models of the user's own, to be held against each other; None for anything else."""
    if len(paths) != 2:
        return None
    one, other = (os.fspath(path) for path in paths)
    if not (_may_be_model(one) and _may_be_model(other)):
        return None
    if any(load(path).intermediate for path in (one, other)):
        return None
    return one, other


def _the_model(paths: Sequence[str]) -> str:
    """The user's own model of several, else the only intermediate one."""
    own = [path for path in paths if not load(path).intermediate]
    candidates = own or list(paths)
    if len(candidates) > 1:
        raise ModelError(f"{candidates[1]}: {candidates[0]} is a model too; name one")
    return candidates[0]


def _may_be_model(path: str) -> bool:
    """An ONNX or TFLite file by its name or first bytes, or no regular file, of which the reader of models says what it is."""
    try:
        if Path(path).suffix == ".onnx" or not stat.S_ISREG(Path(path).stat().st_mode):
            return True
        from npuscope.neural_art.artefacts.artefact import is_onnx

        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
        return is_onnx(head) or is_tflite(head[:8])
    except (OSError, ValueError):
        return True


def target_for(artefacts: Sequence[Artefact], asked: BuildOptions | None = None) -> Target:
    """The target to judge for: what was asked for, else what the artefacts state, else the default. Raises ModelError."""
    from npuscope.machine.build import Build
    from npuscope.machine.catalogue import DEFAULT_TOOLCHAIN
    from npuscope.machine.machine import target_of
    from npuscope.services.builds import BuildOptions

    asked = asked or BuildOptions()
    if not artefacts:
        return target_of(asked.build())
    from npuscope.neural_art.comparison.compare import likely
    from npuscope.neural_art.comparison.stated_build import stated_build

    return target_of(asked.build(stated_build(artefacts, Build(likely(artefacts) or DEFAULT_TOOLCHAIN))))


# -- comparing


def compare_files(
    paths: Sequence[AnyPath], asked: BuildOptions | None = None
) -> tuple[Comparison, Snapshot | None]:
    """Compare what the files say; a model among them is recognised by its content.

    What is not `asked` of the build is what the artefacts state: version, clocks, options and memory pools.
    Raises ModelError where a file cannot be used.
    """
    from npuscope.neural_art.artefacts.artefact import QUANTIZATION, READABLE
    from npuscope.session import Session
    from npuscope.snapshot import analyse

    target_for((), asked)  # refuse before reading anything
    files = sort_files(paths)
    if files.refused:
        raise ModelError(files.refused[0])
    if not files.artefacts:
        assert files.model is not None, "of files that are neither, the first has been refused"
        load(files.model)  # what is wrong with the file itself comes first
        raise ModelError(f"{os.fspath(paths[0])}: nothing to compare it with; name {READABLE}")
    judged_for = target_for(files.artefacts, asked)
    session = snapshot = None
    if files.model is not None:
        named = [artefact.path for artefact in files.artefacts if artefact.kind == QUANTIZATION]
        session = Session.open(_source(files.model, named), judged_for)
        snapshot = analyse(session)
    return compare_opened(session, snapshot, files.artefacts, judged_for), snapshot


def write_board(
    paths: Sequence[AnyPath], comparison: Comparison, snapshot: Snapshot | None, output: str
) -> str:
    """Write a board file fitted to a measured report; what was fitted, in words.

    Raises ModelError where none can be, or where something lies at the path.
    """
    from npuscope.files.atomic import write_text
    from npuscope.machine.board import board_text
    from npuscope.neural_art.artefacts.artefact import QUANTIZATION
    from npuscope.neural_art.comparison.board_fit import fit_board
    from npuscope.session import Session

    if not output.lower().endswith(".toml"):
        raise ModelError(f"--write-board {output}: the name must end in .toml")
    place = Path(output)
    if os.path.lexists(place):
        raise ModelError(f"--write-board {output}: exists; choose another name")
    if snapshot is None or comparison.totals.milliseconds is None:
        raise ModelError("--write-board: needs a model and a report of a board that measured it")
    files = sort_files(paths)
    assert files.model is not None, "the snapshot is of a model among the files"
    named = [artefact.path for artefact in files.artefacts if artefact.kind == QUANTIZATION]
    session = Session.open(_source(files.model, named), snapshot.target)
    fit = fit_board(session, comparison, Path(output).stem)
    if fit is None:
        raise ModelError("--write-board: no rate of the flash explains the measured time")
    text = board_text(fit.board, f"{fit.words}; from {Path(os.fspath(paths[-1])).name}")
    try:
        write_text(place, text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"--write-board {output}: cannot be written ({reason})") from error
    return fit.words


def _source(model: str, quantizations: Sequence[str]) -> Source:
    """A model; an intermediate one with the quantization that was named with it."""
    if quantizations and load(model).intermediate:
        return open_model(model, quantizations[0])
    return open_model(model)


def compare_opened(
    session: Session | None,
    snapshot: Snapshot | None,
    artefacts: Sequence[Artefact],
    judged_for: Target,
) -> Comparison:
    """Artefacts held against a model as it was opened, edits left out, or read alone without a session.

    1. `snapshot` is that of the session, None where it is to be made.
    2. Notes say which artefacts were made from another file, and where the prediction is for another version than theirs.
    3. Raises ModelError where the model's file can no longer be read.
    """
    from npuscope.neural_art.comparison.compare import compare, toolchain
    from npuscope.snapshot import analyse

    if session is not None and (session.done or snapshot is None):
        snapshot = analyse(replace(session, states=session.states[:1], done=(), undone=()))
    comparison = compare(snapshot, artefacts, judged_for)
    notes = [*comparison.notes, *(origins(session.source, artefacts) if session is not None else ())]
    stated = toolchain(artefacts)
    if session is not None and stated and stated != judged_for.toolchain.version:
        notes.append(f"judged for Core {judged_for.toolchain.version}, the artefacts come from Core {stated}")
    return replace(comparison, notes=tuple(notes))


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
    signature = digest.hexdigest()
    return tuple(
        f"made from another file than {source.path}, as its MD5 says: {artefact.path}"
        for artefact in signed
        if signature not in artefact.signatures
    )
