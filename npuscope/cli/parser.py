"""Parsers: one a command, made of the docstring of its file; and the page that lists all commands."""

from __future__ import annotations

import argparse
import inspect
import sys
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
  npuscope MODEL REPORT...  the same beside what ST's tools printed; REPORT... alone will do
  npuscope COMMAND ...      without a terminal: for scripts and CI
"""

FOOT = """\
examples:
  npuscope check model.onnx --only off         which layers are not on the NPU, and why
  npuscope check model.onnx --fail-on sw       exit status 1 if a layer runs in software
  npuscope plan model.onnx --apply -o out.onnx make the edits that help

'npuscope help COMMAND' says more. Exit status: 0 done; 1 --fail-on met, or a difference;
2 the input or the arguments cannot be used.
"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage block in front; help that may end in a text made only when it is shown."""

    below: Callable[[], str] | None = None

    def format_help(self) -> str:
        text = super().format_help()
        return text if self.below is None else f"{text}\n{self.below()}"

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
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
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
