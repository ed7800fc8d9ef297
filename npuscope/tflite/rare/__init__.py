"""Operators that few files hold, each written out in a few of ONNX's."""

from npuscope.tflite.elementwise import Converter
from npuscope.tflite.rare import indexed, integers, steps, volumes, windows

CONVERTERS: dict[str, Converter] = {
    **indexed.CONVERTERS,
    **integers.CONVERTERS,
    **steps.CONVERTERS,
    **volumes.CONVERTERS,
    **windows.CONVERTERS,
}
