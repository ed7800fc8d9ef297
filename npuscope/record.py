"""Data classes that take little time to declare, and records: values that nobody changes, of which a model has many.

A program declares hundreds of data classes before its first line of work, and a run makes a third of them. Those of the
standard library compile six methods for each; these compile `__init__` when the first one is made, and share the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import MISSING, FrozenInstanceError, field
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:  # a type checker knows those well
    from dataclasses import dataclass
    from functools import cached_property
    from inspect import Signature
else:

    class cached_property:  # noqa: N801 (its name)
        """As `functools.cached_property` of Python 3.12, without the lock of those before: a model asks a hundred thousand."""

        def __init__(self, work):
            self.work, self.__doc__ = work, work.__doc__

        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, one, owner=None):
            if one is None:
                return self
            value = one.__dict__[self.name] = self.work(one)
            return value

    def dataclass(cls=None, *, eq=True, frozen=False, slots=False):
        """As `dataclasses.dataclass`, in all that its options here say."""

        def declare(cls):
            return _declared(cls, eq=eq, hashed=eq and frozen, frozen=frozen, slots=slots)

        return declare if cls is None else declare(cls)


__all__ = ["cached_property", "dataclass", "record"]

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    eq: bool = True, slots: bool = True, weakref_slot: bool = False
) -> Callable[[type[Kind]], type[Kind]]:
    """A data class that the type checker takes for frozen; nothing guards it at run time, so that it is made in a fifth of the time.

    With `eq` two of them are equal where their fields are, and so are their hashes; without, each equals itself alone.
    """
    return lambda cls: _declared(cls, eq=eq, hashed=eq, slots=slots, weakref_slot=weakref_slot)


def _declared(
    cls: type[Kind],
    eq: bool,
    hashed: bool,
    frozen: bool = False,
    slots: bool = False,
    weakref_slot: bool = False,
) -> type[Kind]:
    made: Any = dataclasses.dataclass(
        init=False, repr=False, eq=False, slots=slots, weakref_slot=weakref_slot
    )(cls)
    fields = dataclasses.fields(made)
    methods: dict[str, Any] = {
        "__init__": _compiled_when_called(made, frozen),
        "__signature__": _Signature(),
        "__repr__": _repr([one.name for one in fields if one.repr]),
    }
    if eq:
        compared = [one for one in fields if one.compare]
        values = _values([one.name for one in compared])
        methods["__eq__"] = _eq(values)
        methods["__hash__"] = None
        if hashed:
            methods["__hash__"] = _hash(
                _values([one.name for one in fields if (one.compare if one.hash is None else one.hash)])
            )
    if frozen:
        methods["__setattr__"], methods["__delattr__"] = _guards(made, {one.name for one in fields})
        if slots:
            methods["__getstate__"], methods["__setstate__"] = _states([one.name for one in fields])
    for name, method in methods.items():
        if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _compiled_when_called(cls: Any, frozen: bool) -> Callable[..., None]:
    def init(self: object, *values: object, **named: object) -> None:
        cls.__init__ = _init(cls, frozen)
        cls.__init__(self, *values, **named)

    init.compiled = lambda: _init(cls, frozen)  # type: ignore[attr-defined]
    return init


class _Signature:
    """What `help` and editors show of a class: the parameters of its `__init__`, compiled or not."""

    def __get__(self, _: object, cls: type[Any]) -> Signature:
        from inspect import signature  # nothing else here needs it

        init = cls.__init__
        of_fields = signature(init.compiled() if hasattr(init, "compiled") else init)
        return of_fields.replace(parameters=list(of_fields.parameters.values())[1:])


def _init(cls: type[Any], frozen: bool) -> Callable[..., None]:
    """A function that sets the fields, as somebody would write it."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    parameters, lines = ["self"], []
    for one in dataclasses.fields(cls):
        name, default = one.name, f"_default_{one.name}"
        parameter = value = name
        if one.default is not MISSING:
            known[default] = one.default
            parameter, value = f"{name}={default}", name if one.init else default
        elif one.default_factory is not MISSING:
            known[default] = one.default_factory
            parameter, value = f"{name}=_MISSING", f"{default}()"
            if one.init:
                value += f" if {name} is _MISSING else {name}"
        elif not one.init:
            continue  # `__post_init__` sets it
        if one.init:
            parameters.append(parameter)
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n".join(f" {line}" for line in lines or ["pass"])
    exec(f"def __init__({', '.join(parameters)}):\n{body}", known)  # noqa: S102 (names of fields)
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {one.name: one.type for one in dataclasses.fields(cls) if one.init} | {
        "return": None
    }
    return init


Values = Callable[[Any], tuple[object, ...]]


def _values(names: Iterable[str]) -> Values:
    """A function that gives some fields of an object."""
    match list(names):
        case []:
            return lambda _: ()
        case [name]:
            get = attrgetter(name)
            return lambda one: (get(one),)
        case several:
            return attrgetter(*several)


def _eq(values: Values) -> Callable[[object, object], bool]:
    def eq(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return eq


def _hash(values: Values) -> Callable[[object], int]:
    def hash_(self: object) -> int:
        return hash(values(self))

    return hash_


def _repr(names: list[str]) -> Callable[[object], str]:
    @recursive_repr()
    def repr_(self: object) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__qualname__}({shown})"

    return repr_


def _guards(cls: Any, names: set[str]) -> tuple[Callable[..., None], Callable[..., None]]:
    """A subclass that is not frozen may have fields of its own."""

    def setattr_(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delattr_(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return setattr_, delattr_


def _states(names: list[str]) -> tuple[Callable[..., list[object]], Callable[..., None]]:
    """Copies and pickles would else set the attributes of an object that is guarded."""

    def getstate(self: object) -> list[object]:
        return [getattr(self, name) for name in names]

    def setstate(self: object, state: Iterable[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return getstate, setstate
