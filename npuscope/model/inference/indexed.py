"""Values of operators that index, select or contract: folded where all they read is known."""

from __future__ import annotations

import math

import numpy as np

from npuscope.model.inference.call import axis_at
from npuscope.model.inference.values import Evaluator, TooLargeError, Values, bounded
from npuscope.model.tensors import Array

MOST_PRODUCTS = 1 << 30
MOST_LETTERS = 16


def _einsum(v: Values) -> Array:
    equation = v.node.text("equation", "").replace(" ", "")
    arrays = [a for a in v.arrays if a is not None]
    letters = {c for c in equation if c.isalpha()}
    if len(letters) > MOST_LETTERS or len(arrays) != len(v.arrays) or "." in equation:
        raise ValueError
    sizes: dict[str, int] = {}
    for term, array in zip(equation.split("->")[0].split(","), arrays, strict=True):
        sizes.update(zip(term, array.shape, strict=True))
    if math.prod(sizes.values()) > MOST_PRODUCTS:
        raise TooLargeError
    return np.asarray(np.einsum(equation, *arrays))


def _softmax(v: Values) -> Array:
    axis = v.node.integer("axis", -1 if v.opset >= 13 else 1)
    if v.opset < 13 and axis % v[0].ndim != v[0].ndim - 1:
        raise ValueError  # flattens behind the axis
    shifted = np.exp(v[0] - v[0].max(axis=axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=axis, keepdims=True))


def _mean(v: Values) -> Array:
    arrays = [a for a in v.arrays if a is not None]
    bounded(math.prod(np.broadcast_shapes(*(a.shape for a in arrays))))
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return np.asarray(total / np.asarray(len(arrays), total.dtype))


def _arg(largest: bool) -> Evaluator:
    def run(v: Values) -> Array:
        if v.node.integer("select_last_index", 0):
            raise ValueError
        axis = axis_at(v.node.integer("axis", 0), v[0].ndim)
        if axis is None:
            raise IndexError
        indices = np.argmax(v[0], axis) if largest else np.argmin(v[0], axis)
        return np.asarray(np.expand_dims(indices, axis) if v.node.integer("keepdims", 1) else indices)

    return run


def _gather_nd(v: Values) -> Array:
    if v.node.integer("batch_dims", 0):
        raise ValueError
    bounded(v[1].size // max(v[1].shape[-1], 1) * math.prod(v[0].shape[v[1].shape[-1] :]))
    return np.asarray(v[0][tuple(np.moveaxis(v[1].astype(np.int64), -1, 0))])


def _scatter_nd(v: Values) -> Array:
    if v.node.text("reduction", "none") != "none":
        raise ValueError
    bounded(v[0].size)
    out = v[0].copy()
    out[tuple(np.moveaxis(v[1].astype(np.int64), -1, 0))] = v[2]
    return out


def _scatter_elements(v: Values) -> Array:
    if v.node.text("reduction", "none") != "none":
        raise ValueError
    bounded(v[0].size)
    out = v[0].copy()
    np.put_along_axis(*_along(v, out), v[2], v.node.integer("axis", 0))
    return out


def _gather_elements(v: Values) -> Array:
    return np.take_along_axis(*_along(v, v[0]), v.node.integer("axis", 0))


def _along(v: Values, data: Array) -> tuple[Array, Array]:
    """The part of the data that indices are for, and these: numpy would spread a size of 1 over all, ONNX reaches the first."""
    indices = v[1].astype(np.int64)
    axis = axis_at(v.node.integer("axis", 0), data.ndim)
    if axis is None or indices.ndim != data.ndim:
        raise IndexError
    return data[tuple(slice(None if i == axis else n) for i, n in enumerate(indices.shape))], indices


def _one_hot(v: Values) -> Array:
    depth, axis = int(v[1].reshape(-1)[0]), v.node.integer("axis", -1)
    bounded(v[0].size * max(depth, 1))
    chosen = v[0].astype(np.int64)
    axis = axis + chosen.ndim + 1 if axis < 0 else axis
    hit = np.expand_dims(chosen % depth, axis) == np.arange(depth).reshape(
        [-1 if i == axis else 1 for i in range(chosen.ndim + 1)]
    )
    return np.asarray(np.where(hit, v[2][1], v[2][0]))


def _eye_like(v: Values) -> Array:
    if v[0].ndim != 2 or v.node.attribute("dtype") is not None:
        raise ValueError
    bounded(v[0].size)
    rows, columns = v[0].shape
    return np.asarray(np.eye(rows, columns, v.node.integer("k", 0), dtype=v[0].dtype))


def _leaky(v: Values) -> Array:
    slope = v.node.attribute("alpha")
    return np.where(v[0] < 0, v[0] * np.asarray(0.01 if slope is None else slope, v[0].dtype), v[0])


INDEXED: dict[str, Evaluator] = {
    "Einsum": _einsum,
    "Softmax": _softmax,
    "Mean": _mean,
    "ArgMax": _arg(True),
    "ArgMin": _arg(False),
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "ScatterElements": _scatter_elements,
    "GatherElements": _gather_elements,
    "OneHot": _one_hot,
    "EyeLike": _eye_like,
    "LeakyRelu": _leaky,
    "IsNaN": lambda v: np.isnan(v[0]),
    "Softplus": lambda v: np.asarray(np.logaddexp(v[0], np.asarray(0, v[0].dtype))),
}
"""Operator -> its value."""
