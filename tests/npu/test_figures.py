"""Sizes as text."""

from __future__ import annotations

import pytest

from npuscope.npu.figures import size_words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (9524, "9.30 KiB"),
        (262_144, "256 KiB"),
        (1023 * 1024, "0.999 MiB"),
        (1 << 20, "1.00 MiB"),
        (5 << 40, "5 120 GiB"),
    ],
)
def test_a_size_has_three_places(count: int, words: str) -> None:
    assert size_words(count) == words
