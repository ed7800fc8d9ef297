"""Parsers: one a command, made of the docstring of its file; and the page that lists all commands."""

from __future__ import annotations

import argparse
import inspect
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from npuscope import __version__
from npuscope.cli.common import UNUSABLE, limit_options
from npuscope.cli.console import complain
from npuscope.model.names import printable

GROUPS: dict[str, tuple[str, ...]] = {
    "look": ("open", "serve", "check", "diff", "compare", "stedgeai", "channels", "dot", "explain", "rules"),
    "change": ("quantize", "fix", "plan", "split", "cut", "apply", "verify"),
    "help": ("help", "schema", "completion"),
}
"""What the page of all commands shows together."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)

WITHOUT_MODEL = frozenset(("serve", "channels", "explain", "rules", "help", "schema", "completion"))
"""Commands that open no model: all others can limit what one may take."""

HEAD = """\
What an NPU compiler will make of a quantized ONNX model, and how to fix it.

  npuscope MODEL            explore the model in the terminal
  npuscope MODEL REPORT...  the same, next to what ST's tools reported; REPORT... on its own works too
  npuscope COMMAND ...      without a terminal: for scripts and CI
"""

FOOT = """\
examples:
  npuscope check model.onnx --only off         which layers are not on the NPU, and why
  npuscope check model.onnx --fail-on sw       exit status 1 if a layer runs in software
  npuscope plan model.onnx --apply -o out.onnx apply the edits that help

'npuscope help COMMAND' says more. Exit status: 0 done; 1 --fail-on triggers, or a difference;
2 the input or the arguments are unusable.
"""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps paragraphs to the terminal's width; examples stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n " in text:
            return super()._fill_text(text, width, indent)
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            textwrap.fill(
                paragraph, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
            )
            for paragraph in paragraphs
        )


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage block in front; help that may end in a text made only when it is shown."""

    below: Callable[[], str] | None = None

    def format_help(self) -> str:
        self.usage = self._short_usage()
        text = super().format_help()
        return text if self.below is None else f"{text}\n{self.below()}"

    def _short_usage(self) -> str:
        """What must be given; what may be is listed below it."""
        needed = [action for action in self._actions if action.required and action.option_strings]
        shown = argparse.ArgumentParser(prog=self.prog, add_help=False)
        shown._actions = [*needed, *self._get_positional_actions()]
        usage = shown.format_usage().removeprefix("usage: ").strip().removeprefix(self.prog)
        return " ".join((self.prog, "[options]", *usage.split())).replace("%", "%%")

    def error(self, message: str) -> NoReturn:
        complain(f"{self.prog}: {printable(message)}; see '{self.prog} --help'\n")
        sys.exit(UNUSABLE)


def module_of(command: str) -> ModuleType:
    """The file of a command."""
    return import_module(f"npuscope.cli.commands.{command}")


def summary_of(module: ModuleType) -> str:
    """The first line of a command's help: 'say where each layer runs'."""
    line = (inspect.getdoc(module) or "").split("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def command_parser(command: str) -> Parser:
    """The parser of one command."""
    module = module_of(command)
    parser = Parser(prog=f"npuscope {command}")
    _fill(parser, module)
    return parser


def full_parser() -> Parser:
    """The parser of all commands, as completions need it."""
    parser = Parser(prog="npuscope", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"npuscope {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name in COMMANDS:
        module = module_of(name)
        _fill(commands.add_parser(name, help=summary_of(module)), module)
    return parser


def _fill(parser: argparse.ArgumentParser, module: ModuleType) -> None:
    text, _, examples = (inspect.getdoc(module) or "").partition("\nExamples:\n")
    parser.formatter_class = Formatter
    parser.description = text.strip()
    if examples:
        parser.epilog = f"examples:\n{examples.rstrip()}"
    parser.set_defaults(run=module.run)
    module.configure(parser)
    if module.__name__.rpartition(".")[2] not in WITHOUT_MODEL:
        limit_options(parser)


def overview() -> str:
    """The page of all commands."""
    lines = [HEAD]
    for title, names in GROUPS.items():
        lines.append(f"{title}:")
        lines += [f"  {name:<12}{summary_of(module_of(name))}" for name in names]
        lines.append("")
    return "\n".join((*lines, FOOT))
