"""Every kind of edit, and edits as plain data: what a recipe stores."""

from __future__ import annotations

import dataclasses
import importlib
import math
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from npuscope.edits.edit import Declared, Edit
from npuscope.model.errors import ModelError, one_line
from npuscope.model.names import typed

FILES = (
    "split_input",
    "move_quantize",
    "resize_nearest",
    "batchnorm_to_conv",
    "fold_batchnorm",
    "sub_to_add",
    "bias_to_add",
    "depth_to_dcr",
    "hard_sigmoid_to_clip",
    "swish_to_mul",
    "div_to_mul",
    "pool_chain",
    "pool_to_conv",
    "widen_kernel",
    "split_output",
    "same_operator",
    "narrow_weights",
    "slice_to_conv",
    "plain_moves",
    "add_to_bias",
    "sum_to_conv",
    "quantize_layer",
    "compiler_form",
    "conv_to_gemm",
    "matmul_to_conv",
    "transposed_to_conv",
    "to_hard_swish",
    "split_rows",
    "fold_stride",
    "pad_channels",
    "pad_stream",
    "recentre",
    "clip_range",
    "swish_scale",
    "correct_bias",
    "equalize",
    "drop_pair",
    "int8_borders",
    "activations_int8",
    "to_qdq",
    "arithmetic_to_qdq",
    "fix_dimensions",
)
"""The files of `npuscope.edits.kinds`, in the order in which their edits are tried on a layer."""


def _declared(file: str) -> Iterator[type[Any]]:
    """The edits of a file, in its order."""
    module = importlib.import_module(f"npuscope.edits.kinds.{file}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and value.__module__ == module.__name__
            and "declaration" in vars(value)
            and issubclass(value, Declared)
        ):
            yield value


KINDS: Mapping[str, type[Any]] = {cls.declaration.kind: cls for file in FILES for cls in _declared(file)}
"""Kind -> the edit's class: a frozen dataclass of strings, numbers, truth values, and tuples of them."""


def to_data(edit: Edit) -> dict[str, Any]:
    """The edit as a table of plain values: 'kind', then its fields; those at their defaults are left out."""
    if KINDS.get(edit.kind) is not type(edit):
        raise ValueError(f"{type(edit).__name__} is not registered as {edit.kind!r}")
    data: dict[str, Any] = {"kind": edit.kind}
    for field in dataclasses.fields(edit):  # type: ignore[arg-type]
        value = getattr(edit, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            data[field.name] = _plain(value)
    return data


def words_of(edit: Edit) -> str:
    """The edit as `npuscope fix` takes it: 'pad-in layer=Gemm_28 channels=264'."""
    data = to_data(edit)
    words = [str(data.pop("kind"))]
    for name, value in data.items():
        if name == "sizes" and edit.kind == "fix-dimensions":
            words += [typed(f"{size}={number}") for size, number in value]
            continue
        text = "+".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(typed(f"{name}={text}"))
    return " ".join(words)


def from_data(data: Mapping[str, Any]) -> Edit:
    """The edit a table stands for. Raises ModelError that says which part cannot be used."""
    kind = data.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ModelError(f"there is no edit of kind {_shown(kind)}; kinds are {', '.join(KINDS)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in data:
        if name != "kind" and name not in fields:
            raise ModelError(f"edit {kind!r} has no {_shown(name)}; it has {', '.join(fields)}")
    hints = get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _converted(data[name], hints[name], f"{name!r} of edit {kind!r}")
        elif field.default is dataclasses.MISSING:
            raise ModelError(f"edit {kind!r} needs {name!r}")
    edit: Edit = cls(**values)
    return edit


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _converted(value: Any, hint: Any, what: str) -> Any:
    if type(value) is int and abs(value) >= 1 << 63:
        raise ModelError(f"{what} holds a number of more than 63 bits")
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _converted(value, next(a for a in arguments if a is not type(None)), what)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ModelError(f"{what} is {_shown(value)}, not a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_converted(item, arguments[0], what) for item in value)
        if len(value) != len(arguments):
            raise ModelError(f"{what} holds a list of {len(value)} where {len(arguments)} values belong")
        return tuple(_converted(item, kind, what) for item, kind in zip(value, arguments, strict=True))
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise ModelError(f"{what} is {_shown(value)}, not {_WANTED.get(hint, 'a value it can take')}")


_WANTED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _shown(value: Any) -> str:
    try:
        return one_line(repr(value), 40)
    except ValueError:  # a number of thousands of digits
        return "a number too long to show"
