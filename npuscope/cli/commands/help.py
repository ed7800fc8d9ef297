"""Say what a command does, with its options and examples.

Examples:
  npuscope help            all commands
  npuscope help check
"""

from __future__ import annotations

import argparse
from difflib import get_close_matches

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "command", nargs="?", metavar="COMMAND", help="the command; without it, all are listed"
    )


def run(options: argparse.Namespace) -> int:
    """Print the help."""
    from npuscope.cli.parser import COMMANDS, command_parser, overview
    from npuscope.model.errors import ModelError

    if options.command is None:
        print_text(overview())
        return DONE
    if options.command not in COMMANDS:
        close = get_close_matches(options.command.lower(), COMMANDS, 1)
        hint = f"did you mean {close[0]!r}?" if close else "'npuscope help' lists all"
        raise ModelError(f"{options.command}: no such command; {hint}")
    print_text(command_parser(options.command).format_help())
    return DONE
