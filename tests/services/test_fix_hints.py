"""Which fixes are named beside a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from npuscope.services.fix_hints import most_different


@dataclass(frozen=True)
class FakeEdit:
    kind: str
    number: int


@dataclass(frozen=True)
class FakePreview:
    edit: FakeEdit


@pytest.mark.parametrize(
    ("kinds", "picked"),
    [
        ("", ""),
        ("a", "0"),
        ("aab", "012"),
        ("aaaa", "012"),
        ("aaab", "013"),
        ("aaabcd", "034"),
        ("abcd", "012"),
        ("aabbc", "024"),
    ],
)
def test_a_few_of_different_kinds_in_their_order(kinds: str, picked: str) -> None:
    ranked: Any = tuple(FakePreview(FakeEdit(kind, at)) for at, kind in enumerate(kinds))
    assert "".join(str(preview.edit.number) for preview in most_different(ranked)) == picked  # type: ignore[attr-defined]
