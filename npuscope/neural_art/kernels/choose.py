"""The kernel of a layer: every cause that decides where it runs, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npuscope.model.graph import CONTROL_FLOW
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, WEIGHTED, Layer
from npuscope.neural_art.frontend.formats import has_real_borders
from npuscope.neural_art.kernels import borders, convolutions, datatypes, functions, movers, pools, unseen
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.form import form_of
from npuscope.neural_art.mapping.operators import ARITHMETIC, NORMALIZATION, RECURRENT
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context

Choice = Callable[[Layer, Context], Iterator[Cause]]

FORMATS: tuple[Choice, ...] = (
    datatypes.widths,
    datatypes.scales,
    datatypes.unusable_scales,
    datatypes.shapes,
    datatypes.without_scale,
    datatypes.plain,
)
"""What has nothing to say of a layer that is `datatypes.all_in_order`."""

ALWAYS: tuple[Choice, ...] = (datatypes.floats, *FORMATS, functions.table, borders.carried)
IN_ORDER: tuple[Choice, ...] = (datatypes.floats, functions.table, borders.carried)

WINDOWS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool")
MULTIPLIES: tuple[Choice, ...] = (convolutions.operands, convolutions.by_sizes)

BY_KIND: Mapping[str, tuple[Choice, ...]] = {
    **dict.fromkeys((QUANTIZE, DEQUANTIZE), (borders.borders,)),
    **dict.fromkeys(WEIGHTED, MULTIPLIES),
    "Gemm": (*MULTIPLIES, unseen.forms),
    "Conv": (*MULTIPLIES, unseen.forms),
    "ConvTranspose": (*MULTIPLIES, convolutions.spread, unseen.forms),
    **dict.fromkeys(ARITHMETIC, (functions.broadcast,)),
    "Div": (functions.broadcast, functions.division),
    "Sub": (functions.broadcast, functions.subtraction),
    **dict.fromkeys(("Softmax", "LogSoftmax"), (functions.softmax_causes,)),
    **dict.fromkeys(NORMALIZATION | RECURRENT | CONTROL_FLOW, (functions.whole_operators,)),
    **dict.fromkeys(("BatchNormalization", "Dropout"), (unseen.forms,)),
    "PRelu": (functions.prelu_causes, unseen.forms),
    "Abs": (functions.absolute,),
    "HardSigmoid": (functions.hard_sigmoid,),
    **dict.fromkeys(WINDOWS, (pools.window,)),
    "AveragePool": (pools.window, pools.registers, unseen.forms),
    "MaxPool": (pools.registers, unseen.forms),
    **dict.fromkeys(("ReduceMean", "ReduceMax"), (pools.window, pools.reduction)),
    "Concat": (movers.concat_causes, unseen.forms),
    **dict.fromkeys(("Split", "Slice"), (movers.parts,)),
    "Transpose": (movers.transpose_causes,),
    "Pad": (movers.pad_causes, unseen.forms),
    "Cast": (movers.cast_causes,),
    **dict.fromkeys(("Resize", "Upsample"), (movers.resize_causes, unseen.forms)),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), (movers.depth_and_space,)),
}


def choose(layer: Layer, context: Context) -> tuple[Cause, ...]:
    """The causes that bear on a layer; the one with the worst placement decides.

    Of an invalid node, and of an operator that is none of ONNX's, nothing else is asked.
    """
    alone = datatypes.invalid(layer, context) or functions.foreign(layer, context)
    if alone is not None:
        return (alone,)
    form = form_of(layer)
    if form is None or has_real_borders(context.graph):
        return _chosen(layer, context)
    causes = form.causes.get(context.target)
    if causes is None:
        causes = form.causes[context.target] = _chosen(layer, context)
    return causes


def _chosen(layer: Layer, context: Context) -> tuple[Cause, ...]:
    always = IN_ORDER if datatypes.all_in_order(layer, context) else ALWAYS
    return tuple(
        [cause for choice in (*always, *BY_KIND.get(layer.kind, ())) for cause in choice(layer, context)]
    )


ALONE = frozenset({Why.INVALID_NODE, Why.CUSTOM, Why.MODEL_FUNCTION})
"""Causes beside which nothing else is asked."""
