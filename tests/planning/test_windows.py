"""Windows: small models around a layer, and what is found in one for the next."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened
from builders.layer_chains import repeated

from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.model.load import load
from npuscope.planning.search.repeats import on_other, signature
from npuscope.planning.window import window
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def denoiser() -> Session:
    return opened(load(models.DENOISER))


def test_a_window_is_a_small_model_around_a_layer(denoiser: Session) -> None:
    near = window(denoiser, denoiser.layers.by_name["Gemm_74"].nodes, hops=4)
    assert 0 < len(near.graph.nodes) < len(denoiser.graph.nodes) / 2
    made = {name for node in near.graph.nodes for name in node.outputs}
    for node in near.graph.nodes:
        assert all(
            not n or n in made or n in near.graph.constants or n in near.graph.inputs for n in node.inputs
        )
    alone, in_model = analyse(near).by_name["Gemm_74"], analyse(denoiser).by_name["Gemm_74"]
    assert (alone.placement, alone.cost) == (in_model.placement, in_model.cost)
    assert [f.code for f in alone.findings] == [f.code for f in in_model.findings]


def test_layers_alike_have_one_signature(tmp_path: Path) -> None:
    session = repeated(tmp_path, (3,) * 7 + (-128,) + (3,) * 7)
    alike: dict[Hashable, list[str]] = {}
    for layer in session.layers.layers:
        if layer.op == "Conv":
            near = window(session, layer.nodes, hops=4)
            alike.setdefault(signature(near, layer.name), []).append(layer.name)
    counts = sorted(len(names) for names in alike.values())
    assert counts[-1] >= 8, counts
    same = next(names for names in alike.values() if len(names) == counts[-1])
    assert "block7/Conv" not in same and "block8/Conv" not in same


def test_what_was_found_in_a_window_is_renamed_for_the_next() -> None:
    edits = SplitOutput("a", (1, 2)), SplitOutput("ab_part1", (1, 1))
    assert on_other(edits, ("a", "ab"), ("x", "y")) == (
        SplitOutput("x", (1, 2)),
        SplitOutput("y_part1", (1, 1)),
    )
    assert on_other([SplitOutput("b", (1, 2))], ("a",), ("x",)) is None
    assert on_other([Int8Borders("a")], ("a",), ("x",)) is None
