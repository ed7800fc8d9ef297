"""Edges between layers, and lanes: whatever the graph, its edges can be read back from what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from builders.models import ROOT
from hypothesis import given
from hypothesis import strategies as st

from npuscope.machine.machine import target
from npuscope.model.links import LaneRow, Links, lanes
from npuscope.services.open import open_model
from npuscope.session import Session

GRAPHS = st.integers(1, 24).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=60),
    )
)


def read_back(rows: Sequence[LaneRow]) -> set[tuple[int, int]]:
    """The edges that lanes show, as (upper row, lower row): what a reader's eye follows."""
    begun: dict[int, int] = {}
    pairs: set[tuple[int, int]] = set()
    for index, row in enumerate(rows):
        pairs |= {(begun[lane], index) for lane in row.ends}
        if row.starts is not None:
            begun[row.starts] = index
    return pairs


@given(GRAPHS)
def test_edges_are_read_back_from_the_lanes(graph: tuple[int, set[tuple[int, int]]]) -> None:
    count, edges = graph
    rows = lanes(count, edges, most=count)
    assert len(rows) == count
    assert read_back(rows) == {(min(e), max(e)) for e in edges if e[0] != e[1]}
    assert all(row.hidden == 0 for row in rows)


@given(GRAPHS, st.integers(1, 4))
def test_what_does_not_fit_is_counted_and_nothing_is_invented(
    graph: tuple[int, set[tuple[int, int]]], most: int
) -> None:
    count, edges = graph
    narrow, full = lanes(count, edges, most), lanes(count, edges, count)
    assert read_back(narrow) <= read_back(full)
    for some, every in zip(narrow, full, strict=True):
        drawn = {*some.through, *some.ends} | ({some.starts} - {None})
        there = {*every.through, *every.ends} | ({every.starts} - {None})
        assert all(lane is not None and lane < most for lane in drawn)
        assert drawn <= there
        assert bool(some.hidden) == (drawn != there)


def test_a_residual_is_a_lane_beside_its_block() -> None:
    rows = lanes(4, [(0, 1), (1, 2), (2, 3), (0, 3)], most=4)
    assert [row.node for row in rows] == [0, 0, 1, 0]
    assert rows[1].through == {0: 0}
    assert rows[3].ends == {0: 0, 1: 2}


def test_links_of_the_denoiser() -> None:
    session = Session.open(open_model(ROOT / "sample_models/denoiser_lstm_int8.onnx"), target())
    links = Links(session.layers)
    gemm = session.layers.by_name["Gemm_28"]
    assert [link.layer != "" for link in links.producers(gemm)] == [True]
    (consumer,) = links.consumers(gemm)
    assert session.layers.by_name[consumer.layer].op == "Add"
    assert ("Gemm_28", consumer.layer) in links.edges
    first = session.layers.layers[0]
    assert all(link.layer == "" for link in links.producers(first))
