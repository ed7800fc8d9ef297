"""Drawings and overlays of the layers."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pydot
import pytest
from builders import models
from builders.edit_checks import opened
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.cli.main import main
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.reports.dot import FILLS, around, dot_text, edges, svg_bytes
from npuscope.reports.model_explorer import FIGURES, node_data, node_figures
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def session() -> Session:
    return opened(load(models.DENOISER))


def read(text: str) -> pydot.Dot:
    with warnings.catch_warnings():  # pydot's reader calls pyparsing by its old names
        warnings.simplefilter("ignore")
        graphs = pydot.graph_from_dot_data(text)
    assert graphs is not None and len(graphs) == 1
    return graphs[0]


def boxes(graph: pydot.Dot) -> list[pydot.Node]:
    return [node for node in graph.get_nodes() if node.get("label") is not None]


def test_every_layer_and_every_edge_is_drawn(session: Session) -> None:
    snapshot = analyse(session)
    graph = read(dot_text(session, snapshot))
    assert len(boxes(graph)) == len(snapshot.layers)
    assert len(graph.get_edges()) == len(list(edges(session.layers)))
    fills = [node.get("fillcolor").strip('"') for node in boxes(graph)]
    assert fills.count(FILLS[Placement.SW_INT]) == 3


def test_the_surroundings_of_a_layer(session: Session) -> None:
    snapshot = analyse(session)
    graph = read(dot_text(session, snapshot, "Gemm_28", 1))
    labels = [node.get("label") for node in boxes(graph)]
    assert {label.strip('"').split("\\n")[0] for label in labels} == {"Gemm_28", "Flatten_26", "Add_31"}
    assert around(session.layers, "Gemm_28", 0) == {"Gemm_28"}
    assert len(around(session.layers, "Gemm_28", 99)) == len(snapshot.layers)
    assert any("257 input channels" in (node.get("tooltip") or "") for node in boxes(graph))


@pytest.mark.parametrize(
    "name", ['a"]; evil [label="', "back\\", "\\N \\G", "<b>html</b>", "new\nline", "\x1b[2J"]
)
def test_names_stay_text(name: str, tmp_path: Path) -> None:
    made = model(Spec(ich=4, och=3))
    for node in made.graph.node:
        if node.name == NAME:
            node.name = name
    session = opened(saved(made, tmp_path))
    text = dot_text(session, analyse(session))
    assert all(c.isprintable() or c == "\n" for c in text)
    graph = read(text)
    assert len(boxes(graph)) == len(session.layers.layers)
    assert all(node.get_name().startswith("layer") for node in boxes(graph))


def test_svg_without_graphviz_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(ModelError, match="graphviz"):
        svg_bytes("digraph {}")


def test_svg_by_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = tmp_path / "dot"
    stand_in.write_text("#!/bin/sh\ncat >/dev/null\nprintf '<svg/>'\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda program: str(stand_in))
    assert svg_bytes("digraph {}") == b"<svg/>"
    stand_in.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(ModelError, match="broken"):
        svg_bytes("digraph {}")


def test_the_overlay_gives_each_node_its_layers_verdict(session: Session) -> None:
    snapshot = analyse(session)
    data = json.loads(json.dumps(node_data(snapshot), allow_nan=False))
    results = data["results"]
    assert results["Gemm_28"]["value"].startswith("CPU int8 N201")
    assert results["Gemm_28"]["bgColor"] == FILLS[Placement.SW_INT]
    named = {node.name for node in session.graph.nodes}
    assert len(results) == len(session.graph.nodes) - len(session.layers.unattached)
    assert set(results) <= named | set(session.graph.producers)


@pytest.mark.parametrize("what", ["placement", *FIGURES])
def test_the_overlay_of_a_figure(session: Session, what: str, tmp_path: Path) -> None:
    snapshot = analyse(session)
    out = tmp_path / "o.json"
    assert (
        main(
            [
                "dot",
                str(models.DENOISER),
                "-o",
                str(out),
                "--data",
                what,
                "--toolchain",
                session.target.toolchain.version,
            ]
        )
        == 0
    )
    data = json.loads(out.read_text())
    assert data == json.loads(json.dumps(node_figures(snapshot, what)))
    if what == "placement":
        return
    assert [stop["stop"] for stop in data["gradient"]] == [0, 1]
    values = {name: result["value"] for name, result in data["results"].items()}
    assert all(isinstance(value, int | float) for value in values.values()) and len(values) >= 4
    if what == "ms":
        assert sum(values.values()) == pytest.approx(snapshot.summary.milliseconds, rel=1e-3)
    if what == "cycles":
        assert values == {
            r.layer.core.proto.name: r.line.cycles for r in snapshot.layers if r.line.cycles is not None
        }


def test_data_are_for_json_alone(tmp_path: Path) -> None:
    assert main(["dot", str(models.DENOISER), "-o", str(tmp_path / "o.dot"), "--data", "ms"]) == 2
