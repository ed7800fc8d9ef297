"""Make an int8 model of a float one, calibrated on your samples, and say how it will run.

int8 activations and weights, scales per channel, Q/DQ around every operator (onnxruntime.quantization).

Examples:
  npuscope quantize float.onnx --inputs samples/ -o int8.onnx
  npuscope quantize float.onnx --inputs samples.npz --try      which setting suits the NPU
  npuscope quantize float.onnx --inputs samples/ --plan -o int8.onnx      and apply the edits that suit the NPU
  npuscope quantize float.onnx --inputs samples/ --repair --max-ms 5 -o int8.onnx     the most dB within 5 ms
  npuscope quantize float.onnx --inputs photos/ --image-mean 0.485,0.456,0.406 --image-std 0.229,0.224,0.225 -o int8.onnx
"""

from __future__ import annotations

import argparse
import sys

from npuscope.cli.common import (
    DONE,
    FOUND,
    build_of,
    existing,
    integer,
    known_name,
    milliseconds,
    open_model,
    output_options,
    target_options,
)
from npuscope.cli.console import note, print_json, print_text
from npuscope.cli.inputs import given_options, given_samples
from npuscope.model.names import printable
from npuscope.npu.figures import plural


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the float .onnx file")
    parser.add_argument(
        "--inputs",
        type=existing,
        metavar="PATH",
        help="samples to calibrate on: .npz, .npy, or a folder of them or of images",
    )
    given_options(parser)
    parser.add_argument(
        "--random",
        action="store_true",
        help="calibrate on random values instead: placement is right, accuracy is meaningless",
    )
    parser.add_argument(
        "--samples",
        type=integer(1, 10_000),
        default=8,
        metavar="N",
        help="how many with --random (default 8)",
    )
    parser.add_argument("--seed", type=integer(0, 2**32 - 1), default=0, metavar="N", help="seed of --random")
    parser.add_argument(
        "--method",
        choices=("minmax", "entropy", "percentile"),
        default="minmax",
        help="how ranges are determined",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--symmetric", action="store_true", help="zero point 0 for every activation")
    kind.add_argument(
        "--symmetric-where-it-pays",
        action="store_true",
        help="zero point 0 for the activations whose zero points cost time or compute cycles, as simulated; others keep theirs",
    )
    parser.add_argument("--per-tensor", action="store_true", help="one scale per weight, not one per channel")
    parser.add_argument(
        "--exclude", nargs="+", default=[], metavar="NODE", help="names of nodes to keep in float"
    )
    parser.add_argument(
        "--try",
        dest="trial",
        action="store_true",
        help="try every method, symmetric or not; -o writes the best",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="look for the most dB: equalize channels, clip outliers, keep single layers in float, correct biases",
    )
    parser.add_argument(
        "--max-ms",
        type=milliseconds,
        metavar="X",
        help="with --repair: within so many simulated milliseconds (default: the model's own time)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="also apply the edits of 'plan': no layer on the CPU if possible, keeping at least 25 dB",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.quantize/1)")
    output_options(parser, required=False, text="write the int8 model here")
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run `quantize`. Raises ModelError."""
    from pathlib import Path

    from npuscope.files.onnx_file import check_target, write
    from npuscope.machine.machine import target_of
    from npuscope.model.errors import ModelError
    from npuscope.numbers.inputs import random_samples
    from npuscope.numbers.quantize import RANDOM, Settings
    from npuscope.reports.several.quantize_report import quantize_json, quantize_text
    from npuscope.services.quantizing import (
        Quantized,
        planned,
        quantize_for,
        quantize_where_it_pays,
        try_settings,
    )

    if bool(options.inputs or options.reader) == options.random:
        raise ModelError(
            "give samples to calibrate on with --inputs PATH or --reader FILE.py, or --random to go without"
        )
    if not options.trial and not options.output:
        raise ModelError("give -o OUT, the file to write, or --try to see what each setting gives")
    if options.max_ms and not options.repair:
        raise ModelError("--max-ms: limits --repair; give --repair as well")
    source, target = open_model(options.model), target_of(build_of(options))
    if options.output:
        check_target(source, Path(options.output), options.force, embeds=True)
    given = given_samples(options, source)
    if given is None:
        samples, drawn = random_samples(source, options.samples, options.seed), f"{RANDOM}{options.seed}"
    else:
        samples, drawn = given, "from a reader" if options.reader else "from files"
    words = f"{plural(len(samples), 'sample')}, {drawn}"
    nodes = tuple(node.name for node in source.graph.nodes)
    exclude = tuple(known_name("--exclude", name, nodes, "node") for name in options.exclude)
    if options.trial:
        results = try_settings(source, target, samples, exclude, drawn)
    else:
        settings = Settings(options.method, options.symmetric, not options.per_tensor, exclude)
        make = quantize_where_it_pays if options.symmetric_where_it_pays else quantize_for
        results = (make(source, target, samples, settings, drawn),)
    best = results[0]
    if not isinstance(best, Quantized):
        raise ModelError(best.reason)
    if options.repair:
        from npuscope.services.repairing import repair

        repaired = repair(source, best, samples, drawn, options.max_ms or 0.0)
        if not repaired.repairs:
            sys.stderr.write("npuscope: no repair that was tried gains 0.2 dB within the time\n")
        results = (repaired, *results) if repaired.repairs else results
        best = repaired
    if options.plan:
        fixed = planned(source, best, samples)
        results = (fixed, *results) if fixed.edits else results
        best = fixed
    written, status = None, DONE
    if options.output:
        result = write(best.session, options.output, force=options.force)
        written = str(result.path)
        for complaint in result.complaints:
            note(f"{written}: {complaint}")
            status = FOUND if complaint.startswith("onnxruntime") else status
    if options.json:
        print_json(quantize_json(results, target, words, written))
    else:
        print_text(quantize_text(results, words))
        if written:
            edits = f", {plural(len(best.edits), 'edit')}" if best.edits else ""
            print_text(f"written {printable(written)} ({best.settings.title}{edits})\n")
    if options.random:
        sys.stderr.write(
            "npuscope: calibrated on random values; give --inputs before you trust the accuracy\n"
        )
    return status
