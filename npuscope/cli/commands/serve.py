"""Explore a model in a browser.

Each page that is opened runs an explorer of its own on this machine. Whoever can reach it can read and write files as
you, so it listens only to this machine unless --host says otherwise. Needs textual-serve:
pip install 'npuscope[serve]'.

Examples:
  npuscope serve model.onnx                    then open http://localhost:8000
  npuscope serve model.onnx report.txt --port 8080
"""

from __future__ import annotations

import argparse
import sys

from npuscope.cli.common import DONE, build_options, integer, target_options
from npuscope.places import is_there

HOST, PORT = "localhost", 8000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="the .onnx or .tflite file, and what ST's tools wrote about it; without any, a file picker opens",
    )
    parser.add_argument(
        "--host",
        default=HOST,
        metavar="NAME",
        help=f"address to listen on (default {HOST}: this machine only)",
    )
    parser.add_argument(
        "--port",
        type=integer(1, 65_535),
        default=PORT,
        metavar="N",
        help=f"port to listen on (default {PORT})",
    )
    target_options(parser, stated=True)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl+C. Raises ModelError."""

    from npuscope.cli.server import command_for, serve
    from npuscope.model.errors import ModelError

    build_options(options).build()
    for path in options.files:
        if not is_there(path):
            raise ModelError(f"{path}: no such file; check the path")
    arguments = [*options.files, *_build_arguments(options)]
    if options.host not in (HOST, "127.0.0.1", "::1"):
        sys.stderr.write(
            f"npuscope: listening on {options.host}: anyone who can reach it can read and write files as you\n"
        )
    serve(command_for(arguments), options.host, options.port)
    return DONE


def _build_arguments(options: argparse.Namespace) -> list[str]:
    """The build as it was given, for the explorer that each page runs."""
    arguments = [
        f"--{name}={value}"
        for name in ("toolchain", "profile", "as-built", "input-data-type", "output-data-type", "inputs-ch-position",
                     "outputs-ch-position", "optimization", "board", "mpool")
        if (value := getattr(options, name.replace("-", "_"))) is not None
    ]  # fmt: skip
    if options.scheduler is not None:
        arguments.append(f"--O{options.scheduler}-sched")
    if options.epoch_controller is not None:
        arguments.append(
            "--enable-epoch-controller" if options.epoch_controller else "--no-enable-epoch-controller"
        )
    if options.swish_recognition is not None:
        arguments.append("--SWISH-recognition" if options.swish_recognition else "--no-SWISH-recognition")
    return arguments
