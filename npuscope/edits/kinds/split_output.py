"""Split a layer along its output channels: the parts are computed apart and joined by a Concat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Edit, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.sizes import misfit, written
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.record import dataclass

MOST_GROUPS = 16
"""A Conv of more groups is not made as many Convs automatically."""

EXAMPLE = quantized("Conv(f, w)", "1,4,4,4", "1,4,4,4", "4,4,1,1")


@dataclass(frozen=True, slots=True)
class SplitOutput(Declared):
    """Split a Conv, ConvTranspose, Gemm or MatMul with constant weights into parts of `sizes` output channels.

    1. Each part is quantized on the layer's own output grid, so the Concat changes no value.
    2. A fused activation is repeated in each part; the Concat writes the tensor the layer wrote.
    3. With groups, the split is between them; the input is split as well.
    4. A QLinear operator's parts are QLinear operators, joined in integers.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "split-out",
        Exactness.BIT_EXACT,
        "Every output keeps its value.",
        operators=("Conv", "ConvTranspose", "Gemm", "MatMul"),
        tried_off_npu=True,
        replaces_one_layer=True,
        same_by_shape=True,
        example=EXAMPLE,
        fields={"sizes": (2, 2)},
    )

    layer: str
    sizes: tuple[int, ...]

    @classmethod
    def for_layer(cls, layer: Layer) -> Iterator[Edit]:
        """A Conv of a few groups as that many Convs."""
        groups = layer.core.integer("group", 1)
        constant = layer.weight.constant if layer.weight is not None else None
        kernels = constant.shape[0] if constant is not None and constant.shape else 0
        if layer.kind == "Conv" and 1 < groups <= MOST_GROUPS and kernels % groups == 0:
            yield cls(layer.name, (kernels // groups,) * groups)

    def describe(self) -> str:
        """'split outputs of Conv_3 as 128+129'."""
        return f"split outputs of {self.layer} as {written(self.sizes)}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The parts, or why the layer cannot be cut so."""
        weighted = weighted_layer(graph, layers, self.layer)
        if isinstance(weighted, Refusal):
            return weighted
        refusal = misfit(
            self.sizes, weighted.out_channels, f"{self.layer} has {weighted.out_channels} output channels"
        )
        refusal = refusal or self._between_groups(weighted)
        if refusal is not None:
            return refusal
        return self._patch(weighted)

    def _between_groups(self, weighted: Weighted) -> Refusal | None:
        kernels = weighted.out_channels // weighted.group
        if all(size % kernels == 0 for size in self.sizes):
            return None
        if weighted.group == 1:
            return None
        return Refusal(
            f"sizes {written(self.sizes)} cut through a group; {self.layer} has {weighted.group} groups "
            f"of {kernels} output channels",
            f"give multiples of {kernels}",
        )

    def _patch(self, weighted: Weighted) -> Patch:
        layer, graph = weighted.layer, weighted.graph
        draft = Draft(graph, layer.core)
        bounds = list(pairwise(accumulate(self.sizes, initial=0)))
        sources = self._sources(weighted, draft)
        joined = []
        for i, (start, stop) in enumerate(bounds):
            name = f"{layer.name}_part{i}"
            weight = weighted.cut_kernels(draft, name, start, stop)
            bias = weighted.cut_bias(draft, name, start, stop)
            type_ = weighted.part(weighted.output, stop - start, weighted.output_axis)
            output = draft.name(f"{name}_output")
            scales = weighted.cut_scales(draft, name, start, stop) if layer.qoperator else None
            inputs = weighted.operands(sources[i], weight, bias, scales)
            node = draft.copy(layer.core, name, inputs, ((output, type_),))
            if weighted.group > 1:
                _set_group(node, weighted.group * (stop - start) // weighted.out_channels)
            if weighted.activation is not None:
                raw, output = output, draft.name(f"{name}_activated")
                repeated = (raw, *weighted.activation.inputs[1:])
                wanted = f"{name}_{weighted.activation.op}"
                draft.copy(weighted.activation, wanted, repeated, ((output, type_),))
            grid = weighted.output_grid
            joined.append(output if grid is None else draft.quantized(output, type_, grid))
        whole_type = graph.type(weighted.output.seen)
        draft.node(
            "Concat", f"{layer.name}_concat", tuple(joined),
            ((weighted.output.seen, whole_type),), axis=weighted.output_axis,
        )  # fmt: skip
        core = (layer.core,) if weighted.activation is None else (layer.core, weighted.activation)
        removed = removed_with(graph, core, draft.nodes)
        return draft.patch(removed)

    def _sources(self, weighted: Weighted, draft: Draft) -> list[str]:
        """What each part reads: the layer's input, or its groups' share of it."""
        if weighted.group == 1:
            return [weighted.input.seen] * len(self.sizes)
        return weighted.pieces(
            draft, tuple(size * weighted.in_channels // weighted.out_channels for size in self.sizes)
        )


def _set_group(node: Node, group: int) -> None:
    for attribute in node.proto.attribute:
        if attribute.name == "group":
            attribute.i = group
