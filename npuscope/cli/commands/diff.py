"""Say what differs between two models, layer by layer, and whether the second one is worse.

Layers are paired by name, else by weights, shape and neighbours, so that renamed ones are found. A regression is: more
layers need the CPU, a layer left the NPU, an inference takes over 1 % longer, or a memory is now too small.

Examples:
  npuscope diff old.onnx new.onnx
  npuscope diff old.onnx new.onnx --fail-on regression   exit status 1 if the second is worse
  npuscope diff old.onnx new.onnx --markdown             a report to paste into a review
"""

from __future__ import annotations

import argparse

from npuscope.cli import console
from npuscope.cli.common import DONE, FOUND, build_of, open_model, target_options
from npuscope.cli.console import print_json, print_text

REGRESSION, CHANGE = "regression", "change"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("a", metavar="A", help="the old model, .onnx or .tflite")
    parser.add_argument("b", metavar="B", help="the new model")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.diff/1)")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or a review")
    parser.add_argument(
        "--fail-on",
        choices=(REGRESSION, CHANGE),
        help="exit 1 if B is worse than A (regression), or if a layer changed in more than its name (change)",
    )
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compare the two models and print what differs."""
    from npuscope.machine.machine import target_of
    from npuscope.reports.several.diff_report import diff_json, diff_markdown, diff_text
    from npuscope.services.diff import diff
    from npuscope.session import Session

    target = target_of(build_of(options))
    one, other = (Session.open(open_model(path), target) for path in (options.a, options.b))
    difference = diff(one, other)
    if options.json:
        print_json(diff_json(one, other, difference))
    elif options.markdown:
        print_text(diff_markdown(one, other, difference))
    else:
        print_text(diff_text(one, other, difference, console.width()))
    if options.fail_on == REGRESSION:
        return FOUND if difference.regressions else DONE
    return FOUND if options.fail_on == CHANGE and difference.touched else DONE
