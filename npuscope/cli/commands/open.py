"""Explore a model in the terminal (the default).

Reports of ST's tools that lie next to the model are opened with it. Without a file, a picker opens.

Examples:
  npuscope model.onnx
  npuscope model.onnx report.txt            the prediction next to what ST's tools reported
  npuscope old.onnx new.onnx                two models side by side
  npuscope model.onnx --toolchain 2.1       as that version would place it
"""

from __future__ import annotations

import argparse
import gc
import os
import sys

from npuscope.cli import interrupts
from npuscope.cli.common import UNUSABLE, build_options, existing, target_options
from npuscope.places import is_there


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="the .onnx or .tflite file, and what ST's tools wrote about it; without any, a file picker opens",
    )
    parser.add_argument("--recipe", metavar="FILE", help="apply the edits of a recipe once the model is open")
    parser.add_argument(
        "--inputs",
        type=existing,
        metavar="PATH",
        help="samples to calibrate and verify on: .npz, .npy or a folder of them (default: random)",
    )
    target_options(parser, stated=True)


def run(options: argparse.Namespace) -> int:
    """Open the explorer."""
    from npuscope.model.errors import ModelError
    from npuscope.model.load import STDIN

    asked = build_options(options)
    asked.build()
    # textual-serve names a driver that speaks through pipes: then there is no terminal, nor need there be.
    if not os.environ.get("TEXTUAL_DRIVER") and not (sys.stdin.isatty() and sys.stdout.isatty()):
        for path in options.files:
            if path != STDIN and not is_there(path):
                raise ModelError(f"{path}: no such file; check the path")
        sys.stderr.write(
            "npuscope: the explorer needs a terminal; for scripts and models on standard input use 'npuscope check MODEL'\n"
        )
        return UNUSABLE
    gc.disable()  # until the application has started, see there
    from npuscope.tui.run import run as explore

    interrupts.as_usual()
    return explore(options.files, asked, recipe=options.recipe, inputs=options.inputs)
