"""Every field that the formats list, in an artefact that has it: nothing of what the tools say is lost.

The table reads: kind of artefact, field, an artefact that has it, what the reader makes of it, what must come out. The
figures are those of public artefacts, in short texts of their formats; where the artefacts are at hand they are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from builders.artefacts.listed import LISTED
from builders.artefacts.texts import EC_TRACE, LOWERING, NETWORK_C, PROFILES
from builders.models import SHARED

from npuscope.neural_art.artefacts.artefact import Artefact, read, read_text
from npuscope.neural_art.artefacts.values import (
    Attempt,
    Buffer,
    Content,
    Flow,
    LayerRow,
    Node,
    Pool,
    Property,
    Range,
    ReportedEpoch,
    Structure,
    Tensor,
    Traffic,
)

CASES = SHARED / "groundtruth" / "cases"
TEXTS = LISTED | {"network.c": NETWORK_C, "ec trace": EC_TRACE, "lowering": LOWERING, "profiles": PROFILES}

Take = Callable[[Any], Any]


@cache
def artefact(name: str) -> Content | Artefact:
    return read_text(TEXTS[name], name)


def epoch(index: int, field: str) -> Take:
    return lambda a: getattr(next(e for e in a.epochs if e.index == index), field)


def property_text(section: str, name: str) -> Take:
    return lambda a: next((s.text for s in a.properties if (s.section, s.name) == (section, name)), None)


def of(what: str, name: str, field: str) -> Take:
    return lambda a: getattr(next(one for one in getattr(a, what) if one.name == name), field)


def attribute(what: str, name: str, key: str) -> Take:
    return lambda a: dict(of(what, name, "attributes")(a)).get(key)


def structure(name: str, key: str = "") -> Take:
    def take(a: Content) -> Any:
        match = next(one for one in a.structures if one.name == name)
        return dict(match.fields)[key] if key else (match.kind, match.epoch, match.node)

    return take


def field_of(field: str) -> Take:
    return lambda a: getattr(a, field)


def total(field: str) -> Take:
    return lambda a: getattr(a.totals, field)


def option(name: str) -> Take:
    return lambda a: dict(a.options).get(name)


def flow(name: str, field: str) -> Take:
    return lambda a: getattr(next(one for one in a.flows if one.name == name), field)


def label(start: str, end: str) -> Take:
    return lambda a: next(one.attributes[0][1] for one in a.flows if (one.start, one.end) == (start, end))


GENERATE, OLD, NEW, BOARD = (
    "mobilenet_v2_128/report.txt",
    "ocr_det_160/report.txt",
    "yolov11n_micro_224/report_and_board.txt",
    "mobilenet_v2_224/report_and_board.txt",
)
CINFO, MERGED = "ocr_det_160/c_info.json", "timeseries_conv2d/c_info.json"
DOT, CSV, QJSON = "ocr_det_160/tmp.dot", "citrinet_256/network.csv", "single_layers/conv2d_3x3/Q.json"

FIELDS: tuple[tuple[str, str, str, Take, Any], ...] = (
    # 1. the report of generate and analyze
    ("report", "banner", GENERATE, field_of("toolchain"), "3.0.0-20426"),
    ("report", "Created date", GENERATE, property_text("header", "Created date"), "2026-02-03 11:06:47"),
    ("report", "Parameters", GENERATE, lambda a: property_text("header", "Parameters")(a)[:12], "generate -m "),
    ("report", "model file", BOARD, lambda a: property_text("summary", "model file")(a)[-5:], ".onnx"),
    ("report", "type", NEW, option("type"), "onnx"),
    ("report", "c_name", BOARD, option("c_name"), "network"),
    ("report", "options", NEW, option("options"), "allocate-inputs, allocate-outputs, use-lite-runtime, use-st-ai"),
    ("report", "optimization", NEW, option("optimization"), "balanced"),
    ("report", "target/series", BOARD, option("target/series"), "stm32n6npu"),
    ("report", "model_fmt", BOARD, option("model_fmt"), "ss/sa per tensor"),
    ("report", "model_name", BOARD, option("model_name"), "mobilenet_v2_224_int8"),
    ("report", "model_hash", BOARD, field_of("signatures"), ("0300025eebdbb68c09bdb2054efb898c",)),
    ("report", "params #", BOARD, property_text("summary", "params #"), "3,487,816 items (13.30 MiB)"),
    ("report", "input i/n", BOARD, field_of("inputs"),
     (Tensor("Input_0_out_0", "int8", (1, 3, 224, 224), 0.007843102, 0, 150_528),)),
    ("report", "output i/n", BOARD, field_of("outputs"),
     (Tensor("Quantize_195_out_0", "int8", (1, 1000), 0.053761885, -1, 1000),)),
    ("report", "macc", NEW, property_text("summary", "macc"), "399,666,001"),
    ("report", "weights (ro)", NEW, lambda a: property_text("summary", "weights (ro)")(a)[:11], "2,621,233 B"),
    ("report", "activations (rw)", NEW, lambda a: property_text("summary", "activations (rw)")(a)[:9], "457,856 B"),
    ("report", "ram (total)", NEW, lambda a: property_text("summary", "ram (total)")(a)[:9], "457,856 B"),
    ("report", "layer table", GENERATE, lambda a: a.rows[5],
     LayerRow(109, "StatefulPartitione..R_2_Relu60", "Conv", (("b", 1), ("h", 64), ("w", 64), ("c", 8)), 224, 896,
              884_744, ("input_10_Dequantiz..ear_Output",))),
    ("report", "layer table, rows of several lines", "transformer_128/report.txt",
     lambda a: next(r for r in a.rows if r.name == "gemm_13"),
     LayerRow(13, "gemm_13", "FULLY_CONNECTED", (("b", 30), ("c", 128)), None, None, 16_512,
              ("reshape_12", "tiny_bert_generato..ot_MatMul1"))),
    ("report", "Compiler version", GENERATE, field_of("compiler"), "1.1.3-8"),
    ("report", "Compiler arguments", GENERATE, option("-g"), "network.c"),
    ("report", "Memory pools file", GENERATE, lambda a: option("--load-mpool")(a)[-13:], "stm32n6.mpool"),
    ("report", "pools", GENERATE, lambda a: a.pools[5],
     Pool("npuRAM5", 448 << 10, 245_760, 0, 245_760, 0x342E0000, end=0x34350000)),
    ("report", "pools, Total", BOARD, property_text("memory", "Total"), "5.955 MB -- weights: 3.946 MB activations: 2.010 MB"),
    ("report", "Used memory ranges", GENERATE, field_of("ranges"),
     (Range("npuRAM5", 0x342E0000, 0x3431C000), Range("octoFlash", 0x71000000, 0x71033E90))),
    ("report", "epochs <= 2.2, counters", OLD, lambda a: (a.totals.epochs, a.totals.sw), (184, 14)),
    ("report", "epochs <= 2.2, rows", OLD, lambda a: a.epochs[165],
     ReportedEpoch(166, "sw", "DepthToSpace", printed="SW")),
    ("report", "epochs >= 3.0, counters", NEW,
     lambda a: (a.totals.epochs, a.totals.sw, a.totals.hybrid, a.totals.hw), (151, 10, 12, 129)),
    ("report", "epochs >= 3.0, blobs", NEW, property_text("epochs", "epoch controller blobs"), "14"),
    ("report", "epochs >= 3.0, ranges", NEW, lambda a: (a.epochs[0].index, a.epochs[0].last, a.epochs[0].printed),
     (1, 63, "EC")),
    ("report", "epochs >= 3.0, details", NEW, lambda a: (a.epochs[1].placement, a.epochs[1].op), ("hybrid", "Split")),
    ("report", "epochs >= 3.0, (float)", NEW, lambda a: [e.index for e in a.epochs if e.in_float], [168]),
    ("report", "requested memory by section", BOARD, property_text("requested memory by section", "network.o"),
     "text 10,908, rodata 83,981, data 0, bss 0"),
    ("report", "generated files", BOARD, lambda a: property_text("generated files", "network.c")(a)[-10:], "/network.c"),
    ("report", "elapsed time", BOARD, property_text("elapsed time", "generate"), "18.515s"),
    # 2. what validate prints
    ("validate", "device.desc", BOARD, property_text("board", "device.desc"), "stm32 family - 0x486 - STM32N6xx @800/400MHz"),
    ("validate", "device.attrs: clocks", BOARD, lambda a: (a.totals.cpu_hz, a.totals.npu_hz),
     (800_000_000, 1_000_000_000)),
    ("validate", "device.attrs: caches", BOARD, lambda a: "npu_cache=1" in property_text("board", "device.attrs")(a), True),
    ("validate", "runtime lib", BOARD, lambda a: property_text("board", "runtime lib")(a)[:22], "atonn-v1.1.1-14-ge619e"),
    ("validate", "tools", BOARD, property_text("board", "tools"), "ST Neural ART (LL_ATON api) v1.1.1"),
    ("validate", "nb sample(s)", BOARD, property_text("board", "nb sample(s)"), "10"),
    ("validate", "duration", BOARD, total("milliseconds"), 20.694),
    ("validate", "duration min/max/std", BOARD, property_text("board", "duration"),
     "20.694 ms by sample (20.689/20.708/0.005)"),
    ("validate", "CPU cycles", BOARD, property_text("board", "CPU cycles"), "[1,074,755 14,533,442 946,560]"),
    ("validate", "per node: ms", BOARD, epoch(2, "milliseconds"), 0.623),
    ("validate", "per node: CPU cycles", BOARD, epoch(2, "cpu_cycles"), (10_673, 484_188, 3_236)),
    ("validate", "per node: type", NEW, epoch(65, "printed"), "Hybrid"),
    ("validate", "per node: steps of a hybrid epoch", NEW, epoch(65, "cpu_cycles"),
     (5_054 + 32_823 + 7_717, 241 + 1_740 + 4_716, 40_254 + 12_565 + 2_986)),
    ("validate", "totals", BOARD, property_text("board", "total"), "20.694 ms [1,074,755 14,533,442 946,560]"),
    ("validate", "HW / SW / SW control", NEW, property_text("board", "shares"), "HW: 75.3%, SW: 22.9%, SW ctrl: 1.8%"),
    ("validate", "accuracy", BOARD, lambda a: property_text("accuracy", "X-cross #1")(a)[:46],
     "acc n.a., rmse 0.141914070, mae 0.111658059, l"),
    # 3. c_info.json
    ("c_info", "buffer", CINFO, lambda a: replace(of("buffers", "Conv2D_114_off_bias_out_32", "__class__")(a)(
        **{f: of("buffers", "Conv2D_114_off_bias_out_32", f)(a) for f in Buffer.__slots__}), attributes=()),
     Buffer("Conv2D_114_off_bias_out_32", "npuRAM5", 0, 102_400, 2, 3, (1, 16, 80, 80), (0.359599978,), (17.0,), False)),
    *(("c_info", f"buffer: {key}", CINFO, attribute("buffers", "Conv2D_114_off_bias_out_32", key), value)
      for key, value in (("id", "4"), ("alignment", "1"), ("batch", "4"), ("channel_first", "false"),
                         ("channel_last", "false"), ("format", "STAI_FORMAT_S8"), ("nbits", "8"), ("axis", "-1"),
                         ("qmn", "{m 7, n 0, sign 1}"))),
    ("c_info", "tools: version", CINFO, field_of("toolchain"), "2.2.0-20266"),
    ("c_info", "tools: compiler", CINFO, field_of("compiler"), "1.1.1-14"),
    ("c_info", "tools: arguments", CINFO, option("-g"), "ocr_det.c"),
    ("c_info", "tools: input_model", CINFO, property_text("ST.EdgeAI.Core input", "n_params"), "1171553"),
    ("c_info", "tools: signatures", CINFO, lambda a: len(a.signatures), 2),
    ("c_info", "environment: network_signature", CINFO, property_text("environment", "network_signature"),
     "0x438bd14d3e4c6638"),
    ("c_info", "environment: generated_model", MERGED, property_text("generated model", "name"), "network"),
    ("c_info", "graph: inputs, outputs", CINFO, lambda a: (bool(property_text("graph", "inputs")(a)), bool(property_text("graph", "outputs")(a))),
     (True, True)),
    ("c_info", "graph: original_inputs", CINFO, lambda a: (a.inputs[0].name, a.inputs[0].shape), ("x", (1, 3, 160, 160))),
    ("c_info", "graph: shape_map", "transformer_128/c_info.json",
     property_text("graph original_inputs", "serving_default_embedded_tokens0 shape_map"), "[BATCH, H, CH]"),
    ("c_info", "edge: ends", CINFO, lambda a: [flow("epochdep_100_101", f)(a) for f in ("start", "end", "kind", "ports")],
     ["epoch_100", "epoch_101", "FLOW", (0, 0)]),
    ("c_info", "edge: buffer", CINFO, flow("Conv2D_110_weights_FLOAT__16_3_3_3__", "buffer"), "Conv2D_110_weights"),
    ("c_info", "node: mapping", "blazeface_128/c_info.json", lambda a: sum(e.placement == "sw" for e in a.epochs), 27),
    ("c_info", "node: macc", MERGED, epoch(3, "macc"), 544_000),
    ("c_info", "subgraph node: kind of 2.x", CINFO, of("nodes", "Conv2D_110", "kind"), "Conv"),
    ("c_info", "subgraph node: type of 3.0", MERGED, of("nodes", "Conv2D_7", "kind"), "Conv"),
    ("c_info", "subgraph node: HWUnit", MERGED, lambda a: of("nodes", "Conv2D_7", "unit")(a).split()[0], "CONV_ACC_V2"),
    ("c_info", "memory_accesses", CINFO, epoch(1, "traffic"), (Traffic("npuRAM5", 76_800, 76_800, 12_000, 12_000),)),
    ("c_info", "power_estimates: ops", MERGED, epoch(3, "ops"), 1_088_000),
    ("c_info", "power_estimates: cycles", CINFO, lambda a: (epoch(2, "compute_cycles")(a), epoch(2, "cycles")(a)),
     (307_200, 307_200)),
    ("c_info", "power_estimates: mW", MERGED, epoch(3, "milliwatts"), (28.0, 11.0)),
    ("c_info", "memory_footprint", MERGED, property_text("memory footprint", "weights"), "57505"),
    ("c_info", "pool: address", CINFO, of("pools", "npuRAM5", "start"), 0x342E0000),
    ("c_info", "pool: size, used", CINFO, lambda a: (of("pools", "npuRAM5", "size")(a), of("pools", "npuRAM5", "used")(a)),
     (448 << 10, 456_984)),
    ("c_info", "pool: speed", CINFO, lambda a: (of("pools", "npuRAM5", "byte_width")(a), of("pools", "npuRAM5", "freq_ratio")(a)),
     (8, 1.25)),
    *(("c_info", f"pool: {key}", CINFO, attribute("pools", "npuRAM5", key), value)
      for key, value in (("fname", "atonbuf.AXISRAM5.raw"), ("offset_start", "0"), ("rights", "ACC_WRITE"),
                         ("cacheable", "CACHEABLE_UNDEF"), ("pipelined", "PIPELINED_ON"), ("persistent", "true"),
                         ("user_allocated", "false"), ("latency", "HIGH"), ("throughput", "HIGH"),
                         ("burst_max_length", "4294967295"), ("burst_penalty", "0"), ("read_power", "18.531"),
                         ("write_power", "16.201"), ("score", "94"), ("use_for_initrs", "false"))),
    # 4. the generated C file
    ("network.c", "header: version", "network.c", field_of("compiler"), "1.1.3-275"),
    ("network.c", "header: GIT_DESCRIPTION", "network.c", property_text("tool", "GIT_DESCRIPTION"), "atonn-v1.1.3-275-g6770925d2-dirty"),
    ("network.c", "header: options", "network.c", option("--Os"), "true"),
    ("network.c", "version guard", "network.c", property_text("tool", "LL_ATON_VERSION"), "1 1 3 275"),
    ("network.c", "epoch of a node", "network.c", of("nodes", "Gemm_29_conv_4", "epoch"), 3),
    ("network.c", "no resources allocated", "network.c", of("nodes", "Reshape_9", "unit"), ""),
    ("network.c", "unit", "network.c", of("nodes", "Gemm_29_conv_4", "unit"), "CONV_ACC_V2 3"),
    ("network.c", "kind", "network.c", of("nodes", "Quantize_3", "kind"), "QuantizeLinear"),
    ("network.c", "LL_Convacc", "network.c", structure("Gemm_29_conv_4_init9", "batchDepth"), "64"),
    ("network.c", "LL_Arithacc", "network.c", structure("Gemm_29_conv_4_off_bias_54_init3", "operation"), "ARITH_AFFINE"),
    ("network.c", "LL_Streng", "network.c", structure("Gemm_29_conv_4_dma_init_in_0_3"),
     ("LL_Streng_TensorInitTypeDef", 3, "Gemm_29_conv_4")),
    ("network.c", "LL_Streng: fields", "network.c", structure("Gemm_29_conv_4_dma_init_in_0_3", "offset_end"), "257"),
    ("network.c", "LL_Switch: wiring", "network.c", structure("STREAM_SWITCH_0_init_in_3", "STRSWITCH, 0, CONVACC, 3, 0"),
     "STRSWITCH, 0, STRENG, 0, 0"),
    ("network.c", "software: _sw_info", "network.c", structure("quantizelinear1_sw_info", "general.input.dim.tensor_w"), "257"),
    ("network.c", "software: call", "network.c", structure("ll_sw_forward_quantizelinear"), ("call", 2, "Quantize_3")),
    ("network.c", "software: integer or float", "network.c", of("nodes", "Quantize_3", "placement"), "sw_int"),
    ("network.c", "hybrid: call", "network.c", structure("LL_ATON_LIB_Concat", "arguments"),
     "Concat_4_tensor_in, 2, Concat_4_tensor_out, 0, 3"),
    ("network.c", "bandwidth", "network.c", epoch(3, "traffic"),
     (Traffic("npuRAM5", 257, 256), Traffic("octoFlash", 65_792))),
    ("network.c", "epoch table: numbers", "network.c", epoch(4, "last"), 9),
    ("network.c", "epoch table: flags", "network.c", lambda a: [e.printed for e in a.epochs], ["SW", "HW", "EC"]),
    ("network.c", "epoch table: estimates", "network.c", epoch(2, "cycles"), 6403),
    ("network.c", "epoch table: masks", "network.c", structure("3", "in_streng_mask"), "0x00000003"),
    ("network.c", "epoch table: blob", "network.c", structure("4", "blob_address"), "(uintptr_t)_ec_blob_4"),
    ("network.c", "pools", "network.c", lambda a: (a.pools[0].name, a.pools[0].used), ("octoFlash", 49_807)),
    ("network.c", "trace of a blob", "ec trace", lambda a: [(e.index, e.nodes) for e in a.epochs],
     [(2, ("Gemm_2_conv_4",)), (3, ("Gemm_2_conv_4_off_bias_24",))]),
    # 5. Q.json
    ("Q.json", "version", QJSON, property_text("file", "version"), "4.0"),
    ("Q.json", "environment", QJSON, field_of("toolchain"), "2.2.0-20266"),
    ("Q.json", "model_info", "mobilenet_v2_128/Q.json", lambda a: any(s.section == "model info" for s in a.properties), True),
    ("Q.json", "tensor: params", QJSON, lambda a: (of("buffers", "Dequantize_2_out_0", "scales")(a),
                                                   of("buffers", "Dequantize_2_out_0", "zero_points")(a)),
     ((0.00784310232847929,), (-1.0,))),
    ("Q.json", "tensor: class", QJSON, attribute("buffers", "Dequantize_2_out_0", "class"), "integer"),
    ("Q.json", "tensor: type", QJSON, attribute("buffers", "Dequantize_2_out_0", "type"), "S8"),
    *(("Q.json", f"tensor: {key}", "timeseries_conv2d/Q.json", attribute("buffers", "Input_0_out_0", key), value)
      for key, value in (("data_channel_position", "CHLAST"), ("data_channel_batch", "1"), ("user_allocated", "false"))),
    ("Q.json", "nodes: names", QJSON, lambda a: dict(a.originals)["Transpose_1"], ("__FE_GENERATED__",)),
    # 7. graphs and files of the work space
    ("dot", "epoch: nodes", DOT, epoch(2, "nodes"),
     ("Conv2D_110", "Conv2D_110_mul_scale_20", "Conv2D_110_off_bias_22", "Conv2D_114", "Conv2D_114_mul_scale_29",
      "Conv2D_114_off_bias_31")),
    ("dot", "dma in and out", DOT, structure("dma_2i1"), ("dma out", 1, "")),
    ("dot", "dma: port", DOT, structure("dma_2i1", "axi port"), "0"),
    ("dot", "edge: in bw", DOT, lambda a: "in bw=432 B" in label("dma_8i2", "Conv2D_110")(a), True),
    ("dot", "edge: pool", DOT, lambda a: "pool=8[1392752, 1393184]" in label("dma_8i2", "Conv2D_110")(a), True),
    ("dot", "constant: id, bytes, share, values", DOT, lambda a: a.buffers[0],
     Buffer("Conv2D_694_off_bias_525", size=96, constant=True, attributes=(
         ("id", "1835"), ("% of total", "0.0069"), ("values", "-134188317 -134293094 -132872862 -133119593 ...")))),
    ("dot", "NUM_OPS, latency, OPS/cycle", "mobilenet_v2_128/tmp.dot",
     lambda a: [of("nodes", "Conv2D_14_off_bias_36", f)(a) for f in ("ops", "latency_cycles", "ops_per_cycle")],
     [196_610, 196_610, 1.0]),
    ("dot", "shifts", "mobilenet_v2_128/tmp.dot", attribute("nodes", "Conv2D_14_off_bias_36", "shifts"),
     "x=0 y=0 AX_RS=0 BY_RS=0 C_LS=0 o=18"),
    ("dot", "unit max power", "mobilenet_v2_128/tmp.dot", attribute("nodes", "Conv2D_14_off_bias_36", "unit max power"), "% 100"),
    ("dot", "conv mode", DOT, attribute("nodes", "Conv2D_110", "conv mode"), "K outer, F inner"),
    ("dot", "pads", DOT, attribute("nodes", "Conv2D_110", "pads"), "1 1 1 1"),
    ("options", "key=value", "ocr_det_160/atonn_options.ini", option("--Omax-ca-pipe"), "4"),
    ("network.csv", "per pool", CSV, lambda a: epoch(4, "traffic")(a)[:2],
     (Traffic("octoFlash", 20_480, 0, 122_880, 0), Traffic("npuRAM6", 1_024_000, 204_800, 76_800, 32_000))),
    ("network.csv", "bus ports", CSV, lambda a: epoch(4, "traffic")(a)[2:],
     (Traffic("bus port 1", 512_000, 204_800), Traffic("bus port 0", 532_480, 0))),
    ("network.csv", "OPS", CSV, epoch(4, "ops"), 32_972_800),
    ("network.csv", "compute, max", CSV, lambda a: (epoch(7, "compute_cycles")(a), epoch(7, "cycles")(a)), (2731, 49_152)),
    ("network.csv", "power", CSV, epoch(4, "milliwatts"), (64.2164, 39.764)),
    ("network.csv", "totals", CSV, lambda a: (a.totals.cycles, a.totals.compute_cycles), (91_893_224, 38_926_712)),
    ("network.csv", "total OPS", CSV, property_text("totals", "Total OPS"), "4393867264"),
    ("network.csv", "total per pool", CSV, property_text("Total", "octoFlash (r)"), "9921732"),
    ("network.csv", "BW", CSV, property_text("BW", "octoFlash (r)"), "1.0797e+08"),
    ("network.csv", "pools", CSV, property_text("pools", "octoFlash"), "9.73 MB , total bytes r/w BW,1.0797e+08"),
    # 8. configuration
    ("mpool", "cacheinfo", "stm32n6.mpool", lambda a: property_text("memory", "cacheinfo")(a)[:11], "{nlines 512"),
    ("mpool", "mem_file_prefix", "stm32n6.mpool", property_text("memory", "mem_file_prefix"), "atonbuf"),
    ("mpool", "offset, size", "ocr_det_160/stm32n6.mpool",
     lambda a: (of("pools", "npuRAM3", "start")(a), of("pools", "npuRAM3", "size")(a)), (0x34200000, 448 << 10)),
    *(("mpool", key, "ocr_det_160/stm32n6.mpool", attribute("pools", "npuRAM3", key), value)
      for key, value in (("fname", "AXISRAM3"), ("fformat", "FORMAT_RAW"), ("mode", "USEMODE_ABSOLUTE"),
                         ("rights", "ACC_WRITE"), ("throughput", "HIGH"), ("latency", "LOW"),
                         ("burstMaxLength", "4294967295"), ("burstPenalty", "0"), ("pipelined", "PIPELINED_ON"),
                         ("cacheable", "CACHEABLE_OFF"), ("readPower", "18.531"), ("writePower", "16.201"),
                         ("constantsPreferred", "false"))),
    ("mpool", "byteWidth, freqRatio", "stm32n6.mpool",
     lambda a: (of("pools", "octoFlash", "byte_width")(a), of("pools", "octoFlash", "freq_ratio")(a)), (1, 6.0)),
    ("mdesc", "machine", "stm32n6.mdesc", property_text("machine", "vdd"), "0.8"),
    ("mdesc", "frequency", "stm32n6.mdesc", total("npu_hz"), 1_000_000_000),
    ("mdesc", "accelerators: num", "stm32n6.mdesc", option("STRENG"), "10"),
    ("mdesc", "accelerators: power", "stm32n6.mdesc", property_text("accelerators", "CONVACC"),
     "index 0, num 4, version 0.0, power 30.132"),
    ("profiles", "options", "profiles", field_of("options"),
     (("default", "memory_pool ./stm32n6.mpool"), ("default", "--Os"), ("default", "--Omax-ca-pipe 4"))),
    ("profiles", "machine_desc", "user_neural_art.json", lambda a: ("default", "machine_desc ./stm32n6.mdesc") in a.options, True),
    # the lowering log
    ("lowering log", "attempts", "lowering", lambda a: a.lowerings[0].attempts,
     (Attempt("HW", "output tensor (id=522) has scale-offset format"), Attempt("SW (scale offset)"))),
    ("lowering log", "tensor sizes", "lowering",
     lambda a: [getattr(a.lowerings[0], f) for f in ("width", "height", "ch", "chin")], [1, 1, 257, 257]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "take", "wanted"),
    [(name, take, wanted) for _, _, name, take, wanted in FIELDS],
    ids=[f"{kind}: {field}" for kind, field, *_ in FIELDS],
)
def test_a_listed_field_is_read(name: str, take: Take, wanted: Any) -> None:
    assert take(artefact(name)) == wanted


here = pytest.mark.skipif(not CASES.is_dir(), reason="the public artefacts are not here")


@here
def test_listed_fields_are_those_of_the_public_artefacts() -> None:
    public = {name: read(CASES / name) for name in LISTED}
    rows = [
        (name, field, take(public[name]), wanted) for _, field, name, take, wanted in FIELDS if name in public
    ]
    assert [row for row in rows if row[2] != row[3]] == []


REPORTS = [
    f"{case}/report.txt"
    for case in ("citrinet_256", "mobilefacenet_qop", "mobilenet_v2_128", "ocr_det_160", "ssd_mobilenet_v1_256",
                 "timeseries_conv2d", "transformer_128")
] + ["speech_tcnn_257/report_2.0.txt", "yamnet_1024/report_2.1.txt", "yamnet_1024/report_2.2.txt"]  # fmt: skip


@here
@pytest.mark.parametrize("name", REPORTS)
def test_the_layer_table_adds_up_to_the_totals_below_it(name: str) -> None:
    content = read(CASES / name)
    sums = {
        "macc": sum(row.macc or 0 for row in content.rows),
        "weights": sum(row.size or 0 for row in content.rows),
    }
    assert sums == {word: int(property_text("model", word)(content).replace(",", "")) for word in sums}
    assert not content.not_understood


def values(content: Content) -> Iterable[tuple[Any, ...]]:
    return (
        content.epochs,
        content.nodes,
        content.buffers,
        content.flows,
        content.structures,
        content.properties,
    )


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_values_are_of_their_types(name: str) -> None:
    kinds = (ReportedEpoch, Node, Buffer, Flow, Structure, Property)
    for kind, kind_values in zip(kinds, values(artefact(name)), strict=True):
        assert all(type(one) is kind for one in kind_values)
