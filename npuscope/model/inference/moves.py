"""Shape rules of operators that move values, make them from a shape, or tell sizes."""

from __future__ import annotations

import math

import numpy as np

from npuscope.model.graph import attribute_value
from npuscope.model.inference.call import Answer, Call, at, product, size, unknown_rank
from npuscope.model.inference.compute import Rule
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.tensors import Dim, TensorType, dtype_name

MOST_RANK = 64
"""Ranks above this are not followed."""


def reshape(call: Call) -> Answer:
    data, dtype = call.shape(), call.dtype()
    target: tuple[Dim, ...] | None = call.sizes(1) if call.has(1) else call.node.integers("shape")
    if target is None or len(target) > MOST_RANK:
        return TensorType(dtype, None)
    keep_zero = bool(call.node.integer("allowzero", 0))
    out: list[Dim] = []
    open_at: int | None = None
    for i, dim in enumerate(target):
        if dim == 0 and not keep_zero:
            out.append(data[i] if data is not None and i < len(data) else None)
        elif dim == -1:
            open_at = i
            out.append(None)
        else:
            out.append(dim if not isinstance(dim, int) else size(dim))
    if open_at is not None and data is not None:
        out[open_at] = _remainder(data, [d for i, d in enumerate(out) if i != open_at])
    elif open_at is None and data is not None and out.count(None) == 1 and product(data) is not None:
        place = out.index(None)
        out[place] = _remainder(data, out[:place] + out[place + 1 :])
    return TensorType(dtype, tuple(out))


def _remainder(data: Shape, others: list[Dim]) -> Dim:
    """The size that is left for one dimension; sizes with the same name on both sides cancel out."""
    left, right = list(data), list(others)
    for dim in data:
        if isinstance(dim, str) and dim in right:
            left.remove(dim)
            right.remove(dim)
    names = [dim for dim in left if not isinstance(dim, int)]
    if len(names) == 1 and isinstance(names[0], str):
        left.remove(names[0])
        if product(left) == product(right) != 0:
            return names[0]
        return None
    whole, rest = product(left), product(right)
    if whole is None or not rest:
        return None
    return whole // rest if whole % rest == 0 else None


def flatten(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType(call.dtype(), unknown_rank(2))
    axis = call.node.integer("axis", 1)
    axis = axis + len(data) if axis < 0 else axis
    if not 0 <= axis <= len(data):
        return TensorType(call.dtype(), unknown_rank(2))
    return TensorType(call.dtype(), (product(data[:axis]), product(data[axis:])))


def squeeze(call: Call) -> Answer:
    data, axes = call.shape(), call.axes(1)
    if data is None or (axes is None and call.has(1)):
        return TensorType(call.dtype(), None)
    if axes is None:
        if not all(isinstance(d, int) for d in data):
            return TensorType(call.dtype(), None)
        return TensorType(call.dtype(), tuple(d for d in data if d != 1))
    gone = {at(axis, len(data)) for axis in axes}
    if None in gone:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), tuple(d for i, d in enumerate(data) if i not in gone))


def unsqueeze(call: Call) -> Answer:
    data, axes = call.shape(), call.axes(1)
    if data is None or axes is None or len(axes) > MOST_RANK:
        return TensorType(call.dtype(), None)
    rank = len(data) + len(axes)
    new = {at(axis, rank) for axis in axes}
    if None in new or len(new) != len(axes):
        return TensorType(call.dtype(), None)
    rest = iter(data)
    return TensorType(call.dtype(), tuple(1 if i in new else next(rest) for i in range(rank)))


def transpose(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType(call.dtype(), None)
    perm = call.node.integers("perm")
    if perm is None:
        return TensorType(call.dtype(), tuple(reversed(data)))
    if sorted(perm) != list(range(len(data))):
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), tuple(data[i] for i in perm))


def concat(call: Call) -> Answer:
    shapes = [type_.shape for type_ in call.types]
    dtype = next((t.dtype for t in call.types if t.dtype != "unknown"), "unknown")
    ranks = {len(s) for s in shapes if s is not None}
    if len(ranks) != 1:
        return TensorType(dtype, None)
    rank = ranks.pop()
    axis = at(call.node.integer("axis", 1), rank)
    if axis is None:
        return TensorType(dtype, None)
    out: list[Dim] = []
    for i in range(rank):
        dims = [s[i] if s is not None else None for s in shapes]
        if i == axis:
            out.append(size(sum(dims)) if all(isinstance(d, int) for d in dims) else None)  # type: ignore[arg-type]
        else:
            out.append(next((d for d in dims if isinstance(d, int)), dims[0]))
    return TensorType(dtype, tuple(out))


def split(call: Call) -> Answer:
    data, count = call.shape(), len(call.node.outputs)
    if data is None:
        return (TensorType(call.dtype(), None),) * count
    axis = at(call.node.integer("axis", 0), len(data))
    if axis is None:
        return (TensorType(call.dtype(), None),) * count
    lengths: tuple[Dim, ...] | None = call.sizes(1) if call.has(1) else call.node.integers("split")
    dim = data[axis]
    if lengths is None and not call.has(1) and isinstance(dim, int):
        parts = call.node.integer("num_outputs", count) or count
        each = -(-dim // parts) if parts > 0 else 0
        lengths = tuple(size(min(each, dim - each * i)) for i in range(min(count, 1 << 16)))
    if lengths is None or len(lengths) != count:
        lengths = (None,) * count
    return tuple(TensorType(call.dtype(), (*data[:axis], n, *data[axis + 1 :])) for n in lengths)


def slice_(call: Call) -> Answer:
    data, dtype = call.shape(), call.dtype()
    if data is None:
        return TensorType(dtype, None)
    from_inputs = call.has(1)
    starts = call.sizes(1) if from_inputs else call.node.integers("starts")
    ends = call.sizes(2) if from_inputs else call.node.integers("ends")
    axes = call.axes(3)
    steps = call.numbers(4) if call.has(4) else None
    if starts is None or ends is None or len(starts) != len(ends) or (axes is None and call.has(3)):
        return TensorType(dtype, unknown_rank(len(data)))
    axes = tuple(range(len(starts))) if axes is None else axes
    if steps is None:
        steps = (None,) * len(starts) if call.has(4) else (1,) * len(starts)  # type: ignore[assignment]
    if not len(axes) == len(starts) == len(steps):  # type: ignore[arg-type]
        return TensorType(dtype, unknown_rank(len(data)))
    out = list(data)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):  # type: ignore[arg-type]
        place = at(axis, len(data))
        if place is None:
            return TensorType(dtype, unknown_rank(len(data)))
        out[place] = _sliced(data[place], start, end, step)
    return TensorType(dtype, tuple(out))


def _sliced(dim: Dim, start: Dim, end: Dim, step: int | None) -> Dim:
    if start == 0 and step == 1 and isinstance(end, int) and end >= (1 << 31) - 1:
        return dim
    if not (isinstance(dim, int) and isinstance(start, int) and isinstance(end, int)) or not step:
        return None
    return len(range(*slice(start, end, step).indices(dim)))


def gather(call: Call) -> Answer:
    data, chosen = call.shape(0), call.shape(1)
    if data is None or chosen is None:
        return TensorType(call.dtype(), None)
    axis = at(call.node.integer("axis", 0), len(data))
    if axis is None:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:axis], *chosen, *data[axis + 1 :]))


def gather_elements(call: Call) -> Answer:
    return TensorType(call.dtype(), call.shape(1))


def gather_nd(call: Call) -> Answer:
    data, chosen = call.shape(0), call.shape(1)
    batch = call.node.integer("batch_dims", 0)
    if data is None or not chosen or not isinstance(chosen[-1], int):
        return TensorType(call.dtype(), None)
    if not 0 <= batch + chosen[-1] <= len(data):
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*chosen[:-1], *data[batch + chosen[-1] :]))


def expand(call: Call) -> Answer:
    return TensorType(call.dtype(), broadcast(call.shape(0), call.sizes(1)))


def tile(call: Call) -> Answer:
    data, times = call.shape(), call.numbers(1)
    if data is None:
        return TensorType(call.dtype(), None)
    if times is None or len(times) != len(data):
        return TensorType(call.dtype(), unknown_rank(len(data)))
    return TensorType(
        call.dtype(),
        tuple(size(d * n) if isinstance(d, int) else None for d, n in zip(data, times, strict=True)),
    )


def pad(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType(call.dtype(), None)
    rank = len(data)
    pads = call.numbers(1) if call.has(1) else call.node.integers("pads")
    axes = call.numbers(3) if call.has(3) else tuple(range(rank))
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        return TensorType(call.dtype(), unknown_rank(rank))
    out = list(data)
    for i, axis in enumerate(axes):
        place = at(axis, rank)
        if place is None:
            return TensorType(call.dtype(), unknown_rank(rank))
        dim = data[place]
        out[place] = size(dim + pads[i] + pads[i + len(axes)]) if isinstance(dim, int) else None
    return TensorType(call.dtype(), tuple(out))


def resize(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType(call.dtype(), None)
    old = call.node.op == "Upsample" or call.opset < 11
    stated = call.sizes(3) if call.has(3) and not old else None
    axes = call.node.integers("axes") or tuple(range(len(data)))
    places = [at(axis, len(data)) for axis in axes]
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


def shape_of(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType("int64", unknown_rank(1))
    return TensorType("int64", (len(bounded(data, call)),))


def bounded(data: Shape, call: Call) -> Shape:
    """The sizes that a Shape node is asked for."""
    rank = len(data)
    start, end = call.node.integer("start", 0), call.node.integer("end", rank)
    return data[_clamped(start, rank) : _clamped(end, rank)]


def _clamped(position: int, rank: int) -> int:
    return min(max(position + rank if position < 0 else position, 0), rank)


def number_of_elements(call: Call) -> Answer:
    return TensorType("int64", ())


def constant(call: Call) -> Answer:
    for attribute in call.node.proto.attribute:
        value = attribute_value(attribute)
        if attribute.name == "value_float":
            return TensorType("float32", ())
        if attribute.name == "value_int":
            return TensorType("int64", ())
        if attribute.name in ("value_floats", "value_ints") and isinstance(value, list):
            return TensorType("float32" if attribute.name == "value_floats" else "int64", (len(value),))
        if attribute.name == "value":
            return TensorType(dtype_name(attribute.t.data_type), tuple(attribute.t.dims))
    return None


def filled(call: Call) -> Answer:
    """ConstantOfShape."""
    value = next((a.t for a in call.node.proto.attribute if a.name == "value"), None)
    dtype = dtype_name(value.data_type) if value is not None else "float32"
    sizes = call.sizes(0)
    return TensorType(dtype, None if sizes is None or len(sizes) > MOST_RANK else tuple(
        size(d) if isinstance(d, int) else None for d in sizes
    ))  # fmt: skip


def random(call: Call) -> Answer:
    return TensorType(dtype_name(call.node.integer("dtype", 1)), call.node.integers("shape"))


def random_like(call: Call) -> Answer:
    stated = call.node.integer("dtype", 0)
    return TensorType(dtype_name(stated) if stated else call.dtype(), call.shape())


def range_(call: Call) -> Answer:
    ends = [call.array(i) for i in range(3)]
    if any(end is None or end.size != 1 or end.dtype.kind not in "iuf" for end in ends):
        return TensorType(call.dtype(), unknown_rank(1))
    start, limit, delta = (end.reshape(-1)[0].item() for end in ends if end is not None)
    return TensorType(call.dtype(), (range_length(start, limit, delta),))


def range_length(start: float, limit: float, delta: float) -> Dim:
    """How many values a Range makes; None where that is not a number."""
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return size(max(-((start - limit) // delta), 0)) if delta else None
    with np.errstate(all="ignore"):
        count = math.inf if not delta else (limit - start) / delta
    return size(max(math.ceil(count), 0)) if math.isfinite(count) else None


def one_hot(call: Call) -> Answer:
    data, depth = call.shape(0), call.array(1)
    if data is None:
        return TensorType(call.dtype(2), None)
    axis = at(call.node.integer("axis", -1), len(data) + 1)
    if axis is None:
        return TensorType(call.dtype(2), None)
    usable = (
        depth is not None
        and depth.size == 1
        and depth.dtype.kind in "iuf"
        and math.isfinite(depth.reshape(-1)[0])
    )
    count = size(int(depth.reshape(-1)[0])) if usable and depth is not None else None
    return TensorType(call.dtype(2), (*data[:axis], count, *data[axis:]))


def non_zero(call: Call) -> Answer:
    data = call.shape()
    return TensorType("int64", (None if data is None else len(data), None))


def non_max_suppression(call: Call) -> Answer:
    return TensorType("int64", (None, 3))


def compress(call: Call) -> Answer:
    data, axis = call.shape(), call.node.attribute("axis")
    if axis is None:
        return TensorType(call.dtype(), unknown_rank(1))
    place = at(axis, len(data)) if data is not None and isinstance(axis, int) else None
    if data is None or place is None:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:place], None, *data[place + 1 :]))


def unique(call: Call) -> Answer:
    data, axis = call.shape(), call.node.attribute("axis")
    row = TensorType("int64", unknown_rank(1))
    if axis is None:
        return (TensorType(call.dtype(), unknown_rank(1)), row, row, row)
    place = at(axis, len(data)) if data is not None and isinstance(axis, int) else None
    shape = None if data is None or place is None else (*data[:place], None, *data[place + 1 :])
    return (TensorType(call.dtype(), shape), row, row, row)


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
    stated = call.sizes(2)
    if stated is not None:
        return TensorType(call.dtype(), tuple(stated))
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
    places = [at(axis, len(data)) for axis in axes]
    if sizes is None or None in places or len(sizes) != len(axes):
        return TensorType(call.dtype(), unknown_rank(len(data)))
    out = list(data)
    for place, dim in zip(places, sizes, strict=True):
        out[place] = dim  # type: ignore[index]
    return TensorType(call.dtype(), tuple(out))


RULES: dict[str, Rule] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "Expand": expand,
    "Tile": tile,
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Shape": shape_of,
    "Size": number_of_elements,
    "Constant": constant,
    "ConstantOfShape": filled,
    "RandomNormal": random,
    "RandomUniform": random,
    "RandomNormalLike": random_like,
    "RandomUniformLike": random_like,
    "EyeLike": random_like,
    "Bernoulli": random_like,
    "Range": range_,
    "OneHot": one_hot,
    "NonZero": non_zero,
    "NonMaxSuppression": non_max_suppression,
    "Compress": compress,
    "Unique": unique,
    "GridSample": grid_sample,
    "AffineGrid": affine_grid,
    "RoiAlign": roi_align,
    "MaxUnpool": max_unpool,
    "CenterCropPad": center_crop_pad,
}
