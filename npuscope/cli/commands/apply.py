"""Apply the edits of a recipe, and say what they do to the numbers.

Examples:
  npuscope apply model.onnx fix.toml -o fixed.onnx
  npuscope apply model.onnx exported.onnx -o fixed.onnx     an exported model contains its recipe
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import (
    FOUND,
    open_session,
    output_options,
    sample_options,
    target_options,
    unwrap,
    write_model,
)
from npuscope.cli.console import print_text, written
from npuscope.cli.losses import least_option, loss_of
from npuscope.cli.report_file import check_outputs, report_option, write_report

ANY = -200.0
"""dB that every output keeps: what a recipe loses was accepted when it was made."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file the recipe was made for")
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe, or a model exported with one")
    parser.add_argument("--other-model", action="store_true", help="accept another file if its layers match")
    report_option(parser)
    sample_options(parser)
    least_option(
        parser, "exit status 1 where an output keeps a smaller ratio of signal to difference", "any will do"
    )
    output_options(parser, True, "write the edited model here")
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Make the edits, write the model and say what changed."""
    from pathlib import Path

    from npuscope.files.atomic import check_beside
    from npuscope.files.recipe import load as load_recipe
    from npuscope.files.recipe import replay
    from npuscope.reports.change_report import change_words
    from npuscope.reports.several.verify_report import loss_text
    from npuscope.services.writing import refuse_shared_names
    from npuscope.snapshot import analyse

    check_outputs(options)
    refuse_shared_names({"the recipe": options.recipe, "-o": options.output, "--report": options.report})
    session = open_session(options)
    if options.report:
        check_beside(session.source, Path(options.report), options.force)
    recipe = load_recipe(options.recipe)
    changed = unwrap(replay(session.source, recipe, session.target, options.other_model))
    before = analyse(session)
    loss = loss_of(options, changed, ANY)
    status = write_model(options, changed)
    if options.report:
        write_report(options, changed, before, loss.whole_model if loss is not None else None)
    print_text(change_words(changed, before, analyse(changed, before)))
    if loss is not None:
        print_text(loss_text(loss))
    print_text(written(options.output))
    return FOUND if loss is not None and loss.not_enough else status
