"""Models that look like what an edit is for, and what it says of each: the reason it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import opened, refused
from builders.models import from_text

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.bias_to_add import BiasToAdd
from npuscope.edits.kinds.clip_range import ClipRange
from npuscope.edits.kinds.compiler_form import CompilerForm
from npuscope.edits.kinds.conv_to_gemm import ConvToGemm
from npuscope.edits.kinds.correct_bias import CorrectBias
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.equalize import Equalize
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.hard_sigmoid_to_clip import HardSigmoidToClip
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.pool_chain import PoolChain
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.edits.kinds.same_operator import SameOperator
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.edits.kinds.swish_to_mul import SwishToMul
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.kinds.transposed_to_conv import TransposedToConv
from npuscope.edits.toolkit.sizes import MOST_MADE, bounded, equal_parts


def ones(*shape: int, dtype: str = "float", name: str = "w") -> str:
    """A constant of ones."""
    count = 1
    for size in shape:
        count *= size
    return f"{dtype}[{','.join(map(str, shape))}] {name} = {{{', '.join('1' * count)}}}"


def net(
    constants: str, nodes: str, rank: int = 4, source: str = "float[1,4,8,8]", result: str = "float"
) -> str:
    """A model of one input x and one output y of so many dimensions."""
    dims = ",".join("abcd"[:rank])
    small = "float s = {0.1}, int8 z = {0}, float t = {0.2}, int8 z5 = {5}"
    return f"g ({source} x) => ({result}[{dims}] y) <{small}{', ' if constants else ''}{constants}> {{ {nodes} }}"


K = "float[4] k = {1, 1, 2, 2}"
QDQ = "q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z)"
WEIGHTS = "v = DequantizeLinear(w, s, z)"
FOUR = "float[4] g1 = {1, 2, 3, 4}, float[4] g2 = {0, 0, 0, 0}, float[4] g3 = {1, 1, 1, 1}"
UPSAMPLED = net(ones(4, 2, 2, 2), "[op] y = ConvTranspose {} (x, w)")

CASES: dict[str, tuple[int, str, Edit, str]] = {
    "coordinates that are not compared": (
        19, net(K, '[op] y = Resize <coordinate_transformation_mode = "half_pixel_symmetric"> (x, , k)'),
        ResizeFloor("op"), "uses the coordinates half_pixel_symmetric, which npuscope does not compare",
    ),
    "a crop": (
        19, net(f"{K}, {ones(8, name='roi')}", '[op] y = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (x, roi, k)'),
        ResizeNearest("op"), "op crops as well as resizes",
    ),
    "a crop of the kernel": (
        17, UPSAMPLED.replace("{} (", "<strides = [2, 2], pads = [2, 2, 2, 2]> ("),
        TransposedToConv("op"), "op crops more than its kernel reaches over",
    ),
    "training": (
        15, net(FOUR, "[op] y, m, v = BatchNormalization <training_mode = 1> (x, g1, g2, g2, g3)"),
        FoldBatchNorm("op"), "op is in training mode",
    ),
    "kernels between groups": (
        15, net(f"{ones(4, 2, 1, 1)}, {FOUR}", "[conv] c = ConvTranspose <group = 2> (x, w) [op] y = BatchNormalization(c, g1, g2, g2, g3)"),
        FoldBatchNorm("op"), "conv is a ConvTranspose of 2 groups",
    ),
    "a normalization of other channels": (
        15, net(f"{ones(8, 4)}, {FOUR}", "[mul] c = MatMul(x, w) [op] y = BatchNormalization(c, g1, g2, g2, g3)"),
        FoldBatchNorm("op"), "op scales 4 channels of axis 1; mul has 4 kernels along axis 3",
    ),
    "a slope below 0": (
        17, net("", "[op] y = HardSigmoid <alpha = -1.0> (x)"), HardSigmoidToClip("op"), "op has a slope of -1; only one above 0",
    ),
    "an approximated Gelu": (
        20, net("", '[op] y = Gelu <approximate = "tanh"> (x)'), SwishToMul("op"), "op is approximated by Tanh",
    ),
    "a Swish the other way": (
        24, net("", "[op] y = Swish <alpha = -1.0> (x)"), SwishToMul("op"), "op has an alpha of -1; only one above 0",
    ),
    "a Sub of integers": (
        17, net("", "i = Cast <to = 6> (x) [op] y = Sub(i, i)", result="int32"), SubToAdd("op"), "op computes in int32; -b may overflow",
    ),
    "a Max of one": (17, net("", "[op] y = Max(x)"), SameOperator("op"), "op has 1 operands; only two are taken"),
    "a Max in double precision": (
        17, net("double one = {1}", "d = Cast <to = 11> (x) [op] y = Max(d, one)", result="double"),
        SameOperator("op"), "op computes in float64, not in float32",
    ),
    "an average in steps": (
        19, net("", "[op] y = AveragePool <kernel_shape = [2, 2], dilations = [2, 2]> (x)"),
        PoolToConv("op"), "op has dilations or a ceil_mode",
    ),
    "a mean of one axis": (
        18, net("int64[1] a = {3}", "[op] y = ReduceMean(x, a)"), PoolChain("op"), "op is not a mean over all of height and width",
    ),
    "a mean without its axes": (
        13, net("", "[op] y = ReduceMean <axes = [2, 3], keepdims = 0> (x)", rank=2),
        PoolToConv("op"), "it is not an average over a map",
    ),
    "an average of one": (
        17, net("", "[op] y = AveragePool <kernel_shape = [1, 1]> (x)"), PoolToConv("op"), "op averages 1 elements; from 2 to",
    ),
    "a Gemm that needs a bias": (
        10, net(ones(4, 4, 1, 1), "[op] y = Conv(x, w)"), ConvToGemm("op"), "a Gemm of opset 10 needs a bias, op has none",
    ),
    "a Slice of what has no known size": (
        17, net("int64[1] b = {0}, int64[1] e = {2147483647}", "[op] y = Slice(x, b, e)", source="float[n,c,h,w]"),
        CompilerForm("op"), "op has no Slice, Pad or Clip in a form",
    ),
    "a Slice along what is computed": (
        17, net("int64[1] b = {0}, int64[1] e = {2147483647}", "n = NonZero(x) i = ReduceMax(n) m = Cast <to = 7> (i) a = Reshape(m, b) [op] y = Slice(x, b, e, a)"),
        CompilerForm("op"), "op has no Slice, Pad or Clip in a form",
    ),
    "an input that is an output": (
        17, "g (float[1,4] x) => (float[1,4] x, float[1,4] y) <float s = {0.1}, int8 z = {0}> { [op] q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
        Int8Borders("op"), "graph input 'x' is a graph output as well",
    ),
    "integers that are an output": (
        17, "g (float[1,4] x) => (float[1,4] y, int8[1,4] q) <float s = {0.1}, int8 z = {0}> { q = QuantizeLinear(x, s, z) [op] y = DequantizeLinear(q, s, z) }",
        Int8Borders("op"), "are a graph input or output of their own",
    ),
    "a Q right behind": (
        17, net("", "[op] r = Relu(x) c = Identity(r) y = QuantizeLinear(r, s, z)", result="int8"), MoveQuantize("op"), "the output of op is quantized already",
    ),
    "a layer that is not float": (
        17, net(f"{ones(4, 4, 1, 1, dtype='int8')}, {ones(4, 4, 1, 1, name='w2')}", f"{QDQ} {WEIGHTS} [op] c = Conv(f, v) y = Conv(c, w2)"),
        Equalize("op"), "op does not compute in float",
    ),
    "seven operators between": (
        17, net(ones(4, 4, 1, 1), f"[op] a0 = Conv(x, w) {' '.join(f'a{i + 1} = Relu(a{i})' for i in range(20))} y = Conv(a20, w)"),
        Equalize("op"), "operators stand between op and the next layer with weights",
    ),
    "a bias for another number of channels": (
        17, net(f"{ones(4, 4, 1, 1)}, {ones(3, name='b')}", "[op] y = Conv(x, w, b)"),
        SplitOutput("op", (2, 2)), "the bias of op (3) does not fit its 4 output channels",
    ),
    "a scale for each input channel": (
        17, net(f"{ones(4, 2, 2, 2, dtype='int8')}, {ones(4, name='ws')}", f"{QDQ} v = DequantizeLinear <axis = 0> (w, ws) [op] y = ConvTranspose <strides = [2, 2]> (f, v)"),
        TransposedToConv("op"), "the weights of op have a scale per input channel",
    ),
    "no bias that is computed": (
        17, net(f"{ones(4, 4, 1, 1)}, {ones(4, name='b')}", "[op] y = Conv(x, w, b)"), BiasToAdd("op"), "op has no bias that the model computes",
    ),
    "a Q of a Q": (
        19, net("", "q = QuantizeLinear(x, s, z) [op] y = QuantizeLinear(q, s, z)", result="int8"),
        DropPair("op"), "op has another QuantizeLinear before it",
    ),
    "an output that is read": (
        17, "g (int8[1,4] x) => (float[1,4] y, float[1,4] r) <float s = {0.1}, int8 z = {0}> { y = DequantizeLinear(x, s, z) r = Relu(y) }",
        Int8Borders(), "graph output 'y' is also read by Relu",
    ),
    "two grids": (
        17, "g (float[1,4] x) => (int8[4,1] y, int8[4,1] o) <float s = {0.1}, int8 z = {0}, float t = {0.2}> { [op] r = Relu(x) m = Transpose <perm = [1, 0]> (r) y = QuantizeLinear(m, s, z) o = QuantizeLinear(m, t, z) }",
        MoveQuantize("op"), "is quantized on 2 different grids",
    ),
    "an output of another size": (
        17, "g (float[1,n] x) => (float[1,3] y) { [op] y = Relu(x) }",
        FixDimensions((("n", 2),)), "the sizes do not fit the model: axis 1 of y is 3 and would be 2",
    ),
    "a batch of two": (
        17, "g (float[n,4] x) => (float[n,4] y) { [op] y = Relu(x) }",
        FixDimensions((("n", 2),)), "the batch n is taken as 1",
    ),
    "sizes that leave nothing": (
        17, "g (float[1,n] x) => (float[1,m] y) <int64[1] b = {4}, int64[1] e = {99}, int64[1] a = {1}> { [op] y = Slice(x, b, e, a) }",
        FixDimensions((("n", 2),)), "these sizes leave y without elements",
    ),
    "a bound of a Clip that is computed": (
        17, net("", f"{QDQ} m = ReduceMax <keepdims = 0> (f) k = QuantizeLinear(m, s, z) l = DequantizeLinear(k, s, z) [op] y = Clip(f, , l)"),
        CompilerForm("op"), "op has no Slice, Pad or Clip in a form",
    ),
    "scales for each channel before opset 13": (
        12, net(f"{ones(2, 4, 1, 1, dtype='int8')}, float[2] ws = {{1, 2}}, int8[2] wz = {{0, 0}}", "[op] y = QLinearConv(x, s, z, w, ws, wz, s, z)", source="int8[1,4,8,8]", result="int8"),
        ToQdq("op"), "op has 2 scales for its weights, which DequantizeLinear takes from opset 13 on",
    ),
    "scales that do not fit": (
        17, net(f"{ones(4, 4, 1, 1, dtype='int8')}, float[2] ws = {{1, 2}}, int8[2] wz = {{0, 0}}", "[op] y = QLinearConv(x, s, z, w, ws, wz, s, z)", source="int8[1,4,8,8]", result="int8"),
        SplitOutput("op", (2, 2)), "the scales of the weights of op are computed by the model, or do not fit",
    ),
    "a tensor that is read on two scales": (
        17, net(ones(4, 4, 1, 1), "q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z) h = DequantizeLinear(q, t, z) [op] r = Conv(f, w) y = Add(r, h)"),
        ClipRange("op", -1.0, 1.0), "reads q on another scale",
    ),
    "integers that are read": (
        17, net(ones(4, 4, 1, 1), "q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z) h = Cast <to = 1> (q) [op] r = Conv(f, w) y = Add(r, h)"),
        ClipRange("op", -1.0, 1.0), "reads the integers of q",
    ),
    "a range of nothing": (
        17, net(ones(4, 4, 1, 1), f"{QDQ} [op] y = Conv(f, w)"), ClipRange("op", 0.0, 0.0), "0 to 0 is not a range for the input of op",
    ),
    "a range that is wider": (
        17, net(ones(4, 4, 1, 1), f"{QDQ} [op] y = Conv(f, w)"), ClipRange("op", -99.0, 99.0), "is not narrower than the present range",
    ),
    "a zero point that is slow": (
        17, net(ones(4, 4, 1, 1), "q = QuantizeLinear(x, s, z5) f = DequantizeLinear(q, s, z5) [op] y = Conv(f, w)"),
        Recentre("op", 5), "zero point 5 rules out the fast modes as well",
    ),
    "values below 0": (
        17, net(ones(4, 4, 1, 1), "q = QuantizeLinear(x, s, z5) f = DequantizeLinear(q, s, z5) [op] y = Conv(f, w)"),
        Recentre("op", -128), "zero point -128 cannot represent values below 0",
    ),
    "biases for other channels": (
        17, net(f"{ones(4, 4, 1, 1, dtype='int8')}, {ones(4, dtype='int32', name='b')}, int32 z32 = {{0}}", f"{QDQ} {WEIGHTS} c = DequantizeLinear(b, s, z32) [op] y = Conv(f, v, c)"),
        CorrectBias("op", (1, 2)), "op has 4 biases, 2 shifts are given",
    ),
    "no integer bias": (
        17, net(f"{ones(4, 4, 1, 1)}, {ones(4, name='b')}", "[op] y = Conv(x, w, b)"), CorrectBias("op", (1, 2)), "op has no constant int32 bias",
    ),
    "channels last": (
        17, net(ones(4, 4, 1, 1, dtype="int8"), "[op] y = com.microsoft.QLinearConv <channels_last = 1> (x, s, z, w, s, z, s, z)", source="int8[1,8,8,4]", result="int8"),
        SplitOutput("op", (2, 2)), "op has its channels last",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_reason_is_given(name: str, tmp_path: Path) -> None:
    opset, body, edit, words = CASES[name]
    source = from_text(f'<ir_version: 8, opset_import: ["" : {opset}, "com.microsoft" : 1]> {body}', tmp_path)
    assert words in refused(opened(source), edit)


@pytest.mark.parametrize(
    ("channels", "parts", "multiple", "words"),
    [
        (8, 2, 0, "8 channels cannot be cut"),
        (8, 9, 1, "8 channels cannot be cut in 9 parts"),
        (8, 1, 1, "8 channels cannot be cut in 1 parts"),
        (8, 3, 4, "8 channels cannot be cut in 3 parts"),
    ],
)
def test_parts_that_cannot_be_equal(channels: int, parts: int, multiple: int, words: str) -> None:
    outcome = equal_parts(channels, parts, multiple)
    assert isinstance(outcome, Refusal) and words in str(outcome)


def test_a_constant_has_a_largest_size() -> None:
    bounded(MOST_MADE)
    with pytest.raises(ValueError, match="it would make a constant of"):
        bounded(2, MOST_MADE)
