"""Shape rules of operators that move values; `RULES` has those that make and resample them too."""

from __future__ import annotations

from npuscope.model.inference.call import MOST_RANK, Answer, Call, Rule, axis_at, product, size, unknown_rank
from npuscope.model.inference.making import (
    compress,
    constant,
    filled,
    non_max_suppression,
    non_zero,
    number_of_elements,
    one_hot,
    random,
    random_like,
    range_,
    shape_of,
    unique,
)
from npuscope.model.inference.spatial import (
    affine_grid,
    center_crop_pad,
    depth_to_space,
    grid_sample,
    max_unpool,
    resize,
    roi_align,
    space_to_depth,
)
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.tensors import Dim, TensorType


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
    total, rest = product(left), product(right)
    if total is None or not rest:
        return None
    return total // rest if total % rest == 0 else None


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
    removed = {axis_at(axis, len(data)) for axis in axes}
    if None in removed:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), tuple(d for i, d in enumerate(data) if i not in removed))


def unsqueeze(call: Call) -> Answer:
    data, axes = call.shape(), call.axes(1)
    if data is None or axes is None or len(axes) > MOST_RANK:
        return TensorType(call.dtype(), None)
    rank = len(data) + len(axes)
    new = {axis_at(axis, rank) for axis in axes}
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
    axis = axis_at(call.node.integer("axis", 1), rank)
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
    axis = axis_at(call.node.integer("axis", 0), len(data))
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
        place = axis_at(axis, len(data))
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
    axis = axis_at(call.node.integer("axis", 0), len(data))
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
        place = axis_at(axis, rank)
        if place is None:
            return TensorType(call.dtype(), unknown_rank(rank))
        dim = data[place]
        out[place] = size(dim + pads[i] + pads[i + len(axes)]) if isinstance(dim, int) else None
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
