"""Data classes as this program declares them do what those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any

import pytest

from npuscope import record

Declare = Callable[..., Any]
OPTIONS = [
    {},
    {"eq": False},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "eq": False},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
]


def declared(declare: Declare, **options: bool) -> Any:
    @declare(**options)
    class Shape:
        """Fields of every form that is used."""

        name: str
        sides: int = 4
        marks: list[int] = field(default_factory=list, hash=False)
        note: str = field(default="", compare=False)
        hidden: str = field(default="h", repr=False)
        area: int = field(init=False, repr=False)
        seen: dict[str, int] = field(default_factory=dict, init=False, hash=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "area", self.sides * 2)

    return Shape


def outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except (TypeError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_as_the_standard_library_declares_them(options: dict[str, bool]) -> None:
    told = []
    for declare in (dataclasses.dataclass, record.dataclass):
        shape: Any = declared(declare, **options)
        one, other, noted = shape("a", 3), shape("a", sides=3), shape("a", 3, note="n")
        one.marks.append(1)
        told.append(
            [
                [(f.name, f.init, f.repr, f.compare, f.hash) for f in fields(shape)],
                repr(one),
                [one == other, other == noted, shape("b") == shape("a"), one == "a"],
                other.marks,
                one.area,
                outcome(lambda: hash(one) == hash(other)),  # noqa: B023
                outcome(lambda: hash(other) == hash(noted)),  # noqa: B023
                outcome(lambda: shape()),  # noqa: B023
                outcome(lambda: shape("a", colour=1)),  # noqa: B023
                outcome(lambda: setattr(one, "name", "c")),  # noqa: B023
                outcome(lambda: setattr(one, "else", "c")) is None,  # noqa: B023
                outcome(lambda: delattr(one, "hidden")),  # noqa: B023
                repr(replace(noted, sides=5)),
                repr(copy.copy(noted)),
                copy.deepcopy(noted).marks is noted.marks,
                one.__match_args__,
                hasattr(one, "__dict__"),
            ]
        )
    assert told[0] == told[1]


@record.dataclass(frozen=True, slots=True)
class Base:
    """A field of one's own."""

    name: str = "base"


@record.dataclass(frozen=True, slots=True)
class Derived(Base):
    """One more, and words of its own."""

    size: int = 0

    def __repr__(self) -> str:
        return "words"


def test_classes_that_derive_have_all_fields() -> None:
    assert Derived("x", 2) == Derived(size=2, name="x") != Base("x")
    assert repr(Derived()) == "words"
    assert repr(Base()) == "Base(name='base')"
    assert pickle.loads(pickle.dumps(Derived("x", 2))) == Derived("x", 2)
    with pytest.raises(FrozenInstanceError, match="name"):
        Derived().name = "y"  # type: ignore[misc]


def test_a_record_is_equal_by_its_fields_and_unguarded() -> None:
    @record.record()
    class Point:
        """A place."""

        x: int
        y: int = 0

    assert len({Point(1), Point(1, 0), Point(2)}) == 2
    point: Any = Point(1)
    point.x = 3
    assert point == Point(3)


def test_help_shows_the_fields_before_an_object_is_made_and_after() -> None:
    @record.dataclass(frozen=True, slots=True)
    class Size:
        """Numbers."""

        rows: int
        columns: int = 1

    before = inspect.signature(Size)
    Size(1)
    assert str(before) == str(inspect.signature(Size)) == "(rows: 'int', columns: 'int' = 1) -> None"
    assert str(inspect.signature(Derived)).startswith("(name: 'str' = 'base', size")

    class Written(Size):
        """An `__init__` of its own."""

        def __init__(self, area: int) -> None:
            super().__init__(area, 1)

    assert list(inspect.signature(Written).parameters) == ["area"]
