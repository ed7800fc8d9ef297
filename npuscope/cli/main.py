"""The command line: parses arguments, calls the core, prints. Heavy imports happen inside the command that needs them.

Exit status: 0 done; 1 `--fail-on` met, or `verify` or `compare` found a difference; 2 the input or the arguments
cannot be used.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from npuscope import __version__
from npuscope.cli.common import (
    DONE,
    FOUND,
    INTERRUPTED,
    UNUSABLE,
    applied,
    build_options,
    granted,
    layer_name,
    open_session,
    output_options,
    print_json,
    print_text,
    sample_options,
    target_options,
)
from npuscope.cli.cut import cut, cut_options
from npuscope.cli.dot import dot, dot_options
from npuscope.cli.fix import fix, fix_options, kinds_text
from npuscope.cli.plan import apply, apply_options, plan, plan_options
from npuscope.cli.verify import verify, verify_options

if TYPE_CHECKING:
    from npuscope.snapshot import Snapshot

DESCRIPTION = """\
What an NPU compiler will make of a quantized ONNX model, and how to fix it.

  npuscope MODEL            explore the model in the terminal
  npuscope MODEL REPORT...  the same beside what ST's tools printed; REPORT... alone will do
  npuscope COMMAND ...      without a terminal: for scripts and CI
"""


class _Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage block in front; help that may end in a text made only when it is shown."""

    below: Callable[[], str] | None = None

    def format_help(self) -> str:
        said = super().format_help()
        return said if self.below is None else f"{said}\n{self.below()}"

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}; see '{self.prog} --help'\n")
        sys.exit(UNUSABLE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        from npuscope.model.errors import ModelError, one_line

        if isinstance(error, ModelError):
            sys.stderr.write(f"npuscope: {error}\n")
            return UNUSABLE
        if os.environ.get("NPUSCOPE_DEBUG"):
            raise
        sys.stderr.write(
            f"npuscope: internal error: {type(error).__name__}: {one_line(str(error))}; "
            "run again with NPUSCOPE_DEBUG=1 and report it\n"
        )
        return UNUSABLE


def _run(arguments: list[str]) -> int:
    parser, commands = _parsers()
    if not arguments or arguments[0] not in {*commands, *_OF_ALL}:
        _refuse_misspelt(arguments[:1])
        arguments = ["open", *arguments]
    if arguments[0] in _OF_ALL:
        parser.parse_args(arguments)
    # Intermixed: options may stand before, between and after files and words, and errors name the command's own help.
    options = commands[arguments[0]].parse_intermixed_args(arguments[1:])
    command: Callable[[argparse.Namespace], int] = options.run
    return command(options)


def _refuse_misspelt(words: Sequence[str]) -> None:
    """Raises ModelError for a word that is no file but nearly a command, rather than to look for a model there."""
    from npuscope.model.errors import ModelError

    for word in words:
        close = get_close_matches(word.lower(), _COMMANDS, 1)
        if close and not set("./\\") & set(word) and not os.path.lexists(word):
            raise ModelError(f"{word}: no such command or file; did you mean {close[0]!r}?")


_OF_ALL = ("-h", "--help", "--version")
"""Options that stand in place of a command."""


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """The parser of all, and that of each command."""
    parser = _Parser(
        prog="npuscope", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"npuscope {__version__}")
    listed = parser.add_subparsers(title="commands", metavar="COMMAND")
    commands = {}
    for name, (run, text, build) in _COMMANDS.items():
        commands[name] = sub = listed.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        build(sub)
    commands["fix"].below = kinds_text
    return parser, commands


# -- open ------------------------------------------------------------------------------------------------------


def _open_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="the .onnx or .tflite file, and what ST's tools wrote of it; without any a file picker opens",
    )
    parser.add_argument("--recipe", metavar="FILE", help="make the edits of a recipe once the model is open")
    parser.add_argument(
        "--inputs",
        metavar="PATH",
        help="samples to calibrate and verify on: .npz, .npy or a folder of them (default: random)",
    )
    target_options(parser, stated=True)


def _open(options: argparse.Namespace) -> int:
    asked = build_options(options)
    asked.build()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write("npuscope: the explorer needs a terminal; for scripts use 'npuscope check MODEL'\n")
        return UNUSABLE
    gc.disable()  # until the application has started, see there
    from npuscope.tui.app import run

    return run(options.files, asked, recipe=options.recipe, inputs=options.inputs)


# -- check -----------------------------------------------------------------------------------------------------

_LEVELS = {"sw": 2, "hybrid": 1, "warning": 0}


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the .onnx or .tflite file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.check/1)")
    form.add_argument("--csv", action="store_true", help="one row a layer")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    form.add_argument("--sarif", action="store_true", help="SARIF 2.1.0 for code scanning")
    form.add_argument("--github", action="store_true", help="GitHub Actions annotations")
    parser.add_argument(
        "--fail-on",
        choices=tuple(_LEVELS),
        help="exit 1 if a layer runs in software, needs the CPU (hybrid), or carries a warning",
    )
    target_options(parser)


def _check(options: argparse.Namespace) -> int:
    from npuscope.snapshot import analyse

    session = open_session(options)
    snapshot = analyse(session)
    if options.json:
        from npuscope.reports.json_report import check_json

        print_json(check_json(session, snapshot))
    elif options.sarif:
        from npuscope.reports.sarif import sarif

        print_json(sarif(session, snapshot))
    elif options.csv:
        from npuscope.reports.tables import check_csv

        print_text(check_csv(session, snapshot))
    elif options.markdown:
        from npuscope.reports.tables import check_markdown

        print_text(check_markdown(session, snapshot))
    elif options.github:
        from npuscope.reports.annotations import github_annotations

        print_text(github_annotations(session, snapshot))
    else:
        from npuscope.reports.text_report import check_text

        print_text(check_text(session, snapshot))
    return FOUND if options.fail_on and _fails(snapshot, options.fail_on) else DONE


def _fails(snapshot: Snapshot, level: str) -> bool:
    from npuscope.npu.verdict import Severity

    summary = snapshot.summary
    if level == "sw":
        return summary.on_cpu > 0
    if level == "hybrid":
        return summary.off_npu > 0
    return summary.off_npu > 0 or any(
        finding.severity is not Severity.ADVICE for report in snapshot.layers for finding in report.findings
    )


# -- split -----------------------------------------------------------------------------------------------------


def _split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the .onnx or .tflite file")
    parser.add_argument(
        "--layer", required=True, metavar="NAME", help="the layer, by the name check gives it"
    )
    parser.add_argument(
        "--axis", required=True, choices=("in", "out"), help="cut input channels or output channels"
    )
    parser.add_argument(
        "--parts", required=True, metavar="SIZES", help="sizes (144,113) or a number of parts (2)"
    )
    output_options(parser, False, "write the split model here; without it only say what would change")
    sample_options(parser)
    target_options(parser)


def _split(options: argparse.Namespace) -> int:
    from npuscope.edits.kinds.split_input import SplitInput
    from npuscope.edits.kinds.split_output import SplitOutput
    from npuscope.edits.toolkit.sizes import parse_sizes
    from npuscope.edits.toolkit.weighted import weighted
    from npuscope.files.onnx_file import write
    from npuscope.reports.text_report import edit_text
    from npuscope.snapshot import analyse

    session = open_session(options)
    layer = layer_name(session, options.layer)
    whole = granted(weighted(session.graph, session.layers, layer))
    inward = options.axis == "in"
    sizes = granted(parse_sizes(options.parts, whole.in_channels if inward else whole.out_channels))
    edit = SplitInput(layer, sizes) if inward else SplitOutput(layer, sizes)
    changed = applied(options, session, (edit,))
    before = analyse(session)
    print_text(edit_text(changed.done[-1], layer, before, analyse(changed, before)))
    if options.output:
        written = write(changed, options.output, force=options.force)
        print_text(f"written {written.path}")
    return DONE


# -- compare ---------------------------------------------------------------------------------------------------


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="[MODEL] ARTEFACT",
        help="what ST's tools wrote: report, c_info.json, tmp.dot, logs..., and the model they made it from",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object (schema npuscope.compare/1)")
    form.add_argument("--markdown", action="store_true", help="a report to paste into a chat or an issue")
    parser.add_argument(
        "--explain-disagreements",
        metavar="FILE",
        help="write what npuscope got wrong to FILE, without names and weights, to attach to a bug report",
    )
    target_options(parser, stated=True)


def _compare(options: argparse.Namespace) -> int:
    from npuscope.services.open import compare_files

    comparison, snapshot = compare_files(options.files, build_options(options))
    if options.explain_disagreements:
        from npuscope.neural_art.comparison.disagreement_report import write

        write(comparison, snapshot, options.explain_disagreements)
    if options.json:
        from npuscope.reports.compare_json import compare_json

        print_json(compare_json(comparison))
    elif options.markdown:
        from npuscope.reports.compare_markdown import compare_markdown

        print_text(compare_markdown(comparison))
    else:
        from npuscope.reports.compare_report import compare_text

        print_text(compare_text(comparison))
    return FOUND if comparison.disagreements else DONE


# -- explain, rules --------------------------------------------------------------------------------------------


def _explain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", help="a finding's code, e.g. N201")


def _explain(options: argparse.Namespace) -> int:
    from npuscope.model.errors import ModelError
    from npuscope.neural_art.rules import BY_CODE
    from npuscope.reports.rule_pages import rule_text

    rule = BY_CODE.get(options.code.upper())
    if rule is None:
        raise ModelError(f"{options.code}: no such rule; 'npuscope rules' lists them")
    print_text(rule_text(rule))
    return DONE


def _no_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help="the whole reference as one Markdown page")


def _rules(options: argparse.Namespace) -> int:
    from npuscope.reports.rule_pages import rules_markdown, rules_text

    print_text(rules_markdown() if options.markdown else rules_text())
    return DONE


_COMMANDS: dict[
    str,
    tuple[Callable[[argparse.Namespace], int], str, Callable[[argparse.ArgumentParser], None]],
] = {
    "open": (_open, "explore a model in the terminal (the default)", _open_options),
    "check": (_check, "say where each layer runs, why, and what it costs", _check_options),
    "split": (_split, "split a Conv, Gemm or MatMul along its channels", _split_options),
    "fix": (fix, "list the edits that help a layer or the model, and make them by name", fix_options),
    "plan": (plan, "find the edits that bring layers onto the NPU and save time", plan_options),
    "cut": (
        cut,
        "end the model at chosen tensors, and write what follows as a model for the CPU",
        cut_options,
    ),
    "apply": (apply, "make the edits of a recipe again", apply_options),
    "verify": (verify, "run two models on the same inputs and compare their outputs", verify_options),
    "compare": (_compare, "hold the prediction against what ST's tools printed", _compare_options),
    "dot": (dot, "draw the graph, or the surroundings of a layer, coloured by placement", dot_options),
    "explain": (_explain, "explain a finding", _explain_options),
    "rules": (_rules, "list all rules", _no_options),
}


if __name__ == "__main__":
    sys.exit(main())
