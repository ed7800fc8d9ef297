"""The comparison: the forum case with and without its model, figures that differ, and what is left open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from builders.artefacts.compared import LOG, OFF, REPORT, artefact, graph_of, snapshot
from builders.models import DENOISER, SHARED
from onnx import TensorProto, helper

from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import HW, SW, Content, Node, ReportedEpoch, Totals
from npuscope.neural_art.comparison.compare import _doubts, compare
from npuscope.neural_art.comparison.epochs import Assigned
from npuscope.neural_art.comparison.values import Tally
from npuscope.reports.compare_json import compare_json
from npuscope.reports.compare_markdown import compare_markdown
from npuscope.reports.compare_report import compare_text
from npuscope.services.open import compare_files


def test_the_case_without_its_model() -> None:
    comparison = compare(None, [artefact(REPORT, "report.txt"), artefact(LOG, "lowering.log")])
    assert (comparison.toolchain, comparison.toolchain_stated, comparison.layers, comparison.agreement) == (
        "2.1",
        True,
        (),
        None,
    )
    assert len(comparison.epochs) == 23 and comparison.totals == Totals(epochs=23, sw=3, hw=20)
    entries = comparison.off_npu
    assert [(e.epoch, e.node, e.op) for e in entries] == [
        (2, "Conv2D_23", "Conv"), (3, "Gemm_28_conv_16", "Conv"), (21, "Conv2D_79", "Conv")
    ]  # fmt: skip
    assert [e.channels for e in entries] == ["ch 257, chin 257", "ch 257, chin 1024", "ch 257, chin 257"]
    assert all(
        (e.code, e.message, e.in_channels) == ("N201", "257 input channels cannot be tiled", 257)
        for e in entries
    )
    assert [bool(e.note) for e in entries] == [False, True, False] and "swapped" in entries[1].note
    assert all("scale-offset" in e.log[0] for e in entries)
    text = compare_text(comparison)
    assert "Gemm_28_conv_16" in text and "appear swapped" in text and "npuscope compare MODEL" in text


def test_the_case_with_its_model() -> None:
    comparison = compare(snapshot(), [artefact(REPORT), artefact(LOG)])
    layers = comparison.by_layer
    assert [n for n, layer in layers.items() if layer.actual and layer.actual.placement == "sw"] == OFF
    assert [layers[n].actual.epoch for n in OFF] == [2, 3, 21]  # type: ignore[union-attr]
    assert [layers[n].evidence.by for n in OFF] == ["name"] * 3  # type: ignore[union-attr]
    assert not comparison.disagreements and comparison.agreement is not None
    assert comparison.agreement.placement == Tally(len(layers), len(layers))
    assert [(e.layer, e.code) for e in comparison.off_npu] == [(name, "N201") for name in OFF]


def test_the_report_alone_leads_to_the_same_layers() -> None:
    comparison = compare(snapshot(), [artefact(REPORT)])
    assert [entry.layer for entry in comparison.off_npu] == OFF
    assert {comparison.by_layer[n].evidence.by for n in OFF} == {"epochs"}  # type: ignore[union-attr]
    assert comparison.by_layer["Gemm_30"].actual.placement == "hw"  # type: ignore[union-attr]
    assert comparison.by_layer["Gemm_30"].evidence.by == "elimination"  # type: ignore[union-attr]


def test_long_names_are_told_apart_by_the_parts_that_differ(tmp_path: Path) -> None:
    names = [f"/tcn/block_{i}/network/TCM_net/TCM_net.0/activation/Relu" for i in range(3)]
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"], name=name) for i, name in enumerate(names)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("t0", "t3")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    lines = compare_text(compare(snapshot(path), [artefact(REPORT)])).splitlines()
    assert [line.split()[0] for line in lines if "/Relu" in line] == [
        f"block_{i}/activation/Relu" for i in range(3)
    ]


def test_the_text_explains_what_found_a_layer() -> None:
    text = compare_text(compare(snapshot(), [artefact(REPORT)]))
    assert "elimination  every epoch off the NPU belongs" in text and "in_step" not in text
    assert "elimination  every" not in compare_text(compare(snapshot(), [artefact(LOG)]))


def test_a_version_under_another_name_and_epochs_that_share_a_row_are_explained() -> None:
    old = REPORT.replace("v2.1.0-20194", "v10.0.0-20047")
    assert "Core 10.0.0-20047 (a build of 2.0)" in compare_text(compare(None, [artefact(old)]))
    assert "a build of" not in compare_text(compare(None, [artefact(REPORT)]))
    blob = Content(
        "report",
        epochs=(ReportedEpoch(1, HW, last=22), ReportedEpoch(23, SW)),
        totals=Totals(epochs=23, sw=1),
    )
    assert "23 epochs in 2 rows" in compare_text(compare(None, [artefact(blob)]))


LISTED = [("", "5 epochs, none listed"), ("epoch 2 -SW- ( Conv )\n", "5 epochs, 1 listed")]


@pytest.mark.parametrize(("rows", "expected"), LISTED)
def test_a_pasted_part_of_a_table_is_counted_by_its_total(rows: str, expected: str) -> None:
    total = "Total number of epochs: 5 of which 3 implemented in software\n"
    comparison = compare(None, [artefact(total + rows)])
    assert compare_text(comparison).splitlines()[0].endswith(expected)


def test_the_log_alone_says_nothing_of_other_layers() -> None:
    comparison = compare(snapshot(), [artefact(LOG)])
    assert [n for n, layer in comparison.by_layer.items() if layer.actual is not None] == [
        "Conv2D_23", "Gemm_28", "Gemm_30", "Conv2D_79"
    ]  # fmt: skip
    assert comparison.by_layer["Conv2D_23"].actual.reason.startswith("output tensor")  # type: ignore[union-attr]


def test_only_the_software_epochs_pasted() -> None:
    few = "".join(line + "\n" for line in REPORT.splitlines() if "HW" not in line or "epoch ID" in line)
    comparison = compare(snapshot(), [artefact(few)])
    assert [entry.layer for entry in comparison.off_npu] == OFF and not comparison.disagreements
    assert comparison.by_layer["Gemm_30"].actual is not None
    cut = few.replace("epoch 3 -SW- ( Conv )\n", "")
    lost = compare(snapshot(), [artefact(cut)])
    assert lost.by_layer["Gemm_30"].actual is None and "2 of the 3" in lost.notes[0]


def test_more_software_than_predicted_is_a_disagreement_and_a_guess() -> None:
    more = REPORT.replace("epoch 9 HW", "epoch 9 -SW- ( Conv )").replace("which 3", "which 4")
    comparison = compare(snapshot(), [artefact(more)])
    assert len(comparison.disagreements) == 1
    wrong = comparison.disagreements[0]
    assert wrong.op == "Gemm" and wrong.differences[0].what == "placement"
    assert wrong.evidence is not None and wrong.evidence.confidence < 0.5
    assert any("guess" in note for note in comparison.notes)
    assert all(
        comparison.by_layer[n].actual is None
        for n in ("Gemm_30", "Gemm_51", "Gemm_53", "Gemm_74")
        if n != wrong.name
    )


def test_a_channel_number_that_can_be_tiled_gets_no_reason() -> None:
    fine = LOG.replace("257", "256")
    comparison = compare(None, [artefact(fine)])
    assert [entry.code for entry in comparison.off_npu] == ["", "", ""]
    both = LOG.replace("1024", "263")
    entry = compare(None, [artefact(both)]).off_npu[1]
    assert (entry.in_channels, entry.code, entry.message) == (
        None,
        "N201",
        "257 or 263 input channels cannot be tiled",
    )
    assert not comparison.toolchain_stated and "no artefact states a version" in compare_text(comparison)


DIFFERENT = [
    ({}, ()),
    ({"latency_cycles": 262_000}, ()),
    ({"latency_cycles": 250_000}, ("compute_cycles",)),
    ({"simd": "8x8"}, ("simd",)),
    ({"deep1x1": True}, ("deep1x1",)),
    ({"choked_ports": ("feat",)}, ("choked_ports",)),
    ({"placement": "sw"}, ("placement",)),
    (
        {
            "placement": "",
            "simd": "",
            "deep1x1": None,
            "choked_ports": (),
            "latency_cycles": None,
            "unit": "",
        },
        (),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), DIFFERENT, ids=[str(d) for _, d in DIFFERENT])
def test_figures_that_differ(changes: dict[str, object], expected: tuple[str, ...]) -> None:
    model = snapshot()
    nodes = graph_of(model, **changes)
    comparison = compare(model, [artefact(Content("dot", nodes=tuple(nodes)))])
    assert [layer.name for layer in comparison.disagreements] == (["Gemm_30"] if expected else [])
    assert tuple(d.what for d in comparison.by_layer["Gemm_30"].differences) == expected


def test_cycles_and_time_of_an_epoch_belong_to_its_only_layer() -> None:
    model = snapshot()
    nodes = graph_of(model)
    shared = [replace(node, epoch=1) if i < 2 else node for i, node in enumerate(nodes)]
    epochs = tuple(
        ReportedEpoch(i, "hw", "", tuple(n.name for n in shared if n.epoch == i), 10 * i, 20 * i, 0.5)
        for i in (1, 3, 4)
    )
    comparison = compare(model, [artefact(Content("c_info", nodes=tuple(shared), epochs=epochs))])
    first, third = comparison.by_layer["Gemm_51"].actual, comparison.by_layer["Gemm_53"].actual
    assert first is not None and third is not None
    assert (first.epoch, first.cycles, first.milliseconds) == (1, None, None)
    assert (third.epoch, third.cycles, third.milliseconds) == (3, 60, 0.5)


def test_hybrid_is_software_in_old_reports() -> None:
    old = artefact(Content("report", toolchain="2.2.0", nodes=(Node("Split_32", "Split", 4, "sw"),)))
    new = artefact(Content("report", toolchain="4.0.1", nodes=(Node("Split_32", "Split", 4, "hybrid"),)))
    assert compare(snapshot(toolchain="2.2"), [old]).by_layer["Split_32"].differences[0].actual == "sw"
    assert compare(snapshot(toolchain="4.0"), [new]).by_layer["Split_32"].differences[0].actual == "hybrid"


def test_the_json_contract() -> None:
    for model, text in ((None, REPORT), (snapshot(), LOG), (snapshot(), REPORT)):
        comparison = compare(model, [artefact(text, "a.txt")])
        value = json.loads(json.dumps(compare_json(comparison), allow_nan=False))
        assert value["schema"] == "npuscope.compare/1"
        assert {"path", "kind", "toolchain"} <= value["artefacts"][0].keys()
        for epoch in value["epochs"]:
            assert {"index", "placement", "op", "nodes", "compute_cycles", "cycles", "ms"} <= epoch.keys()
        for layer in value["layers"]:
            assert {"name", "predicted", "actual", "match"} <= layer.keys()
        assert (value["agreement"] is None) == (model is None) == (value["layers"] == [])
    software = [
        e for e in compare_json(compare(None, [artefact(REPORT)]))["epochs"] if e["placement"] == "sw"
    ]
    assert [(e["index"], e["op"]) for e in software] == [(2, "Conv"), (3, "Conv"), (21, "Conv")]


def test_markdown_lists_differences_first() -> None:
    model = snapshot()
    comparison = compare(model, [artefact(Content("dot", nodes=tuple(graph_of(model, simd="8x8"))))])
    text = compare_markdown(comparison)
    assert "| Gemm_30 | Gemm | 256→1024 | simd | 16x8 | 8x8 | name 98 % |" in text


@pytest.mark.skipif(not (SHARED / "thread").is_dir(), reason="the forum case is not here")
def test_the_forum_case_as_printed() -> None:
    thread = SHARED / "thread"
    plain, _ = compare_files([thread / "report.txt", thread / "lowering.log"])
    assert [(e.epoch, e.node, e.code) for e in plain.off_npu] == [
        (2, "Conv2D_23", "N201"), (3, "Gemm_28_conv_16", "N201"), (21, "Conv2D_79", "N201")
    ]  # fmt: skip
    comparison, _ = compare_files([DENOISER, thread / "report.txt", thread / "lowering.log"])
    assert [e.layer for e in comparison.off_npu] == OFF and not comparison.disagreements


SPEECH = SHARED / "groundtruth" / "cases" / "speech_tcnn_257"


@pytest.mark.skipif(not SPEECH.is_dir(), reason="the public artefacts are not here")
def test_software_epochs_find_the_layers_a_public_table_names() -> None:
    comparison, _ = compare_files([SPEECH / "model.onnx", SPEECH / "report_2.0.txt"])
    table = [line.split(",") for line in (SPEECH / "placement.csv").read_text().splitlines()[1:]]
    convs = [layer for layer in comparison.layers if layer.op == "Conv"]
    assert len(convs) == len(table)
    for layer, row in zip(convs, table, strict=True):
        assert layer.actual is not None and layer.channels == f"{row[1]}→{row[2]}"
        assert layer.actual.placement == ("sw" if row[5] == "SW_INT" else "hw")


def test_a_graph_of_the_2_x_line_is_not_judged_for_the_newest_version() -> None:
    node = Node("Conv2D_4_mul_scale_9", "Mul", 1, "hw")
    old = compare(None, [Artefact("dot", nodes=(node,), path="tmp.dot")])
    assert (old.toolchain, old.toolchain_stated) == ("2.2", False)
    assert any("_mul_scale_" in note for note in old.notes)
    new = compare(None, [Artefact("dot", nodes=(replace(node, name="Conv2D_4"),), path="tmp.dot")])
    assert new.toolchain == "4.0" and not new.notes


def test_epochs_that_need_the_cpu_are_counted_by_operator() -> None:
    comparison = compare(snapshot(), [artefact(REPORT)])
    assert comparison.agreement is not None and comparison.agreement.cpu_epochs is not None
    assert (comparison.agreement.cpu_epochs.common, comparison.agreement.cpu_epochs.f1) == (3, 1.0)
    assert not comparison.differs
    text = compare_text(comparison)
    assert "epochs that need the CPU: F1 1.00 (3 in both)" in text
    more = REPORT.replace("epoch 22 HW", "epoch 22 -SW- ( Softmax )").replace(
        "epoch 3 -SW- ( Conv )", "epoch 3 HW"
    )
    comparison = compare(snapshot(), [artefact(more)])
    assert comparison.agreement is not None and comparison.agreement.cpu_epochs is not None
    epochs = comparison.agreement.cpu_epochs
    assert (epochs.common, epochs.missing, epochs.invented) == (2, (("Softmax", 1),), (("Conv", 1),))
    assert comparison.differs and epochs.f1 == pytest.approx(2 / 3)
    assert compare_json(comparison)["agreement"]["cpu_epochs"]["missing"] == {"Softmax": 1}
    assert "not predicted: 1 Softmax; only predicted: 1 Conv" in compare_text(comparison)
    cut = compare(snapshot(), [artefact(REPORT[: REPORT.index("epoch 5 ")])])
    assert cut.agreement is not None and cut.agreement.cpu_epochs is None


@pytest.mark.parametrize(
    ("ops", "named"),
    [((), ""), (("Split",), "Split"), (("Split", "Conv"), "Conv and Split"), (("A", "B", "C"), "A, B and C")],
)
def test_operators_of_which_it_is_not_certain_which_layers_are_meant(
    ops: tuple[str, ...], named: str
) -> None:
    said = _doubts(Assigned({}, {}, complete=False, open_ops=frozenset(ops)))
    assert len(said) == bool(ops)
    assert all(text.startswith(f"another number of {named} epochs is off the NPU") for text in said)
