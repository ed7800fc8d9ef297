"""Fields read from each public artefact, and matches with the right layers. Skipped where the artefacts are absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders.models import SHARED

from npuscope.model.layers import WEIGHTED, Layers, fold
from npuscope.model.load import Source, load
from npuscope.neural_art.artefacts.artefact import Artefact, read
from npuscope.neural_art.artefacts.matching import match, operators
from npuscope.neural_art.artefacts.readers.intermediate import open_intermediate
from npuscope.neural_art.artefacts.text.documents import parse
from npuscope.neural_art.artefacts.text.lines import decode, read_bytes
from npuscope.neural_art.artefacts.text.names import parse as parse_name
from npuscope.neural_art.artefacts.values import Node

CASES = SHARED / "groundtruth" / "cases"
if not CASES.is_dir():
    pytest.skip("the public artefacts are not here", allow_module_level=True)

# file -> kind, version, epochs (all, hybrid, software), nodes, pools, inputs, outputs, what is not understood
FIELDS: dict[str, tuple[str, str, tuple[int, int, int], int, int, int, int, int]] = {
    "ocr_det_160/report.txt": ("report", "2.2", (184, 0, 14), 0, 9, 0, 0, 0),
    "ocr_det_160/c_info.json": ("c_info", "2.2", (184, 0, 14), 623, 10, 1, 1, 0),
    "ocr_det_160/tmp.dot": ("dot", "", (184, 0, 14), 624, 0, 0, 0, 0),
    "ocr_det_160/stm32n6.mpool": ("mpool", "", (0, 0, 0), 0, 10, 0, 0, 1),
    "ocr_det_160/atonn_options.ini": ("options", "2.2", (0, 0, 0), 0, 0, 0, 0, 0),
    "mobilenet_v2_224/report_and_board.txt": ("report", "2.2", (58, 0, 3), 0, 9, 1, 1, 0),
    "yolov11n_micro_224/report_and_board.txt": ("report", "4.0", (37, 12, 10), 0, 9, 1, 1, 0),
    "speech_tcnn_257/report_2.0.txt": ("report", "2.0", (49, 0, 16), 0, 5, 0, 0, 0),
    "yamnet_1024/report_2.1.txt": ("report", "2.1", (39, 0, 3), 0, 6, 0, 0, 0),
    "yamnet_1024/report_2.2.txt": ("report", "2.2", (39, 0, 3), 0, 6, 0, 0, 0),
    "mobilefacenet_qop/report.txt": ("report", "2.1", (165, 0, 112), 0, 9, 0, 0, 0),
    "mobilefacenet_qop/c_info.json": ("c_info", "2.1", (165, 0, 112), 380, 10, 1, 1, 0),
    "mobilefacenet_qop/tmp.dot": ("dot", "", (165, 0, 112), 381, 0, 0, 0, 0),
    "mobilefacenet_qop/Q.json": ("quantization", "2.1", (0, 0, 0), 0, 0, 0, 0, 0),
    "mobilenet_v2_128/report.txt": ("report", "3.0", (56, 0, 1), 0, 9, 0, 0, 0),
    "mobilenet_v2_128/c_info.json": ("c_info", "3.0", (56, 0, 1), 192, 10, 1, 1, 0),
    "mobilenet_v2_128/tmp.dot": ("dot", "", (56, 0, 1), 193, 0, 0, 0, 0),
    "blazeface_128/c_info.json": ("c_info", "2.2", (85, 0, 27), 266, 10, 1, 4, 0),
    "blazeface_128/tmp.dot": ("dot", "", (85, 0, 27), 267, 0, 0, 0, 0),
    "ssd_mobilenet_v1_256/report.txt": ("report", "2.1", (67, 0, 9), 0, 6, 0, 0, 0),
    "ssd_mobilenet_v1_256/c_info.json": ("c_info", "2.1", (67, 0, 9), 304, 11, 1, 3, 0),
    "ssd_mobilenet_v1_256/tmp.dot": ("dot", "", (67, 0, 9), 305, 0, 0, 0, 0),
    "timeseries_conv2d/report.txt": ("report", "4.0", (18, 0, 0), 0, 9, 0, 0, 0),
    "timeseries_conv2d/c_info.json": ("c_info", "4.0", (18, 0, 0), 69, 9, 1, 1, 0),
    "transformer_128/report.txt": ("report", "2.2", (407, 0, 150), 0, 9, 0, 0, 0),
    "transformer_128/c_info.json": ("c_info", "2.2", (407, 0, 150), 1126, 10, 1, 1, 0),
    "citrinet_256/report.txt": ("report", "4.0", (618, 0, 0), 0, 6, 0, 0, 0),
    "citrinet_256/network.csv": ("network_csv", "", (618, 0, 0), 0, 6, 0, 0, 0),
    "stm32n6.mdesc": ("mdesc", "", (0, 0, 0), 0, 0, 0, 0, 0),
    "stm32n6.mpool": ("mpool", "", (0, 0, 0), 0, 6, 0, 0, 0),
    "user_neural_art.json": ("profiles", "", (0, 0, 0), 0, 0, 0, 0, 0),
    "../../thread/report.txt": ("report", "2.1", (23, 0, 3), 0, 0, 5, 5, 0),
    "../../thread/lowering.log": ("lowering_log", "", (0, 0, 0), 0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("name", FIELDS)
def test_no_listed_field_is_lost(name: str) -> None:
    artefact = read(CASES / name)
    hybrid, software = (sum(e.placement == word for e in artefact.epochs) for word in ("hybrid", "sw"))
    assert (
        artefact.kind, artefact.version, (len(artefact.epochs), hybrid, software), len(artefact.nodes), len(artefact.pools),
        len(artefact.inputs), len(artefact.outputs), len(artefact.not_understood),
    ) == FIELDS[name]  # fmt: skip
    if artefact.kind == "report" and "thread" not in name:
        assert artefact.compiler and dict(artefact.options).get("-i", "").endswith(".onnx")
        assert all(pool.used is not None and pool.size is not None for pool in artefact.pools)
    if artefact.kind == "c_info":
        assert all(epoch.cycles is not None and epoch.nodes for epoch in artefact.epochs)
        assert all(node.epoch for node in artefact.nodes)
    if artefact.kind == "dot":
        convs = [node for node in artefact.nodes if node.unit.startswith("CONV_ACC")]
        assert all(n.latency_cycles and n.simd and n.choked_ports and n.input_shape for n in convs)


def test_totals_of_the_reports() -> None:
    totals = read(CASES / "yolov11n_micro_224/report_and_board.txt").totals
    assert (totals.epochs, totals.sw, totals.hybrid, totals.hw) == (151, 10, 12, 129)
    assert (totals.milliseconds, totals.npu_hz, totals.cpu_hz) == (42.939, 800_000_000, 600_000_000)
    board = read(CASES / "mobilenet_v2_224/report_and_board.txt")
    assert sum(epoch.milliseconds or 0 for epoch in board.epochs) == pytest.approx(20.692)
    csv = read(CASES / "citrinet_256/network.csv").totals
    assert (csv.cycles, csv.compute_cycles, csv.npu_hz) == (91_893_224, 38_926_712, 1_000_000_000)


@pytest.mark.parametrize(
    "folder", sorted(p.name for p in (CASES / "single_layers").iterdir()) if CASES.is_dir() else []
)
def test_intermediate_pairs_of_single_layers(folder: str) -> None:
    place = CASES / "single_layers" / folder
    assert read(place / "Q.json").originals
    assert fold(open_intermediate(place / "OE.onnx", place / "Q.json").graph).layers


MATCHED = ("ocr_det_160", "mobilefacenet_qop", "mobilenet_v2_128", "blazeface_128", "ssd_mobilenet_v1_256",
           "timeseries_conv2d")  # fmt: skip
NOT_DRAWN = "timeseries_conv2d"
"""Its tmp.dot is not published."""


def opened(case: str) -> Source:
    place = CASES / case
    if (place / "model.onnx").exists():
        return load(place / "model.onnx")
    return open_intermediate(place / "OE.onnx", place / "Q.json")


def truth(case: str, layers: Layers) -> dict[str, str]:
    """Compiler's name -> layer: by name in an intermediate model, else by all weight scales of c_info.json."""
    weighted = [layer for layer in layers.layers if layer.kind in WEIGHTED and layer.weight is not None]
    if not (CASES / case / "model.onnx").exists():
        return {layer.name: layer.name for layer in weighted}
    document = parse(decode(read_bytes(CASES / case / "c_info.json")), case)
    layer_of: dict[str, str] = {}
    for buffer in document["buffers"]:
        if "_weights" in buffer["name"] and buffer.get("intq"):
            scales = np.sort(buffer["intq"]["scales"])
            same = [
                layer.name
                for layer in weighted
                if layer.weight is not None
                and layer.weight.quant is not None
                and layer.weight.quant.scale.size == scales.size
                and np.allclose(np.sort(layer.weight.quant.scale), scales, rtol=1e-5)
            ]
            if len(same) == 1:
                layer_of[parse_name(buffer["name"]).base] = same[0]
    return layer_of


def without_scales(nodes: tuple[Node, ...]) -> list[Node]:
    return [replace(node, weight_scale=None, output_scale=None, input_scale=None) for node in nodes]


def renamed(layers: Layers) -> list[object]:
    return [replace(layer, name=f"layer/{i}") for i, layer in enumerate(layers.layers)]


@pytest.mark.parametrize(
    ("case", "source"),
    [(case, "c_info.json") for case in MATCHED]
    + [(case, "tmp.dot") for case in MATCHED if case != NOT_DRAWN],
)
def test_weighted_nodes_find_their_layers(case: str, source: str) -> None:
    """At least 99 % in every way: with the compiler's own names, with scales alone, with shapes and order alone."""
    artefact, model = read(CASES / case / source), opened(case)
    layers = fold(model.graph)
    right = truth(case, layers)
    right_at = {layer.name: f"layer/{i}" for i, layer in enumerate(layers.layers)}
    wanted = [o.name.base for o in operators(artefact.nodes) if o.name.kind in WEIGHTED]
    assert set(wanted) <= set(right) and len(wanted) > 10
    for way in ("names", "scales", "shapes"):
        nodes = artefact.nodes if way != "shapes" else tuple(without_scales(artefact.nodes))
        candidates = list(layers.layers) if way == "names" else renamed(layers)
        names = originals(CASES / case / "Q.json") if way == "names" else ()
        matches = match(candidates, model.graph, nodes, names).by_layer  # type: ignore[arg-type]
        layer_at = {m.operator.name.base: m.layer for m in matches.values()}
        expected = right if way == "names" else {base: right_at[name] for base, name in right.items()}
        hits = sum(layer_at.get(base) == expected[base] for base in wanted)
        assert hits >= 0.99 * len(wanted), f"{way}: {hits} of {len(wanted)}"


def originals(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    artefact: Artefact | None = read(path) if path.exists() else None
    return () if artefact is None else artefact.originals
