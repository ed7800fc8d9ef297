"""Scopes: the labels around a node, and the order in which a tree shows what is in them."""

from __future__ import annotations

from builders.seen_figures import opened
from hypothesis import given
from hypothesis import strategies as st

from npuscope.model.scopes import DEEPEST, reading_order, scope_parts
from npuscope.widgets.lists.outline import Outline

SCOPES = st.lists(st.lists(st.sampled_from("abc"), max_size=4).map("/".join), max_size=24)


def undivided(order: list[str]) -> bool:
    """What lies in one scope stands together, at every depth."""
    for scope in {"/".join(path.split("/")[:depth]) for path in order if path for depth in range(1, 5)}:
        inside = [path == scope or path.startswith(f"{scope}/") for path in order]
        if inside.count(True) and inside[inside.index(True) :][: inside.count(True)].count(False):
            return False
    return True


@given(SCOPES)
def test_a_scope_stands_undivided_where_its_first_thing_does(scopes: list[str]) -> None:
    order = reading_order(scopes)
    assert sorted(order) == list(range(len(scopes)))
    assert undivided([scopes[place] for place in order])
    tops = [scope.split("/")[0] or place for place, scope in enumerate(scopes)]
    assert list(dict.fromkeys(tops[place] for place in order)) == list(dict.fromkeys(tops))
    alike: dict[str, list[int]] = {}
    for place in order:
        alike.setdefault(scopes[place], []).append(place)
    assert all(places == sorted(places) for places in alike.values()), "the model's order within a scope"


@given(SCOPES, st.sets(st.integers(0, 23)))
def test_some_places_stand_as_among_all(scopes: list[str], wanted: set[int]) -> None:
    among = [place for place in range(len(scopes)) if place in wanted]
    assert reading_order(scopes, among) == [place for place in reading_order(scopes) if place in wanted]


def test_deep_scopes_are_one() -> None:
    parts = scope_parts("/".join(map(str, range(40))))
    assert len(parts) == DEEPEST and parts[-1].startswith("11/12/") and scope_parts("//a//b/") == ("a", "b")


def test_the_order_is_that_of_the_explorers_tree() -> None:
    for model in ("mobilenet_mini_int8", "attention_block_int8", "denoiser_lstm_int8"):
        _, snapshot = opened(model)
        order = reading_order([report.layer.scope for report in snapshot.layers])
        assert [snapshot.layers[place].name for place in order] == [r.name for r in Outline(snapshot).order]
