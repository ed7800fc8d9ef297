"""Short names: what tells names apart stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npuscope.model.brief import brief_names, briefly


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["Gemm_28", "Conv2D_23"], ["Gemm_28", "Conv2D_23"]),
        (
            ["/tcn/block_0/net/net.1/Conv", "/tcn/block_1/net/net.1/Conv", "/tcn/block_1/net/net.2/Conv"],
            ["block_0/net.1/Conv", "block_1/net.1/Conv", "block_1/net.2/Conv"],
        ),
        (["/model/head/Softmax"], ["head/Softmax"]),
        (["/a/x/Conv", "/b/x/Conv", "a/x/Conv"], ["a/x/Conv", "b/x/Conv", "a/x/Conv"]),
        (["", "/", "//"], ["", "/", "//"]),
    ],
)
def test_forms(names: list[str], short: list[str]) -> None:
    brief = brief_names(names)
    assert set(brief) == set(names)
    if len(set(short)) == len(short):
        assert [brief[name] for name in names] == short


PARTS = st.sampled_from(["", "a", "b", "net", "net.0", "Conv"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), unique=True))
def test_names_stay_apart(names: list[str]) -> None:
    brief = brief_names(names)
    assert len(set(brief.values())) == len(names)
    assert all(len(short) <= len(name) for name, short in brief.items())


def test_a_text_about_a_layer() -> None:
    brief = {"/m/x/Conv": "x/Conv"}
    assert briefly("split inputs of /m/x/Conv as 2+3", "/m/x/Conv", brief) == "split inputs of x/Conv as 2+3"
    assert briefly("fix the batch at 1", "", brief) == "fix the batch at 1"
