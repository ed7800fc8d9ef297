"""Blocks of a model: every layer in one of them, every edge between two of them kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.yolo_like import yolo_like

from npuscope.model.inspection.blocks import Blocks, blocks, closed_again, opened_further
from npuscope.model.layers import fold
from npuscope.model.links import Links
from npuscope.model.load import load

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "sample_models").glob("*_int8.onnx"))


def links_of(path: Path) -> Links:
    return Links(fold(load(path).graph))


def hold_all(partition: Blocks, links: Links) -> None:
    names = [layer.name for block in partition.blocks for layer in block.layers]
    assert sorted(names) == sorted(layer.name for layer in links.layers)
    row = {layer.name: at for at, block in enumerate(partition.blocks) for layer in block.layers}
    assert set(partition.edges) == {(row[a], row[b]) for a, b in links.edges if row[a] != row[b]}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("most", [1, 4, 12, 40])
def test_every_layer_and_every_edge_is_there(sample: Path, most: int) -> None:
    links = links_of(sample)
    divided = blocks(links, most)
    hold_all(divided, links)
    assert all(start < end for start, end in divided.edges), "what feeds stands above what reads"


def test_a_detector_is_its_blocks(tmp_path: Path) -> None:
    links = links_of(yolo_like(tmp_path / "y.onnx"))
    divided = blocks(links, 12)
    keys = [block.key for block in divided.blocks]
    # The largest block is divided, a scope that holds one other stands for both.
    parts = ["0", "1", "2/m.0", "2/m.1", "3", "5", "6", "7", "8", "9/dfl"]
    assert [key for key in keys if key.startswith("model.")] == [f"model.{part}" for part in parts]
    concat = keys.index("model.6")
    assert {keys[start] for start, end in divided.edges if end == concat} == {"model.2/m.1", "model.5"}


def test_blocks_are_divided_and_put_together_again(tmp_path: Path) -> None:
    links = links_of(yolo_like(tmp_path / "y.onnx"))
    divided = blocks(links, 4, ())
    at = next(block for block in divided.blocks if block.key == "model.2")
    assert at.divides
    parts = blocks(links, 4, opened_further(links, divided, at))
    hold_all(parts, links)
    assert {"model.2/m.0", "model.2/m.1"} <= {block.key for block in parts.blocks}
    again = blocks(links, 4, closed_again(parts, "model.2"))
    assert [block.key for block in again.blocks] == [block.key for block in divided.blocks]


def without_names(path: Path) -> Links:
    """The same model as an exporter writes it that names nothing."""
    import onnx

    model = onnx.load(path)
    for i, node in enumerate(model.graph.node):
        node.name = f"n{i}"
    onnx.save(model, path)
    return links_of(path)


def test_a_model_without_scopes_is_cut_where_one_tensor_goes_on(tmp_path: Path) -> None:
    links = without_names(yolo_like(tmp_path / "y.onnx", residuals=6))
    divided = blocks(links, 40)
    hold_all(divided, links)
    adds = [block for block in divided.blocks if any(layer.op == "Add" for layer in block.layers)]
    assert len(adds) == 6
    assert all(block.layers[-1].op == "Add" for block in adds), "a residual block ends with its Add"
    few = blocks(links, 5)
    hold_all(few, links)
    assert len(few.blocks) <= 6
