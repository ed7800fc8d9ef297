"""Every kind of edit, and edits as plain data: what a recipe stores."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.activations_int8 import ActivationsInt8
from npuscope.edits.kinds.batchnorm_to_conv import BatchNormToConv
from npuscope.edits.kinds.bias_to_add import BiasToAdd
from npuscope.edits.kinds.compiler_form import CompilerForm
from npuscope.edits.kinds.conv_to_gemm import ConvToGemm
from npuscope.edits.kinds.depth_to_dcr import DepthToDcr
from npuscope.edits.kinds.div_to_mul import DivToMul
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.fold_stride import FoldStride
from npuscope.edits.kinds.hard_sigmoid_to_clip import HardSigmoidToClip
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.matmul_to_conv import MatMulToConv
from npuscope.edits.kinds.move_quantize import MoveQuantize
from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.edits.kinds.pad_stream import PadStream
from npuscope.edits.kinds.pool_chain import PoolChain
from npuscope.edits.kinds.pool_to_conv import PoolToConv
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.edits.kinds.same_operator import SameOperator
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.edits.kinds.swish_to_mul import SwishToMul
from npuscope.edits.kinds.to_hard_swish import ToHardSwish
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.kinds.transposed_to_conv import TransposedToConv
from npuscope.edits.kinds.widen_kernel import WidenKernel
from npuscope.model.errors import ModelError, one_line

KINDS: Mapping[str, type[Any]] = {
    "split-in": SplitInput,
    "split-out": SplitOutput,
    "compiler-form": CompilerForm,
    "widen-kernel": WidenKernel,
    "pool-chain": PoolChain,
    "pool-to-conv": PoolToConv,
    "matmul-to-conv": MatMulToConv,
    "conv-to-gemm": ConvToGemm,
    "transposed-to-conv": TransposedToConv,
    "depth-to-dcr": DepthToDcr,
    "bias-to-add": BiasToAdd,
    "to-hard-swish": ToHardSwish,
    "swish-to-mul": SwishToMul,
    "hard-sigmoid-to-clip": HardSigmoidToClip,
    "sub-to-add": SubToAdd,
    "split-rows": SplitRows,
    "fold-stride": FoldStride,
    "resize-nearest": ResizeNearest,
    "resize-floor": ResizeFloor,
    "div-to-mul": DivToMul,
    "same-operator": SameOperator,
    "batchnorm-to-conv": BatchNormToConv,
    "fold-batchnorm": FoldBatchNorm,
    "pad-in": PadChannels,
    "pad-out": PadOutputs,
    "pad-stream": PadStream,
    "recentre": Recentre,
    "quantize": QuantizeLayer,
    "move-quantize": MoveQuantize,
    "drop-pair": DropPair,
    "int8-borders": Int8Borders,
    "activations-int8": ActivationsInt8,
    "to-qdq": ToQdq,
    "fix-dimensions": FixDimensions,
}
"""Kind -> the edit's class: a frozen dataclass of strings, numbers, truth values, and tuples of them."""


def to_data(edit: Edit) -> dict[str, Any]:
    """The edit as a table of plain values: 'kind', then its fields; those at their defaults are left out."""
    if KINDS.get(edit.kind) is not type(edit):
        raise ValueError(f"{type(edit).__name__} is not registered as {edit.kind!r}")
    data: dict[str, Any] = {"kind": edit.kind}
    for field in dataclasses.fields(edit):  # type: ignore[arg-type]
        value = getattr(edit, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            data[field.name] = _plain(value)
    return data


def from_data(data: Mapping[str, Any]) -> Edit:
    """The edit a table stands for. Raises ModelError that says which part cannot be used."""
    kind = data.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ModelError(f"there is no edit of kind {_shown(kind)}; kinds are {', '.join(KINDS)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in data:
        if name != "kind" and name not in fields:
            raise ModelError(f"edit {kind!r} has no {_shown(name)}; it has {', '.join(fields)}")
    hints = get_type_hints(cls)
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _converted(data[name], hints[name], f"{name!r} of edit {kind!r}")
        elif field.default is dataclasses.MISSING:
            raise ModelError(f"edit {kind!r} needs {name!r}")
    edit: Edit = cls(**values)
    return edit


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _converted(value: Any, hint: Any, what: str) -> Any:
    if type(value) is int and abs(value) >= 1 << 63:
        raise ModelError(f"{what} holds a number of more than 63 bits")
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _converted(value, next(a for a in arguments if a is not type(None)), what)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ModelError(f"{what} is {_shown(value)}, not a list")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_converted(item, arguments[0], what) for item in value)
        if len(value) != len(arguments):
            raise ModelError(f"{what} holds a list of {len(value)} where {len(arguments)} values belong")
        return tuple(_converted(item, kind, what) for item, kind in zip(value, arguments, strict=True))
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise ModelError(f"{what} is {_shown(value)}, not {_WANTED.get(hint, 'a value it can take')}")


_WANTED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _shown(value: Any) -> str:
    try:
        return one_line(repr(value), 40)
    except ValueError:  # a number of thousands of digits
        return "a number too long to show"
