"""End the model at chosen tensors, and write what follows as a model for the CPU.

Exit status 1 if the two models run one after the other give other numbers than the original, or if onnxruntime cannot
run them.

Examples:
  npuscope cut model.onnx                      where a cut saves time
  npuscope cut model.onnx --at Gemm_51 -o head.onnx --tail tail.onnx
"""

from __future__ import annotations

import argparse
import sys

from npuscope.cli.common import (
    DONE,
    FOUND,
    chosen_samples,
    open_session,
    sample_options,
    target_options,
    unwrap,
    write_to,
)
from npuscope.cli.console import print_json, print_text, written


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file")
    parser.add_argument(
        "--at",
        nargs="+",
        default=[],
        metavar="NAME",
        help="tensors or layer names to end the model at (default: where head and tail together take the least time)",
    )
    parser.add_argument("-o", "--output", metavar="HEAD", help="write the head here: the model for the NPU")
    parser.add_argument("--tail", metavar="TAIL", help="write the tail here: what the CPU computes")
    parser.add_argument(
        "--force", action="store_true", help="overwrite HEAD and TAIL (never the model itself)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.cut/1)")
    sample_options(parser)
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run `cut`. Exit status 1 where the numbers differ, or onnxruntime does not run the models."""
    from pathlib import Path

    from npuscope.files.onnx_file import check_target
    from npuscope.model.errors import ModelError
    from npuscope.planning.cut import cut as make
    from npuscope.planning.cut import propose_cut, tensors_named, times, verify_cut
    from npuscope.reports.cut_report import cut_json, cut_text
    from npuscope.services.writing import refuse_shared_names
    from npuscope.snapshot import analyse

    if bool(options.output) != bool(options.tail):
        raise ModelError("-o HEAD and --tail TAIL belong together: give both, or neither to only see the cut")
    refuse_shared_names({"-o": options.output, "--tail": options.tail})
    session = open_session(options)
    for path in (options.output, options.tail):
        if path:
            check_target(session.source, Path(path), options.force)
    before = analyse(session)
    if options.at:
        made = unwrap(make(session, tensors_named(session.layers, options.at)))
        priced = times(made, before)
    else:
        proposal = propose_cut(session, before)
        if proposal is None:
            raise ModelError(
                f"{options.model}: no cut before its last layers saves time; name tensors with --at"
            )
        made, priced = proposal.cut, proposal.times
    samples = chosen_samples(options, session)
    try:
        checked = verify_cut(made, samples)
    except ModelError as error:
        checked = None
        sys.stderr.write(f"npuscope: head and tail were not compared with the model: {error}\n")
    status = DONE if checked is not None and checked.bit_exact else FOUND
    files = [options.output, options.tail] if options.output else []
    for part, path in zip((made.head, made.tail), files, strict=False):
        status = max(status, write_to(path, part, options.force))
    if options.json:
        print_json(cut_json(made, priced, checked, files))
    else:
        print_text(cut_text(made, priced, checked))
        for path in files:
            print_text(written(path))
    return status
