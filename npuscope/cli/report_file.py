"""`--report FILE`: what changed, before and after, in the form the file's name asks for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from npuscope.cli import console
from npuscope.cli.common import one_of_endings

if TYPE_CHECKING:
    from npuscope.numbers.verify_models import Verification
    from npuscope.session import Session
    from npuscope.snapshot import Snapshot


def report_option(parser: argparse.ArgumentParser) -> None:
    """Add --report."""
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write what changed, before and after: .md, .json or .csv; .html: the whole report of the result",
    )


def check_outputs(options: argparse.Namespace) -> None:
    """Raises ModelError where the files a command is to write cannot all be written."""
    from npuscope.services.writing import refuse_shared_names

    if options.report is not None:
        one_of_endings("--report", options.report, ".md", ".json", ".csv", ".html")
    refuse_shared_names({"-o": options.output, "--report": options.report})


def write_report(
    options: argparse.Namespace, changed: Session, before: Snapshot, checked: Verification | None
) -> None:
    """Write what changed. Raises ModelError."""
    from pathlib import Path

    from npuscope.files.atomic import write_beside
    from npuscope.reports.change_report import change_csv, change_json, change_markdown
    from npuscope.snapshot import analyse

    after = analyse(changed, before)
    suffix = Path(options.report).suffix.lower()
    if suffix == ".html":
        write_html(changed, after, options.report, options.force)
        return
    if suffix == ".json":
        text = console.json_text(change_json(changed, before, after, checked))
    elif suffix == ".csv":
        text = change_csv(before, after)
    else:
        text = change_markdown(changed, before, after, checked)
    write_beside(changed.source, options.report, text.encode(), options.force)


def write_html(session: Session, snapshot: Snapshot, path: str, force: bool) -> None:
    """Write the report of `check` as one HTML file. Raises ModelError."""
    from npuscope.files.atomic import write_beside
    from npuscope.reports.html.page import check_html

    write_beside(
        session.source, path, check_html(session, snapshot).encode("utf-8", "backslashreplace"), force
    )
