"""Each reader on a short text of its format: every listed field comes out, the rest is named as not understood."""

from __future__ import annotations

import json

import pytest
from builders.artefacts.as_json import c_info
from builders.artefacts.texts import (
    DOT,
    LOWERING,
    MDESC,
    MPOOL,
    NETWORK_C,
    NETWORK_CSV,
    OPTIONS,
    PROFILES,
    TIMING,
)

from npuscope.model.errors import ModelError
from npuscope.neural_art.artefacts.readers import configuration
from npuscope.neural_art.artefacts.readers.c_info import read_c_info
from npuscope.neural_art.artefacts.readers.dot import read_dot
from npuscope.neural_art.artefacts.readers.lowering_log import read_lowering
from npuscope.neural_art.artefacts.readers.network_c import read_network_c
from npuscope.neural_art.artefacts.readers.network_csv import read_network_csv
from npuscope.neural_art.artefacts.readers.options import of_command, read_options
from npuscope.neural_art.artefacts.readers.timing import read_timing
from npuscope.neural_art.artefacts.text import documents
from npuscope.neural_art.artefacts.text.figures import byte_count, dimensions, integer, real, scaled
from npuscope.neural_art.artefacts.text.lines import clean, decode, lines
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.text.versions import build, in_banner, known
from npuscope.neural_art.artefacts.values import Attempt, Pool, ReportedEpoch, Traffic


def test_a_graph() -> None:
    content = read_dot(DOT)
    assert [(e.index, e.placement, e.op, e.nodes) for e in content.epochs] == [
        (1, "hw", "", ("Conv2D_4", "Conv2D_4_ca_pipe_1", "Conv2D_4_off_bias_9")),
        (2, "sw", "Softmax", ("Softmax_7",)),
    ]
    conv = content.nodes[0]
    assert (conv.name, conv.kind, conv.epoch, conv.unit) == ("Conv2D_4", "Conv", 1, "CONV_ACC_V2 0")
    assert (conv.ops, conv.latency_cycles, conv.ops_per_cycle) == (1_770_000, 49_150, 130)
    assert (conv.simd, conv.deep1x1, conv.dss2, conv.choked_ports) == ("8x8", True, False, ("feat", "out"))
    assert (conv.input_shape, conv.weight_shape, conv.output_shape) == (
        (1, 80, 32, 32), (16, 80, 1, 1), (1, 16, 32, 32)
    )  # fmt: skip
    assert (conv.input_scale, conv.weight_scale, conv.kernel, conv.group) == (
        0.00784314,
        0.0109038,
        (1, 1),
        1,
    )
    reshape, softmax = content.nodes[3:]
    assert (softmax.placement, softmax.latency_cycles) == ("sw", 522)
    assert (reshape.unit, reshape.placement, reshape.epoch) == ("NULL_UNIT", "hw", None)
    assert content.not_understood == ("field 'quantum colour' of a node",)


def test_a_lowering_log() -> None:
    first, second, third = read_lowering(lines(LOWERING)).lowerings
    assert (first.node, first.kind, first.id, first.ch, first.chin) == ("Conv2D_23", "Conv", 80, 257, 257)
    assert first.attempts == (
        Attempt("HW", "output tensor (id=522) has scale-offset format"),
        Attempt("SW (scale offset)"),
    )
    assert (first.placement, first.width, first.height) == ("sw", 1, 1)
    assert (second.node, second.placement, second.refusals) == ("Gemm_30_conv_9", "hw", ())
    assert (third.node, third.placement, third.ch, third.chin) == ("Gemm_28_conv_16", "sw", 257, 1024)


def test_a_log_with_another_reason_and_without_its_beginning() -> None:
    content = read_lowering(["HW lowering not done for Pool node=MaxPool_3 because of its window"])
    assert content.lowerings[0].node == "MaxPool_3" and content.lowerings[0].placement == ""
    assert content.not_understood == ()
    odd = read_lowering(["HW lowering not done for Resize node=Resize_9 (mode)"])
    assert odd.lowerings[0].refusals == ("(mode)",) and odd.not_understood


def test_timing_of_a_board() -> None:
    content = read_timing(lines(TIMING))
    assert [(e.index, e.last, e.placement, e.printed) for e in content.epochs] == [
        (1, 4, "hw", "EC"), (6, None, "hybrid", "Hybrid"), (7, None, "hw", "HW"), (8, None, "sw", "SW"),
        (10, None, "", ""),
    ]  # fmt: skip
    assert [e.milliseconds for e in content.epochs] == pytest.approx([15.781, 0.155, 0.482, 0.41, 0.1])
    totals = content.totals
    assert (totals.milliseconds, totals.npu_hz, totals.cpu_hz) == (42.939, 800_000_000, 600_000_000)
    assert content.not_understood == ("epoch type 'epoch (NEW)'",)


def test_network_csv() -> None:
    content = read_network_csv(lines(NETWORK_CSV))
    assert [(e.index, e.compute_cycles, e.cycles) for e in content.epochs] == [
        (1, 64000, 64000),
        (2, 0, 80000),
    ]
    assert content.pools == (Pool("octoFlash", used=10_202_644), Pool("npuRAM6", used=435_200))
    totals = content.totals
    assert (totals.cycles, totals.compute_cycles, totals.npu_hz) == (144_000, 64_000, 1_000_000_000)
    assert content.not_understood == ()


def test_network_csv_of_a_later_version() -> None:
    content = read_network_csv(
        lines(NETWORK_CSV.replace("epoch compute (cyles)", "time").replace("BW,", "Band,"))
    )
    assert [e.compute_cycles for e in content.epochs] == [None, None]
    assert content.not_understood == ("row 'Band'", "no column 'epoch compute'")


def test_network_c() -> None:
    content = read_network_c(lines(NETWORK_C))
    assert content.compiler == "1.1.3-275"
    assert content.options == (
        ("--load-mdesc-file", "C:/ST/STEdgeAI/4.0/Utilities/configs/stm32n6"),
        ("--Os", "true"),
    )
    assert content.epochs == (
        ReportedEpoch(2, "sw", "QuantizeLinear", ("Quantize_3",), 6402, 6403, printed="SW"),
        ReportedEpoch(
            3,
            "hw",
            "",
            ("Gemm_29_conv_4", "Gemm_29_conv_4_off_bias_54"),
            printed="HW",
            traffic=(Traffic("npuRAM5", 257, 256), Traffic("octoFlash", 65792)),
        ),
        ReportedEpoch(4, "hw", last=9, printed="EC"),
    )
    quantize, reshape, conv, bias = content.nodes
    assert (reshape.unit, reshape.placement) == ("", "")
    assert (conv.weight_scale, bias.weight_scale) == (0.00532, None)
    assert (quantize.kind, quantize.placement, quantize.epoch) == ("QuantizeLinear", "sw_int", 2)
    assert (conv.simd, conv.fsub, conv.deep1x1, conv.dss2) == ("16x8", -7, False, False)
    assert (conv.kernel, conv.strides, conv.kernels_per_pass, conv.batch_depth) == ((1, 1), (1, 1), 16, 64)
    assert content.pools == (
        Pool("octoFlash", 117_440_504, 49_807, start=0x71000000, byte_width=1, freq_ratio=6.0,
             attributes=(("THROUGHPUT", "MID"), ("LATENCY", "HIGH"), ("burst max length", "MAXINT"))),
    )  # fmt: skip
    assert content.not_understood == ()


def test_configuration_files() -> None:
    pools = configuration.read_memory(documents.parse(MPOOL, "m"))
    assert pools.pools == (
        Pool(
            "npuRAM6",
            448 << 10,
            start=0x34350000,
            byte_width=8,
            freq_ratio=1.25,
            attributes=(("fname", "AXISRAM6"), ("rights", "ACC_WRITE")),
        ),
        Pool(
            "octoFlash",
            63 << 20,
            start=0x71000000,
            byte_width=1,
            freq_ratio=6.0,
            attributes=(("fname", "xSPI2"), ("rights", "ACC_READ")),
        ),
    )
    machine = configuration.read_machine(documents.parse(MDESC, "m"))
    assert machine.options == (("CONVACC", "4"), ("STRENG", "10")) and machine.totals.npu_hz == 1_000_000_000
    profiles = configuration.read_profiles(documents.parse(PROFILES, "p"))
    assert profiles.options == (
        ("default", "memory_pool ./stm32n6.mpool"), ("default", "--Os"), ("default", "--Omax-ca-pipe 4")
    )  # fmt: skip
    assert profiles.not_understood == ("key 'colour' of a profile",)


def test_options() -> None:
    content = read_options(lines(OPTIONS + "???\n"))
    assert content.compiler == "1.1.3-275"
    assert content.options == (
        ("--load-mdesc-file", "/opt/configs/stm32n6"),
        ("--Os", "true"),
        ("--Omax-ca-pipe", "4"),
    )
    assert content.not_understood == ("line '???'",)
    assert of_command(r"-i D:\Program Files (x86)\m.onnx --Os -g network.c") == (
        ("-i", r"D:\Program Files (x86)\m.onnx"), ("--Os", ""), ("-g", "network.c")
    )  # fmt: skip


NAMES = [
    ("Conv2D_23", "Conv2D_23", "Conv", 23, True),
    ("Gemm_28_conv_16", "Gemm_28", "Gemm", 28, True),
    ("Conv2D_4_subm_1", "Conv2D_4", "Conv", 4, True),
    ("Gemm_102_gemm_19_3_conv_334", "Gemm_102", "Gemm", 102, True),
    ("ConvTranspose_12_expanded_conv_3", "ConvTranspose_12", "ConvTranspose", 12, True),
    ("Conv2D_31_ca_pipe_1", "Conv2D_31", "Conv", 31, False),
    ("Conv2D_10_off_bias_15", "Conv2D_10", "Conv", 10, False),
    ("Conv2D_8_suboff_12", "Conv2D_8", "Conv", 8, False),
    ("Gemm_209_squeeze_y_5", "Gemm_209", "Gemm", 209, False),
    ("Mul_67_mul_sub1_", "Mul_67", "Mul", 67, False),
    ("Identity_inserted_id445", "", "Identity", -1, False),
    ("/model/conv1/Conv", "/model/conv1/Conv", "", -1, True),
]


@pytest.mark.parametrize(("text", "base", "kind", "number", "lead"), NAMES)
def test_names(text: str, base: str, kind: str, number: int, lead: bool) -> None:
    parsed = parse(text)
    assert (parsed.base, parsed.kind, parsed.number, parsed.lead) == (base, kind, number, lead)


LINES = [
    ("2026-06-16 21:38:16,976 [INFO] CmdLine:76 - Compiler version: 1.1.1-14", "Compiler version: 1.1.1-14"),
    ("\x1b[32mepoch 2\x1b[0m  -SW- ( Conv )  ", "epoch 2  -SW- ( Conv )"),
    ("\x1b]0;title\x07text", "text"),
    ("| epoch_8  |   SW   |", "| epoch_8  |   SW   |"),
    ("\ufeffST Edge AI Core v2.1.0", "ST Edge AI Core v2.1.0"),
]


@pytest.mark.parametrize(("raw", "expected"), LINES)
def test_lines_lose_what_a_terminal_or_logger_added(raw: str, expected: str) -> None:
    assert clean(raw) == expected


def test_a_progress_bar_does_not_hide_what_follows_it() -> None:
    assert list(lines("[==>  ] 50%\r[=====] 100%\repoch 1 HW\n\n\x1b[K")) == [
        "[==>  ] 50%",
        "[=====] 100%",
        "epoch 1 HW",
    ]


def test_text_of_a_windows_shell() -> None:
    assert decode("é".encode("utf-16")) == "é"
    assert decode("é".encode("cp1252") + b" and the rest") == "é and the rest"
    assert (
        decode("epoch 1 HW".encode("utf-16-le")) == decode("epoch 1 HW".encode("utf-16-be")) == "epoch 1 HW"
    )


def test_numbers() -> None:
    assert [integer("1,250,317"), integer("0x71000000"), integer("x"), integer("9" * 30)] == [
        1_250_317, 0x71000000, None, None
    ]  # fmt: skip
    assert [real("1.3e+02"), real("1e999"), real("nan"), real("")] == [130, None, None, None]
    assert [scaled("49.15 Kcycles", "cycles"), scaled("522 cycles", "cycles"), scaled("5 furlongs", "cycles")] == [
        49_150, 522, None
    ]  # fmt: skip
    assert [byte_count("448.000", "kB"), byte_count("1", "parsec")] == [458_752, None]
    assert [dimensions("1x3x8"), dimensions("1xa"), dimensions("x".join("1" * 20))] == [(1, 3, 8), None, None]


def test_versions() -> None:
    assert in_banner("ST Edge AI Core v4.0.1-20581 7ed50de05") == "4.0.1-20581"
    assert build("atonn-v1.1.3-275-g6770925d2-dirty") == "1.1.3-275"
    assert build("0.0.0-0000") == ""
    cases = {
        ("2.1.0-20194", "", ""): "2.1",
        ("10.0.0-20047", "", ""): "2.0",
        ("9.9.9", "1.1.0-31", ""): "",
        ("", "1.1.0-31", ""): "2.1",
        ("", "1.1.3-8", ""): "3.0",
        ("", "1.1.3-99", ""): "",
        ("", "", "m_OE_3_3_0.onnx"): "2.2",
        ("", "", "m_OE_3_3_1.onnx"): "",
    }
    assert {case: known(*case) for case in cases} == cases


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1e', "/*" * 1000, '"' + '\\"' * 1000])
def test_documents_that_are_none(text: str) -> None:
    with pytest.raises(ModelError) as error:
        documents.parse(text, "x.json")
    assert str(error.value).startswith("x.json: ") and "\n" not in str(error.value)


def test_documents_with_comments() -> None:
    assert documents.parse('{ // "x\n "a": "http://b", /* } */ "c": [1, 2, ], }', "p") == {
        "a": "http://b",
        "c": [1, 2],
    }


def test_network_c_with_the_epoch_controller() -> None:
    """The forms that Core 2.1 and 3.0 write: a blob carries its estimate, virtual pools and idle ones are there too."""
    text = """\
/* AUTOGENERATED DO NOT MODIFY */
/*
 * GIT_DESCRIPTION "atonn-v1.1.3-8-g80369096"
 *
 * Command Line options:
 * --enable-epoch-controller = true
 */
#include "ll_aton_NN_interface.h"
/* global pool 7 is ? */
/* index=7 file postfix=xSPI1 name=hyperRAM offset=0x90000000  absolute_mode size=16777208 READ_WRITE byte width=2 freq ratio=5 */
/* index=11 file postfix=AXISRAM2_AXISRAM3 name=cpuRAM2_npuRAM3 offset=0x34100000  absolute_mode size=2883576 vpool READ_WRITE byte width=8 freq ratio=1.25 */
/* scheduling epoch=0    nodes=146 ------------------------------------------------------------------- */
// Epoch Controller Blob (name='_ec_blob_network_1') micro instructions needed
/* scheduling epoch=7    nodes=1   ------------------------------------------------------------------- */
/* Unit= 27 [PROCESSOR 0] */
/* kind=Transpose node=Transpose_22 */
  LL_ATON_LIB_DMA_Transpose(&Transpose_22_tensor_shape_in_7[0], 0, 8);
/* scheduling DONE                 ------------------------------------------------------------------- */
const LL_ATON_RT_EpochBlockItem_t *LL_ATON_EpochBlockItems_network(void) {
  static const LL_ATON_RT_EpochBlockItem_t ll_atonn_rt_epoch_block_array[] = {
    {
      .start_epoch_block = _ec_blob_cache_start_func_1,
      .end_epoch_block = NULL,
      .blob_address = (uintptr_t)(_ec_blob_network_1_address),
      .wait_mask = 0,
      .flags = EpochBlock_Flags_epoch_start | EpochBlock_Flags_epoch_end | EpochBlock_Flags_blob | EpochBlock_Flags_pure_hw,
#ifdef LL_ATON_EB_DBG_INFO
      .epoch_num = 1,
      .last_epoch_num = 6,
      .estimated_npu_cycles = 21389448,
      .estimated_tot_cycles = 58387161,
#endif // LL_ATON_EB_DBG_INFO
    },
    {
      .start_epoch_block = NULL,
      .end_epoch_block = LL_ATON_End_EpochBlock_7,
      .flags = EpochBlock_Flags_epoch_start | EpochBlock_Flags_epoch_end | EpochBlock_Flags_hybrid,
      .epoch_num = 7,
      .last_epoch_num = 7,
      .estimated_npu_cycles = 704,
      .estimated_tot_cycles = 704,
    },
    {
      .flags = EpochBlock_Flags_last_eb,
    },
  };
"""
    content = read_network_c(lines(text))
    assert content.epochs == (
        ReportedEpoch(1, "hw", "", (), 21_389_448, 58_387_161, last=6, printed="EC"),
        ReportedEpoch(7, "hybrid", "Transpose", ("Transpose_22",), 704, 704, printed="Hybrid"),
    )
    assert [pool.name for pool in content.pools] == ["hyperRAM"]
    assert content.pools[0].used is None
    assert content.not_understood == ()


def test_a_blob_lists_its_epochs_from_3_0_on() -> None:
    """st_yolo_x_480 (3.0) and mlp_gmpp (4.0): those that move nothing are not among the epochs that are counted."""
    document = c_info("3.0.0")
    first, *others = document["graphs"][0]["nodes"]
    view = {
        "name": "epoch_0",
        "id": 20,
        "mapping": "NODE_NO_X",
        "subgraph_nodes": first["subgraph_nodes"][:1],
    }
    blob = {"name": "_ec_blob_network_0", "id": 21, "mapping": "NODE_EC", "subgraph_nodes": [view, first]}
    document["graphs"][0]["nodes"] = [blob, *others]
    content = read_c_info(json.dumps(document))
    assert [(epoch.index, epoch.cycles) for epoch in content.epochs] == [(1, 250), (2, 9)]
    assert content.totals.epochs == 2 and not content.not_understood
