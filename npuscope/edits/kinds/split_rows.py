"""Split a Conv along the rows of its output: stripes that read their rows of the input, with the rows around them."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import QDQ_SINCE
from npuscope.edits.toolkit.sizes import misfit, written
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

ROWS = 2
"""The axis that is cut: rows of a map, or the positions of a 1-D Conv."""


EXAMPLE = quantized("Conv <pads = [1, 1, 1, 1]> (f, w)", "1,2,4,4", "1,3,4,4", "3,2,3,3")


@dataclass(frozen=True, slots=True)
class SplitRows(Declared):
    """Split a Conv into stripes of `sizes` output rows; all stripes use the same weights.

    1. A stripe reads the input rows its kernels reach, overlapping its neighbours'; only the first is padded at the
       top, only the last at the bottom.
    2. Each piece of the input keeps its grid, each stripe is quantized on the layer's; the Concat changes no value.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "split-rows",
        Exactness.BIT_EXACT,
        "Every output keeps its value.",
        operators=("Conv",),
        example=EXAMPLE,
        fields={"sizes": (2, 2)},
    )

    layer: str
    sizes: tuple[int, ...]

    def describe(self) -> str:
        """'split rows of Conv_3 as 56+56'."""
        return f"split rows of {self.layer} as {written(self.sizes)}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The stripes, or why the layer cannot be cut so."""
        weighted = weighted_layer(graph, layers, self.layer, transposed=False)
        if isinstance(weighted, Refusal):
            return weighted
        geometry = convolution(weighted.layer)
        if weighted.layer.kind != "Conv" or geometry is None:
            return Refusal(
                f"{self.layer} is {with_article(weighted.layer.kind)} or its sizes are not known; only a Conv has rows"
            )
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no Slice with computed ends; {QDQ_SINCE} or later has")
        along = RowGeometry.of(weighted, geometry)
        refusal = misfit(self.sizes, along.outputs, f"{self.layer} writes {along.outputs} rows", "rows")
        if refusal is not None:
            return refusal
        bounds = list(pairwise(accumulate(self.sizes, initial=0)))
        for start, stop in bounds:
            first, last, _, _ = along.reach(start, stop)
            if first >= last:
                return Refusal(f"output rows {start} to {stop - 1} of {self.layer} see nothing but padding")
        return _patch(weighted, along, bounds)


@dataclass(frozen=True, slots=True)
class RowGeometry:
    """The geometry of a Conv along the rows."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    pad: int
    spatial: int
    """Spatial axes in all."""
    pads: tuple[int, int, int, int]

    @staticmethod
    def of(weighted: Weighted, geometry: Convolution) -> RowGeometry:
        """Of a layer."""
        spatial = weighted.values.ndim - 2
        return RowGeometry(
            geometry.input_size[0], geometry.output_size[0], geometry.kernel[0], geometry.stride[0],
            geometry.dilation[0], geometry.pads[0], spatial, geometry.pads,
        )  # fmt: skip

    def reach(self, start: int, stop: int) -> tuple[int, int, int, int]:
        """First and last + 1 input row of a stripe, and its pads above and below."""
        first = start * self.stride - self.pad
        last = (stop - 1) * self.stride - self.pad + self.dilation * (self.kernel - 1) + 1
        return max(first, 0), min(last, self.inputs), max(-first, 0), max(last - self.inputs, 0)

    def padded(self, above: int, below: int) -> list[int]:
        """The `pads` attribute of a stripe."""
        return [above, below] if self.spatial == 1 else [above, self.pads[1], below, self.pads[3]]


def _patch(weighted: Weighted, along: RowGeometry, bounds: list[tuple[int, int]]) -> Patch:
    layer, graph = weighted.layer, weighted.graph
    draft = Draft(graph, layer.core)
    axes = draft.constant(f"{layer.name}_rows_axis", np.array([ROWS], np.int64))
    joined = []
    for i, (start, stop) in enumerate(bounds):
        name = f"{layer.name}_stripe{i}"
        first, last, above, below = along.reach(start, stop)
        source = _rows(weighted, draft, name, first, last, axes)
        type_ = _stripe(graph.type(weighted.output.seen), stop - start)
        output = draft.name(f"{name}_output")
        inputs = (source, *layer.core.inputs[1:])
        node = draft.copy(layer.core, name, inputs, ((output, type_),))
        _set_pads(node, along.padded(above, below))
        if weighted.activation is not None:
            raw, output = output, draft.name(f"{name}_activated")
            repeated = (raw, *weighted.activation.inputs[1:])
            draft.copy(weighted.activation, f"{name}_{weighted.activation.op}", repeated, ((output, type_),))
        grid = weighted.output_grid
        joined.append(output if grid is None else draft.quantized(output, type_, grid))
    seen = weighted.output.seen
    draft.node("Concat", f"{layer.name}_concat", tuple(joined), ((seen, graph.type(seen)),), axis=ROWS)
    core = (layer.core,) if weighted.activation is None else (layer.core, weighted.activation)
    removed = removed_with(graph, core, draft.nodes)
    return draft.patch(removed)


def _rows(weighted: Weighted, draft: Draft, name: str, first: int, last: int, axes: str) -> str:
    """The input rows a stripe reads."""
    known = weighted.graph.type(weighted.input.seen)
    type_ = _stripe(TensorType(known.dtype, known.shape or weighted.input.type.shape), last - first)
    output = draft.name(f"{name}_input")
    ends = [
        draft.constant(f"{name}_{what}", np.array([row], np.int64))
        for what, row in (("from", first), ("to", last))
    ]
    draft.node("Slice", f"{name}_slice", (weighted.input.seen, *ends, axes), ((output, type_),))
    grid = weighted.input_grid
    return output if grid is None else draft.quantized(output, type_, grid)


def _stripe(type_: TensorType, rows: int) -> TensorType:
    shape = type_.shape
    return TensorType(type_.dtype, None if shape is None else (*shape[:ROWS], rows, *shape[ROWS + 1 :]))


def _set_pads(node: Node, pads: list[int]) -> None:
    kept = [a for a in node.proto.attribute if a.name not in ("pads", "auto_pad")]
    del node.proto.attribute[:]
    node.proto.attribute.extend(kept)
    added = node.proto.attribute.add(name="pads")
    added.type = added.INTS
    added.ints.extend(pads)
