"""Explain a finding.

Examples:
  npuscope explain N201
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("code", metavar="CODE", help="a finding's code, e.g. N201")


def run(options: argparse.Namespace) -> int:
    """Print a rule."""
    from npuscope.model.errors import ModelError
    from npuscope.neural_art.rules import BY_CODE
    from npuscope.reports.rule_pages import rule_text

    rule = BY_CODE.get(options.code.upper())
    if rule is None:
        raise ModelError(f"{options.code}: no such rule; 'npuscope rules' lists them")
    print_text(rule_text(rule))
    return DONE
