"""Run two models on the same inputs and compare their outputs.

Exit status 1 where an output differs.

Examples:
  npuscope verify model.onnx fixed.onnx
  npuscope verify model.onnx fixed.onnx --where --inputs samples.npz
  npuscope verify float.onnx int8.onnx --layers --inputs samples.npz
  npuscope verify float.onnx int8.onnx --metric accuracy.py --inputs test.npy --labels labels.npy
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.cli.common import DONE, FOUND, color_option, decibels, sample_options
from npuscope.cli.console import coloured, print_json, print_text
from npuscope.cli.inputs import given_options, given_samples

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
        help="name the first layer with different numbers and, if npuscope made B from A, the edit that causes them",
    )
    parser.add_argument(
        "--layers",
        action="store_true",
        help="show what each layer of B loses itself and what it inherits, with A (the float model) as the reference",
    )
    color_option(parser)
    parser.add_argument(
        "--fail-below",
        type=decibels,
        metavar="DB",
        help="exit status 1 only if an output (with --layers, a layer on its own) keeps fewer than so many dB",
    )
    parser.add_argument(
        "--metric",
        metavar="FILE.py",
        help="score both models with metric(outputs, labels) of this file, on labelled inputs: --labels, or samples() "
        "of the same file",
    )
    parser.add_argument("--labels", metavar="FILE.npy", help="a label for each sample of --inputs")
    parser.add_argument(
        "--fail-drop",
        type=drop,
        metavar="X",
        help="with --metric: exit status 1 if a score of B differs from that of A by more than X",
    )
    sample_options(parser)
    given_options(parser)


def drop(text: str) -> float:
    """An option's type: a difference of scores."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a difference of scores, which is 0 or more")
    return value


def run(options: argparse.Namespace) -> int:
    """Run `verify`."""
    from npuscope.model.load import load
    from npuscope.numbers.blame import first_difference
    from npuscope.numbers.verify_models import verify as compare
    from npuscope.reports.several.verify_report import blame_text, verification_text

    source, other = load(options.a), load(options.b)
    if options.metric:
        return _metric(options, source, other)
    if options.layers:
        return _layers(options, source, other)
    supplied = options.inputs is not None or options.reader is not None
    inputs = _samples(options, source, other)
    verification = compare(source, other, options.samples, options.seed, inputs if supplied else None)
    parting = culprit = None
    if options.where and not verification.bit_exact:
        parting = first_difference(source, other, inputs=inputs)
        culprit = _culprit(source, other, inputs)
    if options.json:
        report = verification.to_json()
        if options.where:
            report["first_layer"] = None if parting is None else parting.to_json()
            report["first_edit"] = None if culprit is None else culprit.to_json()
        print_json(report)
    else:
        print_text(verification_text(verification))
        if options.where and not verification.bit_exact:
            print_text(blame_text(culprit, parting))
    if options.fail_below is not None:
        return FOUND if below(verification.sqnr_db_min, options.fail_below) else DONE
    return DONE if verification.bit_exact else FOUND


def _layers(options: argparse.Namespace, source: Source, other: Source) -> int:
    """Each layer's own error; exit status 1 where one is below --fail-below."""
    from npuscope.numbers.layer_accuracy import layer_accuracy
    from npuscope.reports.several.accuracy_report import accuracy_json, accuracy_text

    seed = None if options.inputs or options.reader else options.seed
    samples = _samples(options, source, other)
    accuracy = layer_accuracy(source, other, samples)
    if options.json:
        print_json(accuracy_json(accuracy, seed))
    else:
        print_text(accuracy_text(accuracy, seed, coloured(options.color)))
    least = options.fail_below
    failed = least is not None and any(below(layer.own_sqnr_db, least) for layer in accuracy.layers)
    return FOUND if failed else DONE


def _metric(options: argparse.Namespace, source: Source, other: Source) -> int:
    """Both models scored by the user's own function."""
    from npuscope.model.errors import ModelError
    from npuscope.numbers.user_supplied.metric import Metric, read_labels, scores
    from npuscope.reports.several.metric_report import metric_json, metric_text

    metric = Metric(options.metric)
    own = metric.own_samples(source)
    chosen = given_samples(options, source)
    if chosen is not None and options.labels:
        samples, labels = chosen, read_labels(options.labels, len(chosen))
    elif own is not None and chosen is None:
        samples, labels = own
    else:
        raise ModelError(
            f"--metric: needs labelled inputs: --inputs with --labels, or samples() in {options.metric} that gives "
            "dicts with a 'label'"
        )
    result = scores(source, other, metric, samples, labels)
    print_json(metric_json(result)) if options.json else print_text(metric_text(result))
    limit = options.fail_drop
    return (
        FOUND if limit is not None and any(abs(result.b[k] - result.a[k]) > limit for k in result.a) else DONE
    )


def _samples(options: argparse.Namespace, source: Source, other: Source) -> tuple[Sample, ...]:
    """The user's, else random ones in the range of whichever model quantizes its inputs."""
    from npuscope.numbers.verify_models import samples_for_both

    samples = given_samples(options, source)
    if samples is not None:
        return samples
    return samples_for_both(source, other, options.samples, options.seed)


def below(ratio: float | None, least: float) -> bool:
    """A ratio in dB is smaller; one that is None belongs to equal numbers."""
    return ratio is not None and ratio < least


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
