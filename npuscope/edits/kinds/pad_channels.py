"""Pad a layer's channels with zeros, to a number that divides well."""

from __future__ import annotations

from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.channel_region import AddedChannels, NotClosedError, region
from npuscope.edits.toolkit.drafting import Draft
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.padding import pad_in_front, slice_behind, widened
from npuscope.edits.toolkit.sizes import machine_limits
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.record import dataclass

EXAMPLE_PAD_IN = quantized("Conv(f, w)", "1,4,4,4", "1,4,4,4", "4,4,1,1")


@dataclass(frozen=True, slots=True)
class PadChannels(Declared):
    """Pad the input channels of a Conv, ConvTranspose, Gemm or MatMul with constant weights to `channels`.

    1. The layer gets zero weights for the added channels, so their values do not matter.
    2. Where the layers that make its input have constant weights, they get zero weights and a zero bias as well, and
       what lies between carries the channels: no node is added.
    3. Otherwise a Pad on the input's own grid is put before the layer.
    4. Inputs and outputs of the model keep their shapes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "pad-in",
        Exactness.BIT_EXACT,
        "Zeros are added to each sum.",
        operators=("Conv", "Gemm", "MatMul"),
        same_by_shape=True,
        example=EXAMPLE_PAD_IN,
        fields={"channels": 8},
    )

    layer: str
    channels: int

    def describe(self) -> str:
        """'pad inputs of Gemm_28 to 264 channels'."""
        return f"pad inputs of {self.layer} to {self.channels} channels"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The zeros, or why they cannot be added."""
        return _padded(graph, layers, self.layer, self.channels, "input")


EXAMPLE_PAD_OUT = quantized("Conv(f, w)", "1,4,4,4", "1,4,4,4", "4,4,1,1")


@dataclass(frozen=True, slots=True)
class PadOutputs(Declared):
    """Pad the output channels of a Conv, ConvTranspose, Gemm or MatMul with constant weights to `channels`.

    1. The added kernels are zero, with a zero bias: the added channels hold 0 before any activation.
    2. If everything that reads them can take them (layers get zero weights for them), no node is added.
    3. Otherwise a Slice on the layer's own output grid removes them after the layer.
    4. Inputs and outputs of the model keep their shapes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "pad-out",
        Exactness.BIT_EXACT,
        "Every output keeps its value.",
        operators=("Conv", "Gemm", "MatMul"),
        same_by_shape=True,
        example=EXAMPLE_PAD_OUT,
        fields={"channels": 8},
    )

    layer: str
    channels: int

    def describe(self) -> str:
        """'pad outputs of Conv_3 to 264 channels'."""
        return f"pad outputs of {self.layer} to {self.channels} channels"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The zeros, or why they cannot be added."""
        return _padded(graph, layers, self.layer, self.channels, "output")


def _padded(graph: Graph, layers: Layers, name: str, wanted: int, which: str) -> Patch | Refusal:
    weighted = weighted_layer(graph, layers, name, "padded", qlinear=False)
    if isinstance(weighted, Refusal):
        return weighted
    into = which == "input"
    present = weighted.in_channels if into else weighted.out_channels
    refusal = _unfit(weighted, wanted, present, which)
    if refusal is not None:
        return refusal
    draft, extra = Draft(graph, weighted.layer.core), wanted - present
    tensor = weighted.input.seen if into else weighted.layer.core.output(0)
    axis = weighted.input_axis if into else weighted.output_axis
    try:
        joined = region(graph, layers, tensor, AddedChannels(axis, extra))
    except NotClosedError:
        return pad_in_front(draft, weighted, extra) if into else slice_behind(draft, weighted, extra)
    return widened(draft, joined)


def _unfit(weighted: Weighted, wanted: int, present: int, which: str) -> Refusal | None:
    name = weighted.layer.name
    if weighted.group > 1:
        return Refusal(
            f"{name} has {weighted.group} groups of {present // weighted.group} {which} channels, which are padded only "
            "with the layer before them"
        )
    if not present < wanted <= machine_limits().dimension:
        return Refusal(
            f"{name} has {present} {which} channels, which cannot be padded to {wanted}",
            f"give {present + 1} to {machine_limits().dimension}",
        )
    return None
