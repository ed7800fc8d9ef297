"""Compare the prediction with what ST's tools reported.

Exit status 1 where they disagree on a layer, or on the epochs that need the CPU.

Examples:
  npuscope compare model.onnx report.txt tmp.dot
  npuscope compare report.txt                  what the tools did, without the model
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE, FOUND, build_options, target_options
from npuscope.cli.console import note, print_json, print_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="[MODEL] ARTEFACT",
        help="what ST's tools wrote: report, c_info.json, tmp.dot, logs..., and the model they made it from",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.compare/1)")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    parser.add_argument(
        "--explain-disagreements",
        metavar="FILE",
        help="write what npuscope predicted wrongly to FILE, without names or weights, to attach to a bug report",
    )
    parser.add_argument(
        "--write-board",
        metavar="FILE",
        help="fit flash speed and set-up time to a report with measured times, and write them to FILE for --board",
    )
    target_options(parser, stated=True)


def run(options: argparse.Namespace) -> int:
    """Compare, and print it in the form asked for."""
    from npuscope.services.open import compare_files

    comparison, snapshot = compare_files(options.files, build_options(options))
    if options.write_board:
        from npuscope.services.open import write_board

        words = write_board(options.files, comparison, snapshot, options.write_board)
        note(f"{options.write_board}: {words}")
    if options.explain_disagreements:
        from npuscope.neural_art.comparison.disagreement_report import write

        write(comparison, snapshot, options.explain_disagreements)
    if options.json:
        from npuscope.reports.compare_json import compare_json

        print_json(compare_json(comparison))
    elif options.markdown:
        from npuscope.reports.compare_markdown import compare_markdown

        print_text(compare_markdown(comparison))
    else:
        from npuscope.reports.compare_report import compare_text

        print_text(compare_text(comparison))
    return FOUND if comparison.differs else DONE
