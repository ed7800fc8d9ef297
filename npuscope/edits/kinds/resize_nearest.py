"""Bring a Resize to the one form the NPU has: nearest, asymmetric, rounded down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import layer_named
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.sizes import bounded, machine_limits
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article
from npuscope.model.tensors import Array
from npuscope.record import dataclass

SINCE = 11
"""Opset from which Resize says which coordinates it means."""

FORM: dict[str, Any] = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}
"""What the NPU takes: FACTS 4 (ST documentation)."""


EXAMPLE_RESIZE_FLOOR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Resize <mode = "nearest", coordinate_transformation_mode = "half_pixel"> (f, , k)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class ResizeFloor(Declared):
    """Write a nearest Resize in the form that the NPU has, if that picks the same elements.

    It does when the factor is a whole number, in any coordinate mode; each element is checked.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "resize-floor",
        Exactness.BIT_EXACT,
        "The same elements.",
        operators=("Resize",),
        tried_off_npu=True,
        example=EXAMPLE_RESIZE_FLOOR,
    )

    layer: str

    def describe(self) -> str:
        """'write Resize_3 as nearest, asymmetric, floor'."""
        return f"write {self.layer} as nearest, asymmetric, floor"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Resize in the other form, or why it would pick other elements."""
        layer = _resize(graph, layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        node = layer.core
        if node.text("mode", "nearest") != "nearest":
            mode = node.text("mode", "nearest")
            return Refusal(
                f"{self.layer} is {mode}; its values are not elements of the input", "use resize-nearest"
            )
        sizes = _sizes(graph, layer)
        if sizes is None:
            return Refusal(
                f"the sizes {self.layer} reads and writes are not known, or larger than any the compiler takes"
            )
        for axis, (before, after) in enumerate(zip(*sizes, strict=True)):
            factor = _factor(graph, node, axis, before, after)
            now = _picked(node, before, after, factor)
            if now is None:
                return Refusal(
                    f"{self.layer} uses the coordinates {_coordinates(node)}, which npuscope does not compare"
                )
            wanted = np.clip(np.floor(np.arange(after) / factor), 0, before - 1)
            if not np.array_equal(now, wanted):
                return Refusal(
                    f"{self.layer} takes {before} to {after} on axis {axis}, where {_coordinates(node)} picks "
                    f"{int(np.count_nonzero(now != wanted))} other elements than asymmetric with floor",
                    "use resize-nearest if that is close enough",
                )
        return Patch(frozenset(), (), replace={node.name: rewired(node, **FORM)})


EXAMPLE_RESIZE_NEAREST = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class ResizeNearest(Declared):
    """Replace a linear or cubic Resize (or a nearest one that picks other elements) by nearest, asymmetric, floor."""

    declaration: ClassVar[Declaration] = Declaration(
        "resize-nearest",
        Exactness.APPROXIMATE,
        "Each value becomes an element nearby: an edge may move by a pixel.",
        operators=("Resize",),
        answers=("N504",),
        example=EXAMPLE_RESIZE_NEAREST,
    )

    layer: str

    def describe(self) -> str:
        """'resize Resize_3 to the nearest element'."""
        return f"resize {self.layer} to the nearest element"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Resize in the NPU's form, or why it has it already."""
        layer = _resize(graph, layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        dropped = {
            "cubic_coeff_a": None,
            "exclude_outside": None,
            "antialias": None,
            "extrapolation_value": None,
        }
        if layer.core.attribute("antialias") is None:
            del dropped["antialias"]
        return Patch(frozenset(), (), replace={layer.core.name: rewired(layer.core, **FORM, **dropped)})


def _resize(graph: Graph, layers: Layers, name: str) -> Layer | Refusal:
    layer = layer_named(layers, name)
    if isinstance(layer, Refusal):
        return layer
    node = layer.core
    if node.op != "Resize" or not node.standard:
        return Refusal(f"{name} is {with_article(layer.op)}, not a Resize")
    if graph.opset < SINCE:
        return Refusal(f"opset {graph.opset} knows one form of Resize only; convert the model to {SINCE}")
    form = (node.text("mode", "nearest"), _coordinates(node), node.text("nearest_mode", "round_prefer_floor"))
    if form == tuple(FORM.values()):
        return Refusal(f"{name} is nearest, asymmetric and floor already")
    if _coordinates(node) == "tf_crop_and_resize":
        return Refusal(f"{name} crops as well as resizes")
    return layer


def _coordinates(node: Node) -> str:
    return node.text("coordinate_transformation_mode", "half_pixel")


def _sizes(graph: Graph, layer: Layer) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    before, after = graph.type(layer.core.input(0)).dims, graph.type(layer.core.output(0)).dims
    if before is None or after is None or len(before) != len(after):
        return None
    most = machine_limits().dimension
    return (before, after) if max((*before, *after), default=0) <= most else None


def _factor(graph: Graph, node: Node, axis: int, before: int, after: int) -> float:
    """The scale of an axis: as the model states it, or by the sizes."""
    scales = graph.value(node.input(2)) if node.input(2) else None
    axes = node.integers("axes")
    if scales is not None and scales.size:
        if axes is None:
            return float(scales[axis])
        return float(scales[axes.index(axis)]) if axis in axes else 1.0
    return after / before


_ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda place: np.asarray(np.ceil(place - 0.5)),
    "round_prefer_ceil": lambda place: np.asarray(np.floor(place + 0.5)),
    "floor": lambda place: np.asarray(np.floor(place)),
    "ceil": lambda place: np.asarray(np.ceil(place)),
}


def _picked(node: Node, before: int, after: int, factor: float) -> Array | None:
    """The element each output takes, None for coordinates that are not computed here."""
    bounded(after)
    x = np.arange(after, dtype=np.float64)
    mode = _coordinates(node)
    if before == after and factor == 1.0:
        return x
    if mode == "asymmetric":
        place = x / factor
    elif mode == "half_pixel":
        place = (x + 0.5) / factor - 0.5
    elif mode == "pytorch_half_pixel":
        place = (x + 0.5) / factor - 0.5 if after > 1 else x * 0
    elif mode == "align_corners":
        place = x * (before - 1) / (after - 1) if after > 1 else x * 0
    else:
        return None
    rounding = _ROUNDINGS.get(node.text("nearest_mode", "round_prefer_floor"))
    if rounding is None or not math.isfinite(factor) or factor <= 0:
        return None
    return np.asarray(np.clip(rounding(place), 0, before - 1))
