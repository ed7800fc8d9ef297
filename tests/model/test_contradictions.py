"""Nodes whose shapes, counts and axes contradict one another: the clause that says so, and that onnxruntime refuses them too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from builders.shape_rows import ROWS as VALID
from builders.shape_rows import graph_of
from corpus.case import model, node
from onnx import ModelProto, numpy_helper

from npuscope.model.inference.infer import infer
from npuscope.model.inference.types import tensor_type
from npuscope.model.load import index
from npuscope.model.tensors import Constant, TensorType
from npuscope.model.validity.faults import fault
from npuscope.model.validity.shapes import checked

MAP = (2, 6, 9, 7)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def real(*shape: int) -> Any:
    return np.ones(shape, np.float32)


Operand = Any
"""An array is a constant, a tuple the shape of a float input, a pair of a type and a shape an input of that type, '' absent."""

# operator, operands, attributes, opset, outputs; what is said
ROWS: list[tuple[str, tuple[Operand, ...], dict[str, Any], int, int, str]] = [
    ("Add", (MAP, (5, 1, 1)), {}, 13, 1, "Add reads 2x6x9x7 and 5x1x1, which do not broadcast"),
    ("Sum", (MAP, (6, 1, 1), (4,)), {}, 13, 1, "Sum reads 2x6x9x7 and 4"),
    ("PRelu", (MAP, (5, 1, 1)), {}, 13, 1, "PRelu has slopes of 5x1x1"),
    ("PRelu", ((3, 4), (2, 3, 4)), {}, 13, 1, "PRelu has slopes of 2x3x4"),
    ("Dropout", (MAP, real(2)), {}, 13, 1, "Dropout has a ratio of 2"),
    ("Concat", (MAP, (2, 6, 9)), {"axis": 1}, 13, 1, "Concat joins 2x6x9x7 and 2x6x9, whose ranks differ"),
    ("Concat", (MAP, (2, 6, 8, 7)), {"axis": 1}, 13, 1, "Concat joins 2x6x9x7 and 2x6x8x7 along axis 1"),
    ("Concat", (MAP, MAP), {"axis": 4}, 13, 1, "Concat has axis 4"),
    ("Reshape", (MAP, ints(-1, -1)), {}, 13, 1, "Reshape to [-1, -1]: at most one"),
    ("Reshape", (MAP, ints(-2, 3)), {}, 13, 1, "Reshape to [-2, 3]"),
    ("Reshape", ((3, 4), ints(3, 4, 0)), {}, 13, 1, "Reshape to [3, 4, 0] copies a size"),
    ("Reshape", ((3, 4), ints(5, -1)), {}, 13, 1, "Reshape turns 3x4 (12 values) into 5x-1"),
    ("Reshape", ((3, 4), ints(5, 3)), {}, 13, 1, "Reshape turns 3x4 (12 values) into 5x3"),
    ("Reshape", ((3, 4), ints(0, 4)), {"allowzero": 1}, 14, 1, "Reshape turns 3x4 (12 values) into 0x4"),
    ("Reshape", ((3, 4), ints(0, -1)), {"allowzero": 1}, 14, 1, "Reshape turns 3x4 (12 values) into 0x-1"),
    ("Transpose", (MAP,), {"perm": [0, 1, 1, 2]}, 13, 1, "Transpose has perm [0, 1, 1, 2]"),
    ("Split", (MAP,), {"axis": 4}, 13, 2, "Split has axis 4"),
    ("Split", (MAP, ints(2, 2, 2)), {"axis": 1}, 13, 2, "Split has 3 lengths for 2 outputs"),
    ("Split", (MAP, ints(2, 5)), {"axis": 1}, 13, 2, "Split divides 6 into 2+5"),
    ("Split", (MAP,), {"axis": 1, "split": [8, -2]}, 11, 2, "Split divides 6 into 8+-2"),
    ("Split", (MAP,), {"axis": 1, "num_outputs": 3}, 18, 2, "Split has num_outputs of 3 and 2 outputs"),
    ("Split", (MAP, ints(3, 3)), {"axis": 1, "num_outputs": 2}, 18, 2, "Split has num_outputs of 2 and lengths"),
    ("Split", (MAP,), {"axis": 1}, 18, 2, "Split has neither lengths nor num_outputs"),
    ("Split", (MAP,), {"axis": 2}, 13, 2, "Split divides 9 into 2 equal parts"),
    ("Pad", ((2, 3), ints(0, 1, 2)), {}, 13, 1, "Pad has 3 pads for data of 2x3"),
    ("Pad", ((2, 3), ints(0, 1, 2), "", ints(1)), {}, 18, 1, "Pad has 3 pads"),
    ("Pad", ((2, 3), ints(0, -2, 0, -2)), {}, 13, 1, "Pad removes 4 of the 3 values along axis 1"),
    ("Pad", ((2, 3), ints(0, 3, 0, 0)), {"mode": "reflect"}, 13, 1, "Pad reflects 3 values of an axis of 3"),
    ("Resize", (MAP, "", "", ints(2, 6, 5)), {}, 13, 1, "Resize has 3 sizes"),
    ("Resize", (MAP, "", real(3)), {}, 13, 1, "Resize has 3 scales"),
    ("Resize", (MAP, "", real(4), ints(2, 6, 5, 5)), {}, 13, 1, "Resize has both scales and sizes"),
    ("Resize", (MAP, "", np.float32([1, 1, 0, 2])), {}, 13, 1, "Resize has a scale of 0"),
    ("Resize", (MAP, "", np.float32([1, 1, 0.01, 2])), {}, 13, 1, "Resize by 1x1x0.01x2 leaves no elements"),
    ("Slice", (MAP, ints(0), ints(2, 3)), {}, 13, 1, "Slice has starts, ends, axes and steps of different lengths: [1, 2]"),
    ("Slice", (MAP, ints(0), ints(2), ints(4)), {}, 13, 1, "Slice has axes [4]"),
    ("Slice", (MAP, ints(0, 0), ints(2, 2), ints(1, -3)), {}, 13, 1, "Slice names an axis twice: [1, -3]"),
    ("Slice", (MAP, ints(0), ints(2), ints(1), ints(0)), {}, 13, 1, "Slice has a step of 0"),
    ("Gather", (MAP, ints(0)), {"axis": 4}, 13, 1, "Gather has axis 4"),
    ("Gather", (MAP, ints(1, 6)), {"axis": 1}, 13, 1, "Gather takes item 6 of 6 along axis 1"),
    ("Gather", (MAP, ints(-7)), {"axis": 1}, 13, 1, "Gather takes item -7 of 6 along axis 1"),
    ("QuantizeLinear", (MAP, real(0), np.zeros(0, np.int8)), {}, 13, 1, "QuantizeLinear has an empty scale"),
    ("QuantizeLinear", (MAP, real(6), np.zeros(5, np.int8)), {}, 13, 1, "QuantizeLinear has 6 scales and 5 zero points"),
    ("QuantizeLinear", (MAP, real(5), np.zeros(5, np.int8)), {}, 13, 1,
     "QuantizeLinear has 5 scales along axis 1 (no axis is stated: it is 1), whose size is 6"),
    ("QuantizeLinear", (MAP, real(5), np.zeros(5, np.int8)), {"axis": 2}, 13, 1, "QuantizeLinear has 5 scales along axis 2, whose"),
    ("QuantizeLinear", (MAP, real(6), np.zeros(6, np.int8)), {"axis": 4}, 13, 1, "QuantizeLinear has 6 scales along axis 4"),
    ("QuantizeLinear", (MAP, real(6, 1), np.zeros((6, 1), np.int8)), {}, 13, 1, "QuantizeLinear has scales of 6x1"),
    ("DequantizeLinear", (np.zeros((6, 8), np.int8), real(6, 3)), {"block_size": 2}, 21, 1,
     "DequantizeLinear has 3 scales along axis 1; blocks of 2 over 8 need 4"),
    ("DequantizeLinear", (np.zeros((6, 8), np.int8), real(6)), {"block_size": 2}, 21, 1, "DequantizeLinear has scales of 6 in blocks"),
    ("DepthToSpace", ((1, 9, 3, 3),), {"blocksize": 2}, 13, 1, "DepthToSpace has a block size of 2"),
    ("DepthToSpace", ((1, 8, 3),), {"blocksize": 2}, 13, 1, "DepthToSpace has a block size of 2"),
    ("SpaceToDepth", ((1, 2, 7, 4),), {"blocksize": 2}, 13, 1, "SpaceToDepth has a block size of 2"),
    ("Expand", (MAP, ints(5, 1)), {}, 13, 1, "Expand changes 2x6x9x7 to 5x1"),
    ("LRN", (MAP,), {"size": 0}, 13, 1, "LRN has size 0"),
    ("Flatten", (MAP,), {"axis": 5}, 13, 1, "Flatten has axis 5"),
    ("Softmax", (MAP,), {"axis": 4}, 13, 1, "Softmax has axis 4"),
    ("Squeeze", (MAP, ints(4)), {}, 13, 1, "Squeeze has axes [4]"),
    ("Squeeze", (MAP, ints(1)), {}, 13, 1, "Squeeze removes axis 1"),
    ("Unsqueeze", (MAP, ints(0, 0)), {}, 13, 1, "Unsqueeze names an axis twice"),
    ("ReduceSum", (MAP, ints(4)), {}, 13, 1, "ReduceSum has axes [4]"),
    # windows
    ("Conv", (MAP, real(4, 6, 3)), {}, 13, 1, "Conv has 4x6x3 weights for data of 2x6x9x7"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"group": 0}, 13, 1, "Conv has 0 groups"),
    ("Conv", (MAP, real(4, 5, 3, 3)), {}, 13, 1, "Conv has weights for 5 input channels, its data has 6"),
    ("Conv", (MAP, real(4, 2, 3, 3)), {"group": 3}, 13, 1, "Conv has 4 output channels, which 3 groups do not divide"),
    ("Conv", (MAP, real(4, 6, 3, 3), real(5)), {}, 13, 1, "Conv has a bias of 5 for 4 output channels"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"kernel_shape": [3, 2]}, 13, 1, "Conv states a kernel of 3x2, its weights have 3x3"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"strides": [1]}, 13, 1, "Conv has 1 strides for data that needs 2"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"strides": [0, 1]}, 13, 1, "Conv has strides of 0"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"pads": [1, 1]}, 13, 1, "Conv has 2 pads"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"pads": [1, -1, 1, 1]}, 13, 1, "Conv has negative pads"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"pads": [1, 1, 1, 1], "auto_pad": "SAME_UPPER"}, 13, 1, "Conv has pads and an auto_pad"),
    ("Conv", (MAP, real(4, 6, 3, 9)), {"pads": [0, 1, 0, 0]}, 13, 1, "Conv has a window of 9 for data of 8, padding included, along axis 3"),
    ("Conv", (MAP, real(4, 6, 3, 3)), {"dilations": [1, 4], "auto_pad": "VALID"}, 13, 1, "Conv has a window of 9 for data of 7"),
    ("ConvTranspose", (MAP, real(5, 4, 3, 3)), {}, 13, 1, "ConvTranspose has weights for 5 input channels"),
    ("ConvTranspose", (MAP, real(6, 4, 3, 3)), {"group": 4}, 13, 1, "ConvTranspose has 6 input channels, which 4 groups do not divide"),
    ("ConvTranspose", (MAP, real(6, 4)), {}, 13, 1, "ConvTranspose has 6x4 weights"),
    ("ConvTranspose", (MAP, real(6, 4, 3, 3), real(3)), {}, 13, 1, "ConvTranspose has a bias of 3 for 4 output channels"),
    ("ConvTranspose", (MAP, real(6, 4, 3, 3)), {"output_padding": [2, 0], "strides": [2, 2]}, 13, 1, "ConvTranspose has output_padding of 2"),
    ("ConvInteger", (("uint8", MAP), np.ones((4, 5, 3, 3), np.uint8)), {}, 13, 1, "ConvInteger has weights for 5 input channels"),
    ("QLinearConv", (("uint8", MAP), np.float32(1), np.uint8(0), np.ones((4, 6, 3, 3), np.uint8), real(3), np.zeros(3, np.uint8),
                     np.float32(1), np.uint8(0)), {}, 13, 1, "QLinearConv has 3 scales for 4 output channels"),
    ("MaxPool", ((2, 6),), {"kernel_shape": [2]}, 13, 1, "MaxPool reads data of 2x6"),
    ("MaxPool", (MAP,), {"kernel_shape": [2, 2, 2]}, 13, 1, "MaxPool has 3 kernel_shape"),
    ("AveragePool", (MAP,), {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, 13, 1, "AveragePool pads a window of 2 by 2"),
    ("GlobalAveragePool", ((2, 6),), {}, 13, 1, "GlobalAveragePool reads data of 2x6"),
    ("DeformConv", (MAP, real(4, 6, 3, 3), (2, 17, 7, 5)), {}, 19, 1, "DeformConv has offsets of 2x17x7x5; 18 channels"),
    ("DeformConv", (MAP, real(4, 5, 3, 3), (2, 18, 7, 5)), {}, 19, 1, "DeformConv has weights of 4x5x3x3"),
    ("DeformConv", (MAP, real(4, 6, 3, 3), (2, 18, 7, 5), real(5)), {}, 19, 1, "DeformConv has a bias of 5"),
    ("MaxUnpool", ((1, 1, 2, 2), ("int64", (1, 1, 2, 3))), {"kernel_shape": [2, 2]}, 13, 1, "MaxUnpool has places of 1x1x2x3"),
    # products
    ("Gemm", ((2, 3, 4), (4, 5)), {}, 13, 1, "Gemm multiplies 2x3x4 by 4x5; both must be matrices"),
    ("Gemm", ((3, 4), (5, 4)), {}, 13, 1, "Gemm multiplies 3x4 by 5x4: 4 and 5 must be equal"),
    ("Gemm", ((4, 3), (5, 6)), {"transA": 1, "transB": 1}, 13, 1, "Gemm multiplies 3x4 by 6x5: 4 and 6 must be equal"),
    ("Gemm", ((3, 4), (4, 5), (4,)), {}, 13, 1, "Gemm adds 4 to 3x5"),
    ("MatMul", ((), (4, 5)), {}, 13, 1, "MatMul multiplies a single number"),
    ("MatMul", ((2, 3, 4), (5,)), {}, 13, 1, "MatMul multiplies 2x3x4 by 5: 4 and 5"),
    ("MatMul", ((2, 3, 4), (3, 4, 5)), {}, 13, 1, "MatMul multiplies 2x3x4 by 3x4x5, whose batches"),
    ("QLinearMatMul", (("uint8", (3, 4)), np.float32(1), np.uint8(0), np.ones((4, 5), np.uint8), real(3), np.zeros(3, np.uint8),
                       np.float32(1), np.uint8(0)), {}, 13, 1, "QLinearMatMul has 3 scales for 5 columns"),
    ("Einsum", ((2, 3), (3, 4)), {"equation": "ij->i"}, 13, 1, "Einsum has 2 inputs for 1 terms"),
    ("Einsum", ((2, 3),), {"equation": "ijk->i"}, 13, 1, "Einsum has 3 letters for data of 2x3"),
    ("Einsum", ((2, 3), (4, 5)), {"equation": "ij,jk->ik"}, 13, 1, "Einsum has sizes 3 and 4 for 'j'"),
    ("Einsum", ((2, 3),), {"equation": "ij->ik"}, 13, 1, "Einsum has output 'ik', which no input has in full"),
    ("Einsum", ((2, 3),), {"equation": "ij->ii"}, 13, 1, "Einsum has output 'ii', with a letter twice"),
    # picks
    ("Tile", (MAP, ints(1, 2)), {}, 13, 1, "Tile has 2 repeats"),
    ("TopK", (MAP, ints(7)), {"axis": 1}, 13, 2, "TopK takes 7 of 6 along axis 1"),
    ("TopK", (MAP, ints(3)), {"axis": 4}, 13, 2, "TopK has axis 4"),
    ("TopK", (MAP,), {"axis": 1, "k": 7}, 9, 2, "TopK takes 7 of 6"),
    ("GatherElements", (MAP, ints(0)), {}, 13, 1, "GatherElements has indices of 1 for data of 2x6x9x7"),
    ("GatherElements", ((3, 4), np.full((1, 4), 3)), {}, 13, 1, "GatherElements takes item 3 of 3 along axis 0"),
    ("GatherElements", ((3, 4), np.full((1, 4), -4)), {}, 13, 1, "GatherElements takes item -4 of 3 along axis 0"),
    ("GatherElements", ((3, 4), np.full((1, 4), 0)), {"axis": 2}, 13, 1, "GatherElements has axis 2"),
    ("GatherND", ((3, 4), np.zeros((5, 3), np.int64)), {}, 13, 1, "GatherND has indices of 5x3 for data of 3x4"),
    ("GatherND", ((3, 4), np.array([[0, 1], [1, 4]])), {}, 13, 1, "GatherND takes item 4 of 4 along axis 1"),
    ("GatherND", ((3, 4), np.array([[-4]])), {}, 13, 1, "GatherND takes item -4 of 3 along axis 0"),
    ("ScatterND", ((3, 4), np.array([[0], [1]]), (2, 3)), {}, 13, 1, "ScatterND has updates of 2x3; its indices require 2x4"),
    ("ScatterND", ((3, 4), np.array([[3]]), (1, 4)), {}, 13, 1, "ScatterND takes item 3 of 3"),
    ("ScatterElements", ((3, 4), np.zeros((1, 4), np.int64), (2, 4)), {}, 13, 1, "ScatterElements has indices of 1x4 and updates of 2x4"),
    ("ScatterElements", ((3, 4), np.zeros(4, np.int64), (4,)), {}, 13, 1, "ScatterElements has indices of 4"),
    ("GridSample", (MAP, (2, 5, 4, 3)), {}, 16, 1, "GridSample has a grid of 2x5x4x3"),
    ("OneHot", (("int64", (3,)), np.int64(4), real(3)), {}, 13, 1, "OneHot has values of 3"),
    ("OneHot", (("int64", (3,)), np.int64(4), real(2)), {"axis": 2}, 13, 1, "OneHot has axis 2"),
    ("NonMaxSuppression", ((1, 5, 4), (1, 5)), {}, 13, 1, "NonMaxSuppression has scores of 1x5"),
    ("Trilu", ((3,),), {}, 14, 1, "Trilu has data of 3"),
    # normalizations
    ("BatchNormalization", (MAP, real(6), real(6), real(6), real(5)), {}, 15, 1, "BatchNormalization has parameters of 5"),
    ("InstanceNormalization", ((2, 6), real(6), real(6)), {}, 13, 1, "InstanceNormalization reads data of 2x6"),
    ("LayerNormalization", (MAP, real(6)), {}, 17, 1, "LayerNormalization has parameters of 6"),
    ("LayerNormalization", (MAP, real(7)), {"axis": 4}, 17, 1, "LayerNormalization has axis 4"),
    ("GroupNormalization", (MAP, real(4), real(4)), {"num_groups": 4}, 21, 1, "GroupNormalization has 4 groups, which do not divide 6"),
    ("GroupNormalization", (MAP, real(2), real(2)), {"num_groups": 2}, 21, 1, "GroupNormalization has parameters of 2; opset 21 requires 6"),
    ("GroupNormalization", ((2, 6), real(6), real(6)), {"num_groups": 2}, 21, 1, "GroupNormalization reads data of 2x6"),
    # one tensor by another
    ("NegativeLogLikelihoodLoss", ((2, 5), ("int64", (3,))), {}, 13, 1, "NegativeLogLikelihoodLoss has a target of 3"),
    ("NegativeLogLikelihoodLoss", ((2, 5), ("int64", (2,)), real(4)), {}, 13, 1, "NegativeLogLikelihoodLoss has weights of 4 for 5"),
    ("NegativeLogLikelihoodLoss", ((5,), ("int64", ())), {}, 13, 1, "NegativeLogLikelihoodLoss reads data of 5"),
    ("ReverseSequence", ((4, 3, 2), ("int64", (4,))), {}, 13, 1, "ReverseSequence has lengths of 4 for 3 sequences"),
    ("ReverseSequence", ((4, 3, 2), ("int64", (3,))), {"batch_axis": 2}, 13, 1, "ReverseSequence has axes 2 and 0"),
    ("CumSum", ((), np.int64(0)), {}, 13, 1, "CumSum sums along an axis"),
    ("LSTM", ((5, 2), real(1, 16, 3), real(1, 16, 4)), {"hidden_size": 4}, 14, 1, "LSTM reads data of 5x2"),
    ("LSTM", ((5, 2, 3), real(1, 16, 2), real(1, 16, 4)), {"hidden_size": 4}, 14, 1, "LSTM of 4 hidden units has W of 1x16x2, not 1x16x3"),
    ("GRU", ((5, 2, 3), real(1, 12, 3), real(1, 12, 4)), {"hidden_size": 4, "direction": "bidirectional"}, 14, 1,
     "GRU of 4 hidden units has W of 1x12x3, not 2x12x3"),
    ("RNN", ((5, 2, 3), real(1, 4, 3), real(1, 4, 4), real(1, 4)), {"hidden_size": 4}, 14, 1, "RNN of 4 hidden units has B of 1x4, not 1x8"),
    # attention
    ("Attention", ((1, 2, 5, 8), (1, 2, 6, 8), (1, 2, 7, 8)), {}, 23, 1, "Attention has places of 6 and 7"),
    ("Attention", ((1, 2, 5, 8), (1, 2, 6, 4), (1, 2, 6, 8)), {}, 23, 1, "Attention has size of 8 and 4"),
    ("Attention", ((1, 2, 5, 8), (1, 2, 6, 8), (1, 3, 6, 8)), {}, 23, 1, "Attention has heads of 2 and 3"),
    ("Attention", ((1, 3, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8)), {}, 23, 1, "Attention has 3 heads of queries, which 2"),
    ("Attention", ((1, 2, 5, 8), (2, 2, 6, 8), (1, 2, 6, 8)), {}, 23, 1, "Attention reads batches of 1, 2 and 1"),
    ("Attention", ((1, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8)), {}, 23, 1, "Attention reads 1x5x8"),
    ("Attention", ((1, 5, 8), (1, 6, 8), (1, 6, 8)), {}, 23, 1, "Attention of rank 3 needs q_num_heads"),
    ("Attention", ((1, 5, 8), (1, 6, 8), (1, 6, 9)), {"q_num_heads": 2, "kv_num_heads": 2}, 23, 1, "Attention has a value of 9, which 2"),
    ("Attention", ((1, 5, 8), (1, 6, 6), (1, 6, 8)), {"q_num_heads": 2, "kv_num_heads": 2}, 23, 1, "Attention has heads of 4 in its query and of 3"),
    ("Attention", ((1, 5, 8), (1, 6, 8), (1, 7, 8)), {"q_num_heads": 2, "kv_num_heads": 2}, 23, 1, "Attention has 6 keys and 7 values"),
    ("Attention", ((1, 5, 12), (1, 6, 8), (1, 6, 8)), {"q_num_heads": 3, "kv_num_heads": 2}, 23, 1, "Attention has 3 heads of queries"),
    ("Attention", ((1, 2, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8), (6,)), {}, 23, 1, "Attention has a mask of 6"),
    ("Attention", ((1, 2, 5, 8), (1, 2, 6, 8), (1, 2, 6, 8), "", (1, 2, 3, 8)), {}, 23, 1, "Attention has one of past key and past value"),
    ("RotaryEmbedding", ((2, 8), real(5, 4), real(5, 4)), {}, 23, 1, "RotaryEmbedding reads data of 2x8"),
    ("RotaryEmbedding", ((1, 5, 8), real(1, 5, 2), real(1, 5, 2)), {}, 23, 1, "RotaryEmbedding of rank 3 needs num_heads"),
    ("RotaryEmbedding", ((1, 5, 8), real(1, 5, 2), real(1, 5, 2)), {"num_heads": 3}, 23, 1, "RotaryEmbedding has data of 8, which 3"),
    ("RotaryEmbedding", ((1, 2, 5, 8), real(1, 5, 3), real(1, 5, 4)), {}, 23, 1, "RotaryEmbedding has cosines of 1x5x3 to turn 8"),
    ("RotaryEmbedding", ((1, 2, 5, 8), real(1, 5, 4), real(5, 4)), {}, 23, 1, "RotaryEmbedding has sines of 5x4; rank 3"),
    ("RotaryEmbedding", ((1, 2, 5, 8), real(5, 4), real(5, 4)), {"rotary_embedding_dim": 9}, 23, 1, "RotaryEmbedding turns 9 of 8"),
]  # fmt: skip


def built(row: tuple[Any, ...]) -> ModelProto:
    op, operands, attributes, opset, outputs = row[:5]
    names, inputs, constants = [], {}, {}
    for i, operand in enumerate(operands):
        names.append("" if isinstance(operand, str) else f"i{i}")
        if isinstance(operand, tuple):
            typed = len(operand) == 2 and isinstance(operand[0], str)
            inputs[f"i{i}"] = operand if typed else ("float", operand)
        elif not isinstance(operand, str):
            constants[f"i{i}"] = operand
    made = model(
        [node(op, names, [f"y{i}" for i in range(outputs)], **attributes)],
        inputs or {"unread": ("float", (1,))},
        [f"y{i}" for i in range(outputs)],
        constants,
        opset,
    )
    made.ir_version = 10
    return made


RUN = frozenset(
    {
        "PRelu has slopes of 2x3x4",
        "Resize by 1x1x0.01x2 leaves no elements",
        "GroupNormalization reads data of 2x6",
        "NegativeLogLikelihoodLoss has weights of 4 for 5",
    }
)
"""What onnxruntime runs all the same, other than ONNX defines it."""


def ident(row: tuple[Any, ...]) -> str:
    return row[5]


Hide = Callable[[TensorType], TensorType]


def nothing(known: TensorType) -> TensorType:
    return known


def rank(known: TensorType) -> TensorType:
    return TensorType(known.dtype, None)


def sizes(known: TensorType) -> TensorType:
    return TensorType(known.dtype, known.shape and (None,) * len(known.shape))


def clause(made: ModelProto, opset: int, hide: Hide = nothing, hidden: Sequence[str] = ()) -> str:
    """What is wrong with the node, where of some operands less is known and no value."""
    opsets = {"": opset}
    constants = {
        t.name: Constant.of(t.name, np.asarray(numpy_helper.to_array(t))) for t in made.graph.initializer
    }
    known = {value.name: tensor_type(value.type) for value in made.graph.input}
    known |= {name: TensorType(one.dtype, one.shape) for name, one in constants.items()}
    constants = {name: one for name, one in constants.items() if name not in hidden}
    declared = {name: hide(type_) if name in hidden else type_ for name, type_ in known.items()}
    types = infer(index(made, {}, {}, opsets).nodes, constants, declared, opset).types
    graph = index(made, constants, types, opsets)
    return fault(graph, graph.nodes[0])


@pytest.mark.parametrize("row", ROWS, ids=ident)
def test_a_contradiction_is_said(row: tuple[Any, ...]) -> None:
    assert clause(built(row), row[3]).startswith(row[5])


@pytest.mark.parametrize("row", ROWS, ids=ident)
def test_of_operands_without_a_rank_no_more_is_said(row: tuple[Any, ...]) -> None:
    made = built(row)
    known, less = clause(made, row[3]), clause(made, row[3], rank, made.graph.node[0].input)
    assert less in ("", known)


OWN = [row for row in VALID if checked(index(graph_of(row), {}, {}, {"": row[4]}).nodes[0])]
"""Of others, onnx itself is asked what is wrong."""


@pytest.mark.parametrize("row", OWN, ids=lambda row: f"{row[0]} {row[1]} {row[3]}")
def test_nothing_is_said_of_what_onnx_infers_whatever_is_known_of_it(row: tuple[Any, ...]) -> None:
    made = graph_of(row)
    names = list(dict.fromkeys(made.graph.node[0].input))
    for hide in (nothing, rank, sizes):
        for hidden in (names, *([name] for name in names)):
            assert clause(made, row[4], hide, hidden) == ""


@pytest.mark.parametrize("row", [row for row in ROWS if row[5] not in RUN], ids=ident)
def test_onnxruntime_refuses_it_too(row: tuple[Any, ...]) -> None:
    made = built(row)
    with pytest.raises(Exception):  # noqa: B017 - of several types, and none of them public
        session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        feeds = {}
        for value in made.graph.input:
            known = tensor_type(value.type)
            feeds[value.name] = np.zeros(known.shape, known.dtype)
        session.run(None, feeds)
