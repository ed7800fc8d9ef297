"""Write a 1x1 Conv as a Gemm."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.split_input import GEMM_WITHOUT_C
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.relayout import Rewriting, relaid
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.convolution import convolution
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = quantized("Conv(f, w)", "1,4,1,1", "1,3,1,1", "3,4,1,1")


@dataclass(frozen=True, slots=True)
class ConvToGemm(Declared):
    """Write a 1x1 Conv of stride 1 as a Gemm, whose rows are the positions of all samples.

    1. Where a Transpose or Reshape before it makes its input of a tensor with channels last, the Gemm reads that; where
       one behind it makes such a tensor of its output, the Gemm writes it. What nothing reads any more is removed.
    2. Elsewhere a Reshape or Transpose is put before or after it, with a Q/DQ pair on the tensor's own grid.
    3. Scales and integers of weights and bias stay.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "conv-to-gemm",
        Exactness.BIT_EXACT,
        "The same products are summed.",
        operators=("Conv",),
        answers=("N110",),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write Conv_7 as a Gemm'."""
        return f"write {self.layer} as a Gemm"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Gemm, or why there is none."""
        weighted = weighted_layer(graph, layers, self.layer, "written as a Gemm", qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        refusal = _no_gemm(weighted)
        return refusal if refusal is not None else _patch(weighted)


def _no_gemm(weighted: Weighted) -> Refusal | None:
    name, graph = weighted.layer.name, weighted.graph
    geometry = convolution(weighted.layer)
    if weighted.layer.kind != "Conv" or geometry is None:
        return Refusal(
            f"{name} is {with_article(weighted.layer.kind)}, or its sizes are not known; only a Conv becomes a Gemm"
        )
    if not geometry.pointwise:
        return Refusal(
            f"{name} has a larger kernel, a stride, pads or groups; only a plain 1x1 Conv is a Gemm"
        )
    if graph.opset < GEMM_WITHOUT_C and weighted.layer.bias is None:
        return Refusal(f"a Gemm of opset {graph.opset} needs a bias, {name} has none")
    return None


def _patch(weighted: Weighted) -> Patch:
    graph, layer = weighted.graph, weighted.layer
    rewriting = Rewriting(weighted, channels=-1)
    dims = graph.type(weighted.input.seen).dims or ()
    rows = math.prod(dims) // weighted.in_channels
    source, _ = rewriting.source((rows, weighted.in_channels))
    axis = weighted.weight.quant.axis if weighted.weight.quant is not None else None
    values = np.ascontiguousarray(weighted.values.reshape(weighted.out_channels, weighted.in_channels))
    weight = relaid(
        rewriting.draft, graph, weighted.weight, f"{layer.name}_matrix", values, axis if axis in (0, 1) else 0
    )
    bias = layer.bias.seen if layer.bias is not None else ""
    return rewriting.finish("Gemm", source, weight, bias, (rows, weighted.out_channels), transB=1)
