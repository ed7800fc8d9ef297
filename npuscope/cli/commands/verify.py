"""Run two models on the same inputs and compare their outputs.

Exit status 1 where an output differs.

Examples:
  npuscope verify model.onnx fixed.onnx
  npuscope verify model.onnx fixed.onnx --where --inputs samples.npz
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.cli.common import DONE, FOUND, sample_options
from npuscope.cli.console import print_json, print_text

if TYPE_CHECKING:
    from npuscope.model.load import Source
    from npuscope.numbers.blame import Culprit
    from npuscope.numbers.runner import Sample


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("a", metavar="A", help="the original model")
    parser.add_argument("b", metavar="B", help="the model to compare with it")
    parser.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.verify/1)")
    parser.add_argument(
        "--where",
        action="store_true",
        help="say which layer is the first to give other numbers, and, where npuscope made B from A, which edit does",
    )
    sample_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run `verify`."""
    from npuscope.model.load import load
    from npuscope.numbers.blame import first_difference
    from npuscope.numbers.sample_sources import samples_or_random
    from npuscope.numbers.verify_models import verify as compare
    from npuscope.reports.verify_report import blame_text, verification_text

    source, other = load(options.a), load(options.b)
    given = options.inputs is not None
    inputs = samples_or_random(options.inputs, source, options.samples, options.seed)
    found = compare(source, other, options.samples, options.seed, inputs if given else None)
    parting = culprit = None
    if options.where and not found.bit_exact:
        parting = first_difference(source, other, inputs=inputs)
        culprit = _culprit(source, other, inputs)
    if options.json:
        said = found.to_json()
        if options.where:
            said["first_layer"] = None if parting is None else parting.to_json()
            said["first_edit"] = None if culprit is None else culprit.to_json()
        print_json(said)
    else:
        print_text(verification_text(found))
        if options.where and not found.bit_exact:
            print_text(blame_text(culprit, parting))
    return DONE if found.bit_exact else FOUND


def _culprit(source: Source, other: Source, inputs: tuple[Sample, ...]) -> Culprit | None:
    """The first edit that changes an output, where the other model says with which edits it was made of the first."""
    from npuscope.edits.edit import Refusal
    from npuscope.files.recipe import load, replay
    from npuscope.machine.catalogue import DEFAULT_TOOLCHAIN
    from npuscope.machine.machine import target
    from npuscope.model.errors import ModelError
    from npuscope.numbers.blame import bisect

    try:
        session = replay(source, load(other.path), target(DEFAULT_TOOLCHAIN))
    except ModelError:
        return None
    return None if isinstance(session, Refusal) else bisect(session, inputs=inputs)
