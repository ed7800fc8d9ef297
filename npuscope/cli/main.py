"""The command line: finds the command, runs it, and turns what goes wrong into a line and an exit status.

Exit status: 0 done; 1 `--fail-on` met, or `verify` or `compare` found a difference; 2 the input or the arguments
cannot be used; 130 interrupted.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Callable, Sequence

from npuscope import __version__, garbage
from npuscope.cli import console
from npuscope.cli.common import DONE, UNUSABLE
from npuscope.cli.interrupts import INTERRUPTED

OBJECTS_A_COLLECTION = 20_000
"""Objects that may come before garbage is looked for. What a command makes mostly stays; with the 700 of Python 3.11 it spends a
twenty-fifth of a short one on looking."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    if argv is None:
        gc.set_threshold(OBJECTS_A_COLLECTION)
        garbage.one_command()
        atexit.register(gc.freeze)  # nothing is left to collect for: the process ends a twentieth sooner
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        console.prepare()
        try:
            return console.finish(_run(arguments))
        except SystemExit:  # --help, or arguments that cannot be used
            console.finish(DONE)
            raise
    except KeyboardInterrupt:
        return INTERRUPTED
    except console.OutputError as error:
        console.complain(f"npuscope: the output cannot be written ({error})\n")
        return UNUSABLE
    except Exception as error:
        from npuscope.model.errors import ModelError, one_line

        if isinstance(error, ModelError):
            console.complain(f"npuscope: {error}\n")
            return UNUSABLE
        if os.environ.get("NPUSCOPE_DEBUG"):
            raise
        console.complain(
            f"npuscope: internal error: {type(error).__name__}: {one_line(str(error))}; "
            "run again with NPUSCOPE_DEBUG=1 and report it\n"
        )
        return UNUSABLE


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--version"]:
        console.print_text(f"npuscope {__version__}")
        return DONE
    from npuscope.cli.parser import COMMANDS, command_parser, overview

    if arguments[:1] in (["-h"], ["--help"]):
        console.print_text(overview())
        return DONE
    if not arguments or arguments[0] not in COMMANDS:
        _refuse_misspelt(arguments[:1], COMMANDS)
        arguments = ["open", *arguments]
    arguments = _without_end_of_options(arguments)
    # Intermixed: options may stand before, between and after files and words, and errors name the command's own help.
    options = command_parser(arguments[0]).parse_intermixed_args(arguments[1:])
    command: Callable[[argparse.Namespace], int] = options.run
    with _limits(arguments[0], options):
        if arguments[0] == "open":
            return command(options)
        with console.own_words_only():
            return command(options)


def _without_end_of_options(arguments: list[str]) -> list[str]:
    """Files behind `--` may begin with a dash; the parser takes no `--` where options may stand anywhere."""
    if "--" not in arguments:
        return arguments
    end = arguments.index("--")
    files = (f"./{word}" if word.startswith("-") and word != "-" else word for word in arguments[end + 1 :])
    return [*arguments[:end], *files]


def _limits(command: str, options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """What the options allow a model to take, while the command runs. Raises ModelError."""
    from npuscope.cli.parser import WITHOUT_MODEL

    if command in WITHOUT_MODEL:
        return contextlib.nullcontext()
    from npuscope.model.budget import budget_of, limited

    return limited(budget_of(options.memory_limit, options.time_limit))


def _refuse_misspelt(words: Sequence[str], commands: Sequence[str]) -> None:
    """Raises ModelError for a word that is not a file but nearly a command, rather than to look for a model there."""
    from difflib import get_close_matches

    from npuscope.model.errors import ModelError

    for word in words:
        close = get_close_matches(word.lower(), commands, 1)
        if close and not set("./\\") & set(word) and not os.path.lexists(word):
            raise ModelError(f"{word}: no such command or file; did you mean {close[0]!r}?")


if __name__ == "__main__":
    sys.exit(main())
