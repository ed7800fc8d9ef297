"""Apply the edits of a recipe.

Examples:
  npuscope apply model.onnx fix.toml -o fixed.onnx
  npuscope apply model.onnx exported.onnx -o fixed.onnx     an exported model contains its recipe
"""

from __future__ import annotations

import argparse

from npuscope.cli.common import open_session, output_options, target_options, unwrap, write_model
from npuscope.cli.console import print_text
from npuscope.cli.report_file import check_outputs, report_option, write_report


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", metavar="MODEL", help="the .onnx or .tflite file the recipe was made for")
    parser.add_argument("recipe", metavar="RECIPE", help="the recipe, or a model exported with one")
    parser.add_argument("--other-model", action="store_true", help="accept another file if its layers match")
    report_option(parser)
    output_options(parser, True, "write the edited model here")
    target_options(parser)


def run(options: argparse.Namespace) -> int:
    """Make the edits, write the model and say what changed."""
    from pathlib import Path

    from npuscope.files.atomic import check_beside
    from npuscope.files.recipe import load as load_recipe
    from npuscope.files.recipe import replay
    from npuscope.reports.change_report import change_words
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
    status = write_model(options, changed)
    if options.report:
        write_report(options, changed, before, None)
    print_text(f"{change_words(changed, before, analyse(changed, before))}\nwritten {options.output}")
    return status
