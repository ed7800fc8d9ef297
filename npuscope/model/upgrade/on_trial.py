"""Operators that ONNX had on trial up to opset 9, written out in operators that stayed.

Exporters of 2018 (WinML, Caffe2) wrote them. ONNX took them back; onnxruntime still runs them up to opset 9.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npuscope.model.upgrade.writing import NoFormError, Writing

_HEIGHT_AND_WIDTH = [2, 3]
_TO_THE_END = (1 << 31) - 1


def _affine(w: Writing) -> None:
    w.last("Add", w.make("Mul", w.input(0), w.number(w.real("alpha", 1.0))), w.number(w.real("beta", 0.0)))


def _scale(w: Writing) -> None:
    w.last("Mul", w.input(0), w.number(w.real("scale", 1.0)))


def _scaled_tanh(w: Writing) -> None:
    inner = w.make("Tanh", w.make("Mul", w.input(0), w.number(w.real("beta", 1.0))))
    w.last("Mul", inner, w.number(w.real("alpha", 1.0)))


def _softplus(w: Writing) -> None:
    inner = w.make("Softplus", w.make("Mul", w.input(0), w.number(w.real("beta", 1.0))))
    w.last("Mul", inner, w.number(w.real("alpha", 1.0)))


def _thresholded(w: Writing) -> None:
    data = w.input(0)
    above = w.make("Greater", data, w.number(w.real("alpha", 1.0)))
    w.last("Mul", data, w.make("Cast", above, to=w.element(data)))


def _image_scaler(w: Writing) -> None:
    bias = np.array(w.reals("bias"), np.float32).reshape(1, -1, 1, 1)
    if not bias.size:
        raise NoFormError("ImageScaler has no attribute 'bias'")
    w.last("Add", w.make("Mul", w.input(0), w.number(w.real("scale", 1.0))), w.constant(bias))


def _crop(w: Writing) -> None:
    """`border` is left, top, right, bottom; `scale`, where it is given, height and width."""
    border, size = w.integers("border"), w.integers("scale")
    if len(border) != 4 or len(size) not in (0, 2):
        raise NoFormError("Crop needs a border of 4 numbers, and a scale of 2 where it has one")
    left, top, right, bottom = border
    ends = [-bottom or _TO_THE_END, -right or _TO_THE_END]
    if size:
        ends = [top + size[0], left + size[1]]
    w.last("Slice", w.input(0), axes=_HEIGHT_AND_WIDTH, starts=[top, left], ends=ends)


def _normalization(w: Writing) -> None:
    # Over the batch as well, as onnxruntime has it and ONNX's own operator since opset 9 by default.
    axes = [0, 1, *_HEIGHT_AND_WIDTH] if w.integer("across_channels", 0) else [0, *_HEIGHT_AND_WIDTH]
    divided = w.integer("normalize_variance", 1)
    mean = w.make("ReduceMean", w.input(0), axes=axes, keepdims=1)
    if not divided:
        w.last("Sub", w.input(0), mean)
        return
    difference = w.make("Sub", w.input(0), mean)
    variance = w.make("ReduceMean", w.make("Mul", difference, difference), axes=axes, keepdims=1)
    w.last("Div", difference, w.make("Sqrt", variance))


FORMS: dict[str, tuple[int, Callable[[Writing], None]]] = {
    "Affine": (9, _affine),
    "Scale": (9, _scale),
    "ScaledTanh": (9, _scaled_tanh),
    "ParametricSoftplus": (9, _softplus),
    "ThresholdedRelu": (9, _thresholded),
    "ImageScaler": (9, _image_scaler),
    "Crop": (9, _crop),
    "MeanVarianceNormalization": (8, _normalization),
}
"""Operator -> the last opset in which it is on trial, and how it is written out."""
