"""Which lowering a placed layer takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.model.convolution import convolution
from npuscope.model.layers import QUANTIZE, Layer, Operand, is_transparent
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.borders import requantized_end
from npuscope.neural_art.lowering.conv import conv, grouped_in_software, transposed_conv
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.moves import (
    channel_pad,
    concat,
    hybrid,
    is_view,
    pad,
    resize,
    transpose,
    view,
)
from npuscope.neural_art.lowering.pools import pooling
from npuscope.neural_art.lowering.software import (
    cast,
    change_of_type,
    floating,
    integer,
    narrow_parts,
)
from npuscope.neural_art.lowering.type_changes import border, change_part, changed_parts
from npuscope.neural_art.lowering.units import activation, affine, elementwise, requantize
from npuscope.neural_art.mapping.capacity import narrow_submasks
from npuscope.neural_art.mapping.floats import swallowed
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.operators import ACTIVATION, ARITHMETIC, CONVOLUTION, LARGER_OR_LESS, POOLING
from npuscope.npu.verdict import Placement

WHOLE = frozenset({Why.CONV_GROUPED, Why.CONV_DILATED, Why.CONV_WIDE_ROW, Why.CONV_SINGLE_VALUE})
"""Why all of a quantized convolution needs the float kernel, which knows groups, any width and any number of channels."""


def lower(lowering: Lowering, item: Placed) -> None:
    """Add the steps of a layer."""
    layer, placement = item.layer, item.placement
    if placement is Placement.NONE:
        view(lowering, item)
        return
    if placement is Placement.HW and folded_away(layer):
        return  # an invalid node is not folded away
    if layer.kind == "Concat" and placement is Placement.HW and swallowed(layer, lowering.layers):
        return  # its parts are those of the one that reads it
    if is_transparent(layer.core) and not item.because(Why.MOVES_INTEGERS):
        parts = changed_parts(lowering, layer)
        if parts:
            moved_as_it_lies(lowering, item, parts)
            return
        border(lowering, layer)
    lower_by_placement(lowering, item)


def lower_by_placement(lowering: Lowering, item: Placed) -> None:
    """Add the steps that do a layer's own work."""
    layer, placement = item.layer, item.placement
    if placement is Placement.SW_FLOAT:
        if layer.quantized and narrow_columns(lowering, layer):
            narrow_parts(lowering, item)
        elif layer.quantized and any(c.why in WHOLE and c.placement is placement for c in item.causes):
            grouped_in_software(lowering, item)
        elif item.because(Why.BORDER_RUN):
            change_of_type(lowering, item)
        else:
            floating(lowering, item)
    elif placement is Placement.SW_INT:
        integer(lowering, item)
    elif placement is Placement.HYBRID:
        on_dma(lowering, item)
    else:
        on_npu(lowering, item)


def moved_as_it_lies(lowering: Lowering, item: Placed, parts: Sequence[Operand]) -> None:
    """A mover whose results are not all of one type: these parts change theirs behind it."""
    source = item.layer.inputs[0]
    # What a float layer wrote is float, whatever scale the model gives it.
    quant = None if lowering.name(source.tensor) in lowering.floats else source.quant
    moved = {
        o.tensor: Operand(
            f"{o.tensor}#moved", f"{o.tensor}#moved", replace(o.type, dtype=source.type.dtype), quant
        )
        for o in parts
    }
    outputs = tuple(moved.get(o.tensor, o) for o in item.layer.outputs)
    as_it_lies = item._replace(layer=replace(item.layer, outputs=outputs))
    border(lowering, as_it_lies.layer)
    lower_by_placement(lowering, as_it_lies)
    for part in parts:
        change_part(lowering, item.layer, moved[part.tensor].tensor, part)


def narrow_columns(lowering: Lowering, layer: Layer) -> bool:
    """Only the narrow sub-masks of a large depthwise kernel run in software."""
    shape = convolution(layer)
    return shape is not None and bool(narrow_submasks(shape, lowering.target))


def on_dma(lowering: Lowering, item: Placed) -> None:
    """Routines in which the CPU drives the DMAs."""
    kind = item.layer.kind
    if kind in ("Resize", "Upsample"):
        resize(lowering, item)
    elif kind == "ConvTranspose":
        transposed_conv(lowering, item)
    elif kind == "Conv":
        conv(lowering, item)
    elif kind == "Pad":
        channel_pad(lowering, item)
    elif kind == "Cast":
        cast(lowering, item)
    else:
        hybrid(lowering, item)


def on_npu(lowering: Lowering, item: Placed) -> None:
    """Accelerators and stream engines."""
    layer = item.layer
    kind = layer.kind
    if kind in CONVOLUTION:
        conv(lowering, item)
    elif kind == "BatchNormalization":
        affine(lowering, item)
    elif kind in ARITHMETIC | LARGER_OR_LESS:
        elementwise(lowering, item)
    elif kind in ACTIVATION:
        activation(lowering, item)
    elif kind in POOLING:
        pooling(lowering, item)
    elif item.because(Why.BORDER_REQUANTIZED):
        requantized_end(lowering, item)
    elif kind == QUANTIZE:
        requantize(lowering, item)
    elif kind == "Concat":
        concat(lowering, item)
    elif kind == "Transpose":
        transpose(lowering, item)
    elif kind == "Pad":
        (channel_pad if item.because(Why.PAD_STREAMED) else pad)(lowering, item)
    elif is_view(layer) or kind in ("Resize", "Upsample"):
        view(lowering, item)
    else:
        hybrid(lowering, item)
