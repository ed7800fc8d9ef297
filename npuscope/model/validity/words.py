"""Attributes whose value is one of a list of words."""

from __future__ import annotations

from npuscope.model.graph import Node
from npuscope.model.names import quoted

_PADDINGS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
_WINDOWS = ("Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "AveragePool", "MaxPool", "LpPool")
_REDUCTIONS = ("none", "add", "mul", "max", "min")

_WORDS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    **dict.fromkeys(_WINDOWS, (("auto_pad", _PADDINGS),)),
    "DepthToSpace": (("mode", ("DCR", "CRD")),),
    "Pad": (("mode", ("constant", "reflect", "edge", "wrap")),),
    "Resize": (
        ("mode", ("nearest", "linear", "cubic")),
        ("coordinate_transformation_mode", (
            "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
            "tf_half_pixel_for_nn", "tf_crop_and_resize")),
        ("nearest_mode", ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")),
    ),
    "Upsample": (("mode", ("nearest", "linear", "bilinear")),),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (("direction", ("forward", "reverse", "bidirectional")),)),
    **dict.fromkeys(("ScatterND", "ScatterElements"), (("reduction", _REDUCTIONS),)),
    "Gelu": (("approximate", ("none", "tanh")),),
    "GridSample": (
        ("mode", ("bilinear", "nearest", "bicubic", "linear", "cubic")),
        ("padding_mode", ("zeros", "border", "reflection")),
    ),
    "RoiAlign": (("mode", ("avg", "max")),),
    "BitShift": (("direction", ("LEFT", "RIGHT")),),
    "TensorScatter": (("mode", ("linear", "circular")),),
    **dict.fromkeys(
        ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), (("reduction", ("none", "sum", "mean")),)
    ),
}  # fmt: skip


_SWITCHES: dict[str, tuple[str, ...]] = {
    "Mod": ("fmod",),
    **dict.fromkeys(("CumSum", "CumProd"), ("exclusive", "reverse")),
}
"""Attributes that are 0 or 1 and nothing else."""


def word_fault(node: Node) -> str:
    """An attribute whose value its operator does not know; '' where there is none."""
    for name in _SWITCHES.get(node.op, ()):
        number = node.integer(name, 0)
        if number not in (0, 1):
            return f"{name} of {node.op} is {number}; it must be 0 or 1"
    for name, allowed in _WORDS.get(node.op, ()):
        value = node.attribute(name)
        if isinstance(value, bytes) and (word := value.decode("utf-8", "replace")) not in allowed:
            shown = quoted(word)
            return f"{name} of {node.op} is {shown!r}; it must be {', '.join(allowed[:-1])} or {allowed[-1]}"
    return ""
