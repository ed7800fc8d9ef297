"""N205: a dilated convolution."""

from __future__ import annotations

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.placement is Placement.SW_INT:
        return Finding(
            "N205",
            Severity.ERROR,
            f"dilation {cause['dilation']}: the CPU computes the convolution",
            "The accelerators read neighbouring features; of kernels with more than three taps and several channels a group, "
            "the compiler does not bring dilated ones together.",
            "use three taps, a depthwise dilated convolution and one of 1x1, or a larger kernel without dilation",
            cause.placement,
            _of_software(layer, context),
        )
    if cause.placement.on_cpu:
        return Finding(
            "N205",
            Severity.ERROR,
            f"dilation {cause['dilation']}: the CPU gathers the features and multiplies them in float",
            "SpaceToDepth makes groups of the dilated features that share their weights; only a float kernel of the CPU takes "
            "such groups, of more than one channel.",
            "use a depthwise dilated convolution and one of 1x1, or a larger kernel without dilation",
            cause.placement,
            _of_software(layer, context),
        )
    return Finding(
        "N205",
        Severity.WARNING,
        f"dilation {cause['dilation']}: the CPU drives a SpaceToDepth before this Conv and a DepthToSpace behind it",
        "The accelerators read neighbouring features; dilated ones are brought together by two hybrid epochs.",
        "use a larger kernel without dilation, or strided and plain convolutions in its place",
        cause.placement,
        # Of several channels a group, kernels of two dimensions were seen before 4.0, of one from 4.0 on.
        Confidence.UNKNOWN
        if cause["shared"] and not context.target.toolchain.takes_shared_groups
        else Confidence.INFERRED,
    )


READ_OF = ("2.0", "2.1", "2.2")
"""Versions of which a kernel of two dimensions was read, in a graph of 2.2, and those before."""


def _of_software(layer: Layer, context: Context) -> Confidence:
    """Of one dimension there are two projects' notes on 4.0 alone."""
    conv = convolution(layer)
    if conv is not None and min(conv.kernel) == 1:
        return Confidence.THIRD_PARTY
    return Confidence.INFERRED if context.target.toolchain.version in READ_OF else Confidence.UNKNOWN


RULE = Rule(
    code="N205",
    title="Dilated convolution",
    what="Looks for a Conv with a dilation above 1 along a dimension in which its kernel has more than one tap.",
    why="The compiler writes it as SpaceToDepth, a Conv of groups that share their weights, and DepthToSpace. The two"
    " rearrangements are runtime routines in which the CPU drives the NPU's DMAs. Where the Conv between them "
    "runs depends on its form. A depthwise one runs on the NPU. One of several channels per group with a kernel "
    "of two dimensions is dequantized and runs in float on the CPU (2.2). With a kernel of one dimension, from "
    "4.0 on, up to three taps run on the NPU between two copies, and more taps make the whole layer an integer "
    "kernel of the CPU; older versions are not known. A map that is not a multiple of the dilation is padded "
    "before and cropped after (from 4.0 on by a routine where it is one dimension).",
    fix="Avoid dilation, as ST's documentation recommends.",
    source="speech_tcnn_257 (2.0 to 2.2): four dilated depthwise convolutions, eight hybrid epochs; LiSenNet "
    "of LarocheC/eco8-neaixt (4.0.1): six, eighteen hybrid epochs, and its notes on kernels of one dimension; two streaming TCN "
    "of mikekss/tymbal (4.0): twenty of 1x3, ten of 1x5; "
    "gg-cnn of TitoNicolaDrugman/Advanced-Computer-Architectures-Project (2.2): two of 5x5 in float; FACTS 2.3 (documented)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONV_DILATED}),
    word=word,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,16] x) => (int8[1,8,1,12] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 1, 1, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8, dilations = [1, 2]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,16] x) => (int8[1,8,1,14] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 1, 1, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8, dilations = [2, 1]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
