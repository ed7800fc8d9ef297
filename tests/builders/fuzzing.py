"""Damage of every kind, and what the program may make of it: a result, or an error in one line."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

import onnx

from builders import command_lines, drawn_files
from builders.artefacts import as_json, texts
from builders.models import SAMPLES, from_text
from builders.mutations import mutated
from builders.schemas import complaints
from npuscope.cli.main import main
from npuscope.edits.registry import KINDS
from npuscope.files.recipe import recipe_of, text_of
from npuscope.machine.machine import target
from npuscope.neural_art.rules import RULES
from npuscope.session import Session

Target = Callable[[Random, Path], None]


@cache
def sound_models() -> tuple[bytes, ...]:
    """The examples of all edits and rules, and the small samples."""
    examples = [kind.declaration.example for kind in KINDS.values()]
    examples += [text for rule in RULES for text in (rule.failing, rule.passing) if text]
    made = [onnx.parser.parse_model(text).SerializeToString() for text in dict.fromkeys(examples)]
    return (*made, (SAMPLES / "convnet_qoperator.onnx").read_bytes())


@cache
def artefacts() -> tuple[bytes, ...]:
    """A short text of each format that is read."""
    rows = [
        *texts.LOGS,
        *texts.OTHERS,
        json.dumps(as_json.c_info()),
        as_json.Q_JSON,
    ]
    return tuple(text.encode() for text in rows)


@cache
def recipes() -> tuple[tuple[bytes, bytes], ...]:
    """The example of each kind of edit that its own example takes, and a recipe of it."""
    listed = []
    for kind in KINDS.values():
        with tempfile.TemporaryDirectory() as folder:
            source = from_text(kind.declaration.example, Path(folder))
            session = Session.open(source, target("2.1"))
            for layer in session.layers.layers:
                with contextlib.suppress(TypeError, StopIteration):  # for a layer alone it proposes none
                    made = session.edit(next(kind.for_layer(layer)))
                    if isinstance(made, Session):
                        listed.append((source.path.read_bytes(), text_of(recipe_of(made)).encode()))
    assert len(listed) > len(KINDS) // 3
    return tuple(listed)


def damaged(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Bytes flipped, dropped, doubled, cut off, put in; or the end of another file."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 12))):
        at = random.randrange(len(out) + 1)
        what = random.randrange(7)
        if what == 0 and out:
            out[at % len(out)] = random.randrange(256)
        elif what == 1 and out:
            out[at % len(out)] ^= 1 << random.randrange(8)
        elif what == 2:
            del out[at : at + random.choice((1, 2, 10, 300))]
        elif what == 3:
            out[at:at] = out[at : at + random.choice((1, 10, 300))]
        elif what == 4:
            out[at:at] = random.choice(
                (b"\xff" * 9, b"\x80" * 5, b"\0", b"9" * 40, b"-1", b"[" * 30, b"\x1b[2J", b"\r\n")
            )
        elif what == 5:
            del out[at:]
        else:
            other = random.choice(others)
            out[at:] = other[random.randrange(len(other) + 1) :]
    return bytes(out)


def run(*arguments: str) -> int:
    """A command; asserts what holds for every ending: a status, an error, no control character, no error of ours, JSON as stated."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 2
    errors = err.getvalue()
    assert status in (0, 1, 2), status
    assert "internal error" not in errors, errors
    assert "Traceback" not in errors
    for text in (errors, out.getvalue()):
        if "always" not in arguments:  # colours that were asked for
            odd = {character for character in text if not character.isprintable()} - {"\n"}
            assert not odd, odd
    if status == 2:  # of several models one that cannot be used is a row
        assert errors.count("\n") >= 1 or (arguments[0] == "check" and out.getvalue())
    elif "--json" in arguments:
        found = complaints(json.loads(out.getvalue(), parse_constant=_refuse))
        assert not found, found
    return status


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} in JSON")


def _model(random: Random, folder: Path) -> Path:
    """A sound model with a few fields changed."""
    model = onnx.ModelProto.FromString(random.choice(sound_models()))
    path = folder / "m.onnx"
    path.write_bytes(mutated(model, random).SerializeToString())
    return path


def loading(random: Random, folder: Path) -> None:
    """A model file with damaged bytes."""
    path = folder / "m.onnx"
    path.write_bytes(damaged(random.choice(sound_models()), random, sound_models()))
    run("check", str(path), random.choice(("--json", "--all", "--csv", "--markdown", "--sarif")))


def analysis(random: Random, folder: Path) -> None:
    """A model that contradicts itself, judged and shown in every form."""
    path = _model(random, folder)
    form = random.choice((["--json"], ["--all"], ["--csv"], ["--markdown"], ["--sarif"], ["--github"]))
    run("check", str(path), *form, "--toolchain", random.choice(("2.0", "2.1", "4.0")))
    if random.random() < 0.2:
        run("diff", str(path), str(path))
    if random.random() < 0.2:
        run("fix", str(path))


def plans(random: Random, folder: Path) -> None:
    """A plan for a model that contradicts itself, made and written."""
    path, out = _model(random, folder), folder / "out.onnx"
    out.unlink(missing_ok=True)
    words = ["plan", str(path), "--loss", "any", "--seconds", "3", "--samples", "1", "--time-limit", "5s"]
    if random.random() < 0.3:
        words += ["--apply", "-o", str(out), "--accept-loss"]
    run(*words)


def recipe(random: Random, folder: Path) -> None:
    """A damaged recipe for a sound model."""
    path, file, out = folder / "m.onnx", folder / "r.toml", folder / "out.onnx"
    model, text = random.choice(recipes())
    path.write_bytes(model if random.random() < 0.8 else random.choice(sound_models()))
    texts_of_all = [other for _, other in recipes()]
    if random.random() < 0.5:
        text = drawn_files.changed_text(text.decode(), random).encode()
    else:
        text = damaged(text, random, texts_of_all)
    file.write_bytes(text)
    out.unlink(missing_ok=True)
    run("apply", str(path), str(file), "--other-model", "-o", str(out))


def readers(random: Random, folder: Path) -> None:
    """A damaged artefact of ST's tools."""
    path = folder / "artefact.txt"
    path.write_bytes(damaged(random.choice(artefacts()), random, artefacts()))
    run("compare", str(path), random.choice(("--json", "--markdown")))


def commands(random: Random, folder: Path) -> None:
    """Options in any company, and the files they name damaged; what is read stays as it was."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    models = sound_models()
    if random.random() < 0.3:
        models = tuple(
            mutated(onnx.ModelProto.FromString(random.choice(models)), random).SerializeToString()
            for _ in range(2)
        )
    with contextlib.chdir(work):
        words = command_lines.words_of(random, models, recipes())
        (folder / "words.txt").write_text(repr(words))
        before = Path("m.onnx").read_bytes()
        run(*words)
        assert Path("m.onnx").read_bytes() == before
    left = {path.name for path in folder.iterdir()} - {"work", "words.txt"}
    assert not left, left


TARGETS: dict[str, Target] = {
    "loading": loading,
    "analysis": analysis,
    "plan": plans,
    "recipes": recipe,
    "readers": readers,
    "commands": commands,
}
