"""The operator table of ST's documentation: which operators the NPU has a unit for (FACTS 4, Core 2.1 and later)."""

from __future__ import annotations

from npuscope.model.layer import WEIGHTED
from npuscope.npu.verdict import Placement


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACTIVATION = _words(
    "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Sin Sinh Tan Tanh Erf Exp Sqrt Sigmoid HardSigmoid HardSwish "
    "LeakyRelu PRelu ThresholdedRelu Relu Clip Abs Elu"
)
"""On the ACTIV unit: piecewise function or ReLU variants; those of `LATER_ACTIVATION` not with every version."""

LATER_ACTIVATION = _words("Elu")
"""In software by the documentation of 2.1."""

ARITHMETIC = _words("Add Sum Sub Mul Div And Or Not Equal Neg")
"""On the ARITH unit; Div under conditions of its own rule."""

POOLING = _words("AveragePool MaxPool GlobalAveragePool GlobalMaxPool ReduceMean ReduceMax")
"""On the POOL unit."""

AVERAGES = _words("AveragePool GlobalAveragePool ReduceMean")
"""Those that divide a sum, by a multiplication."""

CONVOLUTION = WEIGHTED
"""On the CONV unit."""

MATRICES = _words("Gemm MatMul")
"""Products of matrices, which the compiler writes as convolutions."""

MOVEMENT = _words(
    "Concat Split Slice Pad Transpose Reshape Flatten Squeeze Unsqueeze Identity Shape Size Dropout DepthToSpace "
    "SpaceToDepth Resize Upsample Cast Constant ConstantOfShape Range"
)
"""By DMA, or free; conditions in rules of their own."""

ON_NPU = (
    (ACTIVATION - LATER_ACTIVATION)
    | ARITHMETIC
    | POOLING
    | CONVOLUTION
    | MOVEMENT
    | {"QuantizeLinear", "BatchNormalization"}
)

NORMALIZATION = _words(
    "InstanceNormalization LpNormalization LRN LayerNormalization GroupNormalization RMSNormalization "
    "MeanVarianceNormalization SkipLayerNormalization SimplifiedLayerNormalization EmbedLayerNormalization"
)
"""Normalisations as one operator."""

RECURRENT = _words("LSTM GRU RNN DynamicQuantizeLSTM")

DYNAMIC = _words("DynamicQuantizeLinear MatMulInteger ConvInteger MatMulIntegerToFloat DynamicQuantizeMatMul")
"""What onnxruntime's quantize_dynamic writes."""

PACKED = _words("MatMulNBits MatMulBnb4 MatMulFpQ4 GatherBlockQuantized QMoE")
"""onnxruntime's products of weights of a few bits, which it packs and scales in blocks."""

SOFTWARE: dict[str, Placement] = {
    **dict.fromkeys(
        _words(
            "Max Min ReduceSum ReduceMin ReduceProd ReduceLogSumExp Ceil Floor Round Elu Selu Softplus Softsign "
            "Hardmax Log Pow Reciprocal Mod Greater GreaterOrEqual Less LessOrEqual Tile DequantizeLinear "
            "ArgMax ArgMin Gather"
        ),
        Placement.SW_FLOAT,
    ),
    "Softmax": Placement.SW_INT,
    **dict.fromkeys(NORMALIZATION, Placement.SW_FLOAT),
}
"""Documented to run on the host.

Of integers the runtime has kernels for convolutions, products, pooling, activations, sums and products of elements,
Softmax and Resize (ll_sw_integer.h); the rest is float.
"""

IN_INTEGERS = (
    CONVOLUTION
    | (ACTIVATION - LATER_ACTIVATION)
    | ARITHMETIC
    | _words("AveragePool MaxPool GlobalAveragePool GlobalMaxPool Softmax Resize Upsample QuantizeLinear")
)
"""Those the runtime has kernels of integers for (ll_sw_integer.h): what has no unit falls back on floats but for them."""

LARGER_OR_LESS = _words("Max Min")
"""Of two maps on the ARITH unit, as three builds of 2.2 count their epochs; in software by the documentation of 2.1."""

LATER_IN_INTEGERS = _words("ArgMax ArgMin Gather")
"""In int8 by a later documentation (third-party); up to 2.2 a Gather ran in float (10 of 10, Compal's sh_240_quant)."""
