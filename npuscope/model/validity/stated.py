"""What a file states of its tensors, compared with what follows from its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from npuscope.model.inference.types import Types
from npuscope.model.names import quoted
from npuscope.model.tensors import UNKNOWN, Constant, TensorType
from npuscope.model.validity.operands import as_text, differ

MOST_NAMED = 3


def contradictions(stated: Types, inferred: Types, constants: Mapping[str, Constant]) -> dict[str, str]:
    """Tensor -> what contradicts the file there, for what onnxruntime refuses.

    An element type that the node does not write; an initializer that is not what the input of its name states.
    """
    wrong: dict[str, str] = {}
    for name, type_ in stated.items():
        is_ = inferred.get(name, UNKNOWN)
        shown = quoted(name)
        if "unknown" not in (type_.dtype, is_.dtype) and type_.dtype != is_.dtype:
            wrong[name] = f"{shown!r} is {is_.dtype}, the file states {type_.dtype}"
        elif name in constants and _differ(type_, is_):
            wrong[name] = f"{shown!r} is {_sizes(is_)}, the file states {_sizes(type_)}"
    return wrong


def stale_shapes(stated: Types, inferred: Types, wrong: Mapping[str, str]) -> tuple[str, ...]:
    """A note on stated shapes that differ from what the nodes compute; runtimes use the computed ones."""
    names = list(_stale(stated, inferred, wrong))
    if not names:
        return ()
    shown = ", ".join(
        f"{quoted(name)!r} ({_sizes(stated[name])}, not {_sizes(inferred[name])})"
        for name in names[:MOST_NAMED]
    )
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (
        f"The file states shapes that differ from what its nodes compute: {shown}{more}; the computed shapes are used.",
    )


def _stale(stated: Types, inferred: Types, wrong: Mapping[str, str]) -> Iterator[str]:
    return (
        name
        for name, type_ in stated.items()
        if name not in wrong and _differ(type_, inferred.get(name, UNKNOWN))
    )


def _differ(type_: TensorType, is_: TensorType) -> bool:
    one, other = type_.shape, is_.shape
    if one is None or other is None:
        return False
    if len(one) != len(other):
        return True
    # Some exporters write an open size as -1.
    return any(differ(a, b) and isinstance(a, int) and a >= 0 for a, b in zip(one, other, strict=True))


def _sizes(type_: TensorType) -> str:
    return as_text(type_.shape or ())
