"""Short texts in the formats of ST's tools, with figures of public builds: the fields that tests list.

Each is called as the public file whose figures it has; test_fields.py reads those too where they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def columns(rows: Sequence[tuple[object, ...]], *widths: int) -> str:
    """Lines of a table with columns of these widths."""
    return "\n".join(
        "".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    )


def stated(fields: Mapping[str, str], width: int = 18) -> str:
    """Lines as ` name   :   value`."""
    return "\n".join(f" {name:{width}} :   {value}" for name, value in fields.items())


def pool(name: str, start: int, end: int, used: str, size: str, weights: str, activations: str) -> str:
    """A memory pool, as a report lists it."""
    return (
        f"\t{name:10} [0x{start:08X} - 0x{end:08X}]:  {used} /  {size}  (  1.00 % used) -- "
        f"weights:  {weights} (  1.00 % used)  activations:  {activations} (  1.00 % used)"
    )


MOBILENET_128 = "\n".join([
    "ST Edge AI Core v3.0.0-20426 123672867",
    "Created date          : 2026-02-03 11:06:47",
    "Parameters            : generate -m mobilenet.onnx --target stm32n6",
    columns(
        [
            ("m_id", "layer (original)", "oshape", "param/size", "macc", "connected to"),
            (0, "input_10 ()", "[b:1,h:128,w:128,c:3]", "", "", ""),
            (105, "one_const (DequantizeLinear)", "[b:2]", "2/8", "", ""),
            (106, "two_const (DequantizeLinear)", "[b:16,c:2]", "32/128", "", ""),
            (107, "input_10_Quantize (QuantizeLinear)", "[b:1,h:128,w:128,c:3]", "", "98,304", "input_10"),
            (108, "input_10_Dequantiz..ear_Output (DequantizeLinear)", "[b:1,h:128,w:128,c:3]", "", "98,304", "input_10_Quantize"),
            (109, "StatefulPartitione..R_2_Relu60 (Conv)", "[b:1,h:64,w:64,c:8]", "224/896", "884,744", "input_10_Dequantiz..ear_Output"),
        ],
        7, 51, 24, 13, 10, 30,
    ),
    "Compiler version: 1.1.3-8",
    "Compiler arguments:  -i mobilenet_OE.onnx -g network.c --load-mpool /opt/configs/stm32n6.mpool --Os",
    *(pool(name, start, start, "0  B", "0  B", "0  B", "0  B") for name, start in (("flexMEM", 0x34000000), ("cpuRAM1", 0x34064000))),
    pool("cpuRAM2", 0x34100000, 0x34200000, "0  B", "1.000 MB", "0  B", "0  B"),
    pool("npuRAM3", 0x34200000, 0x34270000, "0  B", "448.000 kB", "0  B", "0  B"),
    pool("npuRAM4", 0x34270000, 0x342E0000, "0  B", "448.000 kB", "0  B", "0  B"),
    pool("npuRAM5", 0x342E0000, 0x34350000, "240.000 kB", "448.000 kB", "0  B", "240.000 kB"),
    "\tnpuRAM5    [0x342E0000 - 0x34350000]: 0x342E0000-0x3431C000",
    "\toctoFlash  [0x71000000 - 0x78000000]: 0x71000000-0x71033E90",
])  # fmt: skip

ON_THE_CPU = {
    36: "DequantizeLinear", 37: "HardSigmoid", 38: "QuantizeLinear", 39: "QuantizeLinear",
    **dict.fromkeys((149, 153, 158, 160, 166), "DepthToSpace"),
}  # fmt: skip
OCR = "\n".join([
    "Total number of epochs: 184 of which 14 implemented in software",
    *(f"epoch {i:<6}-SW-   ( {ON_THE_CPU[i]:^18} )" if i in ON_THE_CPU else f"epoch {i:<8}HW" for i in range(1, 167)),
])  # fmt: skip

TRANSFORMER = columns(
    [
        ("m_id", "layer (original)", "oshape", "param/size", "macc", "connected to"),
        (13, "tiny_bert_generato..ot_MatMul1 ()", "[b:128,c:128]", "16,384/16,384", "", ""),
        ("", "gemm_13 (FULLY_CONNECTED)", "[b:30,c:128]", "", "16,512", "reshape_12"),
        ("", "", "", "", "", "tiny_bert_generato..ot_MatMul1"),
    ],
    7, 36, 22, 30, 9, 30,
)  # fmt: skip

YOLO = "\n".join([
    " Exec/report summary (generate)",
    stated({
        "type": "onnx",
        "options": "allocate-inputs, allocate-outputs, use-lite-runtime, use-st-ai",
        "optimization": "balanced",
        "macc": "399,666,001",
        "weights (ro)": "2,621,233 B (2.50 MiB) (1 segment)",
        "activations (rw)": "457,856 B (447.12 KiB) (1 segment) *",
        "ram (total)": "457,856 B (447.12 KiB) = 457,856 + 0 + 0",
    }),
    "Total number of epochs                               151",
    ">> pure software (SW) epochs                          10",
    ">> hybrid epochs (using both software and hardware)   12",
    ">> pure hardware (HW or EC) epochs                   129  (implemented in 14 epoch controller blobs/meta epochs)",
    "| epochs    1 -> 63    |   EC   |                  |",
    "| epoch_65             | Hybrid |      Split       |",
    "| epoch_168            |   SW   |    Sub(float)    |",
    "   1       -      epoch (HYBRID)               0.076    0.18%    36.93%  [      5,054         241      40,254 ]   EpochBlock_65",
    "   2       -      epoch (extra HW.6)           0.079    0.18%    37.11%  [     32,823       1,740      12,565 ]   EpochBlock_65 (6)",
    "   3       -      epoch (extra HW.6)           0.026    0.06%    37.17%  [      7,717       4,716       2,986 ]   EpochBlock_65 (6)",
    "   HW: 75.3%, SW: 22.9%, SW ctrl: 1.8%",
])  # fmt: skip

ON_A_BOARD = "\n".join([
    stated({
        "model file": "/work/mobilenet_v2_224_int8.onnx",
        "c_name": "network",
        "target/series": "stm32n6npu",
        "model_fmt": "ss/sa per tensor",
        "model_name": "mobilenet_v2_224_int8",
        "model_hash": "0x0300025eebdbb68c09bdb2054efb898c",
        "params #": "3,487,816 items (13.30 MiB)",
        "input 1/1": "'Input_0_out_0', int8(1x3x224x224), 147.00 KBytes, QLinear(0.007843102,0,int8), activations",
        "output 1/1": "'Quantize_195_out_0', int8(1x1000), 1000 Bytes, QLinear(0.053761885,-1,int8), activations",
    }),
    "Total:                                             5.955 MB                                  -- weights:      3.946 MB                  activations:      2.010 MB",
    " network.o                         10,908      83,981      0           0",
    " Generated files (5)",
    " /work/network_output/network.c",
    "elapsed time (generate): 18.515s",
    stated({
        "tools": "ST Neural ART (LL_ATON api) v1.1.1",
        "runtime lib": "atonn-v1.1.1-14-ge619e860 (optimized SW lib v10.1.0-ae536891 GCC)",
        "device.desc": "stm32 family - 0x486 - STM32N6xx @800/400MHz",
        "device.attrs": "fpu,core_icache,core_dcache,npu_cache=1,mcu_freq=800MHz,noc_freq=400MHz,npu_freq=1000MHz,nic_freq=900MHz",
        "nb sample(s)": "10",
        "duration": "20.694 ms by sample (20.689/20.708/0.005)",
        "CPU cycles": "[1,074,755 14,533,442 946,560]",
    }, 29),
    "    1       -      epoch                0.623    3.0%     3.9%  [     10,673     484,188       3,236 ]   EpochBlock_2",
    "    total                              20.694                   [  1,074,755  14,533,442     946,560 ]",
    "  Output       acc    rmse          mae           l2r           mean       std        nse        cos        tensor",
    "  X-cross #1   n.a.   0.141914070   0.111658059   0.070281632   0.000220   0.141921   0.994966   0.997552   'output', 10 x int8(1x1000), m_id=[299]",
])  # fmt: skip

OCR_C_INFO = {
    "json_schema_version": "2.0",
    "environment": {
        "tools": [
            {"name": "ST.EdgeAI.Core", "version": "2.2.0-20266 2adc00962",
             "input_model": {"n_params": 1171553, "model_files": [{"signature": "0x0a00fff931d6eb1e303c1bb2d277a4e5"}]}},
            {"name": "ATONN Compiler", "version": "1.1.1-14", "arguments": " -i ocr.onnx -g ocr_det.c --optimization 3",
             "input_model": {"model_files": [{"signature": "0x242d914f9b8a58cdd2f13501064f1efa"}]}},
        ],
        "network_signature": "0x438bd14d3e4c6638",
    },
    "buffers": [
        {"name": "Conv2D_114_off_bias_out_32", "id": 4, "mpool_id": 2, "alignment": 1, "offset_start": 0,
         "size_bytes": 102400, "is_param": False, "epochs": {"start": 2, "end": 3}, "shape": [1, 16, 80, 80],
         "channel_first": False, "channel_last": False, "batch": 4, "format": "STAI_FORMAT_S8", "nbits": 8,
         "qmn": {"m": 7, "n": 0, "sign": 1}, "intq": {"axis": -1, "scales": [0.359599978], "offsets": [17]}},
        {"name": "Conv2D_110_weights", "id": 281},
    ],
    "graphs": [{
        "inputs": [1], "outputs": [2],
        "nodes": [
            {"name": "epoch_1", "id": 415, "subgraph_nodes": [{"name": "Identity_7", "description": "Node kind=Identity"}]},
            {"name": "epoch_2", "id": 417, "subgraph_nodes": [{"name": "Conv2D_110", "description": "Node kind=Conv"}]},
            {"name": "epoch_100", "id": 851},
            {"name": "epoch_101", "id": 858},
        ],
        "edges": [
            {"name": "epochdep_100_101", "edge_kind": "EDGE_FLOW", "start": {"node_id": 851, "port": 0},
             "end": {"node_id": 858, "port": 0}},
            {"name": "Conv2D_110_weights_FLOAT__16_3_3_3__", "buffer": 281},
        ],
        "original_inputs": [{"name": "x", "shape": [1, 3, 160, 160]}],
    }],
    "memory_pools": [
        {"name": "npuRAM5", "fname": "atonbuf.AXISRAM5.raw", "id": 2, "address": "875429888", "offset_start": 0,
         "size_bytes": 458752, "used_size_bytes": 456984, "rights": "ACC_WRITE", "cacheable": "CACHEABLE_UNDEF",
         "pipelined": "PIPELINED_ON", "user_allocated": False, "persistent": True,
         "attributes": {"throughput": "HIGH", "latency": "HIGH", "byte_width": 8, "freq_ratio": 1.25,
                        "burst_max_length": 4294967295, "burst_penalty": 0, "read_power": 18.531, "write_power": 16.201,
                        "use_for_initrs": False, "score": 94}},
    ],
    "memory_accesses": [
        {"node_id": 415, "mpool_id": 2, "reads": 76800, "read_cycles": 12000, "writes": 76800, "write_cycles": 12000},
    ],
    "power_estimates": [{"node_id": 417, "compute_cycles": 307200, "max_cycles": 307200}],
}  # fmt: skip

SERIES = {
    "json_schema_version": "2.0",
    "environment": {"generated_model": {"name": "network"}},
    "graphs": [{"nodes": [
        {"id": 71, "macc": 544000, "name": "epoch_3", "subgraph_nodes": [
            {"attributes": {"HWUnit": "CONV_ACC_V2 1"}, "name": "Conv2D_7", "type": "Conv"}]},
    ]}],
    "memory_footprint": {"weights": 57505},
    "power_estimates": [
        {"average_acc_power_mw": 28, "average_memory_power_mw": 11, "node_id": 71, "ops": 1088000},
    ],
}  # fmt: skip

BLAZEFACE = {
    "json_schema_version": "2.0",
    "graphs": [{"nodes": [
        {"name": f"epoch_{i}", "mapping": "NODE_SW",
         "subgraph_nodes": [{"name": f"Transpose_{i}", "description": "Node kind=Transpose"}]}
        for i in range(2, 29)
    ]}],
}  # fmt: skip

SHAPE_MAP = {
    "json_schema_version": "2.0",
    "graphs": [{"original_inputs": [
        {"name": "serving_default_embedded_tokens0", "shape_map": ["BATCH", "H", "CH"]},
    ]}],
}  # fmt: skip

CONV_3X3 = {
    "version": "4.0",
    "environment": {"tools": [{"name": "ST.EdgeAI.Core", "version": "2.2.0-20266 2adc00962"}]},
    "tensors": {
        "Dequantize_2_out_0": {
            "format": {"params": [[0.00784310232847929], [-1]], "class": "integer", "type": "S8"}
        }
    },
    "nodes": {"Transpose_1": {"names": ["__FE_GENERATED__"]}},
}

NPU_RAM = {
    "name": "npuRAM3", "fname": "AXISRAM3", "fformat": "FORMAT_RAW",
    "prop": {
        "rights": "ACC_WRITE", "throughput": "HIGH", "latency": "LOW", "burstMaxLength": 4294967295, "burstPenalty": 0,
        "pipelined": "PIPELINED_ON", "cacheable": "CACHEABLE_OFF", "readPower": 18.531, "writePower": 16.201,
        "constantsPreferred": False,
    },
    "offset": {"value": "834", "magnitude": "MBYTES"}, "size": {"value": "448", "magnitude": "KBYTES"},
    "mode": "USEMODE_ABSOLUTE",
}  # fmt: skip

MACHINE = {
    "machine": {
        "frequency": 1000,
        "vdd": 0.8,
        "accelerators": [
            {"index": 0, "num": 4, "version": "0.0", "power": 30.132, "type": "CONVACC"},
            {"num": 5, "type": "STRENG"},
            {"num": 5, "type": "STRENG"},
        ],
    }
}


def csv() -> str:
    """Per epoch what is read and written, with cycles; totals below."""
    pools = ("octoFlash", "npuRAM6")
    head = [
        f"{name} ({what})" for name in pools for what in ("r", "w", "r+w", "r cycles", "w cycles", "cycles")
    ]
    head += [f"bus port {port} ({way})" for port in (1, 0) for way in "rw"]
    head += ["epoch OPS", "epoch OPS vs total %"]
    for column in (
        "epoch compute (cyles)",
        "max (cycles)",
        "epoch average ATON power (mW)",
        "epoch average memory power (mW)",
    ):
        head += [column, f"{column.partition(' (')[0]} vs Tot %"]
    rows = [
        [20480, 0, 20480, 122880, 0, 122880, 1024000, 204800, 1228800, 76800, 32000, 108800, 512000, 204800, 532480, 0,
         32972800, 0.0075, 256000, 0.0066, 256000, 0.0028, 64.2164, 0.0099, 39.764, 0.0031],
        [8192, 0, 8192, 16380, 0, 16380, 512, 32, 544, 14, 5, 19, 512, 0, 8192, 32, 16416, 3.7e-06, 2731, 7e-05, 49152,
         0.0005, 74.7404, 0.0001, 660.856, 0.0006],
    ]  # fmt: skip
    lines = [",".join(["epochs", *head])]
    lines += [f"{i} ,{','.join(map(str, row))}" for i, row in zip((4, 7), rows, strict=True)]
    return "\n".join([
        *lines, "Total,9921732,0,9921732", "BW,1.0797e+08,0,1.0797e+08", "octoFlash , 9.73 MB , total bytes r/w BW,1.0797e+08",
        "Total cycles,91893224", "Total ideal cycles,38926712", "Total OPS,4393867264",
    ])  # fmt: skip


def dot_node(name: str, kind: str, *fields: str) -> str:
    """A node of a tmp.dot."""
    text = "\\l".join([name, f"kind={kind}", *fields])
    return f'{name} [ label="{{ {{ < i0>  0 M }} | id=[13] tid=[414]\\l{text}\\l | {{ < o0>  0 S }} }}", shape=record ] ;'


FIRST_EPOCH = (
    "Conv2D_110", "Conv2D_110_mul_scale_20", "Conv2D_110_off_bias_22", "Conv2D_114", "Conv2D_114_mul_scale_29",
    "Conv2D_114_off_bias_31",
)  # fmt: skip
OCR_DOT = "\n".join([
    "digraph G {",
    'subgraph cluster_2 { label="epoch 2"; fontsize=14; ',
    'subgraph cluster_2_nodes { label="nodes "; peripheries=0;',
    f"{' ; '.join(FIRST_EPOCH)} ;  }}",
    ('Conv2D_694_off_bias_525 [ label="{ { <i0> 0} |  [1835]\\lConv2D_694_off_bias_525\\l(bytes=96 , 0.0069% of total)\\l\\l '
    '-134188317 -134293094 -132872862 -133119593 ... | { <o0> 0} }", shape=record, fillcolor="aliceblue"  ] ;'),
    'dma_2i1 [ label="Dma out\\nepoch=1.\\nsw=1-> mem=3\n axi port=0\\nSTREAM_ENG_V2 2", shape=ellipse  ]',
    dot_node("Conv2D_110", "Conv", "sched epoch=2.", "sched unit= CONV_ACC_V2 0", "conv mode=K outer, F inner", "pads is 1 1 1 1"),
    *(dot_node(name, "Add", "sched epoch=2.") for name in FIRST_EPOCH[1:]),
    'dma_8i2:s->Conv2D_110:i1:n [ label="cloned=0\\ledge id=[12]\\l16x3x3x3\\lbits=8\\lpool=8[1392752, 1393184]=432 B\\lin bw=432 B\\l"   ]; ',
])  # fmt: skip
MOBILENET_DOT = "digraph G {\n" + dot_node(
    "Conv2D_14_off_bias_36", "Add", "NUM_OPS = 196.61 KOPS", "latency = 196.61 Kcycles", "OPS/cycle = 1",
    "sched epoch=5.", "sched unit= ARITH_ACC_V2 1", "shifts: x=0 y=0 AX_RS=0 BY_RS=0 C_LS=0 o=18",
    "unit max power % 100",
)  # fmt: skip

LISTED: dict[str, str] = {
    "mobilenet_v2_128/report.txt": MOBILENET_128,
    "ocr_det_160/report.txt": OCR,
    "transformer_128/report.txt": TRANSFORMER,
    "yolov11n_micro_224/report_and_board.txt": YOLO,
    "mobilenet_v2_224/report_and_board.txt": ON_A_BOARD,
    "ocr_det_160/tmp.dot": OCR_DOT,
    "mobilenet_v2_128/tmp.dot": MOBILENET_DOT,
    "citrinet_256/network.csv": csv(),
    "ocr_det_160/atonn_options.ini": "# Tool: /opt/atonn\nOmax-ca-pipe=4",
    **{
        name: json.dumps(document)
        for name, document in {
            "ocr_det_160/c_info.json": OCR_C_INFO,
            "timeseries_conv2d/c_info.json": SERIES,
            "blazeface_128/c_info.json": BLAZEFACE,
            "transformer_128/c_info.json": SHAPE_MAP,
            "single_layers/conv2d_3x3/Q.json": CONV_3X3,
            "mobilenet_v2_128/Q.json": {"model_info": {"original_outputs": [{}]}, "tensors": {}},
            "timeseries_conv2d/Q.json": {
                "tensors": {
                    "Input_0_out_0": {
                        "data_channel_position": "CHLAST",
                        "data_channel_batch": 1,
                        "user_allocated": False,
                    }
                }
            },
            "ocr_det_160/stm32n6.mpool": {"memory": {"mempools": [NPU_RAM]}},
            "stm32n6.mpool": {
                "memory": {
                    "cacheinfo": [{"nlines": 512}],
                    "mem_file_prefix": "atonbuf",
                    "mempools": [{"name": "octoFlash", "prop": {"byteWidth": 1, "freqRatio": 6.0}}],
                }
            },
            "stm32n6.mdesc": MACHINE,
            "user_neural_art.json": {"Profiles": {"default": {"machine_desc": "./stm32n6.mdesc"}}},
        }.items()
    },
}
"""Public file -> a text in its format with the figures that tests list."""
