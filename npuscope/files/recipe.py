"""Recipe: a session's edits as a small TOML file, to make them again on the model they were made for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from npuscope import __version__
from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.registry import from_data, to_data
from npuscope.files import toml_text
from npuscope.files.atomic import write_beside
from npuscope.machine.machine import Target
from npuscope.machine.toml_text import loads
from npuscope.model.errors import ModelError, one_line
from npuscope.model.layers import Layer, Operand
from npuscope.model.load import Source
from npuscope.model.load import load as load_model
from npuscope.model.names import printable
from npuscope.model.tensors import READ_AT_ONCE, file_bytes
from npuscope.record import dataclass
from npuscope.session import Session

SCHEMA = "npuscope.recipe/1"

RECIPE_KEY = "npuscope.recipe"
"""Key in the metadata_props of an exported model under which its recipe lies."""

LARGEST_FILE = 64 << 20
"""Bytes; a recipe is text that a person could have written."""

_HEAD = 4096
"""Bytes in which a file names its schema."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An edit, and the layer it was made for in one line ('' where it names none)."""

    edit: Edit
    expects: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Edits in order. `sha256` is that of the model file they were made for."""

    sha256: str
    entries: tuple[Entry, ...]
    toolchain: str = ""
    profile: str = ""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits alone."""
        return tuple(entry.edit for entry in self.entries)


def recipe_of(session: Session) -> Recipe:
    """The recipe of the edits in force. Raises ModelError where the model file cannot be read, or its weights changed."""
    session.source.check_weights()
    entries = []
    for state, edit in zip(session.states, session.done, strict=False):
        layer = state.layers.by_name.get(edit.layer)
        entries.append(Entry(edit, fingerprint(layer) if layer is not None else ""))
    target = session.target
    return Recipe(session.source.sha256, tuple(entries), target.toolchain.version, target.profile)


def fingerprint(layer: Layer) -> str:
    """What an edit relies on in a layer: 'Gemm int8 1×257 -> int8 1×1024, weight int8 1024×257'."""
    inputs = " ".join(_operand(operand) for operand in layer.inputs) or "-"
    outputs = " ".join(_operand(operand) for operand in layer.outputs) or "-"
    weight = f", weight {_operand(layer.weight)}" if layer.weight is not None else ""
    return f"{layer.op} {inputs} -> {outputs}{weight}"


def _operand(operand: Operand) -> str:
    if operand.constant is not None:
        shape: tuple[object, ...] | None = operand.constant.shape
    else:
        shape = operand.type.shape
    dtype = operand.quant.dtype if operand.quant is not None else operand.type.dtype
    return f"{dtype} {'×'.join('?' if size is None else str(size) for size in shape) or '1' if shape is not None else '?'}"


def text_of(recipe: Recipe) -> str:
    """The recipe as TOML; the same text for the same edits."""
    lines = [
        toml_text.comment(f"Edits to a model, made with npuscope {__version__}. To make them again:"),
        toml_text.comment("npuscope apply MODEL THIS_FILE -o OUT"),
        *toml_text.table({"schema": SCHEMA}),
        "",
        "[model]",
        *toml_text.table({"sha256": recipe.sha256}),
        "",
        "[target]",
        *toml_text.table({"toolchain": recipe.toolchain, "profile": recipe.profile}),
    ]
    for entry in recipe.entries:
        edit = entry.edit
        lines += ["", toml_text.comment(f"{printable(edit.describe())} ({edit.exactness.value})"), "[[edit]]"]
        lines += toml_text.table({**to_data(edit), **({"expects": entry.expects} if entry.expects else {})})
    return "\n".join(lines) + "\n"


def is_recipe(path: Path) -> bool:
    """A TOML file says at its start that it is one; False where it cannot be read."""
    try:
        with os.fdopen(os.open(path, READ_AT_ONCE), "rb") as file:  # which waits for no pipe
            return SCHEMA.rpartition("/")[0].encode() in file.read(_HEAD)
    except (OSError, ValueError):
        return False


def parse(text: str, where: str = "recipe") -> Recipe:
    """The recipe a text holds. Raises ModelError that says what is wrong with it."""
    try:
        data = loads(text)
    except ValueError as error:  # no TOML, too many digits, too many brackets
        raise ModelError(f"{where}: is not TOML: {one_line(str(error), 120)}") from error
    if data.get("schema") != SCHEMA:
        schema = data.get("schema")
        problem = (
            f"its schema is {one_line(repr(schema), 40)}" if schema is not None else "it names no schema"
        )
        raise ModelError(f"{where}: is not a recipe of this version; {problem}, not {SCHEMA!r}")
    model, target, edits = _table(data, "model", where), _table(data, "target", where), data.get("edit", [])
    sha256 = model.get("sha256")
    if not isinstance(sha256, str) or not isinstance(edits, list):
        raise ModelError(f"{where}: has no 'sha256' in [model], or its edits are not [[edit]] tables")
    entries = []
    for number, table in enumerate(edits, start=1):
        try:
            if not isinstance(table, dict):
                raise ModelError("is not a table")
            expects = table.pop("expects", "")
            entries.append(Entry(from_data(table), expects if isinstance(expects, str) else ""))
        except ModelError as error:
            raise ModelError(f"{where}: edit {number}: {error}") from None
    known = {key: value for key, value in target.items() if isinstance(value, str)}
    return Recipe(sha256, tuple(entries), known.get("toolchain", ""), known.get("profile", ""))


def _table(data: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise ModelError(f"{where}: {name!r} is not a table; write [{name}]")
    return table


def save(session: Session, path: str | os.PathLike[str], force: bool = False) -> Recipe:
    """Write the recipe of a session. Raises ModelError; an existing file is replaced only with `force`."""
    if session.graph.as_int8:
        raise ModelError(
            f"{session.source.path}: is judged as if quantized; its edits contain placeholder scales"
        )
    recipe = recipe_of(session)
    write_beside(session.source, path, text_of(recipe).encode(), force)
    return recipe


def load(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from its file, or from a model that was exported with one. Raises ModelError."""
    place = Path(path)
    if place.suffix == ".onnx":
        return _embedded(place)
    data = file_bytes(place, LARGEST_FILE, "a recipe")
    try:
        text = data.decode("utf-8")
    except ValueError as error:
        raise ModelError(f"{place}: cannot be read as text ({one_line(str(error), 80)})") from error
    return parse(text, str(place))


def _embedded(place: Path) -> Recipe:
    for entry in load_model(place).proto.metadata_props:
        if entry.key == RECIPE_KEY:
            return parse(entry.value, f"{place} (metadata)")
    raise ModelError(f"{place}: holds no recipe; npuscope writes one into every model it exports")


def replay(source: Source, recipe: Recipe, target: Target, other_model: bool = False) -> Session | Refusal:
    """The session with the recipe's edits made, or why they cannot be.

    1. With `other_model`, the file may be another one than the recipe was made for.
    2. In any case each layer must have the operator, types and shapes that the recipe expects.
    """
    if source.sha256 != recipe.sha256 and not other_model:
        return Refusal(
            f"the recipe was made for a model file with sha256 {recipe.sha256[:12]}…, "
            f"{source.path.name} has {source.sha256[:12]}…",
            "give that model, or --other-model to try it on this one",
        )
    session = Session.open(source, target)
    for number, entry in enumerate(recipe.entries, start=1):
        refusal = _unlike(session, entry)
        changed = session.edit(entry.edit) if refusal is None else refusal
        if isinstance(changed, Refusal):
            return Refusal(f"edit {number} ({entry.edit.describe()}): {changed.reason}", changed.hint)
        session = changed
    return session


def _unlike(session: Session, entry: Entry) -> Refusal | None:
    if not entry.expects:
        return None
    layer = session.layers.by_name.get(entry.edit.layer)
    if layer is None:
        return Refusal(f"the model has no layer {entry.edit.layer!r}", "the recipe is for another model")
    actual = fingerprint(layer)
    if actual == entry.expects:
        return None
    return Refusal(f"{entry.edit.layer} is {actual!r}; the recipe was made for {entry.expects!r}")
