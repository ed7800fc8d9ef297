"""Images as samples of a model with one input, prepared as the user states it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from npuscope.model.errors import ModelError, one_line
from npuscope.model.load import Source
from npuscope.model.tensors import Array
from npuscope.numbers.inputs import input_shape
from npuscope.numbers.runner import Sample
from npuscope.places import is_file, is_folder
from npuscope.record import dataclass

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})

MOST_IMAGES = 10_000

MOST_PIXELS = 1 << 26
"""Larger images are not opened: a small file may claim billions of pixels."""

LAYOUTS = ("nchw", "nhwc")
ORDERS = ("rgb", "bgr")


@dataclass(frozen=True, slots=True)
class Preparation:
    """How an image becomes an input: resized, divided by 255, less `mean`, divided by `std`.

    1. `mean` and `std` have a value for each channel, or one for all, of pixels from 0 to 1.
    2. `size` is (height, width), by default the model's; `layout` by default where the input has 1 or 3 channels.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None
    layout: str = ""
    order: str = "rgb"


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, in the order of their names. Raises ModelError where it cannot be listed."""
    if not is_folder(folder):
        return []
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise ModelError(f"{folder}: cannot be read ({error.strerror or error})") from error
    return [path for path in names if path.suffix.lower() in SUFFIXES and is_file(path)]


def image_samples(
    folder: Path, source: Source, how: Preparation, limit: int | None = None
) -> tuple[Sample, ...]:
    """The images of a folder as samples. Raises ModelError where they cannot be, or Pillow is not installed."""
    try:
        library: Any = import_module("PIL.Image")
    except ImportError:
        raise ModelError(
            f"{folder}: holds images, which Pillow reads: pip install 'npuscope[images]', or save arrays (.npy)"
        ) from None
    if len(source.graph.inputs) != 1:
        raise ModelError(
            f"{folder}: holds images, the model has {len(source.graph.inputs)} inputs; save a .npz for each"
        )
    (name,) = source.graph.inputs
    layout, channels, size = _form(source, name, how)
    mean, std = (
        _values(what, values, channels)
        for what, values in (("--image-mean", how.mean), ("--image-std", how.std))
    )
    if not (std > 0).all():
        raise ModelError("--image-std: pixels are divided by it; each value must be above 0")
    paths = images_in(folder)
    if not paths:
        raise ModelError(f"{folder}: holds no images ({', '.join(sorted(SUFFIXES))})")
    samples = []
    for path in islice(paths, MOST_IMAGES if limit is None else limit):
        pixels = _pixels(library, path, channels, size)
        if channels == 3 and how.order == "bgr":
            pixels = pixels[..., ::-1]
        values = (pixels / np.float32(255) - mean) / std
        values = values if layout == "nhwc" else np.moveaxis(values, -1, 0)
        samples.append({name: np.ascontiguousarray(values[None], np.float32)})
    return tuple(samples)


def _form(source: Source, name: str, how: Preparation) -> tuple[str, int, tuple[int, int]]:
    """Layout, channels and (height, width) of the input. Raises ModelError."""
    shape, dtype = input_shape(source, name), source.graph.type(name).dtype
    if dtype != "float32":
        raise ModelError(f"{source.path}: input {name!r} takes {dtype}; images are made for float32 inputs")
    layouts = [
        layout
        for layout, axis in (("nchw", 1), ("nhwc", 3))
        if len(shape) == 4 and shape[0] == 1 and shape[axis] in (1, 3) and how.layout in ("", layout)
    ]
    if not layouts:
        listed = "×".join(map(str, shape))
        raise ModelError(
            f"{source.path}: input {name!r} takes {listed}, which is not an image of 1 or 3 channels"
        )
    layout = layouts[0]
    channels, size = (shape[1], shape[2:]) if layout == "nchw" else (shape[3], shape[1:3])
    if how.size is not None and how.size != size:
        raise ModelError(f"--image-size: input {name!r} takes images of {size[1]}x{size[0]}, width first")
    return layout, channels, (size[0], size[1])


def _values(option: str, values: Sequence[float], channels: int) -> Array:
    if len(values) not in (1, channels):
        raise ModelError(f"{option}: gives {len(values)} values, the input has {channels} channels")
    return np.asarray(values, np.float32)


def _pixels(library: Any, path: Path, channels: int, size: tuple[int, int]) -> Array:
    try:
        with library.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ModelError(f"{path}: has {image.width}x{image.height} pixels, more than an input needs")
            plain = image.convert("L" if channels == 1 else "RGB")
            resized = plain.resize((size[1], size[0]), library.Resampling.BILINEAR)
    except ModelError:
        raise
    except Exception as error:  # a damaged image raises whatever its decoder does
        raise ModelError(f"{path}: cannot be read as an image ({one_line(str(error), 80)})") from error
    return np.asarray(resized, np.float32).reshape(*size, channels)
