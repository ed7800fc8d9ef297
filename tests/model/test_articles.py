"""Operators with the article that their names take when they are read aloud."""

from __future__ import annotations

import pytest

from npuscope.model.names import with_article


@pytest.mark.parametrize(
    ("article", "names"),
    [
        ("an", "Add Unsqueeze Upsample LSTM LRN LpPool STFT Identity RMSNormalization"),
        ("a", "Conv Unique Slice GRU LeakyRelu Relu MatMul Softmax STRING FLOAT"),
    ],
)
def test_the_article_is_the_one_that_is_spoken(article: str, names: str) -> None:
    for name in names.split():
        assert with_article(name) == f"{article} {name}"
