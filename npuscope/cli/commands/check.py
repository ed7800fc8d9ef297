"""Say where each layer runs, why, and what it costs.

Prints the reasons first, then the layers that matter: those that are not on the NPU and those that take the most time.
Several models, or folders of them, are judged on all cores and get a row each; a file that cannot be used is a row too,
and the exit status is 2.

Examples:
  npuscope check model.onnx                    reasons, and the layers that matter
  npuscope check model.onnx --all              every layer
  npuscope check model.onnx --only off         the layers that are not on the NPU
  npuscope check model.onnx --match 'op=Conv kernel=7 >1ms'   the layers that a query finds
  npuscope check model.onnx --fail-on sw       exit status 1 if a layer runs in software
  npuscope check models/ --baseline known.json exit status 1 for findings that are not in known.json
  npuscope check model.onnx --report out.html  one file to share: findings, sortable tables, diagrams
  npuscope check model.onnx --json             everything, schema npuscope.check/1
  npuscope check models/ --json                the same as an array
  npuscope check float.onnx --as-int8          a float model as if quantized, before you quantize it
  npuscope check model.onnx --sweep            every version, board, clock and set of pools that no option fixes
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.cli import console
from npuscope.cli.baseline import FAILURES, annotated, baseline_options, known_of, outcome_status
from npuscope.cli.common import (
    as_int8_options,
    color_option,
    fails,
    one_of_endings,
    open_session,
    target_options,
)
from npuscope.cli.console import print_json, print_text
from npuscope.cli.report_file import write_html

if TYPE_CHECKING:
    from npuscope.edits.gain import Gains
    from npuscope.session import Session
    from npuscope.snapshot import Snapshot


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help=".onnx or .tflite files, or folders of them"
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="check one model on every version, board, clock and set of memory pools that no option fixes",
    )
    group = parser.add_argument_group("output")
    form = group.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="one JSON object (schema npuscope.check/1), an array for several models",
    )
    form.add_argument("--csv", action="store_true", help="one row a layer")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    form.add_argument("--sarif", action="store_true", help="SARIF 2.1.0 for code scanning")
    form.add_argument("--github", action="store_true", help="GitHub Actions annotations")
    shown = group.add_mutually_exclusive_group()
    shown.add_argument("--all", action="store_true", help="every layer, branch by branch as in the explorer")
    shown.add_argument(
        "--only",
        choices=("off", "hot"),
        help="off: layers that are not on the NPU; hot: layers that take the most time",
    )
    shown.add_argument(
        "--match",
        metavar="QUERY",
        help="the layers that a query finds: words of a name, op=Conv, kernel=7, '>1ms', where:cpu, !word; "
        "several have to hold together",
    )
    group.add_argument(
        "--order",
        choices=("gain", "time", "graph"),
        default="gain",
        help="findings by what a fix saves (default), by the time of their layers, or in the model's order",
    )
    group.add_argument(
        "--gains",
        choices=("auto", "all", "none"),
        default="auto",
        help="try fixes on the whole model to see what they save: auto (default), those of the slowest layers, for about half a second; all; none",
    )
    group.add_argument(
        "--report", metavar="FILE.html", help="also write the whole report as one HTML file to share"
    )
    group.add_argument("--force", action="store_true", help="overwrite the report (never the model itself)")
    color_option(group)
    parser.add_argument(
        "--fail-on",
        choices=tuple(FAILURES),
        help="exit 1 if a layer runs in software, needs the CPU (hybrid), or has a warning; "
        "or if a memory is too small (memory)",
    )
    baseline_options(parser)
    as_int8_options(parser)
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Judge one model or several and print them in the form asked for."""
    from npuscope.garbage import kept_for_good, stays
    from npuscope.model.errors import ModelError
    from npuscope.places import is_folder
    from npuscope.services.baseline import items_of
    from npuscope.services.folders import model_files
    from npuscope.snapshot import analyse

    if options.report is not None:
        one_of_endings("--report", options.report, ".html", ".htm")
    if options.sweep and len(options.models) > 1:
        raise ModelError("--sweep: checks one model on many targets; name a single one")
    (options.model, *others) = options.models
    if options.report is not None and (options.sweep or others or is_folder(options.model)):
        raise ModelError("--report: covers one model; name a single one, without --sweep")
    if options.sweep:
        from npuscope.cli.many import check_sweep

        return check_sweep(options, options.model)
    if others or is_folder(options.model):
        from npuscope.cli.many import check_many

        return check_many(options, model_files(options.models))
    known = known_of(options, options.model)
    with kept_for_good():
        session = open_session(options)
        snapshot = analyse(session, keep=_weighs(options) and _many_trials(options, session))
        stays(session, snapshot)
    if options.report is not None:
        write_html(session, snapshot, options.report, options.force)
    range_ = None
    if session.graph.as_int8:
        from npuscope.services.zero_points import zero_point_range

        range_ = zero_point_range(session, snapshot)
    if options.json:
        from npuscope.reports.json_report import check_json

        print_json(check_json(session, snapshot, _gains(options, session, snapshot), range_))
    elif options.sarif:
        from npuscope.reports.sarif import sarif

        print_json(sarif(session, snapshot, annotated(snapshot, known)))
    elif options.csv:
        from npuscope.reports.tables import check_csv

        print_text(check_csv(session, snapshot))
    elif options.markdown:
        from npuscope.reports.tables import check_markdown

        print_text(check_markdown(session, snapshot))
    elif options.github:
        from npuscope.reports.annotations import github_annotations

        print_text(github_annotations(session, snapshot, annotated(snapshot, known)))
    else:
        from npuscope.reports.check.findings import Order
        from npuscope.reports.check.text import Rows, check_text

        rows = Rows.ALL if options.all else Rows(options.only) if options.only else Rows.MATTER
        colour = console.coloured(options.color)
        gains, order = _gains(options, session, snapshot), Order(options.order)
        print_text(
            check_text(
                session, snapshot, console.width(), rows, colour, gains, order, range_, options.match or ""
            )
        )
    failed = [options.model] if options.fail_on and fails(snapshot, options.fail_on) else []
    return outcome_status(options, [(options.model, items_of(snapshot))], failed)


def _weighs(options: argparse.Namespace) -> bool:
    """The form asked for says what fixes save."""
    return options.gains != "none" and not (
        options.sarif or options.csv or options.markdown or options.github
    )


def _many_trials(options: argparse.Namespace, session: Session) -> bool:
    from npuscope.planning.gains import GainScope, many_trials

    return many_trials(session, GainScope(options.gains))


def _gains(options: argparse.Namespace, session: Session, snapshot: Snapshot) -> Gains:
    """What fixes save, as far as the options let us try them."""
    if not _weighs(options):  # and no edit need be loaded
        from npuscope.edits.gain import Gains

        return Gains()
    from npuscope.planning.gains import GainScope, weighed

    return weighed(session, snapshot, GainScope(options.gains))
