"""Take the stride out of a depthwise Conv: into the 1x1 Conv behind it, or a pool that picks every n-th element."""

from __future__ import annotations

import math
from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import ACTIVATIONS, DEQUANTIZE, QUANTIZE, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.model.tensors import Dim, TensorType
from npuscope.record import dataclass

EXAMPLE = quantized(
    "Conv <group = 2, strides = [2, 2], pads = [1, 1, 1, 1]> (f, w)", "1,2,4,4", "1,2,2,2", "2,1,3,3"
)


@dataclass(frozen=True, slots=True)
class FoldStride(Declared):
    """Compute a strided depthwise Conv at every position, and let the next layer pick every n-th.

    1. Where only 1x1 Convs of stride 1 read it (after its activation and Q/DQ), they take over the stride.
    2. Elsewhere a MaxPool of window 1 with the stride follows, between Q/DQ pairs on the layer's own grid.
    3. The depthwise Conv then does stride x stride times the work: for tools on which a strided one may hang.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "fold-stride",
        Exactness.BIT_EXACT,
        "Every element that is kept is the same sum.",
        operators=("Conv",),
        answers=("N701",),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'take the stride out of Conv_12'."""
        return f"take the stride out of {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv without stride, or why it cannot be had."""
        weighted = weighted_layer(graph, layers, self.layer, transposed=False, qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        geometry = convolution(weighted.layer)
        if weighted.layer.kind != "Conv" or geometry is None:
            return Refusal(
                f"{self.layer} is {with_article(weighted.layer.kind)}, not a Conv with known sizes"
            )
        if geometry.stride == (1, 1):
            return Refusal(f"{self.layer} has stride 1 already")
        if not geometry.depthwise:
            return Refusal(
                f"{self.layer} has {geometry.in_channels} input channels in {geometry.group} groups; without its "
                f"stride it would do {math.prod(geometry.stride)} times the work, and only a depthwise Conv gains by it"
            )
        path = _path(graph, weighted.layer.core)
        return _folded(weighted, geometry, *path) if path is not None else _pooled(weighted, geometry)


def _path(graph: Graph, core: Node) -> tuple[tuple[str, ...], tuple[Node, ...]] | None:
    """The tensors up to the 1x1 Convs that read it, and those Convs; None where something else reads it."""
    tensors, convolutions = [], []
    pending = [core.output(0)]
    while pending:
        tensor = pending.pop()
        tensors.append(tensor)
        readers = [graph.nodes[i] for i in graph.consumers.get(tensor, ())]
        if not readers or tensor in graph.output_set:
            return None
        for reader in readers:
            if reader.input(0) != tensor:
                return None
            if (is_qdq(reader) and reader.op in (QUANTIZE, DEQUANTIZE)) or (
                reader.standard and reader.op in ACTIVATIONS and tensor == core.output(0)
            ):
                pending.append(reader.output(0))
            elif _is_pointwise(graph, reader):
                convolutions.append(reader)
            else:
                return None
    return tuple(tensors), tuple(convolutions)


def _is_pointwise(graph: Graph, node: Node) -> bool:
    weight = graph.type(node.input(1)).dims
    return (
        node.op == "Conv"
        and node.standard
        and weight is not None
        and len(weight) > 2
        and set(weight[2:]) == {1}
        and not any(node.integers("pads") or ())
        and set(node.integers("strides") or (1,)) == {1}
        and node.text("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    )


def _unstrided(weighted: Weighted, geometry: Convolution) -> tuple[dict[str, object], tuple[Dim, ...]]:
    """Attributes of the Conv without its stride, and the shape it then writes."""
    shape = weighted.graph.type(weighted.layer.core.output(0)).shape or weighted.output.type.shape or ()
    rank = len(shape) - 2
    axes = range(rank)
    top_left, bottom_right = geometry.pads[:2], geometry.pads[2:]
    full = [
        geometry.input_size[i]
        + top_left[i]
        + bottom_right[i]
        - geometry.dilation[i] * (geometry.kernel[i] - 1)
        for i in axes
    ]
    attributes: dict[str, object] = {
        "strides": [1] * rank,
        "pads": [*(top_left[i] for i in axes), *(bottom_right[i] for i in axes)],
        "auto_pad": None,
    }
    return attributes, (*shape[:2], *full)


def _strides(weighted: Weighted, geometry: Convolution) -> list[int]:
    rank = len(weighted.values.shape) - 2
    return list(geometry.stride[:rank])


def _folded(
    weighted: Weighted, geometry: Convolution, tensors: tuple[str, ...], convolutions: tuple[Node, ...]
) -> Patch:
    graph, core = weighted.graph, weighted.layer.core
    attributes, shape = _unstrided(weighted, geometry)
    replaced: dict[str, Node | tuple[Node, ...]] = {core.name: rewired(core, None, None, **attributes)}
    for node in convolutions:
        replaced[node.name] = rewired(node, None, None, strides=_strides(weighted, geometry))
    types = {tensor: TensorType(graph.type(tensor).dtype, shape) for tensor in tensors}
    return Patch(frozenset(), (), types=types, replace=replaced)


def _pooled(weighted: Weighted, geometry: Convolution) -> Patch:
    graph, core, draft = weighted.graph, weighted.layer.core, Draft(weighted.graph, weighted.layer.core)
    attributes, shape = _unstrided(weighted, geometry)
    last = weighted.activation or core
    nodes = (core,) if last is core else (core, last)
    tensor = last.output(0)
    wide = TensorType(graph.type(tensor).dtype, shape)
    written = draft.name(f"{weighted.layer.name}_full")
    raw = written if last is core else draft.name(f"{weighted.layer.name}_full_sum")
    draft.types |= {written: wide, raw: wide}
    draft.nodes.append(rewired(core, None, (raw,), **attributes))
    if last is not core:
        draft.nodes.append(rewired(last, (raw, *last.inputs[1:]), (written,)))
    grid = weighted.output_grid
    source = written if grid is None else draft.quantized(written, wide, grid)
    strides = _strides(weighted, geometry)
    draft.node(
        "MaxPool", f"{weighted.layer.name}_pick", (source,), ((tensor, graph.type(tensor)),),
        kernel_shape=[1] * len(strides), strides=strides,
    )  # fmt: skip
    removed = removed_with(graph, nodes, draft.nodes)
    return draft.patch(removed)
