"""Shape rules of operators on images: sizes, samples and blocks."""

from __future__ import annotations

import math

import numpy as np

from npuscope.model.inference.call import Answer, Call, axis_at, size, unknown_rank
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import Dim, TensorType


def resize(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType(call.dtype(), None)
    old = call.node.op == "Upsample" or call.opset < 11
    stated = call.sizes(3) if call.has(3) and not old else None
    axes = call.node.integers("axes") or tuple(range(len(data)))
    places = [axis_at(axis, len(data)) for axis in axes]
    if None in places:
        return TensorType(call.dtype(), unknown_rank(len(data)))
    out: list[Dim] = list(data)
    policy = call.node.text("keep_aspect_ratio_policy", "stretch")
    if stated is not None and len(stated) == len(axes):
        if policy != "stretch":
            stated = _kept_aspect(data, places, stated, policy)  # type: ignore[arg-type]
        for place, dim in zip(places, stated, strict=True):
            out[place] = size(dim) if isinstance(dim, int) else None  # type: ignore[index]
        return TensorType(call.dtype(), tuple(out))
    value = call.array(1 if old else 2)
    scales = value.reshape(-1).tolist() if value is not None and value.dtype.kind == "f" else None
    if scales is None and old:
        attribute = call.node.attribute("scales")
        scales = attribute if isinstance(attribute, list) else None
    if not scales or len(scales) != len(axes):
        return TensorType(call.dtype(), unknown_rank(len(data)))
    crop = call.node.text("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    for place, scale in zip(places, scales, strict=True):
        dim = data[place]  # type: ignore[index]
        known = isinstance(dim, int) and not crop and math.isfinite(scale)
        out[place] = size(math.floor(dim * scale)) if known else None  # type: ignore[index]
    return TensorType(call.dtype(), tuple(out))


def _kept_aspect(data: Shape, places: list[int], stated: tuple[Dim, ...], policy: str) -> tuple[Dim, ...]:
    pairs = [(data[p], s) for p, s in zip(places, stated, strict=True)]
    if not all(isinstance(d, int) and d > 0 and isinstance(s, int) for d, s in pairs):
        return (None,) * len(stated)
    ratios = [s / d for d, s in pairs]  # type: ignore[operator]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return tuple(size(int(np.floor(scale * d + 0.5))) for d, _ in pairs)  # type: ignore[operator]


def depth_to_space(call: Call) -> Answer:
    data, block = call.shape(), call.node.integer("blocksize", 0)
    if data is None or len(data) != 4 or block < 1:
        return TensorType(call.dtype(), None)
    n, c, h, w = data
    return TensorType(call.dtype(), (n, _over(c, block * block), _by(h, block), _by(w, block)))


def space_to_depth(call: Call) -> Answer:
    data, block = call.shape(), call.node.integer("blocksize", 0)
    if data is None or len(data) != 4 or block < 1:
        return TensorType(call.dtype(), None)
    n, c, h, w = data
    return TensorType(call.dtype(), (n, _by(c, block * block), _over(h, block), _over(w, block)))


def _by(dim: Dim, factor: int) -> Dim:
    return size(dim * factor) if isinstance(dim, int) else None


def _over(dim: Dim, factor: int) -> Dim:
    return dim // factor if isinstance(dim, int) and dim % factor == 0 else None


def grid_sample(call: Call) -> Answer:
    data, grid = call.shape(0), call.shape(1)
    if data is None or grid is None or len(data) < 3 or len(grid) != len(data):
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:2], *grid[1:-1]))


def affine_grid(call: Call) -> Answer:
    sizes = call.sizes(1)
    if sizes is None or len(sizes) not in (4, 5):
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (sizes[0], *sizes[2:], len(sizes) - 2))


def roi_align(call: Call) -> Answer:
    data, regions = call.shape(0), call.shape(1)
    height, width = call.node.integer("output_height", 1), call.node.integer("output_width", 1)
    count = regions[0] if regions else None
    return TensorType(
        call.dtype(), (count, data[1] if data and len(data) > 1 else None, size(height), size(width))
    )


def max_unpool(call: Call) -> Answer:
    data = call.shape()
    if call.has(2):
        return TensorType(call.dtype(), call.sizes(2))
    kernel = call.node.integers("kernel_shape")
    if data is None or len(data) < 2 or kernel is None or len(kernel) != len(data) - 2:
        return TensorType(call.dtype(), None)
    rank = len(kernel)
    strides = call.node.integers("strides") or (1,) * rank
    pads = call.node.integers("pads") or (0,) * (2 * rank)
    if len(strides) != rank or len(pads) != 2 * rank:
        return TensorType(call.dtype(), None)
    out = [
        size((d - 1) * strides[i] + kernel[i] - pads[i] - pads[i + rank]) if isinstance(d, int) else None
        for i, d in enumerate(data[2:])
    ]
    return TensorType(call.dtype(), (*data[:2], *out))


def center_crop_pad(call: Call) -> Answer:
    data, sizes = call.shape(), call.sizes(1)
    if data is None:
        return TensorType(call.dtype(), None)
    axes = call.node.integers("axes") or tuple(range(len(data)))
    places = [axis_at(axis, len(data)) for axis in axes]
    if sizes is None or None in places or len(sizes) != len(axes):
        return TensorType(call.dtype(), unknown_rank(len(data)))
    out = list(data)
    for place, dim in zip(places, sizes, strict=True):
        out[place] = dim  # type: ignore[index]
    return TensorType(call.dtype(), tuple(out))
