"""The kernel of a layer: every cause that decides where it runs, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer
from npuscope.neural_art.kernels import borders, convolutions, datatypes, movers
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context

Choice = Callable[[Layer, Context], Iterator[Cause]]

ALWAYS: tuple[Choice, ...] = (datatypes.floats, borders.at_the_end)

BY_KIND: Mapping[str, tuple[Choice, ...]] = {
    **dict.fromkeys((QUANTIZE, DEQUANTIZE), (borders.borders,)),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), (convolutions.rearranged,)),
    "Concat": (movers.concat,),
    "Transpose": (movers.transpose,),
    "Pad": (movers.pad,),
    "PRelu": (movers.prelu,),
}


def choose(layer: Layer, context: Context) -> tuple[Cause, ...]:
    """The causes that bear on a layer; the one with the worst placement decides."""
    return tuple(
        cause for choice in (*ALWAYS, *BY_KIND.get(layer.kind, ())) for cause in choice(layer, context)
    )
