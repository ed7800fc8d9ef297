"""Frozen classes behave as those of the standard library do."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any, ClassVar

import pytest

from npuscope.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Two values."""

    first: int
    second: str = "b"
    kinds: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """What follows from a field is not given."""

    sizes: list[int] = field(default_factory=list)
    total: int = field(init=False, repr=False)
    made: dict[str, int] = field(default_factory=dict, init=False)
    fixed: int = field(default=7, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.sizes))


@dataclass(frozen=True)
class Hashed:
    """Some fields do not count."""

    name: str
    note: str = field(default="", compare=False)
    table: dict[str, int] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True)
class OwnWords(Hashed):
    def __repr__(self) -> str:
        return "own"

    def __eq__(self, other: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Nothing:
    """No field."""


def library(cls: type[Any], **options: Any) -> Any:
    """The class as the library makes it."""
    names = ("__doc__", "__module__", "__qualname__", "__annotations__", "__post_init__", "__str__")
    body = {name: value for name, value in vars(cls).items() if name in names}
    for one in dataclasses.fields(cls):
        wanted = {"default": one.default, "default_factory": one.default_factory}
        given = {name: value for name, value in wanted.items() if value is not dataclasses.MISSING}
        body[one.name] = field(**given, init=one.init, repr=one.repr, compare=one.compare, hash=one.hash)  # type: ignore[call-overload]
    return dataclasses.dataclass(frozen=True, **options)(type(cls.__name__, (), body))


CASES: list[tuple[type[Any], dict[str, bool], tuple[Any, ...]]] = [
    (Pair, {"slots": True}, (1,)),
    (Pair, {"slots": True}, (1, "c")),
    (Derived, {"slots": True, "eq": False}, ()),
    (Derived, {"slots": True, "eq": False}, ([1, 2],)),
    (Hashed, {}, ("a",)),
    (Hashed, {}, ("a", "n", {"x": 1})),
    (Nothing, {"slots": True}, ()),
]


@pytest.mark.parametrize(("cls", "options", "values"), CASES)
def test_a_class_is_what_the_library_makes(
    cls: type[Any], options: dict[str, bool], values: tuple[Any, ...]
) -> None:
    other = library(cls, **options)
    mine, its = cls(*values), other(*values)
    assert repr(mine) == repr(its)
    assert str(inspect.signature(cls)) == str(inspect.signature(other))
    names = [one.name for one in dataclasses.fields(cls)]
    assert [getattr(mine, name) for name in names] == [getattr(its, name) for name in names]
    assert (mine == cls(*values)) is (its == other(*values))
    assert hasattr(mine, "__dict__") is hasattr(its, "__dict__")
    if options.get("eq", True):
        assert hash(mine) == hash(cls(*values))


@pytest.mark.parametrize(("cls", "options", "values"), CASES)
def test_nothing_writes_to_an_object_and_copies_are_whole(
    cls: type[Any], options: dict[str, bool], values: tuple[Any, ...]
) -> None:
    made = cls(*values)
    for name in [one.name for one in dataclasses.fields(cls)] or ["new"]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(made, name)
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert repr(again) == repr(made)
        assert type(again) is cls


def test_fields_that_do_not_count_and_methods_of_the_class() -> None:
    assert Hashed("a", "n") == Hashed("a", "m") != Hashed("b")
    assert Hashed("a", table={"x": 1}) != Hashed("a")
    assert Pair(1) != (1, "b")
    assert dataclasses.replace(Pair(1), second="c") == Pair(1, "c")
    assert repr(OwnWords("a")) == "own"
    assert OwnWords("a") == 3
    assert str(OwnWords("a")) == "<a>"
    with pytest.raises(TypeError):
        Pair()  # type: ignore[call-arg]
