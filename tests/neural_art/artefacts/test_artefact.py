"""Artefacts are recognised by their content, later versions are named as not understood, hostile files are refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from builders.artefacts.as_json import Q_JSON, c_info
from builders.artefacts.texts import (
    DOT,
    LOWERING,
    MDESC,
    MPOOL,
    NETWORK_C,
    NETWORK_CSV,
    NETWORK_REPORT,
    OPTIONS,
    PROFILES,
    REPORT_21,
    REPORT_40,
    TIMING,
)
from builders.models import gemm_qdq

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.artefact import Artefact, read, read_text
from npuscope.neural_art.artefacts.text import lines as text
from npuscope.neural_art.artefacts.text.sniff import kind_of
from npuscope.neural_art.artefacts.values import Pool, ReportedEpoch, Tensor, Totals

KINDS = [
    (REPORT_21, "report", "2.1"),
    (REPORT_40, "report", "4.0"),
    (LOWERING, "lowering_log", ""),
    (TIMING, "timing", ""),
    (DOT, "dot", ""),
    (NETWORK_CSV, "network_csv", ""),
    (NETWORK_C, "network_c", "4.0"),
    (NETWORK_REPORT, "network_report", "2.2"),
    (MPOOL, "mpool", ""),
    (MDESC, "mdesc", ""),
    (PROFILES, "profiles", ""),
    (OPTIONS, "options", "4.0"),
    (json.dumps(c_info()), "c_info", "2.2"),
    (json.dumps(c_info(), sort_keys=True, indent=1), "c_info", "2.2"),
    (Q_JSON, "quantization", "2.1"),
]


@pytest.mark.parametrize(("content", "kind", "version"), KINDS, ids=[k for _, k, _ in KINDS])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_kinds_are_known_by_content(
    content: str, kind: str, version: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "attachment.bin"
    path.write_text(content, encoding)
    artefact = read(path)
    assert (artefact.kind, artefact.version, artefact.path) == (kind, version, str(path))


@pytest.mark.parametrize(("content", "kind", "version"), KINDS, ids=[k for _, k, _ in KINDS])
def test_the_file_picker_knows_every_kind(content: str, kind: str, version: str, tmp_path: Path) -> None:
    path = tmp_path / "attachment.txt"
    path.write_text(content, "utf-8")
    assert kind_of(path) == kind


def test_a_report_of_the_old_dialect() -> None:
    artefact = read_text(REPORT_21, "r")
    assert artefact.epochs == (
        ReportedEpoch(1, "hw", printed="HW"),
        ReportedEpoch(2, "sw", "Conv", printed="SW"),
        ReportedEpoch(3, "hw", printed="EC"),
        ReportedEpoch(4, "hw", printed="HW"),
        ReportedEpoch(5, "sw", "Transpose", printed="SW"),
    )
    assert (artefact.totals.epochs, artefact.totals.sw, artefact.totals.hybrid) == (5, 2, None)
    assert (artefact.toolchain, artefact.compiler) == ("2.1.0-20194", "1.1.0-31")
    assert artefact.inputs == (
        Tensor("Input_3_out_0", "int8", (1, 257, 1), 0.024541926, 2, 257),
        Tensor("Input_1_out_0", "int8", (1, 256), 0.023921722, 5, 256),
    )
    assert artefact.outputs == (Tensor("Quantize_84_out_0", "int8", (1, 257, 1), 0.003748817, -128, 257),)
    assert artefact.pools == (
        Pool("cpuRAM2", 1 << 20, 0, 0, 0, 0x34100000, end=0x34200000),
        Pool("npuRAM5", 448 << 10, 1028, 0, 1028, 0x342E0000, end=0x34350000),
        Pool("octoFlash", 112 << 20, 67334, 67334, 0, 0x71000000, end=0x78000000),
    )
    options = dict(artefact.options)
    assert options["model_fmt"] == "ss/sa per channel" and options["optimization"] == "balanced"
    assert options["-i"] == "/work/my models/small_OE_3_2_0.onnx" and options["--Omax-ca-pipe"] == "4"
    assert artefact.signatures == ("0123456789abcdef0123456789abcdef",)
    assert artefact.not_understood == ()


def test_a_report_of_the_new_dialect() -> None:
    artefact = read_text(REPORT_40, "r")
    assert artefact.epochs == (
        ReportedEpoch(1, "hw", last=4, printed="EC"),
        ReportedEpoch(6, "hybrid", "Transpose", printed="Hybrid"),
        ReportedEpoch(7, "hw", printed="HW"),
        ReportedEpoch(8, "sw", "Sub", printed="SW", in_float=True),
        ReportedEpoch(10, "sw", "Conv", printed="SW"),
        ReportedEpoch(11, "hw", last=11, printed="EC"),
    )
    assert artefact.totals == Totals(epochs=9, sw=2, hybrid=1, hw=6)


def test_log_prefixes_colours_and_progress_bars_change_nothing() -> None:
    dirty = "".join(
        f"2026-06-16 21:38:16,{i % 1000:03} [INFO] CmdLine:76 - \x1b[3{i % 8}m{line}\x1b[0m  \n[=>  ] {i}%\r"
        for i, line in enumerate(REPORT_21.splitlines())
    )
    assert read_text(dirty, "r") == read_text(REPORT_21, "r")


def test_one_capture_may_hold_everything() -> None:
    artefact = read_text(REPORT_40 + LOWERING + TIMING, "capture")
    assert artefact.kind == "report" and len(artefact.lowerings) == 3
    hybrid = artefact.epochs[1]
    assert (hybrid.index, hybrid.placement, hybrid.op, hybrid.milliseconds) == (
        6,
        "hybrid",
        "Transpose",
        0.155,
    )
    assert (artefact.totals.epochs, artefact.totals.milliseconds, artefact.totals.npu_hz) == (
        9,
        42.939,
        800_000_000,
    )


def test_a_pasted_fragment_is_enough() -> None:
    pasted = "Total number of epochs: 16 of which 2 implemented in software\nepoch 15 -SW- ( Softmax )\n> epoch 16 -SW- ( Conv )"
    artefact = read_text(pasted, "p")
    assert [(e.index, e.op) for e in artefact.epochs] == [(15, "Softmax"), (16, "Conv")]
    assert read_text("input 1/1 : 'x', f32(1x8), 32 Bytes, user", "p").inputs == (
        Tensor("x", "f32", (1, 8), size=32),
    )


def test_c_info() -> None:
    artefact = read_text(json.dumps(c_info()), "c")
    assert artefact.epochs == (
        ReportedEpoch(1, "hw", "", ("Conv2D_4", "Conv2D_4_off_bias_9"), 100, 250, printed="HW"),
        ReportedEpoch(2, "sw", "Softmax", ("Softmax_7",), 7, 9, printed="SW"),
    )
    conv, bias, softmax = artefact.nodes
    assert (conv.kind, conv.epoch, conv.placement, conv.unit) == ("Conv", 1, "hw", "CONV_ACC_V2 0")
    assert (conv.input_shape, conv.weight_shape) == ((1, 3, 8, 8), (16, 3, 3, 3))
    assert (conv.input_scale, conv.weight_scale, bias.output_scale) == (0.25, 0.5, 0.75)
    assert (softmax.placement, softmax.input_shape) == ("sw_int", (1, 16, 8, 8))
    assert (
        artefact.pools[0].name == "npuRAM5"
        and artefact.pools[0].used == 1216
        and artefact.pools[0].start is None
    )
    assert artefact.inputs == (Tensor("x", "int8", (1, 3, 8, 8), 0.25, -128),)
    assert artefact.outputs == (Tensor("y", "float32", (1, 16)),)
    assert artefact.signatures == ("ab" * 16,)
    assert (artefact.totals.epochs, artefact.totals.cycles, artefact.not_understood) == (2, 259, ())


def test_c_info_of_later_versions() -> None:
    blobs = c_info("4.0.0-20500")
    blobs["graphs"][0]["nodes"][0]["mapping"] = "NODE_EC"
    blobs["graphs"][0]["nodes"][1]["mapping"] = "NODE_QUANTUM"
    artefact = read_text(json.dumps(blobs), "c")
    assert artefact.totals.epochs is None
    assert [epoch.placement for epoch in artefact.epochs] == ["hw", ""]
    assert set(artefact.not_understood) == {
        "mapping 'NODE_QUANTUM'",
        "how many epochs are inside 1 epoch controller blob: at most 1 by their numbers; the report of generate lists them",
    }
    gaps = c_info("4.0.0-20500")
    for entry, name, mapping in zip(
        gaps["graphs"][0]["nodes"],
        ("epoch_1", "epoch_8", "epoch_9"),
        ("NODE_EC", "NODE_SW", "NODE_EC"),
        strict=True,
    ):
        entry.update(name=name, mapping=mapping)
    spans = read_text(json.dumps(gaps), "c")
    assert [(epoch.index, epoch.last) for epoch in spans.epochs] == [(1, 7), (8, None)]
    assert spans.totals.epochs is None
    assert "1 epoch controller blob: at most 7 by their numbers" in spans.not_understood[0]
    plain = read_text(json.dumps(c_info(graphs=[])), "c")
    assert not plain.epochs and "graphs" in plain.not_understood[0]


@pytest.mark.parametrize("value", [None, [], {}, 3, "x", True, [None], [[]], [{}], [{"id": {}}], {"a": 1}])
@pytest.mark.parametrize("key", list(c_info()))
def test_c_info_with_a_part_of_another_form(key: str, value: object) -> None:
    document = c_info(**{key: value})
    artefact = read_text(json.dumps(document), "c")
    assert artefact.kind == "c_info"


def test_a_model_is_a_kind_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(gemm_qdq(8, 8).SerializeToString())
    assert read(path) == Artefact("model", path=str(path))


REFUSED = {
    "empty": b"",
    "blank": b"  \n",
    "binary": bytes(range(256)) * 20,
    "prose": b"The quick brown fox.\n" * 100,
    "other json": b'{"a": 1}',
    "json cut short": json.dumps(c_info()).encode()[:700],
    "json cut behind whole objects": json.dumps(
        {
            "json_schema_version": "2.0",
            "environment": {"tools": [{"name": "ST.EdgeAI.Core", "environment": []}]},
        },
        indent=1,
    ).encode()[:-5],
    "deep json": b'{"tensors": ' + b"[" * 200_000,
    "c of a cpu": b'#include "network.h"\nAI_ARRAY_OBJ_DECLARE(x)\n',
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_other_files_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        read(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing", tmp_path, pipe, "/dev/zero", "a\0b"):
        with pytest.raises(ModelError):
            read(path)
    large = tmp_path / "large"
    large.write_bytes(b"epoch 1 HW\n")
    monkeypatch.setattr(text, "MAX_BYTES", 5)
    with pytest.raises(ModelError, match="is read up to 0 MB"):
        read(large)


HOSTILE = {
    "one long line": "epoch 1 " + " " * 3_000_000,
    "spaces": "\n".join([" " * 15_000] * 200),
    "no ends": "\n".join(["| epochs " + "1 " * 7000] * 150),
    "colons": "\n".join([": " * 9000] * 150),
    "quotes": "\n".join(["input 1/1 : '" + "a" * 19_000] * 100),
    "escapes": "\x1b[" * 1_000_000,
    "brackets": "Exec/report summary\n" + "\n".join(["(" * 19_000] * 150),
    "lowering": "\n".join(["Lowering " * 2000 + "with Lowerer"] * 150),
    "timing": "\n".join(["0 - epoch " + "1 " * 8000 + "% EpochBlock_1"] * 150),
    "pools": "\n".join(["a [0x1 - 0x2]: " + " " * 15_000 + "weights:"] * 150),
    "dot": "digraph G {\n" + "\n".join(['x [ label="{' + "\\lkind=" * 2500] * 150),
    "dot edges": "digraph G {\n" + "\n".join(["a" * 19_000 + "->"] * 200),
    "json strings": '{"a": "' + '\\"' * 400_000,
    "json comments": "/*" * 400_000,
    "csv": "epochs,a (r),epoch OPS,epoch compute,max (cycles)\n" + "," * 1_000_000,
    "network.c": '#include "ll_aton\n' + "\n".join(["/* index=1 name=" + " " * 15_000] * 150),
    "numbers": "epoch " + "9" * 15_000 + " HW\nTotal number of epochs " + "9" * 15_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_costs_no_time(content: str) -> None:
    start = time.process_time()
    try:
        read_text(content, "h")
    except ModelError as error:
        assert len(str(error)) < 400
    assert time.process_time() - start < 2
