"""List all rules."""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--markdown", action="store_true", help="the reference as one Markdown page")


def run(options: argparse.Namespace) -> int:
    """Print the rules."""
    from npuscope.reports.rule_pages import rules_markdown, rules_text

    print_text(rules_markdown() if options.markdown else rules_text())
    return DONE
