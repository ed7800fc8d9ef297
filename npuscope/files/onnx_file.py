"""The edited model as an ONNX file: written beside its target, checked, then moved into place."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from onnx import TensorProto

from npuscope.files.recipe import RECIPE_KEY, recipe_of, text_of
from npuscope.files.temporary import on_the_way_to, refuse_to_replace
from npuscope.model.errors import ModelError, one_line
from npuscope.model.graph import Graph
from npuscope.model.load import STDIN, Source, load
from npuscope.model.serialize import referring, stream, to_model
from npuscope.model.tensors import resolved
from npuscope.numbers.runtime.sessions import RuntimeSession, refused_by
from npuscope.places import is_folder
from npuscope.record import dataclass
from npuscope.session import Session

EDITS_KEY = "npuscope.edits"
"""Key in the model's metadata_props under which an export names its edits, '; ' between them."""

_LONGEST_STEM = 200
"""Bytes; the suffix, a number and the ending of a temporary file come behind it."""

__all__ = ["EDITS_KEY", "ExportResult", "default_path", "to_model", "write"]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A model that was written.

    1. `checks` names the checks it passed.
    2. `complaints` are what a check says of the opened model as well: no edit brought it in.
    """

    path: Path
    size: int
    """Bytes."""
    edits: tuple[str, ...]
    checks: tuple[str, ...]
    complaints: tuple[str, ...] = ()


def default_path(source_path: Path) -> Path:
    """`<stem>_fixed.onnx` beside the opened model, or the first of _fixed2, _fixed3... that does not exist."""
    stem = _fitting(source_path.stem)
    count = 1
    path = source_path.with_name(f"{stem}_fixed.onnx")
    while os.path.lexists(path):
        count += 1
        path = source_path.with_name(f"{stem}_fixed{count}.onnx")
    return path


def _fitting(stem: str) -> str:
    """A stem that leaves a file system, which takes 255 bytes a name, room for what is put behind it."""
    raw = os.fsencode(stem)
    return stem if len(raw) <= _LONGEST_STEM else raw[:_LONGEST_STEM].decode("utf-8", "ignore")


OF_OTHER_FILES = frozenset(
    (".toml", ".json", ".md", ".txt", ".html", ".csv", ".dot", ".svg", ".sarif", ".npz", ".npy")
)
"""Endings under which nobody looks for a model: a recipe or a report was meant."""


def write(
    session: Session, path: str | os.PathLike[str], force: bool = False, run_check: bool = True
) -> ExportResult:
    """Write the session's model. Raises ModelError, and then leaves no file and changes none.

    1. An existing file is replaced only with `force`; the opened model and its data never are.
    2. External data stays where it is, so a model that has some is only written into its own folder.
    3. Checked before it gets its name: the ONNX checker, shape inference, and, with `run_check`, onnxruntime.
    4. What an export that was killed left in the folder is cleared away.
    """
    source, graph = session.source, session.graph
    place = Path(path)
    edits = tuple(edit.describe() for edit in session.done)
    metadata = {EDITS_KEY: "; ".join((*_earlier_edits(source), *edits)), **_recipes(session)} if edits else {}
    try:
        check_target(source, place, force)
        with on_the_way_to(place) as temporary:
            size = _write_file(temporary, stream(source, graph, metadata))
            checks, complaints = _checked(source, temporary, place, run_check)
            _move(temporary, place, force)
    except OSError as error:
        raise ModelError(f"{place}: cannot be written ({error.strerror or error})") from error
    return ExportResult(place, size, edits, checks, complaints)


def check_target(source: Source, place: Path, force: bool, embeds: bool = False) -> None:
    """Raise ModelError where a model may not be written: what `write` would say, before any work is done.

    `embeds`: the model to be written holds the weights that the opened one keeps in other files.
    """
    try:
        _refuse_target(source, place, force, embeds)
    except (OSError, ValueError) as error:  # a name with a NUL, or one that is not text
        raise ModelError(
            f"{place}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from error


def _refuse_target(source: Source, place: Path, force: bool, embeds: bool) -> None:
    if str(place) == STDIN:
        raise ModelError("-: nothing is written to standard output; give the name of a file")
    if is_folder(place):
        raise ModelError(f"{place}: is a directory; give the name of a file in it")
    if place.suffix.lower() == ".tflite":
        raise ModelError(
            f"{place}: a TFLite model with edits is exported as ONNX; give a name that ends in .onnx"
        )
    if place.suffix.lower() in OF_OTHER_FILES:
        raise ModelError(f"{place}: an ONNX model would be written there; give a name that ends in .onnx")
    if not is_folder(place.parent):
        raise ModelError(f"{place}: there is no folder {str(place.parent)!r}; make it first")
    if _same_file(place, source.path):
        raise ModelError(f"{place}: is the opened model, which is never overwritten; give another name")
    data = _external_files(source)
    for file in data:
        if _same_file(place, file):
            raise ModelError(f"{place}: holds weights of the opened model; give another name")
    if data and not embeds and resolved(place.parent) != resolved(source.path.parent):
        raise ModelError(
            f"{place}: the weights stay in {data[0].name!r} beside {source.path}, where this file would not "
            f"find them; export into {str(source.path.parent)!r} and move both"
        )
    if data and not embeds and not all(_within(file, place.parent) for file in data):
        raise ModelError(
            f"{place}: the weights in {data[0].name!r} are links to another folder, out of which no exported model "
            "may read; copy the model with its weights into one folder (cp -L), and open that"
        )
    refuse_to_replace(place, force)


def _within(file: Path, folder: Path) -> bool:
    return resolved(file).is_relative_to(resolved(folder))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()


def _external_files(source: Source) -> list[Path]:
    files = {
        constant.file.path
        for constant in source.graph.constants.values()
        if constant.file is not None
        and constant.proto is not None
        and constant.proto.data_location == TensorProto.EXTERNAL
    }
    return sorted(files)


def _earlier_edits(source: Source) -> Iterator[str]:
    for entry in source.proto.metadata_props:
        if entry.key == EDITS_KEY and entry.value:
            yield entry.value


def _recipes(session: Session) -> dict[str, str]:
    """The session's recipe; one that the opened model was exported with is kept under the next free number."""
    properties = {entry.key: entry.value for entry in session.source.proto.metadata_props}
    metadata = {RECIPE_KEY: text_of(recipe_of(session))}
    if RECIPE_KEY in properties:
        number = 1
        while f"{RECIPE_KEY}.{number}" in properties:
            number += 1
        metadata[f"{RECIPE_KEY}.{number}"] = properties[RECIPE_KEY]
    return metadata


def _write_file(path: Path, pieces: Iterator[bytes]) -> int:
    """Write and flush to the disk; the size in bytes."""
    with path.open("wb") as file:
        size = sum(file.write(piece) for piece in pieces)
        file.flush()
        os.fsync(file.fileno())
    return size


def _move(temporary: Path, place: Path, force: bool) -> None:
    """Give the file its name, in one step."""
    if force:
        temporary.replace(place)
    else:
        try:
            place.hardlink_to(temporary)  # unlike a rename, this never replaces a file that has just appeared
        except FileExistsError:
            raise ModelError(f"{place}: another program has just created it; give another name") from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
            temporary.replace(place)  # a file system without hard links
    with contextlib.suppress(OSError):
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _checked(
    source: Source, written: Path, place: Path, run_check: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the checks that passed, and complaints that the opened model gives cause for as well."""
    passed, complaints = [], []
    graph = source.graph  # an edit adds few nodes beside those there are
    checks: list[tuple[str, Callable[[Path], str | None]]] = [
        ("ONNX checker", lambda path: refused_by("check", path, len(graph.nodes))),
        ("shape inference", lambda path: refused_by("infer", path, len(graph.nodes))),
    ]
    if run_check:
        checks.append(("onnxruntime", lambda path: _does_not_open(path, graph)))
    with _without_copies(written) as light:
        for name, check in checks:
            complaint = _complaint(check, light, place)
            if complaint is None:
                passed.append(name)
            elif _complaint(check, source.path, place) is None:
                raise ModelError(f"{place}: not written, {name} refuses it: {complaint}")
            else:
                complaints.append(f"{name}: {complaint}")
    return tuple(passed), tuple(complaints)


@contextlib.contextmanager
def _without_copies(written: Path) -> Iterator[Path]:
    """The file, or for a large one a small model that refers to its weights: the checks copy what they load."""
    reread = load(written)
    if not reread.spans:
        yield written
        return
    for constant in reread.graph.constants.values():
        if constant.span is not None and constant.span.length != constant.nbytes:
            raise ModelError(f"{written}: tensor {constant.name!r} was not written completely")
    light = written.with_name(f"{written.name}.light")
    try:
        light.write_bytes(referring(reread, reread.graph)[0].SerializeToString())
        yield light
    finally:
        light.unlink(missing_ok=True)


def _does_not_open(path: Path, graph: Graph) -> str | None:
    RuntimeSession(str(path), path, graph=graph)  # raises ModelError
    return None


def _complaint(check: Callable[[Path], str | None], path: Path, place: Path) -> str | None:
    """What a check says of a file, under the name it is to have: nobody knows that of a temporary one."""
    try:
        complaint = check(path)
    except ModelError as error:
        complaint = str(error).removeprefix(f"{path}: ").removeprefix("onnxruntime does not take it: ")
    return None if complaint is None else one_line(complaint.replace(str(path), str(place)), 200)
