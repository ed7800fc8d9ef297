"""`dataclass`, as the standard library has it, at a fraction of its price for frozen ones.

The library compiles six functions for a frozen class: an eighth of the time of a short command. Here `__init__` alone is
compiled; it fills slots by their own setters, which takes two thirds of the time. What a class is and how it behaves
does not differ, so type checkers are shown the original.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]


class _Factory:
    """Stands for what a factory makes, where no value is given."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


def _dataclass(
    cls: type[Any] | None = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True
) -> Any:
    if cls is None:
        return lambda cls: _dataclass(cls, frozen=frozen, slots=slots, eq=eq)
    if not frozen:
        return dataclasses.dataclass(slots=slots, eq=eq)(cls)
    if cls.__doc__ is None:  # else the library writes one, and imports inspect for it
        cls.__doc__ = cls.__name__
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(cls)
    methods: dict[str, Any] = {"__init__": _init(cls, fields), "__repr__": _repr}
    if eq:
        methods |= _comparison(fields)
    if slots:
        methods |= _state([field.name for field in fields])
    own = vars(cls)
    for name, method in methods.items():
        if name not in own or (name == "__hash__" and own[name] is None):
            setattr(cls, name, method)
    cls.__setattr__, cls.__delattr__ = _refuse_set, _refuse_delete  # type: ignore[assignment]
    return cls


def _init(cls: type[Any], fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    known: dict[str, Any] = {"absent": _FACTORY, "setattr": object.__setattr__}
    parameters, lines = ["self"], []
    for field in fields:
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            known[f"make_{name}"] = field.default_factory
            value = f"make_{name}()"
            if field.init:
                parameters.append(f"{name}=absent")
                value += f" if {name} is absent else {name}"
        elif field.default is not dataclasses.MISSING:
            known[f"default_{name}"] = field.default
            value = name if field.init else f"default_{name}"
            if field.init:
                parameters.append(f"{name}=default_{name}")
        elif field.init:
            parameters.append(name)
        else:
            continue
        slot = getattr(getattr(cls, name, None), "__set__", None)
        if slot is not None:
            known[f"set_{name}"] = slot
            lines.append(f"set_{name}(self, {value})")
        else:
            lines.append(f"setattr(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]), known)  # noqa: S102
    made: Callable[..., None] = known["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {field.name: field.type for field in fields if field.init} | {"return": None}
    return made


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _comparison(fields: tuple[dataclasses.Field[Any], ...]) -> dict[str, Any]:
    compared = _values([field.name for field in fields if field.compare])
    hashed = _values([f.name for f in fields if (f.compare if f.hash is None else f.hash)])

    def equals(self: Any, other: Any) -> Any:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hash_of(self: Any) -> int:
        return hash(hashed(self))

    return {"__eq__": equals, "__hash__": hash_of}


def _values(names: list[str]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _state(names: list[str]) -> dict[str, Any]:
    """How an object with slots, which nothing may write to, is copied and sent to another process."""

    def state(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def restore(self: Any, values: list[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": state, "__setstate__": restore}


def _refuse_set(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
