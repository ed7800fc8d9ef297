"""Short texts in the formats of ST's tools, written by hand for the tests."""

from __future__ import annotations

REPORT_21 = """\
ST Edge AI Core v2.1.0-20194 329b0e98d
Created date          : 2025-06-09 10:00:00
Parameters            : generate -m small.onnx --target stm32n6
 >>>> EXECUTING NEURAL ART COMPILER
   /opt/atonn -i "/work/my models/small_OE_3_2_0.onnx" --json-quant-file "/work/small_OE_3_2_0_Q.json" --mvei --Omax-ca-pipe 4
 <<<< DONE EXECUTING NEURAL ART COMPILER
 Exec/report summary (generate)
 ---------------------------------------------------------------
 model file         :   /work/small.onnx
 type               :   onnx
 c_name             :   network
 options            :   allocate-inputs, allocate-outputs
 optimization       :   balanced
 target/series      :   stm32n6npu
 model_fmt          :   ss/sa per channel
 model_name         :   small
 model_hash         :   0x0123456789abcdef0123456789abcdef
 params #           :   66,306 items (259.01 KiB)
 ---------------------------------------------------------------
 input 1/2          :   'Input_3_out_0', int8(1x257x1), 257 Bytes, QLinear(0.024541926,2,int8), activations
 input 2/2          :   'Input_1_out_0', int8(1x256), 256 Bytes, QLinear(0.023921722,5,int8), activations
 output 1/1         :   'Quantize_84_out_0', int8(1x257x1), 257 Bytes, QLinear(0.003748817,-128,int8), activations
 macc               :   0
 weights (ro)       :   67,334 B (65.76 KiB) (1 segment) / -197,890(-74.6%) vs float model
 activations (rw)   :   1,028 B (1.00 KiB) (1 segment) *
 ram (total)        :   1,028 B (1.00 KiB) = 1,028 + 0 + 0
 ---------------------------------------------------------------

Compilation details
------------------------------------------------------------------------------------
Compiler version: 1.1.0-31
Compiler arguments:  -i /work/small_OE_3_2_0.onnx --json-quant-file /work/small_OE_3_2_0_Q.json --mvei --Omax-ca-pipe 4
====================================================================================
Memory usage information  (input/output buffers are included in activations)
------------------------------------------------------------------------------------
\tcpuRAM2    [0x34100000 - 0x34200000]:          0  B /      1.000 MB  (  0.00 % used) -- weights:          0  B (  0.00 % used)  activations:          0  B (  0.00 % used)
\tnpuRAM5    [0x342E0000 - 0x34350000]:      1.004 kB /    448.000 kB  (  0.22 % used) -- weights:          0  B (  0.00 % used)  activations:      1.004 kB (  0.22 % used)
\toctoFlash  [0x71000000 - 0x78000000]:     65.756 kB /    112.000 MB  (  0.06 % used) -- weights:     65.756 kB (  0.06 % used)  activations:          0  B (  0.00 % used)
---
Total:                                            66.760 kB                                  -- weights:     65.756 kB                  activations:      1.004 kB
====================================================================================
Used memory ranges
------------------------------------------------------------------------------------
\tnpuRAM5    [0x342E0000 - 0x34350000]: 0x342E0000-0x342E0404
====================================================================================
Epochs details
------------------------------------------------------------------------------------
Total number of epochs: 5 of which 2 implemented in software
---
epoch ID   HW/SW/EC Operation (SW only)
epoch 1       HW
epoch 2      -SW-   (        Conv        )
epoch 3       EC
epoch 4       HW
epoch 5      -SW-   (     Transpose      )
====================================================================================
"""

REPORT_40 = """\
ST Edge AI Core v4.0.1-20581 7ed50de05
Compilation details
---------------------------------------------------------------------------------
Compiler version: 1.1.3-275
Epochs details
---------------------------------------------------------------------------------
Total number of epochs                               9
>> pure software (SW) epochs                          2
>> hybrid epochs (using both software and hardware)   1
>> pure hardware (HW or EC) epochs                    6  (implemented in 2 epoch controller blobs/meta epochs)
---
+----------------------+--------+------------------+
| epoch ID             |  Type  |     Details      |
+----------------------+--------+------------------+
| epochs    1 -> 4     |   EC   |                  |
| epoch_6              | Hybrid |    Transpose     |
| epoch_7              |   HW   |                  |
| epoch_8              |   SW   |    Sub(float)    |
| <no executed epochs> |   EC   |                  |
| epoch_10             |   SW   |       Conv       |
| epochs   11 -> 11    |   EC   |                  |
+----------------------+--------+------------------+
====================================================================================
"""

LOWERING = """\
Lowering Conv2D_23 id=80 with Lowerer HW
Lowering Conv ...
HW lowering not done for Conv node=Conv2D_23 because output tensor (id=522) has scale-offset format
Let's try with the next lowerer
Let's try with the next lowerer
Lowering Conv2D_23 id=80 with Lowerer SW (scale offset)
Standard Software Lowering operations for node Conv2D_23
tensor w: 1
tensor h: 1
tensor ch: 257
tensor chin: 257
Lowering Gemm_30_conv_9 id=91 with Lowerer HW
Lowering Conv ...
Lowering Gemm_28_conv_16 id=94 with Lowerer HW
Lowering Conv ...
HW lowering not done for Conv node=Gemm_28_conv_16 because output tensor (id=611) has scale-offset format
Let's try with the next lowerer
Lowering Gemm_28_conv_16 id=94 with Lowerer SW (scale offset)
tensor w: 1
tensor h: 1
tensor ch: 257
tensor chin: 1024
"""

TIMING = """\
  device.attrs                  :   fpu,core_icache,core_dcache,npu_cache=1,mcu_freq=600MHz,noc_freq=400MHz,npu_freq=800MHz,nic_freq=800MHz
  nb sample(s)                   :   10
  duration                       :   42.939 ms by sample (42.882/43.251/0.105)
  CPU cycles                     :   [554,766 19,395,477 5,813,354]
   c_id    m_id   type                      dur (ms)        %     cumul  CPU cycles                               name
   ---------------------------------------------------------------------------------------------------
   0       -      epoch (EC)                  15.781   36.75%    36.75%  [     22,993   9,440,048       5,849 ]   EpochBlock_1 -> 4
   1       -      epoch (HYBRID)               0.076    0.18%    36.93%  [      5,054         241      40,254 ]   EpochBlock_6
   2       -      epoch (extra HW.6)           0.079    0.18%    37.11%  [     32,823       1,740      12,565 ]   EpochBlock_6 (6)
   3       -      epoch                        0.482    2.3%     26.8%   [     19,632     363,839       2,311 ]   EpochBlock_7
   4       -      epoch (SW)                   0.410    0.96%    38.83%  [      5,583          53     240,555 ]   EpochBlock_8
   5       -      epoch (NEW)                  0.100    0.96%    38.83%  [      5,583          53     240,555 ]   EpochBlock_10
"""

DOT = """\
digraph G {
graph [ fontsize=11 ];
Graphinfo [ label="" shape=plaintext, style=rounded, color=black, fontname="Arial-Bold" ];
subgraph cluster_1 { label="epoch 1"; fontsize=14; 
subgraph cluster_1_nodes { label="nodes "; peripheries=0;
Conv2D_4 ; Conv2D_4_ca_pipe_1 ; Conv2D_4_off_bias_9 ;  }

subgraph cluster_dma_1_in { label="dma inputs "; peripheries=0;
dma_8i1 ; dma_4i1 ;  };
 }
subgraph cluster_2 { label="epoch 2"; fontsize=14; 
subgraph cluster_2_nodes { label="nodes "; peripheries=0;
Softmax_7 ;  }
 }
dma_5i1:s -> dma_5i2:n [ltail="cluster_1" lhead=cluster_2 strength=1000 penwidth=5];
Conv2D_4_weights [ label="{ { <i0> 0} |  [4]\\lConv2D_4_weights\\l(bytes=216 , 0.11% of total)\\l\\l 0.152653 0.283498 | { <o0> 0} }", shape=record, fillcolor="aliceblue", style="rounded,filled"  ] ;
dma_8i1 [ label="Dma in\\nepoch=1.\\nmem=3-> sw=3
 axi port=1\\nSTREAM_ENG_V2 8", shape=ellipse, width=0.1, fillcolor="aquamarine", style="rounded,filled"  ]
Conv2D_4 [ label="{ { < i0>  0 M  | < i1>  1 M } | id=[5] tid=[200]\\lConv2D_4\\lkind=Conv\\lNUM_OPS = 1.77 MOPS( 4.7% of total )\\llatency = 49.15 Kcycles\\lOPS/cycle = 1.3e+02\\lsched epoch=1.\\lsched unit= CONV_ACC_V2 0\\lconv mode=K outer, F inner\\lchoked ports=( feat out )\\lshifts: f=0 a=1 o=1\\lDeep mode kx3\\lsimd mode:8x8\\lunit max power % 74\\ldilations is 1 1\\lgroup i 1\\lkernel_shape is 1 1\\lpads is 0 0 0 0\\lstrides is 1 1\\lquantum colour=7\\lConv_pipe_node_lead s Conv2D?4\\l | { < o0>  0 S } }", shape=record, fillcolor="burlywood1", style="rounded,filled"  ] ;
Conv2D_4_ca_pipe_1 [ label="{ { < i0>  0 M  | < i1>  1 M  | < i2>  2 S } | id=[6] tid=[201]\\lConv2D_4_ca_pipe_1\\lkind=Conv\\llatency = 49.15 Kcycles\\lsched epoch=1.\\lsched unit= CONV_ACC_V2 1\\lchoked ports=( feat out )\\lsimd mode:8x8\\l | { < o0>  0 S } }", shape=record, fillcolor="green", style="rounded,filled"  ] ;
Conv2D_4_off_bias_9 [ label="{ { < i0>  0 S  | < i1>  1 P  | < i2>  2 P } | id=[9] tid=[202]\\lConv2D_4_off_bias_9\\lkind=Add\\lNUM_OPS = 32.77 KOPS\\llatency = 32.77 Kcycles\\lOPS/cycle = 1\\lsched epoch=1.\\lsched unit= ARITH_ACC_V2 0\\lA=0 B=0 C=0 B C combined= 0\\l | { < o0>  0 S } }", shape=record, fillcolor="green", style="rounded,filled"  ] ;
Reshape_9 [ label="{ { < i0>  0 M } | id=[9] tid=[9]\\lReshape_9\\lkind=Reshape\\lhw unit=NULL_UNIT\\l | { < o0>  0 M } }", shape=record ] ;
Softmax_7 [ label="{ { < i0>  0 M } | id=[7] tid=[203]\\lSoftmax_7\\lkind=Softmax\\llatency = 522 cycles\\lsched epoch=2.\\lsched unit= PROCESSOR 0\\laxis i 1\\l | { < o0>  0 M } }", shape=record, fillcolor="hotpink", style="rounded,filled"  ] ;
dma_8i1:s->Conv2D_4:i1:n [ label="cloned=0\\ledge id=[4]\\ltid=34 35\\lbatch: 3(in,L) 3(out,L) \\l8(nkern) \\l16x80x1x1\\lbits=8\\lin=out: (S8)\\lscale=(0.0109038, 0.00341551, )\\loffset=(0, 0, )\\lConv2D_4_weights FLOAT( 16 80 1 1 )\\l" ]; 
dma_4i1:s->Conv2D_4:i0:n [ label="cloned=0\\ledge id=[459]\\ltid=2912 31\\l1x80x32x32\\lbits=8\\lin=out: (S8)\\lscale=(0.00784314, )\\loffset=(0, )\\l" ]; 
Conv2D_4:o0:s->Conv2D_4_ca_pipe_1:i2:n [ label="edge id=[464]\\ltid=2947 2948\\l1x16x32x32\\lin=out Q[23S.0]\\l" ]; 
}
"""

NETWORK_CSV = """\
epochs,octoFlash (r),octoFlash (w),npuRAM6 (r),npuRAM6 (w),bus port 1 (r),epoch OPS,epoch OPS vs total %,epoch compute (cyles),epoch compute (cyles) vs Tot %,max (cycles),max (cycles) vs Tot %
0 ,0,0,0,0,0,0,0,0,0,0,0
1 ,1600,0,64000,64000,1600,2624000,0.0005,64000,0.0016,64000,0.0007
2 ,0,0,64000,64000,0,0,0,0,0,80000,0.0009
3 ,0,0,0,0,0,0,0,0,0,0,0

Total,1600,0,128000,128000,,
BW,1.07e+08,0,1.9e+09,4.7e+08,,

octoFlash , 9.73 MB , total bytes r/w BW,1.0797e+08
npuRAM6 , 425.00 KB , total bytes r/w BW,2.4e+09

Total cycles,144000
Total ideal cycles,64000
Frames/sec(1000 MHz),10.8822
"""

NETWORK_C = """\
/* AUTOGENERATED DO NOT MODIFY */
/*
 * GIT_SHA         "6770925d2"
 * GIT_BRANCH      "STAI-4.0"
 * GIT_DESCRIPTION "atonn-v1.1.3-275-g6770925d2-dirty"
 *
 * Command Line options:
 * --load-mdesc-file = "C:/ST/STEdgeAI/4.0/Utilities/configs/stm32n6"
 * --Os = true
 */
#include "ll_aton.h"
#if LL_ATON_VERSION_MAJOR != 1 || LL_ATON_VERSION_MINOR != 1 || LL_ATON_VERSION_MICRO != 3 || LL_ATON_VERSION_DEV != 275
#  error "Possible mismatch in ll_aton library used"
#endif
/* global pool 8 is 48.64 KB */
/* index=8 file postfix=xSPI2 name=octoFlash offset=0x71000000  absolute_mode size=117440504 READ_ONLY THROUGHPUT=MID LATENCY=HIGH byte width=1 freq ratio=6 burst max length=MAXINT */
/* scheduling epoch=0    nodes=32  ------------------------------------------------------------------- */
/* scheduling epoch=2    nodes=1   ------------------------------------------------------------------- */
static void LL_ATON_End_EpochBlock_2(const LL_ATON_RT_EpochBlockItem_t *epoch_block)
{
/* Unit= 27 [PROCESSOR 0] */
/* kind=QuantizeLinear node=Quantize_3 */
  Quantizelinear_sw_info quantizelinear1_sw_info = {
    /* "general.input" tensor-related info: */
    .general.input.dim.tensor_w = 257,
    .general.input.format.is_signed = 1,
    .general.type = LL_SW_QUANTIZELINEAR,
  };
  /* Node Quantize_3 mapped on EmbedNets (INTEGER) as QuantizeLinear | Category: Format-Converter */
  ll_sw_forward_quantizelinear(&quantizelinear1_sw_info);
  LL_ATON_LIB_UNUSED(epoch_block);
  LL_ATON_LIB_Concat(Concat_4_tensor_in, 2, Concat_4_tensor_out, 0, 3);
}
/* no resources allocated to kind=Reshape node=Reshape_9 */
/* scheduling epoch=3    nodes=3   ------------------------------------------------------------------- */
static void LL_ATON_Start_EpochBlock_3(const LL_ATON_RT_EpochBlockItem_t *epoch_block)
{
  /* Unit= 13 [CONV_ACC_V2 3] */
  /* kind=Conv node=Gemm_29_conv_4 */
  static const LL_Convacc_InitTypeDef Gemm_29_conv_4_init9 = {
    .simd = 2,
    .fsub = -7,
    .deepmode = 0,
    .dss2mode = 0,
    .kernelWidth = 1,
    .kernelHeight = 1,
    .nKernels = 16,
    .batchDepth = 64,
    .hstride = 1,
    .vstride = 1,
  };
  /* Unit= 20 [ARITH_ACC_V2 2] */
  /* kind=Add node=Gemm_29_conv_4_off_bias_54 */
  static const LL_Arithacc_InitTypeDef Gemm_29_conv_4_off_bias_54_init3 = {
    .shift_o = 20,
    .operation = ARITH_AFFINE,
  };
  /* Unit= 0 [STREAM_ENG_V2 0] */
  static const LL_Streng_TensorInitTypeDef Gemm_29_conv_4_dma_init_in_0_3 = {
    /* from memory with batch=1 */
    .dir = 0,
    .addr_base = {(unsigned char *)(0x342e0000UL) /* Equivalent hex address = 0x342e0000UL */}, /* Input_1_out_0 */
    .offset_end = 257,
    .nbits_in = 8,
  };
  /* Dma input bandwidth from memory pools: */
  /* npuRAM5 -> 257 */
  /* octoFlash -> 65792 */
  /* Dma output bandwidth to memory pools: */
  /* npuRAM5 <- 256 */
  static const LL_Switch_InitTypeDef STREAM_SWITCH_0_init_in_3[] = {
    { LL_Switch_Init_Dest() = ATONN_DSTPORT(STRSWITCH, 0, CONVACC, 3, 0), LL_Switch_Init_Source(0) = ATONN_SRCPORT(STRSWITCH, 0, STRENG, 0, 0), LL_Switch_Init_Context(0) = 1, }, /* Gemm_29_conv_4 IN */
  };
}
  static const LL_ATON_RT_EpochBlockItem_t ll_atonn_rt_epoch_block_array[] = {
    {
      .start_epoch_block = NULL,
      .end_epoch_block = LL_ATON_End_EpochBlock_2,
      .wait_mask = 0x00000000,
      .flags = EpochBlock_Flags_epoch_start | EpochBlock_Flags_epoch_end | EpochBlock_Flags_pure_sw,
#ifdef LL_ATON_EB_DBG_INFO
      .epoch_num = 2,
      .last_epoch_num = 2,
      .estimated_npu_cycles = 6402,
      .estimated_tot_cycles = 6403,
#endif // LL_ATON_EB_DBG_INFO
    },
    {
      .start_epoch_block = LL_ATON_Start_EpochBlock_3,
      .end_epoch_block = LL_ATON_End_EpochBlock_3,
      .wait_mask = 0x00000100,
      .in_streng_mask = 0x00000003,
      .out_streng_mask = 0x00000100,
      .flags = EpochBlock_Flags_epoch_start | EpochBlock_Flags_epoch_end | EpochBlock_Flags_pure_hw,
      .epoch_num = 3,
      .last_epoch_num = 3,
      .estimated_npu_cycles = 0,
      .estimated_tot_cycles = 0,
    },
    {
      .blob_address = (uintptr_t)_ec_blob_4,
      .flags = EpochBlock_Flags_epoch_start | EpochBlock_Flags_epoch_end | EpochBlock_Flags_blob,
      .epoch_num = 4,
      .last_epoch_num = 9,
    },
    {
      .flags = EpochBlock_Flags_last_eb,
    },
  };
  return ll_atonn_rt_epoch_block_array;
}
  static const float buff_info_Gemm_29_weights_transposed_3_quant_scale[] = { 0.00532, 0.00011 };
  static const float buff_info_Gemm_29_conv_4_zero_off_50_quant_scale[] = { 0.25 };
"""

EC_TRACE = """\
#include "ll_aton.h"
#include "ll_aton_ec_trace.h"
void trace_ec__ec_blob_network_1(void) {
  ec_trace_start_blob("_ec_blob_network_1");
  ec_trace_start_epoch(2);
  {
    /* Unit= 10 [CONV_ACC_V2 0] */
    /* kind=Conv node=Gemm_2_conv_4 */
    static const LL_Convacc_InitTypeDef Gemm_2_conv_4_init2 = {
      .simd = 1,
      .fsub = 0,
      .deepmode = 1,
      .nKernels = 16,
      .batchDepth = 32,
    };
    /* Dma input bandwidth from memory pools: */
    /* npuRAM5 -> 16 */
    /* Dma output bandwidth to memory pools: */
    /* npuRAM5 <- 32 */
  }
  ec_trace_end_epoch(2);
  ec_trace_start_epoch(3);
  {
    /* Unit= 18 [ARITH_ACC_V2 0] */
    /* kind=Add node=Gemm_2_conv_4_off_bias_24 */
  }
  ec_trace_end_epoch(3);
  ec_trace_end_blob("_ec_blob_network_1");
}
"""

MPOOL = """\
{ // pools
  "memory": { "mempools": [
    { "fname": "AXISRAM6", "name": "npuRAM6", "prop": { "rights": "ACC_WRITE", "byteWidth": 8, "freqRatio": 1.25 },
      "offset": { "value": "0x34350000", "magnitude": "BYTES" }, "size": { "value": "448", "magnitude": "KBYTES" } },
    { "fname": "xSPI2", "name": "octoFlash", "prop": { "rights": "ACC_READ", "byteWidth": 1, "freqRatio": 6.00 },
      "offset": { "value": "0x71000000", "magnitude": "BYTES" }, "size": { "value": "63", "magnitude": "MBYTES" } },
  ] }
}
"""

MDESC = """\
{ "machine": { "name": "stm32n6", "frequency": 1000, "accelerators": [
  { "index": 0, "num": 4, "type": "CONVACC" }, { "index": 0, "num": 5, "type": "STRENG" },
  { "index": 5, "num": 5, "type": "STRENG" } ] } }
"""

PROFILES = """\
{
  /* ours */
  "Globals": {},
  "Profiles": { "default": { "memory_pool": "./stm32n6.mpool", "options": "--Os --Omax-ca-pipe 4", "colour": 3 } }
}
"""

OPTIONS = """\
# Tool: /opt/stedgeai/Utilities/linux/atonn
# Version atonn.1.1.3-275
# executed from dir /opt/stedgeai

load-mdesc-file="/opt/configs/stm32n6"
Os=true
Omax-ca-pipe=4
"""

NETWORK_REPORT = """\
{
  "report_version": 1.1,
  "cli_parameters": "generate --target stm32n6 --input-data-type uint8",
  "cli_version_str": "2.2.0-20266",
  "layers": [{"id": 3, "name": "conv", "type": "Conv2D"}, 7],
  "rom_inputs": [{"name": "x", "c_type": "u8"}],
  "rom_outputs": null,
  "hash": "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
}
"""

LOGS = (REPORT_21, REPORT_40, LOWERING, TIMING)
"""Texts that are read line by line."""
OTHERS = (DOT, NETWORK_CSV, NETWORK_C, EC_TRACE, OPTIONS, MPOOL, MDESC, PROFILES, NETWORK_REPORT)
"""Texts that are read as a whole."""
