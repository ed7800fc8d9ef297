"""Zero points of what a layer reads, as the accelerators see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.model.layer import Layer
    from npuscope.model.quant import Quant


def signed_zero_point(quant: Quant) -> int:
    """The zero point as int8 would hold it: uint8 data is the same data 128 higher."""
    return quant.zero - 128 if quant.dtype == "uint8" else quant.zero


def input_zero_point(layer: Layer) -> int | None:
    """Int8 zero point of the first activation, None where it is not quantized per tensor or not known yet."""
    quant = layer.input.quant if layer.input is not None else None
    return None if quant is None or quant.per_channel or not quant.zero_known else signed_zero_point(quant)


def awaits_zero_point(layer: Layer) -> bool:
    """The zero point of the first activation is known once the model is calibrated."""
    quant = layer.input.quant if layer.input is not None else None
    return quant is not None and not quant.zero_known
