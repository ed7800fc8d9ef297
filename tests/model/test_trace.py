"""Traces: what leads to a layer, what comes of it, and what lies between two."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from builders.networks.yolo_like import yolo_like
from hypothesis import given
from hypothesis import strategies as st

from npuscope.model.inspection.trace import Way, layer_end, path, scope_end, trace
from npuscope.model.layers import Layers, fold
from npuscope.model.links import Links
from npuscope.model.load import load


class Given(Links):
    """Links with edges that are given."""

    edges: tuple[tuple[str, str], ...] = ()


def links_of(pairs: list[tuple[int, int]]) -> Links:
    """Edges between layers of numbers, from the lower one to the higher one."""
    links = Given(Layers((), ()))
    links.__dict__["edges"] = tuple(
        dict.fromkeys((str(min(pair)), str(max(pair))) for pair in pairs if pair[0] != pair[1])
    )
    return links


def walks(links: Links, start: str) -> list[tuple[str, ...]]:
    """Every way down from a layer."""
    found, pending = [], [(start,)]
    while pending:
        here = pending.pop()
        found.append(here)
        pending += [(*here, end) for begin, end in links.edges if begin == here[-1]]
    return found


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12)


@given(EDGES, st.integers(0, 7))
def test_a_trace_holds_what_some_way_goes_through(pairs: list[tuple[int, int]], at: int) -> None:
    links, here = links_of(pairs), str(at)
    after = {name for way in walks(links, here) for name in way}
    before = {str(other) for other in range(8) if any(way[-1] == here for way in walks(links, str(other)))}
    assert trace(links, layer_end(here), Way.AFTER).layers == after
    assert trace(links, layer_end(here), Way.BEFORE).layers == before
    assert trace(links, layer_end(here)).layers == before | after


@given(EDGES, st.integers(0, 7), st.integers(0, 7))
def test_a_path_holds_every_way_between_two(pairs: list[tuple[int, int]], one: int, other: int) -> None:
    links = links_of(pairs)
    start, end = str(min(one, other)), str(max(one, other))
    between = [way for way in walks(links, start) if way[-1] == end and one != other]
    found = path(links, layer_end(str(one)), layer_end(str(other)))
    assert (found is None) == (not between)
    if found is not None:
        assert [at.name for at in found.ends] == [start, end], (
            "in the order of the model, whichever was chosen first"
        )
        assert found.layers == {name for way in between for name in way}
        inside = [edge for way in between for edge in pairwise(way)]
        assert {name for edge in inside for name in edge} == found.layers


def test_a_block_between_a_split_and_its_sum(tmp_path: Path) -> None:
    links = Links(fold(load(yolo_like(tmp_path / "y.onnx")).graph))
    end = "/model.2/m.1/Add"
    found = path(links, layer_end(end), layer_end("/model.2/m.0/Add"))
    assert found is not None and found.start.name == "/model.2/m.0/Add"
    inside = found.layers - {found.start.name, end}
    assert inside and all(name.startswith("/model.2/m.1/") for name in inside)


def test_a_scope_is_traced_as_one(tmp_path: Path) -> None:
    links = Links(fold(load(yolo_like(tmp_path / "y.onnx")).graph))
    layers = links.layers
    scope = scope_end("model.2/m.0", layers)
    assert scope.layers == {layer.name for layer in layers if layer.name.startswith("/model.2/m.0/")}
    assert len(scope.layers) > 1
    for way in Way:
        alone = [trace(links, layer_end(name), way).layers for name in scope.layers]
        assert trace(links, scope, way).layers == frozenset().union(*alone)
    other = scope_end("model.2/m.1", layers)
    between = path(links, other, scope)
    assert between is not None and (between.start, between.end) == (scope, other)
    ends = [path(links, layer_end(a), layer_end(b)) for a in scope.layers for b in other.layers]
    assert between.layers == frozenset().union(*(found.layers for found in ends if found is not None))
    assert path(links, scope, layer_end(min(scope.layers))) is None, "one is in the other"
