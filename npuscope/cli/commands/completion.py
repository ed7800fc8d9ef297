"""Print completions for a shell.

Commands and options are completed, and what an option takes: files, versions, boards, codes.

Examples:
  npuscope completion bash > ~/.local/share/bash-completion/completions/npuscope
  npuscope completion zsh > "${fpath[1]}/_npuscope"
  npuscope completion fish > ~/.config/fish/completions/npuscope.fish
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from npuscope.cli.common import DONE
from npuscope.cli.console import print_text

SHELLS = ("bash", "zsh", "fish")

FILES = frozenset(
    ("A", "B", "FILE", "HEAD", "MODEL", "OUT", "PATH", "TAIL", "[MODEL] ARTEFACT", "model", "recipe")
)
"""What options and arguments that take a file call it, beside FILE.npy and the like."""

FOLDERS = frozenset(("FOLDER",))

MODEL_FIRST = {
    "bash": ("complete -o bashdefault -F", "complete -o bashdefault -o default -F"),
    "zsh": (
        "  _describe 'npuscope commands' _commands\n",
        "  _describe 'npuscope commands' _commands\n  _files\n",
    ),
    "fish": (
        "complete -c npuscope -f\n",
        "complete -c npuscope -f\ncomplete -c npuscope -n _shtab_npuscope_using -kF\n",
    ),
}
"""What lets `npuscope mod<Tab>` be a model too: shtab offers the commands alone there."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell to print for")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from npuscope.cli.parser import full_parser

    parser = full_parser()
    _say_what_follows(parser, _known_words())
    print_text(shtab.complete(parser, options.shell).replace(*MODEL_FIRST[options.shell], 1))
    return DONE


def _known_words() -> Mapping[str, Sequence[str]]:
    """Last name of an option or argument -> what it may be, where that is a list."""
    from npuscope.cli.parser import COMMANDS
    from npuscope.machine.board import BOARDS
    from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
    from npuscope.neural_art.rules import RULES
    from npuscope.reports.schemas.catalogue import names

    return {
        "--toolchain": TOOLCHAINS,
        "--profile": tuple(PROFILES),
        "--board": BOARDS,
        "--optimization": ("0", "1", "2", "3"),
        "--loss": ("exact", "needed", "any"),
        "code": tuple(rule.code for rule in RULES),
        "command": COMMANDS,
        "name": tuple(names()),
    }


def _say_what_follows(parser: argparse.ArgumentParser, known: Mapping[str, Sequence[str]]) -> None:
    """Tell shtab of each argument whether it is a file, a folder, or one of some words."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _say_what_follows(command, known)
            continue
        takes = str(action.metavar or action.dest)
        word = action.option_strings[-1] if action.option_strings else action.dest
        if action.nargs == 0 or action.choices is not None:
            continue
        if word in known:
            action.choices = known[word]
        elif takes in FILES or takes.startswith(("FILE.", "FLOAT.")):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif takes in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
