"""`compare` on the public artefacts: nodes, times and reasons find their layers. Skipped where they are absent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from builders.models import SHARED

from npuscope.neural_art.artefacts.artefact import read
from npuscope.neural_art.artefacts.matching import operators
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.comparison.disagreement_report import disagreements
from npuscope.neural_art.comparison.times import with_times
from npuscope.services.builds import BuildOptions
from npuscope.services.open import compare_files

CASES = SHARED / "groundtruth" / "cases"
if not CASES.is_dir():
    pytest.skip("the public artefacts are not here", allow_module_level=True)

# case -> artefacts, weighted operators the compiler names, layers that differ at most
LISTED: dict[str, tuple[tuple[str, ...], int, int]] = {
    "ocr_det_160": (("report.txt", "c_info.json", "tmp.dot"), 64, 0),
    "mobilefacenet_qop": (("report.txt", "c_info.json", "tmp.dot", "Q.json"), 50, 2),
    "mobilenet_v2_128": (("report.txt", "c_info.json", "tmp.dot", "Q.json"), 53, 0),
    "blazeface_128": (("c_info.json", "tmp.dot", "Q.json"), 37, 0),
    "ssd_mobilenet_v1_256": (("report.txt", "c_info.json", "tmp.dot", "Q.json"), 53, 0),
    "timeseries_conv2d": (("report.txt", "c_info.json", "Q.json"), 17, 0),
}


def model_of(case: str) -> Path:
    own = CASES / case / "model.onnx"
    return own if own.exists() else CASES / case / "OE.onnx"


@pytest.mark.parametrize("case", LISTED)
def test_every_weighted_operator_has_a_layer_and_few_differ(case: str) -> None:
    names, count, most = LISTED[case]
    files = [CASES / case / name for name in names]
    comparison, _ = compare_files([model_of(case), *files])
    nodes = {node.name: node for file in files for node in read(file).nodes}.values()
    wanted = {
        op.name.base for op in operators(nodes) if op.name.kind in ("Conv", "Gemm", "MatMul", "ConvTranspose")
    }
    matched = {
        parse(layer.evidence.nodes[0]).base
        for layer in comparison.layers
        if layer.evidence is not None and layer.evidence.nodes
    }
    assert len(wanted) == count and wanted <= matched
    assert len(comparison.disagreements) <= most
    assert comparison.unmatched == ()


def test_cycles_of_an_epoch_that_another_chain_shares_are_not_the_layers() -> None:
    comparison, _ = compare_files([model_of("ocr_det_160"), CASES / "ocr_det_160" / "c_info.json"])
    assert not comparison.disagreements


def test_a_layer_on_the_npu_of_which_the_cpu_drives_a_part_is_hybrid() -> None:
    comparison, _ = compare_files([model_of("ocr_det_160"), CASES / "ocr_det_160" / "c_info.json"])
    transposed = [layer for layer in comparison.layers if layer.op == "ConvTranspose"]
    assert len(transposed) == 2
    for layer in transposed:
        assert layer.actual is not None and layer.actual.placement == "hybrid"
        assert layer.actual.reason.startswith("2 of its")


def test_a_boards_report_gives_layers_their_times() -> None:
    place = CASES / "mobilenet_v2_224"
    comparison, snapshot = compare_files(
        [place / "model.onnx", place / "report_and_board.txt"], BuildOptions(profile="overdrive")
    )
    assert snapshot is not None
    timed = with_times(snapshot, comparison)
    assert len(timed.measured) == 42
    assert timed.layer_milliseconds == pytest.approx(20.694, abs=0.01)
    ratios = sorted(
        timed.times[name] / report.cost.milliseconds
        for name in timed.measured
        if (report := snapshot.by_name[name]).cost is not None
    )
    assert 0.9 < ratios[len(ratios) // 2] < 1.2


@pytest.mark.parametrize("case", ["ocr_det_160", "mobilefacenet_qop"])
def test_what_is_attached_to_a_bug_report_names_nothing(case: str) -> None:
    comparison, snapshot = compare_files([model_of(case), CASES / case / "c_info.json"])
    assert snapshot is not None
    comparison.__dict__["disagreements"] = comparison.layers
    report_text = json.dumps(disagreements(comparison, snapshot))
    names = {
        name for node in snapshot.graph.nodes for name in (node.name, *node.inputs, *node.outputs) if name
    }
    assert not [name for name in names if f'"{name}"' in report_text]
    assert not re.search(r"[\\/](?!1\")", report_text), "no path"
