"""The samples a command line names: arrays, images with their preparation, or a data reader."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.model.load import Source
    from npuscope.numbers.runner import Sample
    from npuscope.numbers.user_supplied.images import Preparation


def given_options(parser: argparse.ArgumentParser) -> None:
    """--reader and the preparation of images."""
    parser.add_argument(
        "--reader",
        metavar="FILE.py",
        help="samples from Python: samples(), which yields dicts of arrays, or a class with get_next() like onnxruntime's CalibrationDataReader",
    )
    group = parser.add_argument_group(
        "images",
        "how images in the folder of --inputs become inputs; needs Pillow (pip install npuscope[images])",
    )
    group.add_argument(
        "--image-mean",
        metavar="M,M,M",
        help="subtracted from pixels of 0 to 1; one value, or one per channel",
    )
    group.add_argument("--image-std", metavar="S,S,S", help="what they are then divided by")
    group.add_argument(
        "--image-size",
        metavar="WxH",
        help="checked against the model's input size, to which images are resized",
    )
    group.add_argument(
        "--image-layout",
        choices=("nchw", "nhwc"),
        help="position of the channels (default: from the input's shape)",
    )
    group.add_argument(
        "--image-order", choices=("rgb", "bgr"), default="rgb", help="order of colours (default rgb)"
    )


def given_samples(options: argparse.Namespace, source: Source) -> tuple[Sample, ...] | None:
    """The samples that --inputs or --reader name, None where neither is given. Raises ModelError."""
    from pathlib import Path

    from npuscope.model.errors import ModelError
    from npuscope.numbers.sample_sources import samples_from

    how = _preparation(options)
    if options.reader:
        from npuscope.numbers.inputs import from_mappings
        from npuscope.numbers.user_supplied.modules import user_module, user_samples

        if options.inputs:
            raise ModelError("--reader: already provides the samples; leave out --inputs")
        return from_mappings(
            Path(options.reader), user_samples(options.reader, user_module(options.reader)), source
        )
    if not options.inputs:
        if how is not None:
            raise ModelError("--image-mean: says how images are prepared; name their folder with --inputs")
        return None
    from npuscope.numbers.user_supplied.images import image_samples, images_in

    place = Path(options.inputs)
    if how is not None:
        return image_samples(place, source, how)
    if images_in(place) and not any(path.suffix in (".npy", ".npz") for path in place.iterdir()):
        raise ModelError(
            f"{place}: holds images; say how they are prepared: --image-mean M,M,M --image-std S,S,S, of pixels from 0 to 1"
        )
    return samples_from(options.inputs, source)


def _preparation(options: argparse.Namespace) -> Preparation | None:
    from npuscope.numbers.user_supplied.stated import preparation

    words = {
        name: getattr(options, f"image_{name}") or "" for name in ("mean", "std", "size", "layout", "order")
    }
    return preparation(words, "--image-")
