"""What trials found of edits of a state of a model, remembered as long as its analysis is held by whoever asked for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from npuscope.edits.edit import Edit
from npuscope.session import Session
from npuscope.snapshot import Snapshot

Value = TypeVar("Value")

_known: WeakKeyDictionary[Snapshot, dict[tuple[object, Edit], Any]] = WeakKeyDictionary()
"""Analysis -> (what was asked, of which edit) -> the answer; answers hold no analysis."""


def remember(snapshot: Snapshot) -> None:
    """From now on nothing of this state is found out twice."""
    _known.setdefault(snapshot, {})


@contextmanager
def remembering(snapshot: Snapshot) -> Iterator[None]:
    """Nothing of this state is found out twice meanwhile."""
    remember(snapshot)
    try:
        yield
    finally:
        _known.pop(snapshot, None)


def once(
    snapshot: Snapshot, find: Callable[[Session, Snapshot, Edit], Value], session: Session, edit: Edit
) -> Value:
    """What `find` says of an edit of this state."""
    known = _known.get(snapshot)
    if known is None:
        return find(session, snapshot, edit)
    place = find, edit
    if place not in known:
        known[place] = find(session, snapshot, edit)
    value: Value = known[place]
    return value
