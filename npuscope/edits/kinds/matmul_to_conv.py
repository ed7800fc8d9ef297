"""Write a Gemm or MatMul with constant weights as a 1x1 Conv."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.relayout import Rewriting, relaid
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.convolution import constant_first
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = quantized("MatMul(f, w)", "3,4", "3,5", "4,5")


@dataclass(frozen=True, slots=True)
class MatMulToConv(Declared):
    """Write a Gemm or MatMul as a 1x1 Conv on a map that holds its rows.

    1. Where a Transpose or Reshape before it makes its input of a map with channels first, the Conv reads that map;
       where one behind it makes such a map of its output, the Conv writes it. What nothing reads any more is removed.
    2. Elsewhere a Reshape or Transpose is put before or after it, with a Q/DQ pair on the tensor's own grid.
    3. Scales and integers of weights and bias stay; only their order changes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "matmul-to-conv",
        Exactness.BIT_EXACT,
        "The same products are summed.",
        operators=("Gemm", "MatMul"),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write MatMul_7 as a 1x1 Conv'."""
        return f"write {self.layer} as a 1x1 Conv"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why there is none."""
        weighted = weighted_layer(graph, layers, self.layer, "written as a Conv", qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        refusal = _no_conv(weighted)
        return refusal if refusal is not None else _patch(weighted)


def _no_conv(weighted: Weighted) -> Refusal | None:
    name, graph, core = weighted.layer.name, weighted.graph, weighted.layer.core
    if weighted.layer.kind not in ("Gemm", "MatMul"):
        return Refusal(
            f"{name} is {with_article(weighted.layer.op)}; only Gemm and MatMul are written as a 1x1 Conv"
        )
    if weighted.values.size != weighted.in_channels * weighted.out_channels:
        return Refusal(
            f"{name} multiplies by {math.prod(weighted.values.shape[:-2])} matrices, a Conv by one"
        )
    factors = [core.attribute("alpha"), core.attribute("beta")] if weighted.layer.kind == "Gemm" else []
    if any(isinstance(factor, float) and factor != 1 for factor in factors):
        return Refusal(f"{name} has an alpha or a beta, which a Conv does not have")
    dims = graph.type(weighted.input.seen).dims
    if dims is None or len(dims) < 2 or graph.type(weighted.output.seen).dims is None:
        return Refusal(f"the sizes of {name} are not known, or its input has one dimension")
    if constant_first(weighted.layer) and math.prod(dims[:-2]) != 1:
        return Refusal(f"{name} multiplies {math.prod(dims[:-2])} matrices; a Conv takes a batch of 1")
    if not weighted.rows_share_bias:
        return Refusal(f"{name} adds another bias to each row, a Conv the same to all")
    return None


def _patch(weighted: Weighted) -> Patch:
    graph, layer = weighted.graph, weighted.layer
    rewriting = Rewriting(weighted, channels=1)
    shape = _map(weighted)
    source, source_shape = rewriting.source(shape)
    sizes = source_shape[2:]
    ones = (1,) * len(sizes)
    draft = rewriting.draft
    axis = weighted.weight.quant.axis if weighted.weight.quant is not None else None
    place = 0 if axis is None or axis % weighted.values.ndim == weighted.weight_out else 1
    matrix = np.moveaxis(weighted.values, (weighted.weight_out, weighted.weight_in), (-2, -1))
    values = np.ascontiguousarray(matrix.reshape(weighted.out_channels, weighted.in_channels, *ones))
    weight = relaid(draft, graph, weighted.weight, f"{layer.name}_kernel", values, place)
    bias = _bias(weighted, rewriting)
    result = (1, weighted.out_channels, *sizes)
    return rewriting.finish("Conv", source, weight, bias, result, kernel_shape=list(ones))


def _map(weighted: Weighted) -> tuple[int, ...]:
    """The shape of a map that holds the rows: channels first, two spatial dimensions."""
    dims = weighted.graph.type(weighted.input.seen).dims or ()
    rows = [size for axis, size in enumerate(dims) if axis != weighted.input_axis]
    if constant_first(weighted.layer):
        rows = rows[-1:]
    width = rows[-1] if rows else 1
    return (1, weighted.in_channels, math.prod(rows[:-1]), width)


def _bias(weighted: Weighted, rewriting: Rewriting) -> str:
    bias = weighted.layer.bias
    if bias is None or bias.constant is None:
        return ""
    if bias.constant.shape == (weighted.out_channels,):
        return bias.seen
    values = np.broadcast_to(bias.constant.array().reshape(-1), (weighted.out_channels,))
    name = f"{weighted.layer.name}_bias"
    return relaid(rewriting.draft, weighted.graph, bias, name, np.ascontiguousarray(values), 0)
