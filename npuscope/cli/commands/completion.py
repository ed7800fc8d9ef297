"""Print completions for a shell.

Examples:
  npuscope completion bash > ~/.local/share/bash-completion/completions/npuscope
  npuscope completion zsh > "${fpath[1]}/_npuscope"
  npuscope completion fish > ~/.config/fish/completions/npuscope.fish
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text

SHELLS = ("bash", "zsh", "fish")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print for")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from npuscope.cli.parser import full_parser

    print_text(shtab.complete(full_parser(), options.shell))
    return DONE
