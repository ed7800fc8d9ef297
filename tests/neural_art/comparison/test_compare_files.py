"""Comparisons of files: which is which, in what order, and names that are hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.artefacts.compared import LOG, REPORT, artefact, graph_of, snapshot
from builders.artefacts.texts import NETWORK_REPORT
from builders.models import DENOISER, SAMPLES, gemm_qdq

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.artefact import Artefact, read_text
from npuscope.neural_art.artefacts.values import HW, SW, Content, Node, ReportedEpoch
from npuscope.neural_art.comparison.compare import compare
from npuscope.neural_art.comparison.disagreement_report import disagreements
from npuscope.neural_art.comparison.epochs import merged
from npuscope.neural_art.comparison.values import Comparison
from npuscope.reports.compare_json import compare_json
from npuscope.reports.compare_markdown import compare_markdown
from npuscope.reports.compare_report import compare_text
from npuscope.services.builds import BuildOptions
from npuscope.services.open import artefact_title, compare_files

HOSTILE = "|x`<b>*\n\x1b[31m\u202e=1"


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(257, 64, name=HOSTILE).SerializeToString())
    node = Node("Gemm_3_conv_4", "Conv", 1, "hw", "CONV_ACC_V2 0")
    comparison = compare(
        snapshot(path), [artefact(Content("dot", nodes=(node,), not_understood=(HOSTILE,)), HOSTILE)]
    )
    for text in (compare_text(comparison), compare_markdown(comparison)):
        assert not {"\x1b", "\u202e"} & set(text)
    assert "<b>" not in compare_markdown(comparison)
    json.dumps(compare_json(comparison))


def test_disagreements_tell_no_names() -> None:
    model = snapshot()
    comparison = compare(
        model,
        [artefact(Content("dot", toolchain="2.1.0", nodes=tuple(graph_of(model, simd="8x8"))), "/home/u/x")],
    )
    value = disagreements(comparison, model)
    text = json.dumps(value)
    assert [layer["differences"] for layer in value["layers"]] == [["simd"]]
    assert value["layers"][0]["convolution"]["in_channels"] == 256
    assert value["layers"][0]["inputs"][0]["zero_point"] == 5
    names = {report.name for report in model.layers} | {
        t for n in model.graph.nodes for t in (*n.inputs, *n.outputs)
    }
    assert not any(name and f'"{name}"' in text for name in names) and "/home" not in text
    assert value["layers"][0]["name"] != disagreements(comparison, model)["layers"][0]["name"], (
        "the salt is thrown away"
    )


def test_files_are_told_apart(tmp_path: Path) -> None:
    report, log = tmp_path / "r", tmp_path / "l"
    report.write_text(REPORT)
    log.write_text(LOG)
    comparison, model = compare_files([report, DENOISER, log])
    assert model is not None and model.target.toolchain.version == "2.1" and comparison.agreement is not None
    asked, _ = compare_files([report, DENOISER], BuildOptions("4.0"))
    assert asked.toolchain == "4.0" and "the artefacts come from Core 2.1" in asked.notes[-1]
    assert compare_files([log])[0].toolchain == "4.0"
    with pytest.raises(ModelError, match="nothing to compare"):
        compare_files([DENOISER])
    with pytest.raises(ModelError, match="a model too"):
        compare_files([DENOISER, SAMPLES / "mobilenet_mini_int8.onnx", report])
    with pytest.raises(ModelError, match="--toolchain"):
        compare_files([report], BuildOptions("7.0"))
    assert (artefact_title(report), artefact_title(DENOISER), artefact_title(tmp_path)) == ("report", "", "")


def test_an_artefact_of_another_file_is_named(tmp_path: Path) -> None:
    report = tmp_path / "r"
    block = "Exec/report summary (generate)\n model_hash : 0x" + "ab" * 16 + "\n"
    report.write_text(block + REPORT)
    comparison, _ = compare_files([DENOISER, report])
    assert any("as its MD5 says" in note for note in comparison.notes)


def without_paths(comparison: Comparison) -> dict[str, object]:
    value = compare_json(comparison)
    value.pop("artefacts")
    return value


def test_the_order_of_artefacts_does_not_matter() -> None:
    model, inputs = snapshot(), [artefact(REPORT), artefact(LOG)]
    assert without_paths(compare(model, inputs)) == without_paths(compare(model, inputs[::-1]))


def test_a_blob_is_not_added_to_the_epochs_it_holds() -> None:
    blob = Artefact(
        "c_info", epochs=(ReportedEpoch(1, HW, cycles=500, last=3), ReportedEpoch(4, SW, "Softmax", cycles=9))
    )
    graph = Artefact("dot", epochs=tuple(ReportedEpoch(i, HW, nodes=(f"n{i}",)) for i in (1, 2, 3)))
    assert [(e.index, e.last, e.cycles) for e in merged([blob, graph])] == [
        (1, None, None), (2, None, None), (3, None, None), (4, None, 9)
    ]  # fmt: skip
    assert [(e.index, e.last) for e in merged([blob])] == [(1, 3), (4, None)]


def test_the_c_code_for_a_cpu_is_named() -> None:
    code = '/**\n  * @file network.c\n  */\n#include "network.h"\n#include "ai_platform_interface.h"\n'
    with pytest.raises(ModelError, match="for the CPU"):
        read_text(code, "network.c")


def test_network_report_is_read() -> None:
    content = read_text(NETWORK_REPORT, "network_report.json")
    assert (content.kind, content.toolchain, content.rows[0].name) == (
        "network_report",
        "2.2.0-20266",
        "conv",
    )
    assert content.inputs[0].dtype == "uint8" and content.signatures == ("a" * 32,)
