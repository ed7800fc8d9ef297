"""Compile a model with ST's compiler and hold the prediction against what it made."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.files.onnx_file import write
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.tensors import resolved
from npuscope.places import is_file, is_there
from npuscope.record import dataclass
from npuscope.services.open import compare_files
from npuscope.services.stedgeai.files import texts, write_files
from npuscope.services.stedgeai.options import OUTPUT, WORKSPACE, Compilation
from npuscope.services.stedgeai.program import TIME_LIMIT, Run, find_program, run_program
from npuscope.services.writing import unused_path

if TYPE_CHECKING:
    from npuscope.neural_art.comparison.values import Comparison
    from npuscope.snapshot import Snapshot

LOG = "stedgeai.log"
_ENDINGS = (".txt", ".json", ".dot", ".csv", ".c", ".ini", ".mpool")
_EXPECTED = ("report.txt", "c_info.json", ".dot", ".csv", "network.c")
"""Ends of names of what a reader should know: others that it does not are none of its business."""
TELLING = frozenset(("report", "c_info", "dot", "network_csv", "network_c"))
"""Kinds of artefacts that say what became of layers."""
MOST_FILES, LARGEST_FILE = 2000, 256 << 20


@dataclass(frozen=True, eq=False)
class Compiled:
    """A run, what was kept of it in `folder`, and the comparison; `failure` says in a line why there is none."""

    run: Run
    folder: Path
    log: Path
    artefacts: tuple[Path, ...]
    unread: tuple[str, ...]
    """Files that should be known and could not be read, a line each."""
    comparison: Comparison | None
    snapshot: Snapshot | None
    failure: str = ""


def compile_model(
    made: Compilation, folder: Path, limit: float = TIME_LIMIT, job: Job = QUIET, force: bool = False
) -> Compiled:
    """Run the compiler in a temporary folder; its log and what can be read of its output are kept in `folder`.

    1. They get a folder of their own in it, `st_ai_output` or that name with a number. Nothing leaves the machine.
    2. A model with edits is exported there first.
    3. Raises ModelError where there is no compiler or the folder cannot be written, StoppedError where the job is.
    """
    program = find_program()
    write_files(made, folder, force)
    results = unused_path(folder / OUTPUT)
    try:
        results.mkdir()
        with tempfile.TemporaryDirectory(prefix="npuscope-stedgeai-", ignore_cleanup_errors=True) as name:
            place = Path(name).resolve()
            for file, text in texts(made).items():
                (place / file).write_text(text, "utf-8")
            model = _model(made, results)
            arguments = made.arguments(program, model, place)
            log = results / LOG
            log.write_text(f"{shlex.join(arguments)}\n", "utf-8", "backslashreplace")
            run = run_program(arguments, place, log, limit, job)
            kept = _keep(place, results)
    except OSError as error:
        raise ModelError(f"{results}: cannot be written to ({error.strerror or error})") from error
    if run.reason:
        return Compiled(run, results, log, kept, (), None, None, f"stedgeai {run.reason}")
    return _compare(model, run, results, kept)


def _model(made: Compilation, results: Path) -> Path:
    """The file to compile: the one that was opened, or an export of the edited one."""
    source = made.session.source
    if made.session.done or source.file is None:
        return write(made.session, results / "model.onnx").path.resolve()
    return resolved(source.path)


def _keep(place: Path, results: Path) -> tuple[Path, ...]:
    """Copy what a reader may know, the report first. Raises OSError."""
    kept: list[Path] = []
    for file in _files(place / OUTPUT, place / WORKSPACE):
        target = results / file.name
        if not is_there(target):
            shutil.copyfile(file, target)
            kept.append(target)
    return tuple(sorted(kept, key=lambda path: (path.suffix != ".txt", path.name)))


def _files(*folders: Path) -> Iterator[Path]:
    """Files of the endings that readers know, links left out."""
    count = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in sorted(names):
                path = Path(place) / name
                if path.suffix.lower() not in _ENDINGS or path.is_symlink() or not is_file(path):
                    continue
                count += 1
                if count > MOST_FILES:
                    return
                if path.stat().st_size <= LARGEST_FILE:
                    yield path


def _compare(model: Path, run: Run, results: Path, kept: tuple[Path, ...]) -> Compiled:
    """Hold the prediction against every file that a reader knows; of several of a kind the first."""
    from npuscope.neural_art.artefacts.artefact import MODEL, read_all

    seen: set[str] = set()
    known: list[Path] = []
    unread: list[str] = []
    for path in kept:
        try:
            kinds = {part.kind for part in read_all(path)}
        except ModelError as error:
            if path.name.endswith(_EXPECTED):
                unread.append(str(error))
            continue
        if MODEL not in kinds and not kinds <= seen:
            known.append(path)
            seen |= kinds
    made = Compiled(run, results, results / LOG, tuple(known), tuple(unread), None, None)
    if not seen & TELLING:
        return replace(made, failure="stedgeai succeeded, but wrote nothing that npuscope can read")
    try:
        comparison, snapshot = compare_files([model, *known])
    except ModelError as error:
        return replace(made, failure=str(error))
    return replace(made, comparison=comparison, snapshot=snapshot)
