"""Samples as a user states them in a line: a path, the preparation of the images in it, or a data reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.numbers.runner import Sample
from npuscope.numbers.user_supplied.images import LAYOUTS, ORDERS, Preparation, image_samples, images_in
from npuscope.places import expanded, is_there

PREPARED = re.compile(r"(?:\s+(?:mean|std|size|layout|order)=\S+)+\s*$")
"""What may stand behind the folder of images: 'photos mean=0.5 std=0.5 order=bgr'."""

READER = ".py"

ARRAYS = frozenset({".npy", ".npz"})


def preparation(stated: Mapping[str, str], prefix: str = "") -> Preparation | None:
    """How images are prepared, from words; None where nothing is said. `prefix` is that of the names in messages.

    Raises ModelError.
    """
    settings = {name: text for name, text in stated.items() if text}
    if not settings.keys() - {"order"}:
        return None
    if not {"mean", "std"} <= settings.keys():
        raise ModelError(
            f"{prefix}mean and {prefix}std: give both; 0 and 1 leave pixels from 0 to 1 as they are"
        )
    size = None
    if "size" in settings:
        width, _, height = settings["size"].lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and len(settings["size"]) < 12):
            raise ModelError(f"{prefix}size {settings['size'][:20]}: give width and height, as 224x224")
        size = (int(height), int(width))
    layout, order = settings.get("layout", ""), settings.get("order", ORDERS[0])
    for name, word, known in (("layout", layout, ("", *LAYOUTS)), ("order", order, ORDERS)):
        if word not in known:
            raise ModelError(f"{prefix}{name} {word[:20]!r}: give {' or '.join(filter(None, known))}")
    return Preparation(
        _numbers(f"{prefix}mean", settings["mean"]),
        _numbers(f"{prefix}std", settings["std"]),
        size,
        layout,
        order,
    )


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(isfinite(value) for value in values):
        raise ModelError(f"{name} {text[:40]!r}: give a number, or one a channel with commas between")
    return values


def stated_samples(text: str, source: Source, limit: int | None = None) -> tuple[Sample, ...] | None:
    """Samples of images or of a reader; None where the text is a path of arrays. Raises ModelError."""
    prepared = PREPARED.search(text) if not is_there(text) else None
    if prepared is not None:
        words = dict(word.split("=", 1) for word in prepared[0].split())
        place = expanded(text[: prepared.start()].strip())
        how = preparation(words)
        if how is None:
            raise ModelError(f"{place}: say how images are prepared: mean=M,M,M std=S,S,S")
        return image_samples(place, source, how, limit)
    place = Path(text)
    if place.suffix == READER:
        from npuscope.numbers.inputs import from_mappings
        from npuscope.numbers.user_supplied.modules import user_module, user_samples

        return from_mappings(place, user_samples(text, user_module(text)), source, limit)
    if images_in(place) and not any(path.suffix in ARRAYS for path in place.iterdir()):
        raise ModelError(
            f"{place}: holds images; say behind it how they are prepared, of pixels from 0 to 1: mean=M,M,M std=S,S,S"
        )
    return None
