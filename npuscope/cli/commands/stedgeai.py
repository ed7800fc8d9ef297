"""Say how to call ST's compiler for a model, and call it with --run.

Writes the profile (user_neuralart.json) and its memory pools (.mpool), and prints the command that uses them, each
option with its reason. With --run the compiler is found through STEDGEAI_CORE_DIR or the path, runs in a temporary folder,
and its output is compared with the prediction; exit status 1 where it fails or differs. Nothing leaves the machine.

Examples:
  npuscope stedgeai model.onnx                             the command, and the files for it
  npuscope stedgeai model.onnx --board NUCLEO-N657X0-Q     for a board's memories
  npuscope stedgeai model.onnx --run                       compile, then compare
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from npuscope.cli import console
from npuscope.cli.common import DONE, FOUND, build_options, open_model, seconds, target_options
from npuscope.cli.console import print_json, print_text

if TYPE_CHECKING:
    from npuscope.services.stedgeai.compile import Compiled


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help=".onnx or .tflite file")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        help="write the files here (default MODEL_stedgeai, in this folder)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files that differ")
    parser.add_argument("--run", dest="compile", action="store_true", help="run the compiler, then compare")
    parser.add_argument(
        "--run-limit",
        type=seconds,
        metavar="SECONDS",
        help="stop the compiler after this time (default 1800)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.stedgeai/1)")
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Choose options, write the files, print the command, and run it where asked. Raises ModelError."""
    from pathlib import Path

    from npuscope.machine.machine import target_of
    from npuscope.model.errors import ModelError
    from npuscope.model.load import STDIN
    from npuscope.reports.stedgeai_report import stedgeai_json, stedgeai_text
    from npuscope.services.stedgeai.files import write_files
    from npuscope.services.stedgeai.options import choose
    from npuscope.session import Session

    asked = build_options(options)
    if options.model == STDIN:
        raise ModelError("-: ST's compiler reads a file; give the name of one")
    session = Session.open(open_model(options.model), target_of(asked.build()))
    made = choose(session, asked)
    folder = Path(options.output or f"{session.source.path.stem or 'model'}_stedgeai")
    written = [str(file.path) for file in write_files(made, folder, options.force)]
    arguments = made.arguments("stedgeai", session.source.path, folder)
    if not options.compile:
        if options.json:
            print_json(stedgeai_json(made, arguments, written, None))
        else:
            print_text(stedgeai_text(made, arguments, written, console.width()))
        return DONE
    if not options.json:
        print_text(stedgeai_text(made, arguments, written, console.width()))
    return _compile(options, made, folder, arguments, written)


def _compile(
    options: argparse.Namespace, made: Any, folder: Any, arguments: list[str], written: list[str]
) -> int:
    from npuscope.jobs import Job
    from npuscope.model.names import printable
    from npuscope.reports.compare_report import compare_text
    from npuscope.reports.stedgeai_report import stedgeai_json
    from npuscope.services.stedgeai.compile import compile_model
    from npuscope.services.stedgeai.program import TIME_LIMIT

    job = Job(_progress if sys.stderr.isatty() else None)
    compiled = compile_model(made, folder, options.run_limit or TIME_LIMIT, job, options.force)
    if options.json:
        print_json(stedgeai_json(made, arguments, written, _run_json(compiled)))
    else:
        print_text(
            f"\n{'ran for' if compiled.run.reason else 'compiled in'} {compiled.run.seconds:.1f} s; log and output in {printable(str(compiled.folder))}\n"
        )
    for line in compiled.unread:
        sys.stderr.write(f"npuscope: not read: {printable(line)}\n")
    if compiled.comparison is None:
        sys.stderr.write(f"npuscope: {printable(compiled.failure)}; see {printable(str(compiled.log))}\n")
        return FOUND
    if not options.json:
        print_text(compare_text(compiled.comparison))
    return FOUND if compiled.comparison.differs else DONE


def _run_json(compiled: Compiled) -> dict[str, Any]:
    from npuscope.reports.compare_json import compare_json

    return {
        "status": compiled.run.status,
        "seconds": round(compiled.run.seconds, 3),
        "folder": str(compiled.folder),
        "log": str(compiled.log),
        "artefacts": [str(path) for path in compiled.artefacts],
        "unread": list(compiled.unread),
        "failure": compiled.failure,
        "compare": compare_json(compiled.comparison) if compiled.comparison is not None else None,
    }


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\rcompiling: {done} s (at most {total} s; Ctrl+C stops it) ")
    sys.stderr.flush()
