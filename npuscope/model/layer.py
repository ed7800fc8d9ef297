"""A layer and its operands: what the compiler sees of an operator and the Q/DQ around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from npuscope.record import cached_property, record

if TYPE_CHECKING:
    from npuscope.model.graph import Node
    from npuscope.model.quant import Quant
    from npuscope.model.tensors import Constant, TensorType

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
BORDER_OPS = frozenset({QUANTIZE, DEQUANTIZE})
_QDQ_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})

ACTIVATIONS = frozenset({"Relu", "Clip"})
"""Operators that vanish into the output range of the layer before them."""

RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
"""Operators that write their input's values in their order, in another shape."""

PASSES_SCALE_ON = RESHAPES | {"Transpose", "Dropout", "Slice", "Split"}
"""Operators that only move values: without a Q of their own they pass their input's quantization on.

inferred: yolov11n_micro_224 and yamnet_1024 (docs/accuracy-placement.md); nearest Resize does the same.
"""

KEEPS_INTEGERS = PASSES_SCALE_ON | {
    "MaxPool", "GlobalMaxPool", "Concat", "Pad", "Gather", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Clip"
}  # fmt: skip
"""Operators that write values of the grid they read: on stored integers the quantization stays."""

WEIGHTED = frozenset({"Conv", "Gemm", "MatMul", "ConvTranspose"})
"""Kinds that multiply by weights."""

PARAMETERS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
    **dict.fromkeys(
        ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2",
         "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), (1,)
    ),
}  # fmt: skip
"""Operator -> positions of the inputs that say what to do rather than what to do it to."""

# QLinear operator -> (kind, operands as (tensor, scale, zero point), output (scale, zero point), bias)
QLINEAR: dict[str, tuple[str, tuple[tuple[int, int, int], ...], tuple[int, int], int | None]] = {
    "QLinearConv": ("Conv", ((0, 1, 2), (3, 4, 5)), (6, 7), 8),
    "QLinearMatMul": ("MatMul", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QGemm": ("Gemm", ((0, 1, 2), (3, 4, 5)), (7, 8), 6),
    "QLinearAdd": ("Add", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QLinearMul": ("Mul", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QLinearSigmoid": ("Sigmoid", ((0, 1, 2),), (3, 4), None),
    "QLinearLeakyRelu": ("LeakyRelu", ((0, 1, 2),), (3, 4), None),
    "QLinearSoftmax": ("Softmax", ((0, 1, 2),), (3, 4), None),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", ((0, 1, 2),), (3, 4), None),
    "QLinearAveragePool": ("AveragePool", ((0, 1, 2),), (3, 4), None),
    "QLinearReduceMean": ("ReduceMean", ((0, 1, 2),), (3, 4), None),
}


@record(eq=False)
class Operand:
    """A tensor as a layer reads or writes it.

    `tensor` is the stored (quantized) tensor and `seen` the one the operator names; they are equal where no
    Q/DQ lies between.
    """

    tensor: str
    seen: str
    type: TensorType
    quant: Quant | None = None
    constant: Constant | None = None
    dims: tuple[int, ...] | None = field(init=False, repr=False)
    """The shape where it is fully known."""

    def __post_init__(self) -> None:
        self.dims = self.type.dims  # type: ignore[misc]

    @property
    def bare(self) -> bool:
        """Floats without a Q/DQ beside them."""
        return self.quant is None and self.type.dtype in FLOATS


@record(eq=False, slots=False)
class Layer:
    """One layer.

    1. `op` is the ONNX operator, `kind` what it computes (QLinearConv: Conv; com.microsoft ones likewise).
    2. `inputs` are the activations, in operator order; `weight` and `bias` are constants of a Conv, Gemm...
    3. `nodes` are the names of the ONNX nodes folded in; `core` is the operator's own.
    4. `parameters` are inputs such as a Reshape's shape or a Resize's scales.
    5. `fused` are activation operators between the operator and its QuantizeLinear.
    """

    name: str
    op: str
    kind: str
    domain: str
    core: Node
    nodes: tuple[str, ...]
    scope: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    weight: Operand | None = None
    bias: Operand | None = None
    parameters: tuple[Operand, ...] = ()
    fused: tuple[str, ...] = ()
    float_reads: tuple[str, ...] = ()
    """Readers of the output before it is quantized: they keep a float copy of it alive."""
    facts: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """What was found out of the layer alone, under the name of what asks: it is asked for again and again."""
    input: Operand | None = field(init=False, repr=False)
    """The first activation."""
    output: Operand | None = field(init=False, repr=False)
    """The first output."""
    input_dims: tuple[int, ...] | None = field(init=False, repr=False)
    output_dims: tuple[int, ...] | None = field(init=False, repr=False)
    """Shapes of these, where they are fully known."""

    def __post_init__(self) -> None:
        self.input = self.inputs[0] if self.inputs else None  # type: ignore[misc]
        self.output = self.outputs[0] if self.outputs else None  # type: ignore[misc]
        self.input_dims = self.input.dims if self.input is not None else None  # type: ignore[misc]
        self.output_dims = self.output.dims if self.output is not None else None  # type: ignore[misc]

    @property
    def qoperator(self) -> bool:
        """Carries its quantization in its own inputs."""
        return self.op in QLINEAR or self.op == "QLinearConcat"

    @cached_property
    def quantized(self) -> bool:
        """Reads and writes integers: every non-constant float operand has a Q/DQ beside it."""
        operands = (*self.inputs, *self.outputs)
        return not [o for o in operands if o.bare]


FLOATS = frozenset({"float32", "float16", "float64", "bfloat16", "unknown"})


def is_transparent(node: Node) -> bool:
    """Only moves values: a Reshape and its like, or a nearest Resize."""
    if node.op in PASSES_SCALE_ON:
        return node.standard
    return node.op in ("Resize", "Upsample") and node.standard and node.text("mode", "nearest") == "nearest"


def moves_integers(node: Node) -> bool:
    """Writes values it reads, so that integers stay what they mean."""
    return (node.op in KEEPS_INTEGERS or node.op in ("Resize", "Upsample")) and node.standard


def quantization_inputs(node: Node) -> tuple[int, ...]:
    """Positions of the scales and zero points among the inputs of a QLinear operator."""
    if node.op == "QLinearConcat":
        return (0, 1, *(i for i in range(3, len(node.inputs)) if (i - 2) % 3))
    if node.op not in QLINEAR:
        return ()
    _, operands, output, _ = QLINEAR[node.op]
    return (*(i for _, scale, zero in operands for i in (scale, zero)), *output)


def is_qdq(node: Node) -> bool:
    """A QuantizeLinear or DequantizeLinear of ONNX or com.microsoft."""
    return node.op in BORDER_OPS and node.domain in _QDQ_DOMAINS
